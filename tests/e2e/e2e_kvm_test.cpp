// The whole on real virtual machines, through the real programs: a relay, a mint, a provider on the
// KVM backend and a consumer. Emulated where KVM does not work.
#include <boost/json.hpp>
#include <csignal>
#include <fstream>
#include <thread>

#include "core/base/bytes.h"
#include "core/market/volume.h"
#include "shell/base/clock.h"
#include "shell/client/wallet_file.h"
#include "shell/dev/consumer.h"
#include "tests/conformance/backend/kvm_guest.h"

namespace paygress::conformance {
// Come with the header of the guest's image; their suites run elsewhere.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendConformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Enforcement);
}  // namespace paygress::conformance

namespace paygress::dev {
namespace {

using conformance::eventually;
using conformance::output_of;
using std::chrono::milliseconds;

constexpr milliseconds kWithin{400'000};  // ends with what is waited for

// What the workload of this name can leave on this machine: processes (qemu's names it, the
// supervisor's its directory), control groups, and files of the provider.
std::string traces_of(const std::string& name, const std::string& directory) {
  return output_of("pgrep -af 'guest=" + name + "|paygress-vm-init .*" + name +
                   "/' | grep -v pgrep; find /sys/fs/cgroup -type d -name '*" + name +
                   "' 2>/dev/null; find " + directory + "/provider-1/data/kvm -mindepth 1");
}

// Kept in memory, as keys must be; deleted however a test ends.
struct Scratch {
  Scratch() {
    std::string pattern = "/dev/shm/paygress-e2e-XXXXXX";
    path = mkdtemp(pattern.data());
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::filesystem::path path;
};

class KvmMarket : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!conformance::can_run_kvm()) GTEST_SKIP() << "needs root, qemu and debootstrap";
    const auto image = conformance::engine_image("kvm-guest");
    ASSERT_FALSE(image.empty()) << "the guest's image cannot be made";
    std::ofstream(scratch_.path / "templates.json")
        << R"({"version": 1, "templates": [{"slug": "hello",)"
        << R"( "images": [{"engine": "kvm", "image": "debian"}],)"
        << R"( "ports": [{"container_port": 80, "hint": "http", "label": "hello-http"}]}]})";
    MarketOptions options;
    options.backend = provider::BackendType::Kvm;
    options.providers = 1;
    options.programs = own_directory();
    options.configure = [&](provider::ProviderConfig& config) {
      config.kvm.accelerator = "tcg";
      config.kvm.images = {{"debian", image, "", ""}};
      config.templates_file = scratch_.path / "templates.json";
      config.volume_key_dir = keys_;
      config.specs[0].cpu_millicores = 2000;
    };
    auto started = Market::start(options);
    ASSERT_TRUE(started.has_value()) << to_string(started.error());
    market_ = std::move(*started);
    ASSERT_EQ(run(market_->consumer(mint_arguments(*market_, 5000))).status, 0);
  }
  void TearDown() override {
    if (!market_) return;
    if (HasFailure()) std::cerr << tail_of(market_->providers()[0].log_file, 60);
    EXPECT_EQ(market_->close(), std::vector<std::string>{});
  }
  Finished run(const Command& command) {
    auto done = run_command(command, kWithin, market_->stop_requested());
    EXPECT_TRUE(done.has_value() && done->in_time) << shell_text(command);
    return done.value_or(Finished{});
  }
  boost::json::value run_json(const Command& command) {
    const Finished done = run(command);
    EXPECT_EQ(done.status, 0) << shell_text(command) << "\n" << done.err << done.out;
    boost::system::error_code error;
    return boost::json::parse(done.out, error);
  }
  size_t keys() const {
    std::error_code error;
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(keys_, error)) {
      (void)entry;
      ++count;
    }
    return count;
  }

  Scratch scratch_;
  const std::string keys_ = scratch_.path / "keys";
  std::unique_ptr<Market> market_;  // ends before what it uses is deleted
};

