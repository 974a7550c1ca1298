#include "shell/provider/verbs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <limits>

#include "shell/base/entropy.h"
#include "shell/base/file.h"
#include "shell/base/log.h"
#include "shell/base/secret_file.h"
#include "shell/base/usage.h"
#include "shell/base/version.h"
#include "shell/provider/asking.h"
#include "shell/provider/daemon.h"
#include "shell/provider/init.h"
#include "shell/provider/ledger_verbs.h"
#include "shell/provider/setup.h"
#include "shell/provider/wallet_verbs.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

constexpr const char* kFooter = R"(Examples:
  paygress-provider init --public-ip 203.0.113.7     write a first config, keys generated
  paygress-provider check-config                     every problem at once
  paygress-provider                                  the daemon (the same as `run`)
  paygress-provider status --json
  paygress-provider ledger show 3f9a                 one lease's story, by the begin of its id
  paygress-provider wallet balance                   what of the wallet is free to take out

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 6 outcome unknown (wallet send, wallet
pay, wallet restore), 7 findings (check-config, ledger verify, wallet check).)";

constexpr uint64_t kSatsMax = std::numeric_limits<int64_t>::max() / 1000;

struct Options {
  std::string config = kDefaultConfig;
  std::string data_dir;
  bool json = false;
  bool verbose = false;
  std::string log_format = "auto";
  InitAnswers init;
  std::string answers_file;
  bool all = false;
  bool off = false;
  bool csv = true;
  std::string lease;
  SendOptions send;
  std::string withdrawal;
  bool yes = false;
  bool force = false;
};

void say_findings(const std::vector<provider::Finding>& findings,
                  void (*tell)(const std::string&) = say) {
  for (const provider::Finding& f : findings)
    tell(fmt::format("{}: {}{}{}{}", f.severity == provider::Severity::Error ? "error" : "warning",
                     f.path, f.path.empty() ? "the file " : ": ", f.message,
                     f.suggestion.empty() ? "" : " (" + f.suggestion + ")"));
}

json::array findings_json(const std::vector<provider::Finding>& findings) {
  json::array out;
  for (const provider::Finding& f : findings)
    out.push_back(
        json::object{{"path", f.path},
                     {"severity", f.severity == provider::Severity::Error ? "error" : "warning"},
                     {"message", f.message},
                     {"suggestion", f.suggestion}});
  return out;
}

// Or why it cannot be read was said.
std::expected<provider::ConfigReport, Exit> config_of(const Options& options) {
  auto report = read_config(options.config);
  if (report) return *std::move(report);
  say(to_string(report.error()));
  if (access(options.config.c_str(), F_OK) == 0) return std::unexpected(Exit::Failed);
  say("`paygress-provider init` writes a first config; --config names another");
  return std::unexpected(Exit::NotFound);
}

// --- run, check-config ---------------------------------------------------------------------------

Exit verb_run(const Options& options) {
  const auto report = config_of(options);
  if (!report) return report.error();
  say_findings(report->findings, report->usable() ? note : say);
  if (!report->usable()) return Exit::Failed;
  const auto setup = make_setup(*report, options.config);
  if (!setup) {
    say(to_string(setup.error()));
    return Exit::Failed;
  }
  return static_cast<Exit>(run_daemon(*setup));
}

Exit verb_check_config(const Options& options) {
  auto report = config_of(options);
  if (!report) return report.error();
  if (report->is_object) check_data_directory(options.config, *report);
  if (options.json) {
    put(json::object{{"config", options.config},
                     {"usable", report->usable()},
                     {"findings", findings_json(report->findings)}});
  } else {
    say_findings(report->findings);
    fmt::print("{}: {}\n", options.config, report->usable() ? "usable" : "not usable");
  }
  return report->usable() ? Exit::Ok : Exit::Findings;
}

// --- init --------------------------------------------------------------------------------------

// Asks a person; nothing when nobody is there.
std::optional<std::string> ask_person(const std::string& question) {
  if (isatty(STDIN_FILENO) == 0) return std::nullopt;
  fmt::print(stderr, "{}: ", question);
  std::string line;
  if (!std::getline(std::cin, line) || line.empty()) return std::nullopt;
  return line;
}

