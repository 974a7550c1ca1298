// paygress-sim: runs the production core in a simulated market. See docs/simulator.md.
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>

#include "sim/members/rules.h"
#include "sim/tools/diff.h"
#include "sim/tools/family.h"
#include "sim/tools/money_rules_table.h"
#include "sim/tools/options.h"
#include "sim/tools/plants.h"
#include "sim/tools/report.h"
#include "sim/tools/result_json.h"
#include "sim/tools/shrink.h"
#include "sim/tools/sweep.h"
#include "sim/tripwire/tripwire.h"

namespace {

using namespace paygress;
using namespace paygress::sim;
using namespace paygress::sim::exit_code;

constexpr const char* kHelp =
    "paygress-sim - runs many providers, relays, mints and crashes in virtual time\n"
    "\n"
    "  paygress-sim list                    the scenarios, one a line, the name first\n"
    "  paygress-sim run SCENARIO            one history; the same seed gives the same hash\n"
    "  paygress-sim plan SCENARIO           that history as a text, to read and to edit\n"
    "  paygress-sim replay FILE             runs such a text\n"
    "  paygress-sim sweep SCENARIO          many seeds: violations, marks, times\n"
    "  paygress-sim shrink FILE             the smallest history that violates the same rule\n"
    "  paygress-sim diff A B                the first event in which two histories differ\n"
    "  paygress-sim report FILE             a history as one HTML page\n"
    "  paygress-sim plants [BUG...]         which planted bugs are found, after how many seeds\n"
    "  paygress-sim rules [--seeds A..B]    what each rule of fail-over is worth, as a table\n"
    "  paygress-sim rules money             the same of each rule that keeps money whole\n"
    "\n"
    "FILE, A and B are files with a history, or SCENARIO:SEED.\n"
    "\n"
    "  --seed N       which history (default 1)\n"
    "  --seeds A..B   every history from A to B\n"
    "  --tier T       fast (default): cheap stand-ins for the curve; real: production's\n"
    "                 cryptography\n"
    "  --jobs J       processes of a sweep (default 1)\n"
    "  --json         list, run, replay: one JSON object a line; sweep: one for all of it\n"
    "  --out PATH     shrink, report, plan: the file to write (default: stdout); sweep: the\n"
    "                 folder of what it finds (default: here)\n"
    "  --seconds S    how long shrinking may take (default 60)\n"
    "  --no-shrink    sweep: leave what it finds as it is\n"
    "  --plant BUG    switches a planted bug on; only in a program built for it (./dev plants)\n"
    "  --off RULE     switches a rule of the money off; rules money: shows that one alone\n"
    "\n"
    "A sweep keeps the first failure of each rule as a small file that replay runs again. One of\n"
    "500 seeds or more also fails when something that its scenario declares (a mark) never\n"
    "happened. Data goes to stdout, progress and failures to stderr.\n"
    "\n"
    "Exit codes: 0 ok, 2 usage, 3 no such scenario, 4 a file or process failed, 7 something was\n"
    "violated (diff: they differ).\n"
    "\n"
    "Examples:\n"
    "  paygress-sim run crashes --seed 7\n"
    "  paygress-sim sweep everything --seeds 1..1000 --jobs 2 --json\n"
    "  paygress-sim plan everything --seed 7 > mine.scenario; paygress-sim replay mine.scenario\n"
    "  paygress-sim diff everything:7 mine.scenario\n"
    "  paygress-sim report everything:7 --out seven.html\n";

int complain(int code, const std::string& what) {
  std::fprintf(stderr, "paygress-sim: %s\n", what.c_str());
  return code;
}

void print(const HistoryResult& r, const std::string& again, bool json) {
  if (json) {
    std::printf("%s\n", boost::json::serialize(to_json(r)).c_str());
    std::fflush(stdout);
    return;
  }
  for (const auto& [name, count] : r.run.marks)
    std::printf("  %-32s %" PRIu64 "\n", name.c_str(), count);
  for (const Violation& v : r.run.violations)
    std::printf("  VIOLATED %s at %s: %s\n  again: paygress-sim %s\n", v.rule.c_str(),
                to_text(v.at).c_str(), v.detail.c_str(), again.c_str());
  std::printf("%s seed=%" PRIu64 " events=%" PRIu64 " virtual=%.0fs wall=%.3fs hash=%s\n",
              r.scenario.c_str(), r.seed, r.run.events,
              static_cast<double>(r.run.virtual_time.value) / 1e6, r.wall_seconds,
              hash_text(r.run.hash).c_str());
}

Result<HistoryResult> timed(const Family& family, uint64_t seed, const std::string& text) {
  const auto from = std::chrono::steady_clock::now();
  auto run = family.run(text, nullptr);
  if (!run) return std::unexpected(run.error());
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
  return HistoryResult{family.name(), seed, wall, *std::move(run)};
}

std::string drawn(const Family& family, uint64_t seed, const Options& options) {
  return with_rule_off(family.draw(seed, options.tier, options.plant), options.off);
}

int list(const Options& options) {
  for (const auto& family : families()) {
    const boost::json::object one{{"name", family->name()},
                                  {"about", family->about()},
                                  {"marks", boost::json::value_from(family->marks())}};
    if (options.json)
      std::printf("%s\n", boost::json::serialize(one).c_str());
    else
      std::printf("%-16s %s\n", family->name().c_str(), family->about().c_str());
  }
  return kOk;
}

int run(const Family& family, const Options& options) {
  bool violated = false;
  for (uint64_t seed = options.seeds.first; seed <= options.seeds.last; ++seed) {
    const auto result = timed(family, seed, drawn(family, seed, options));
    if (!result) return complain(kFailed, to_string(result.error()));
    violated = violated || !result->run.violations.empty();
    print(*result, "run " + family.name() + " --seed " + std::to_string(seed), options.json);
  }
  return violated ? kFindings : kOk;
}

int output(const Options& options, const std::string& text) {
  if (options.out.empty()) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return kOk;
  }
  if (auto ok = write_file(options.out, text); !ok) return complain(kFailed, to_string(ok.error()));
  return kOk;
}