TEST_F(KvmMarket, A_machine_is_bought_used_topped_up_and_gone) {
  const std::string npub = market_->providers().at(0).npub;
  auto arguments = spawn_arguments(npub, 100);
  arguments.insert(arguments.end(), {"--encrypt", "--timeout", "390"});
  const auto bought = read_bought(run_json(market_->consumer(arguments)), npub);
  ASSERT_TRUE(bought.has_value());
  const Bought lease = *bought;
  const auto in = login(*market_, lease, "hostname");
  ASSERT_TRUE(in.has_value()) << to_string(in.error());
  std::string name;
  ASSERT_TRUE(eventually([&] { return (name = run(*in).out).starts_with("paygress-"); })) << name;
  name.pop_back();  // the line's end
  EXPECT_NE(traces_of(name, market_->directory()), "") << "they would be seen";
  std::string page;
  ASSERT_TRUE(eventually([&] { return !(page = fetch(page_url(lease)).value_or("")).empty(); }));
  EXPECT_NE(page.find("Hello from paygress-"), std::string::npos);
  EXPECT_EQ(keys(), 1u);
  EXPECT_EQ(output_of("qemu-img info -U " + market_->directory() +
                      "/provider-1/data/kvm/*/disk.qcow2 | grep -c 'format: luks'"),
            "1\n");

  const auto told = run_json(market_->consumer(topup_arguments(lease, 20)));
  EXPECT_GE(number_member(told, "extended_duration_seconds").value_or(0), 18);

  // A new provider finds the machine again.
  MarketProvider& provider = market_->providers().front();
  provider.process->signal(SIGKILL);
  ASSERT_EQ(provider.process->wait(kWithin), 128 + SIGKILL);
  EXPECT_EQ(fetch(page_url(lease)).value_or("gone"), page);
  ASSERT_TRUE(market_->start_provider(provider).has_value());
  const auto ready = market_->await_ready(provider, kWithin);
  ASSERT_TRUE(ready.has_value()) << to_string(ready.error());
  EXPECT_EQ(text_member(run_json(market_->consumer(status_arguments(lease))), "status"), "Running");

  // Its time ends, and nothing of it is left: no process, no control group, no file, no key.
  std::string left;
  EXPECT_TRUE(eventually([&] {
    std::this_thread::sleep_for(milliseconds{500});
    return (left = traces_of(name, market_->directory())).empty();
  })) << left;
  EXPECT_GE(shell::now().wall + Seconds{1}, lease.expires_at) << "ended early";
  EXPECT_EQ(keys(), 0u);
  EXPECT_EQ(run(market_->operate(provider, {"ledger", "verify"})).status, 0);
}

// The consumer's key is in no file of the provider: neither in its ledger nor beside it.
TEST_F(KvmMarket, The_key_of_a_disk_is_in_no_file) {
  const std::string npub = market_->providers().at(0).npub;
  auto arguments = spawn_arguments(npub, 30);
  arguments.insert(arguments.end(), {"--encrypt", "--timeout", "390"});
  const auto access = run_json(market_->consumer(arguments));
  const std::string kept = output_of("cat " + keys_ + "/*.key");
  ASSERT_EQ(kept.size(), 64u);
  const auto key = from_hex(kept);
  ASSERT_TRUE(key.has_value());
  const std::string text = to_base64(*key, Base64::UrlSafe, false);
  std::string escaped;
  for (size_t i = 0; i < kept.size(); i += 2) escaped += "\\x" + kept.substr(i, 2);
  const std::string directory = market_->directory() + "/provider-1";
  EXPECT_EQ(output_of("grep -rlaF -e " + kept + " -e " + text + " " + directory), "");
  EXPECT_EQ(output_of("LC_ALL=C grep -rlaP '" + escaped + "' " + directory), "");
}

}  // namespace
}  // namespace paygress::dev