Exit write_new_config(const Options& options, const NewConfig& made) {
  const auto written = shell::write_secret_file(options.config, made.text, shell::Replace::No);
  if (!written) {
    say(to_string(written.error()));
    return Exit::Failed;
  }
  if (options.json) {
    put(json::object{
        {"config", options.config}, {"npub", made.npub}, {"wallet_mnemonic", made.mnemonic}});
    return Exit::Ok;
  }
  fmt::print("config    {}\nprovider  {}\n", options.config, made.npub);
  if (!made.mnemonic.empty()) {
    fmt::print("wallet    {}\n", made.mnemonic);
    say("Write the wallet's words down now: they bring back its money, and are not shown again.");
  }
  const std::string program = options.config == kDefaultConfig
                                  ? "paygress-provider"
                                  : "paygress-provider -c " + options.config;
  say(fmt::format("Next: {0} check-config, then {0} run", program));
  return Exit::Ok;
}

// The option of `init` that answers for a key of the config; empty: there is none.
std::string_view init_option(std::string_view path) {
  constexpr std::pair<std::string_view, std::string_view> kOptions[] = {
      {"public_ip", "--public-ip"},  {"sandbox.allow_outside_dev", "--allow-sandbox"},
      {"backend_type", "--backend"}, {"provider_name", "--name"},
      {"nostr_relays", "--relay"},   {"whitelisted_mints", "--mint"}};
  for (const auto& [key, option] : kOptions)
    if (path == key || (path.starts_with(key) && path[key.size()] == '[')) return option;
  return {};
}

void name_options(std::vector<provider::Finding>& findings) {
  for (provider::Finding& f : findings)
    if (const auto option = init_option(f.path); !option.empty())
      f.suggestion += fmt::format("{}option {}", f.suggestion.empty() ? "" : "; ", option);
}

Exit verb_init(Options options) {
  if (access(options.config.c_str(), F_OK) == 0) {
    say(options.config + ": exists and is not replaced; name another with --config");
    return Exit::Failed;
  }
  if (!options.answers_file.empty()) {
    auto file = shell::open_file(options.answers_file, O_RDONLY);
    auto text = file ? shell::read_all(*file, provider::kConfigBytesMax, options.answers_file)
                     : Result<std::string>(std::unexpected(file.error()));
    if (!text) {
      say(to_string(text.error()));
      return Exit::Usage;
    }
    options.init.json = *std::move(text);
  } else if (!options.init.public_ip) {
    options.init.public_ip = ask_person("Address or host name that consumers reach");
  }
  shell::OsEntropy entropy;
  auto made = make_config(options.init, entropy);
  if (!made) {
    say(to_string(made.error()));
    return Exit::Usage;
  }
  name_options(made->findings);
  say_findings(made->findings);
  if (!made->usable) {
    say("nothing was written: answer with options (--help) or --answers FILE");
    return Exit::Usage;
  }
  return write_new_config(options, *made);
}

// --- the command line ----------------------------------------------------------------------------

// Of --data-dir, else of the config, which need not be usable for it.
std::expected<std::string, Exit> data_dir_of(const Options& options) {
  if (!options.data_dir.empty()) return options.data_dir;
  const auto report = config_of(options);
  if (!report) {
    say("--data-dir names the data directory without a config");
    return std::unexpected(report.error());
  }
  const bool tells = std::ranges::none_of(report->findings, [](const provider::Finding& f) {
    return f.path == "data_dir" && f.severity == provider::Severity::Error;
  });
  if (report->is_object && tells) return data_directory(report->config, options.config);
  say(fmt::format("{}: {}, so it does not say where the ledger is; --data-dir names it",
                  options.config,
                  report->is_object ? "its data_dir cannot be read" : "is not a JSON object"));
  say_findings(report->findings);
  return std::unexpected(Exit::Failed);
}

template <class Verb>
std::function<Exit()> with_data_dir(const Options& options, Verb verb) {
  return [&options, verb] {
    const auto directory = data_dir_of(options);
    return directory ? verb(*directory) : directory.error();
  };
}

