#include "shell/dev/dev_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <thread>

#include "shell/dev/consumer.h"
#include "shell/dev/demo.h"

namespace paygress::dev {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSignalLook{100};
constexpr milliseconds kMintWithin{30'000};
constexpr uint64_t kTestMoney = 10'000;  // sats
constexpr const char* kWarning =
    "TEST MONEY, NO ISOLATION: for trying things out on this machine, never for tenants.";

struct Flags {
  size_t providers = 2;
  std::string data_dir;
  std::string backend;
  std::string profile = MarketOptions{}.profile;
  uint16_t relay_port = 0;
  uint16_t mint_port = 0;
  bool json = false;
};

MarketOptions options_of(const Flags& flags) {
  MarketOptions options;
  options.providers = flags.providers;
  options.data_dir = flags.data_dir;
  options.profile = flags.profile;
  options.services.relay_port = flags.relay_port;
  options.services.mint_port = flags.mint_port;
  options.programs = own_directory();
  if (flags.backend == "docker") options.backend = provider::BackendType::Docker;
  if (flags.backend == "sandbox") options.backend = provider::BackendType::Sandbox;
  return options;
}

bool in_colour(std::FILE* stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(fileno(stream)) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

std::string coloured(std::FILE* stream, int colour, std::string_view text) {
  return in_colour(stream) ? fmt::format("\x1b[{}m{}\x1b[0m", colour, text) : std::string(text);
}
constexpr int kRed = 31;
constexpr int kGreen = 32;
constexpr int kDim = 2;

// --- dev ---------------------------------------------------------------------------------------

void print_market(Market& market) {
  fmt::print("{}\n\n", coloured(stdout, kRed, kWarning));
  fmt::print("{:<10} {:<28} {}\n", "WHAT", "ADDRESS", "");
  fmt::print("{:<10} {:<28} Nostr, in memory\n", "relay", market.services().relay_url());
  fmt::print("{:<10} {:<28} Cashu, in memory, invoices pay themselves\n", "mint",
             market.services().mint_url());
  for (const MarketProvider& each : market.providers())
    fmt::print("{:<10} {:<28} {}; workloads on ports {} to {}\n", each.name,
               "http://" + each.metrics_address, each.npub, each.first_port, each.last_port);
  fmt::print("\nbackend  {}\nfiles    {}\n", provider::to_text(market.backend()),
             market.directory());
  fmt::print("\nIn another terminal:\n\n");
  for (const auto& [name, value] : market.consumer_environment())
    fmt::print("    export {}={}\n", name, value);
  const std::string program = own_directory() / "paygress";
  const auto line = [&](std::vector<std::string> arguments) {
    arguments.pop_back();  // --json: this is for people
    arguments.insert(arguments.begin(), "paygress");
    const std::string words = shell_text({std::move(arguments), {}});
    fmt::print("    {}{}\n", program, words.substr(words.find(' ')));
  };
  line(list_arguments());
  line(spawn_arguments(market.providers().front().npub, 300));
  fmt::print("\nCtrl-C ends it{}.\n", market.is_temporary() ? " and leaves nothing behind" : "");
  std::fflush(stdout);
}

void print_market_json(Market& market) {
  boost::json::array providers;
  for (const MarketProvider& each : market.providers())
    providers.push_back({{"name", each.name},
                         {"npub", each.npub},
                         {"config", each.config_file},
                         {"log", each.log_file},
                         {"metrics", "http://" + each.metrics_address}});
  boost::json::object environment;
  for (const auto& [name, value] : market.consumer_environment()) environment[name] = value;
  const boost::json::value all = {{"relay", market.services().relay_url()},
                                  {"mint", market.services().mint_url()},
                                  {"backend", provider::to_text(market.backend())},
                                  {"directory", market.directory()},
                                  {"providers", std::move(providers)},
                                  {"environment", std::move(environment)}};
  fmt::print("{}\n", boost::json::serialize(all));
  std::fflush(stdout);
}

int failed(std::string_view text) {
  fmt::print(stderr, "{}\n", text);
  return 1;
}

// A provider that ends by itself is said once and stays down: its log tells why.
void watch(Market& market) {
  while (!market.stop_requested()) {
    for (MarketProvider& each : market.providers()) {
      if (!each.process || !each.process->wait(milliseconds{0})) continue;
      fmt::print(stderr, "{} ended with status {}; see {}\n", each.name,
                 *each.process->wait(milliseconds{0}), each.log_file);
      each.process.reset();
    }
    std::this_thread::sleep_for(kSignalLook);
  }
}

int run_dev(const Flags& flags) {
  fmt::print(stderr, "starting...\n");
  auto started = Market::start(options_of(flags));
  if (!started) return failed(to_string(started.error()));
  Market& market = **started;
  const auto minted = run_command(market.consumer(mint_arguments(market, kTestMoney)), kMintWithin,
                                  market.stop_requested());
  if (!minted || minted->status != 0)
    return failed("no test money: " + (minted ? minted->err : to_string(minted.error())));
  flags.json ? print_market_json(market) : print_market(market);
  watch(market);
  fmt::print(stderr, "\nending...\n");
  int code = 0;
  for (const std::string& problem : market.close()) code = failed(problem);
  return code;
}

// --- demo --------------------------------------------------------------------------------------

void print_step(size_t number, const DemoStep& step) {
  fmt::print("{:>3}  {:<40} {:>6.2f} s  {}\n", number, step.name,
             static_cast<double>(step.milliseconds) / 1000,
             step.ok ? coloured(stdout, kGreen, "ok") : coloured(stdout, kRed, "FAILED"));
  std::string_view rest = step.command;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    fmt::print("     {}\n", coloured(stdout, kDim, "$ " + std::string(line)));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  fmt::print("     {}\n", step.note);
  std::fflush(stdout);
}

int run_demo(const Flags& flags) {
  size_t number = 0;
  if (!flags.json) fmt::print("{}\n\n", coloured(stdout, kRed, kWarning));
  const DemoReport report = play_demo(options_of(flags), [&](const DemoStep& step) {
    if (!flags.json) print_step(++number, step);
  });
  if (flags.json) {
    fmt::print("{}\n", boost::json::serialize(to_json(report)));
  } else {
    fmt::print("\n{} in {:.1f} s\n",
               report.ok ? "every step worked" : coloured(stdout, kRed, "a step failed"),
               static_cast<double>(report.milliseconds) / 1000);
  }
  return report.ok ? 0 : 1;
}

void add_common(CLI::App& command, Flags& flags, size_t least) {
  command.add_option("--providers", flags.providers, "How many providers to run")
      ->check(CLI::Range(least, kProvidersMax))
      ->capture_default_str();
  command
      .add_option("--backend", flags.backend,
                  "docker or sandbox; without it docker when its engine answers")
      ->check(CLI::IsMember({"docker", "sandbox"}));
}

}  // namespace

void add_dev_commands(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  const CLI::Option* json = app.get_option("--json");
  CLI::App* dev = app.add_subcommand("dev", "A market on this machine with test money");
  dev->footer("Example:\n  paygress dev --providers 3");
  add_common(*dev, *flags, 1);
  dev->add_option("--data-dir", flags->data_dir,
                  "Keep keys, ledgers and wallet here; relay and mint still forget");
  dev->add_option("--profile", flags->profile, "How fast fail-over is: demo, fast or default")
      ->check(CLI::IsMember({"demo", "fast", "default"}))
      ->capture_default_str();
  dev->add_option("--relay-port", flags->relay_port, "Port of the relay; 0: any free one");
  dev->add_option("--mint-port", flags->mint_port, "Port of the mint; 0: any free one");
  dev->callback([flags, json, &exit_code] {
    flags->json = json->count() > 0;
    exit_code = run_dev(*flags);
  });

  CLI::App* demo = app.add_subcommand("demo", "Play the whole story on such a market");
  demo->footer("Example:\n  paygress demo --json");
  const auto staged = std::make_shared<Flags>();
  staged->providers = kDemoProvidersMin;
  add_common(*demo, *staged, kDemoProvidersMin);
  demo->callback([staged, json, &exit_code] {
    staged->json = json->count() > 0;
    exit_code = run_demo(*staged);
  });
}

}  // namespace paygress::dev
