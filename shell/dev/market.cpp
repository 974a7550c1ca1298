#include "shell/dev/market.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <csignal>
#include <thread>

#include "core/base/check.h"
#include "core/crypto/schnorr.h"
#include "core/failover/profile.h"
#include "core/nostr/nip19.h"
#include "shell/base/entropy.h"
#include "shell/base/file.h"
#include "shell/base/secret_file.h"
#include "shell/dev/sweep.h"
#include "shell/net/http_client.h"

namespace paygress::dev {
namespace {

namespace fs = std::filesystem;
using provider::BackendType;
using std::chrono::milliseconds;

// Below the range that the kernel gives to outgoing connections. Markets that run side by side
// begin at different places.
constexpr uint16_t kFirstPort = 20'000;
constexpr uint16_t kPortsPerMarket = 400;
constexpr int kMarkets = 30;
constexpr uint32_t kFirstPod = 1000;  // and how many pods a provider may have
constexpr milliseconds kReadyWithin{30'000};
constexpr milliseconds kStopWithin{10'000};
constexpr milliseconds kAskWithin{5'000};
constexpr milliseconds kAskEvery{100};

crypto::Keypair fresh_key() {
  shell::OsEntropy entropy;
  for (;;) {
    ByteArray<32> bytes{};
    entropy.fill(bytes);
    if (auto key = crypto::Keypair::from(SecretKey(bytes))) return *key;
  }
}

// A TCP port of loopback that nobody has now. Somebody may take it before its user does.
Result<uint16_t> free_port() {
  const shell::FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (bind(socket.number(), plain, length) != 0 ||
      getsockname(socket.number(), plain, &length) != 0)
    return shell::system_failure("cannot find a free port on", "127.0.0.1");
  return ntohs(address.sin_port);
}

Result<std::string> temporary_directory() {
  std::error_code error;
  std::string path = fs::temp_directory_path(error) / "paygress-dev-XXXXXX";
  if (error || mkdtemp(path.data()) == nullptr)
    return shell::system_failure("cannot make a directory like", path);
  return path;
}

// The key of an earlier run in the same data directory, so that its leases stay its own.
std::optional<std::string> earlier_key(const std::string& config_file) {
  const auto text = shell::read_secret_file(config_file);
  if (!text) return std::nullopt;
  const auto report = provider::parse_config(text->reveal());
  if (!nostr::parse_secret_key(report.config.nostr_private_key)) return std::nullopt;
  return report.config.nostr_private_key;
}

}  // namespace

fs::path own_directory() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

bool docker_answers() {
  net::Loop loop;
  net::HttpClient client(loop);
  net::HttpCall call;
  call.url = "http://docker/_ping";
  call.unix_socket = provider::DockerSettings{}.socket;
  call.timeout = 2'000'000_us;
  std::optional<net::HttpOutcome> outcome;
  client.start(std::move(call), [&](net::HttpOutcome got) { outcome = std::move(got); });
  loop.run_until([&] { return outcome.has_value(); }, 3'000'000_us);
  const auto* answered = outcome ? std::get_if<net::Answered>(&*outcome) : nullptr;
  return answered != nullptr && answered->status == 200;
}

Result<std::unique_ptr<Market>> Market::start(const MarketOptions& options) {
  PG_CHECK(options.providers > 0 && options.providers <= kProvidersMax);
  std::unique_ptr<Market> market(new Market());
  if (auto ready = market->prepare(options); !ready) {
    std::string message = to_string(ready.error());
    for (const MarketProvider& each : market->providers_)
      message += "\n--- " + each.log_file + "\n" + tail_of(each.log_file, 20);
    return fail(message);
  }
  return market;
}

Result<void> Market::prepare(const MarketOptions& options) {
  programs_ = options.programs;
  configure_ = options.configure;
  profile_ = options.profile;
  backend_ =
      options.backend.value_or(docker_answers() ? BackendType::Docker : BackendType::Sandbox);
  temporary_ = options.data_dir.empty();
  if (temporary_) {
    auto made = temporary_directory();
    if (!made) return std::unexpected(made.error());
    directory_ = *made;
  } else {
    directory_ = fs::absolute(options.data_dir).lexically_normal();
    if (auto made = shell::make_private_directory(directory_); !made) return made;
  }
  // Before anything is written: the providers of a market that runs read their configs again.
  auto lock = shell::lock_file(directory_ + "/market.lock",
                               "is held: another market runs in this directory; end it, or name "
                               "another with --data-dir. Nothing was changed");
  if (!lock) return std::unexpected(lock.error());
  lock_ = std::move(*lock);
  auto services = Services::start(options.services);
  if (!services) return std::unexpected(services.error());
  services_ = std::move(*services);
  for (size_t i = 0; i < options.providers; ++i) {
    auto added = add_provider(i);
    if (!added) return std::unexpected(added.error());
    providers_.push_back(std::move(*added));
    if (auto started = start_provider(providers_.back()); !started) return started;
  }
  for (MarketProvider& each : providers_)
    if (auto ready = await_ready(each, kReadyWithin); !ready) return ready;
  return {};
}

Result<MarketProvider> Market::add_provider(size_t index) {
  const std::string number = std::to_string(index + 1);
  MarketProvider made;
  made.name = "dev-" + number;
  made.directory = directory_ + "/provider-" + number;
  made.config_file = made.directory + "/provider-config.json";
  made.log_file = made.directory + "/log";
  made.first_port = static_cast<uint16_t>(kFirstPort + getpid() % kMarkets * kPortsPerMarket +
                                          index * kPortsPerProvider);
  made.last_port = static_cast<uint16_t>(made.first_port + kPortsPerProvider - 1);
  if (auto ok = shell::make_private_directory(made.directory); !ok)
    return std::unexpected(ok.error());
  const auto metrics = free_port();
  if (!metrics) return std::unexpected(metrics.error());
  made.metrics_address = "127.0.0.1:" + std::to_string(*metrics);

  provider::ProviderConfig config;
  config.backend_type = backend_;
  config.nostr_private_key =
      earlier_key(made.config_file).value_or(to_hex(fresh_key().secret().bytes));
  config.nostr_relays = {services_->relay_url()};
  config.provider_name = made.name;
  config.public_ip = "127.0.0.1";
  config.specs = {
      {"basic", "Basic", "a small box of the development market", 250, 128, kRateMsat, 1}};
  config.whitelisted_mints = {services_->mint_url()};
  const auto profile = failover::profile_named(profile_);
  PG_CHECK(profile.has_value());
  config.heartbeat_interval_secs = static_cast<uint64_t>(profile->heartbeat.value / 1'000'000);
  config.failover_profile = profile_;
  config.minimum_duration_seconds = kShortestLease;
  // Pods of different providers have different names, so that a person can tell them apart.
  config.vmid_range_start = static_cast<uint32_t>(kFirstPod * (index + 1));
  config.vmid_range_end = config.vmid_range_start + kFirstPod - 1;
  config.ssh_port_start = made.first_port;
  config.ssh_port_end = made.last_port;
  config.cashu_wallet_db_path = made.directory + "/unused-wallet.sqlite";
  config.data_dir = made.directory + "/data";
  config.metrics_bind_addr = made.metrics_address;
  config.sandbox.allow_outside_dev = true;
  if (configure_) configure_(config);
  const auto secret = nostr::parse_secret_key(config.nostr_private_key);
  PG_CHECK(secret.has_value());
  made.npub = nostr::to_npub(crypto::Keypair::from(*secret)->public_key());
  if (auto ok = shell::write_secret_file(made.config_file, provider::write_config(config),
                                         shell::Replace::Yes);
      !ok)
    return std::unexpected(ok.error());
  return made;
}

Result<void> Market::start_provider(MarketProvider& provider) {
  auto child = Child::start(operate(provider, {"run"}), provider.log_file);
  if (!child) return std::unexpected(child.error());
  provider.process.emplace(std::move(*child));
  return {};
}

Result<void> Market::await_ready(MarketProvider& provider, milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::string last;
  while (std::chrono::steady_clock::now() < deadline) {
    if (stop_requested()) return fail("interrupted");
    if (provider.process && provider.process->wait(milliseconds{0}))
      return fail("ended with status " + std::to_string(*provider.process->wait(milliseconds{0})),
                  provider.name);
    const auto status = status_of(provider);
    if (!status) {
      last = to_string(status.error());
    } else if (const auto* object = status->if_object()) {
      const auto* ready = object->if_contains("ready");
      if (ready != nullptr && *ready == true) return {};
    }
    std::this_thread::sleep_for(kAskEvery);
  }
  return fail("not ready in time: " + last, provider.name);
}

Result<boost::json::value> Market::status_of(const MarketProvider& provider) const {
  const auto asked =
      run_command(operate(provider, {"status", "--json"}), kAskWithin, stop_requested());
  if (!asked) return std::unexpected(asked.error());
  boost::system::error_code error;
  auto status = boost::json::parse(asked->out, error);
  if (error) return fail(asked->err, "status");
  const auto* object = status.if_object();
  const auto* problem = object == nullptr ? nullptr : object->if_contains("error");
  if (problem != nullptr && problem->is_string())
    return fail(std::string(problem->get_string()), "status");
  return status;
}

std::map<std::string, std::string> Market::consumer_environment(std::string_view home) const {
  return {{"PAYGRESS_HOME", directory_ + "/" + std::string(home)},
          {"PAYGRESS_RELAYS", services_->relay_url()}};
}

Command Market::consumer(std::vector<std::string> arguments, std::string_view home) const {
  arguments.insert(arguments.begin(), programs_ / "paygress");
  return {std::move(arguments), consumer_environment(home)};
}

Command Market::operate(const MarketProvider& provider, std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), programs_ / "paygress-provider");
  arguments.insert(arguments.end(), {"--config", provider.config_file});
  return {std::move(arguments), {}};
}

void Market::stop_providers(std::vector<std::string>& problems) {
  for (MarketProvider& each : providers_)
    if (each.process) each.process->signal(SIGTERM);
  for (MarketProvider& each : providers_) {
    if (!each.process) continue;
    if (!each.process->wait(kStopWithin))
      problems.push_back(each.name + " did not end within 10 s of SIGTERM and was killed");
    each.process.reset();
  }
}

std::vector<std::string> Market::close() {
  std::vector<std::string> problems;
  stop_providers(problems);
  bool swept = true;
  for (const MarketProvider& each : providers_) {
    auto removed = sweep_workloads(each.directory + "/data", backend_);
    if (removed) continue;
    swept = false;
    problems.push_back(each.name + ": workloads are left: " + to_string(removed.error()));
  }
  providers_.clear();
  services_.reset();
  std::error_code error;
  // What says where the workloads are must outlive them.
  if (temporary_ && swept && !directory_.empty()) fs::remove_all(directory_, error);
  if (error) problems.push_back("cannot delete " + directory_ + ": " + error.message());
  temporary_ = false;
  return problems;
}

Market::~Market() { close(); }

}  // namespace paygress::dev