struct CommandLine {
  CLI::App app{"Sells compute on Nostr, paid by the second with ecash.", "paygress-provider"};
  Options options;
  std::function<Exit()> verb;  // of the sub-command that was named

  CLI::App* add(CLI::App& parent, const char* name, const char* what, std::function<Exit()> run) {
    CLI::App* sub = parent.add_subcommand(name, what);
    sub->fallthrough();
    if (run) sub->callback([this, run = std::move(run)] { verb = run; });
    return sub;
  }
  void define();
  void define_init();
  void define_ledger();
  void define_recovery(CLI::App& ledger);
  void define_wallet();
  void define_pay(CLI::App& wallet, const std::function<void(CLI::App*)>& purse);
};

void CommandLine::define() {
  Options& o = options;
  app.footer(kFooter);
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", std::string("paygress-provider ") + shell::kVersion);
  app.add_option("-c,--config", o.config, "the config file")->capture_default_str();
  app.add_option("--data-dir", o.data_dir,
                 "for verbs that read: the data directory, instead of the config's");
  app.add_flag("--json", o.json, "machine-readable output with a stable shape");
  app.add_flag("-v,--verbose", o.verbose, "log more");
  app.add_option("--log-format", o.log_format, "how to log to stderr")
      ->check(CLI::IsMember({"auto", "text", "json"}));
  verb = [&o] { return verb_run(o); };
  add(app, "run", "run the daemon (the default)", verb)
      ->footer("Example:\n  paygress-provider run --config /etc/paygress/provider-config.json");
  define_init();
  add(app, "check-config", "find every problem of the config",
      [&o] { return verb_check_config(o); })
      ->footer(
          "Exits with 7 when there is an error.\nExample:\n  paygress-provider check-config "
          "--json | jq '.findings[]'");
  add(app, "status", "the daemon's relays, mints, wallet and leases",
      with_data_dir(o, [&o](const std::string& d) { return verb_status(d, o.json); }))
      ->footer(
          "When no daemon answers, the ledger is read.\nExample:\n  paygress-provider status "
          "--json | jq .ready");
  CLI::App* leases =
      add(app, "leases", "the leases that are open",
          with_data_dir(o, [&o](const std::string& d) { return verb_leases(d, o.all, o.json); }));
  leases->add_flag("-a,--all", o.all, "those that are over, too");
  leases->footer("Open ones first, the newest first.\nExample:\n  paygress-provider leases --all");
  CLI::App* drain =
      add(app, "drain", "sell no new leases, until the daemon is started again",
          with_data_dir(o, [&o](const std::string& d) { return verb_drain(d, !o.off, o.json); }));
  drain->add_flag("--off", o.off, "sell again");
  drain->footer("Examples:\n  paygress-provider drain\n  paygress-provider drain --off");
  define_ledger();
  define_wallet();
}

void CommandLine::define_init() {
  Options& o = options;
  CLI::App* init =
      add(app, "init", "write a first config with fresh keys", [&o] { return verb_init(o); });
  init->add_option("--public-ip", o.init.public_ip, "address or host name that consumers reach");
  init->add_option("--backend", o.init.backend,
                   "Docker, LXD, Kvm, Proxmox or Sandbox, in any letter case; Kvm and Proxmox need "
                   "keys of their own, by --answers")
      ->transform(CLI::IsMember({"Docker", "LXD", "Kvm", "Proxmox", "Sandbox"}, CLI::ignore_case))
      ->default_str("Docker");
  init->add_flag("--allow-sandbox", o.init.allow_sandbox,
                 "with --backend Sandbox: accept that it keeps tenants apart worse than any other");
  init->add_option("--name", o.init.name, "what consumers read");
  init->add_option("--relay", o.init.relays, "a relay's URL; may be repeated");
  init->add_option("--mint", o.init.mints, "a trusted mint's URL; may be repeated");
  init->add_option("--answers", o.answers_file, "JSON object with keys of the config");
  init->footer(
      "Refuses to replace a file. The wallet's words are shown once.\nExamples:\n"
      "  paygress-provider init --public-ip 203.0.113.7 --mint https://mint.example\n"
      "  paygress-provider init --answers answers.json --json");
}