// A file, or SCENARIO:SEED.
Result<std::string> history(const std::string& name, const Options& options) {
  const size_t colon = name.rfind(':');
  const Family* family = colon == name.npos ? nullptr : find_family(name.substr(0, colon));
  if (family == nullptr) {
    auto text = read_file(name);
    return text ? with_rule_off(*std::move(text), options.off) : text;
  }
  const auto seed = parse_options({"--seed", name.substr(colon + 1)});
  if (!seed) return std::unexpected(seed.error());
  return drawn(*family, seed->seeds.first, options);
}

int replay(const Family& family, const std::string& name, const std::string& text,
           const Options& options) {
  if (const std::string why = family.unfair(text); !why.empty())
    std::fprintf(stderr, "paygress-sim: beyond the budget of faults: %s\n", why.c_str());
  const auto result = timed(family, seed_of(text), text);
  if (!result) return complain(kFailed, name + ": " + to_string(result.error()));
  print(*result, "replay " + name, options.json);
  return result->run.violations.empty() ? kOk : kFindings;
}

int shrink_file(const Family& family, const std::string& text, const Options& options) {
  const auto small = shrink(family, text, options.seconds);
  if (!small) return complain(kFailed, to_string(small.error()));
  std::fprintf(stderr, "%s: %zu lines became %zu in %" PRIu64 " runs\n", small->rule.c_str(),
               small->lines_before, small->lines_after, small->runs);
  return output(options, "# " + small->rule + "\n" + small->text);
}

int diff(const Options& options) {
  if (options.positional.size() != 3) return complain(kUsage, "diff takes two histories");
  const auto a = history(options.positional[1], options);
  const auto b = history(options.positional[2], options);
  for (const auto* one : {&a, &b})
    if (!*one) return complain(kFailed, to_string(one->error()));
  const auto found = compare(*a, *b);
  if (!found) return complain(kFailed, to_string(found.error()));
  if (found->same) {
    std::printf("the same %" PRIu64 " steps\n", found->step);
    return kOk;
  }
  const auto shown = [](const std::string& text) { return text.empty() ? "it had ended" : text; };
  std::printf("they differ first in step %" PRIu64 "\n  first:  %s\n  second: %s\n", found->step,
              shown(found->first).c_str(), shown(found->second).c_str());
  return kFindings;
}

// Verbs whose argument is a scenario.
int with_family(const std::string& verb, const Options& options) {
  if (options.positional.size() != 2) return complain(kUsage, verb + " takes a scenario");
  const Family* family = find_family(options.positional[1]);
  if (family == nullptr)
    return complain(kNotFound,
                    "no scenario '" + options.positional[1] + "'; paygress-sim list shows them");
  if (verb == "sweep") return sweep(*family, options);
  if (verb == "run") return run(*family, options);
  return output(options, drawn(*family, options.seeds.first, options));
}

// Verbs whose argument is a history.
int with_history(const std::string& verb, const Options& options) {
  if (options.positional.size() != 2) return complain(kUsage, verb + " takes a file");
  const std::string& name = options.positional[1];
  const auto text = history(name, options);
  if (!text) return complain(kFailed, to_string(text.error()));
  const auto family = family_of(*text);
  if (!family)  // 3 is for a scenario that is named, and not there
    return complain(scenario_named_by(*text) ? kNotFound : kFailed,
                    name + ": " + to_string(family.error()));
  if (verb == "replay") return replay(**family, name, *text, options);
  if (verb == "shrink") return shrink_file(**family, *text, options);
  const auto page = report_html(*text);
  if (!page) return complain(kFailed, name + ": " + to_string(page.error()));
  return output(options, *page);
}

}  // namespace

int main(int argc, char** argv) {
  const bool money = argc > 2 && std::string_view(argv[2]) == "money";
  if (argc > 1 && std::string_view(argv[1]) == "rules" && !money) {
    const Armed armed;
    return members::rules_command({argv + 2, argv + argc});
  }
  const auto options = parse_options({argv + 1, argv + argc});
  if (!options) return complain(kUsage, to_string(options.error()) + "; see paygress-sim --help");
  const std::string verb = options->positional.empty() ? "" : options->positional.front();
  if (options->help || verb.empty() || verb == "help") {
    std::fputs(kHelp, options->help || verb == "help" ? stdout : stderr);
    return options->help || verb == "help" ? kOk : kUsage;
  }
  if (verb == "list") return list(*options);
  if (verb == "plants") return plants(*options);
  if (verb == "rules") return money_rules_table(*options);
  if (verb == "diff") return diff(*options);
  if (verb == "run" || verb == "sweep" || verb == "plan") return with_family(verb, *options);
  if (verb == "replay" || verb == "shrink" || verb == "report") return with_history(verb, *options);
  return complain(kUsage, "no verb '" + verb + "'; see paygress-sim --help");
}