void CommandLine::define_ledger() {
  Options& o = options;
  CLI::App* ledger = add(app, "ledger", "read the ledger, or recover it", nullptr);
  ledger->require_subcommand(1);
  add(*ledger, "verify", "fold the ledger again: chain, high-water mark, every msat",
      with_data_dir(o, [&o](const std::string& d) { return verb_ledger_verify(d, o.json); }))
      ->footer("Exits with 7 when it is damaged.\nExample:\n  paygress-provider ledger verify");
  CLI::App* show =
      add(*ledger, "show", "one lease's whole story", with_data_dir(o, [&o](const std::string& d) {
        return verb_ledger_show(d, o.lease, o.json);
      }));
  show->add_option("lease", o.lease, "the begin of its id, its pod or its workload id")->required();
  show->footer(
      "Examples:\n  paygress-provider ledger show 3f9a\n"
      "  paygress-provider ledger show container-1000 --json");
  CLI::App* exported =
      add(*ledger, "export", "every movement of money, for bookkeeping",
          with_data_dir(o, [&o](const std::string& d) { return verb_ledger_export(d, o.json); }));
  exported->add_flag("--csv", o.csv, "CSV with a header line: the default, unless --json");
  exported->footer(
      "In sum: redeemed = consumed + on leases + owed + kept.\n"
      "Example:\n  paygress-provider ledger export --csv > movements.csv");
  define_recovery(*ledger);
}

void CommandLine::define_recovery(CLI::App& ledger) {
  Options& o = options;
  CLI::App* recover =
      add(ledger, "recover", "take up an older ledger, or begin one in place of one that is gone",
          with_data_dir(
              o, [&o](const std::string& d) { return verb_ledger_recover(d, o.yes, o.json); }));
  recover->add_flag("--yes", o.yes, "do it; without, it is only said what would be done");
  recover->footer(
      "When the newest copy of the ledger is older than what was done: after a disk\n"
      "failed, or when `run` says that it ends before ledger.mark. The daemon must be\n"
      "stopped. Its next start searches the mints by the wallet's seed; it sells and\n"
      "pays nothing before `ledger release`.\n"
      "Example:\n  paygress-provider ledger recover --yes");
  CLI::App* release = add(ledger, "release", "end the recovery of the ledger: sell and pay again",
                          with_data_dir(o, [&o](const std::string& d) {
                            return verb_ledger_release(d, o.force, o.json);
                          }));
  release->add_flag("--force", o.force, "even if a mint or the engine did not answer");
  release->footer(
      "Exits with 1 while there is something to wait for.\n"
      "Example:\n  paygress-provider ledger release");
}

void CommandLine::define_wallet() {
  Options& o = options;
  CLI::App* wallet = add(app, "wallet", "what was earned, and how to take it out", nullptr);
  wallet->require_subcommand(1);
  add(*wallet, "balance", "per mint: what is there, what is owed, what is free",
      with_data_dir(o, [&o](const std::string& d) { return verb_wallet_balance(d, o.json); }))
      ->footer(
          "Free is what no lease, refund or withdrawal can still need.\n"
          "Example:\n  paygress-provider wallet balance --json | jq '.purses[].free_msat'");
  add(*wallet, "history", "what came into the wallet and what left it",
      with_data_dir(o, [&o](const std::string& d) { return verb_wallet_history(d, o.json); }))
      ->footer("Example:\n  paygress-provider wallet history");
  add(*wallet, "check", "ask the mints whether every proof is still good",
      with_data_dir(o, [&o](const std::string& d) { return verb_wallet_check(d, o.json); }))
      ->footer(
          "Exits with 7 when money is spent that nobody here spent: another program uses the\n"
          "wallet's seed, or an older ledger was put back. Changes nothing.\n"
          "Example:\n  paygress-provider wallet check");
  add(*wallet, "restore", "search the mints for money that the wallet's seed owns",
      with_data_dir(o, [&o](const std::string& d) { return verb_wallet_restore(d, o.json); }))
      ->footer(
          "What is found and unspent comes into the ledger, once. Exits with 1 when a mint\n"
          "could not be searched to its end, with 6 when the search goes on: ask again.\n"
          "Example:\n  paygress-provider wallet restore");
  const auto place = [&o](CLI::App* verb_app) {
    verb_app->add_option("-o,--out", o.send.place.file, "a new file for the token, mode 0600");
    verb_app->add_flag("--stdout", o.send.place.standard_output, "print the token instead");
  };
  CLI::App* send = add(
      *wallet, "send", "take earnings out as an ecash token",
      with_data_dir(o, [&o](const std::string& d) { return verb_wallet_send(d, o.send, o.json); }));
  send->add_option("amount", o.send.sats, "satoshis; the mint's fee leaves the wallet beside it")
      ->check(CLI::Range(uint64_t{1}, kSatsMax));
  send->add_flag("--all", o.send.all, "all that is free, the fee included");
  const auto purse = [&o](CLI::App* verb_app) {
    verb_app->add_option("--mint", o.send.mint, "of this mint, when there is money at several");
    verb_app->add_option("--unit", o.send.unit, "in this unit, when the mint has several");
    verb_app->add_flag("--force", o.send.force, "also of what is owed to consumers");
  };
  purse(send);
  place(send);
  send->footer(
      "Only what is free is taken (wallet balance). The token is money: keep it secret.\n"
      "Exits with 6 when the mint has not said yet; `wallet token` fetches it later.\n"
      "Examples:\n  paygress-provider wallet send 1000 --out earnings.token\n"
      "  paygress-provider wallet send --all --mint https://mint.example --stdout");
  define_pay(*wallet, purse);
  CLI::App* token = add(*wallet, "token", "the token of a withdrawal, again",
                        with_data_dir(o, [&o](const std::string& d) {
                          return verb_wallet_token(d, o.withdrawal, o.send.place, o.json);
                        }));
  token->add_option("withdrawal", o.withdrawal, "the begin of its id")->required();
  place(token);
  token->footer("Example:\n  paygress-provider wallet token 3f9a --out earnings.token");
}

void CommandLine::define_pay(CLI::App& wallet, const std::function<void(CLI::App*)>& purse) {
  Options& o = options;
  CLI::App* pay = add(
      wallet, "pay", "pay a Lightning invoice out of the earnings",
      with_data_dir(o, [&o](const std::string& d) { return verb_wallet_pay(d, o.send, o.json); }));
  pay->add_option("invoice", o.send.invoice, "BOLT 11, with an amount")->required();
  purse(pay);
  pay->footer(
      "The mint pays it. Beside its amount leave the wallet what Lightning costs, at most the\n"
      "mint's reserve, and the mint's fee; what is left over comes back. Only what is free is\n"
      "taken (wallet balance); --force takes also what is owed, and the ledger says so.\n"
      "Exits with 6 when the payment is under way: it goes on, and is in `wallet history`.\n"
      "Example:\n  paygress-provider wallet pay lnbc20u1p...");
}

shell::LogFormat log_format(const std::string& name) {
  if (name == "json") return shell::LogFormat::Json;
  return name == "text" ? shell::LogFormat::Text : shell::LogFormat::Auto;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CommandLine line;
  line.define();
  const bool as_json = std::find(argv, argv + argc, std::string_view("--json")) != argv + argc;
  if (as_json) answer_in_json();
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return line.app.exit(asked);
  } catch (const CLI::ParseError& error) {
    const shell::Usage usage = shell::usage_of(line.app, error);
    say(usage.problem);
    say(usage.advice);
    return static_cast<int>(finish(Exit::Usage));
  }
  shell::configure_log(log_format(line.options.log_format),
                       line.options.verbose ? shell::Level::Debug : shell::Level::Info);
  const Exit code = finish(line.verb());
  std::fflush(stdout);
  return static_cast<int>(code);
}

}  // namespace paygress::daemon
