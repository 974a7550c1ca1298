// paygress-sim: runs the production core in a simulated market. See docs/simulator.md.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "sim/members/rules.h"
#include "sim/tripwire/tripwire.h"
#include "sim/world/world.h"

namespace {

using namespace paygress;
using namespace paygress::sim;

constexpr int kOk = 0;
constexpr int kUsage = 2;
constexpr int kNotFound = 3;
constexpr int kFindings = 7;

constexpr const char* kHelp =
    "paygress-sim - runs many providers, relays, mints and crashes in virtual time\n"
    "\n"
    "  paygress-sim list [--json]            the scenarios, one a line, the name first\n"
    "  paygress-sim run SCENARIO [options]   one history; the same seed gives the same hash\n"
    "  paygress-sim rules [--seeds A..B]     what each rule of fail-over is worth, as a table\n"
    "\n"
    "Options of run:\n"
    "  --seed N       which history (default 1)\n"
    "  --seeds A..B   every history from A to B\n"
    "  --tier T       fast (default): cheap stand-ins for the curve; real: production's "
    "cryptography\n"
    "  --json         one JSON object a history\n"
    "\n"
    "Exit codes: 0 ok, 2 usage, 3 no such scenario, 7 something was violated.\n"
    "\n"
    "Examples:\n"
    "  paygress-sim run crashes --seed 7\n"
    "  paygress-sim run everything --seeds 1..100 --json\n";

struct Options {
  uint64_t first = 1;
  uint64_t last = 1;
  Tier tier = Tier::Fast;
  bool json = false;
};

std::optional<uint64_t> number(std::string_view text) {
  if (text.empty() || text.size() > 19) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

// False, with a message, when the words make no sense.
bool parse(const std::vector<std::string_view>& words, Options& options) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool takes_value = word == "--seed" || word == "--seeds" || word == "--tier";
    if (word == "--json") {
      options.json = true;
      continue;
    }
    if (!takes_value || i + 1 == words.size()) {
      std::fprintf(stderr, "paygress-sim: cannot use '%s'; see paygress-sim --help\n",
                   std::string(word).c_str());
      return false;
    }
    const std::string_view value = words[++i];
    std::optional<uint64_t> first;
    std::optional<uint64_t> last;
    if (word == "--tier") {
      if (value != "fast" && value != "real") {
        std::fprintf(stderr, "paygress-sim: --tier takes fast or real\n");
        return false;
      }
      options.tier = value == "real" ? Tier::Real : Tier::Fast;
      continue;
    }
    const size_t dots = value.find("..");
    first = number(value.substr(0, dots));
    last = dots == std::string_view::npos ? first : number(value.substr(dots + 2));
    if (!first || !last || *last < *first) {
      std::fprintf(stderr, "paygress-sim: %s takes a whole number, or two as A..B\n",
                   std::string(word).c_str());
      return false;
    }
    options.first = *first;
    options.last = *last;
  }
  return true;
}

int list(bool json) {
  boost::json::array all;
  for (const Scenario& s : scenarios()) {
    if (json)
      all.push_back({{"name", s.name}, {"about", s.about}});
    else
      std::printf("%-16s %s\n", s.name.c_str(), s.about.c_str());
  }
  if (json) std::printf("%s\n", boost::json::serialize(all).c_str());
  return kOk;
}

void print_json(const Scenario& s, uint64_t seed, const RunResult& r, double wall) {
  boost::json::array violations;
  for (const Violation& v : r.violations)
    violations.push_back({{"rule", v.rule}, {"detail", v.detail}, {"at_us", v.at.value}});
  boost::json::object marks;
  for (const auto& [name, count] : r.marks) marks[name] = count;
  char hash[17];
  std::snprintf(hash, sizeof hash, "%016" PRIx64, r.hash);
  const boost::json::object out{{"scenario", s.name},        {"seed", seed},
                                {"hash", hash},              {"events", r.events},
                                {"virtual_us", r.virtual_time.value}, {"wall_s", wall},
                                {"violations", violations},  {"marks", marks}};
  std::printf("%s\n", boost::json::serialize(out).c_str());
}

void print_text(const Scenario& s, uint64_t seed, const RunResult& r, double wall) {
  for (const auto& [name, count] : r.marks)
    std::printf("  %-32s %" PRIu64 "\n", name.c_str(), count);
  for (const Violation& v : r.violations)
    std::printf("  VIOLATED %s at %.3fs: %s\n  again: paygress-sim run %s --seed %" PRIu64 "\n",
                v.rule.c_str(), static_cast<double>(v.at.value) / 1e6, v.detail.c_str(),
                s.name.c_str(), seed);
  std::printf("%s seed=%" PRIu64 " events=%" PRIu64 " virtual=%.0fs wall=%.3fs hash=%016" PRIx64
              "\n",
              s.name.c_str(), seed, r.events, static_cast<double>(r.virtual_time.value) / 1e6, wall,
              r.hash);
}

RunResult run_one(const Scenario& scenario, uint64_t seed, Tier tier) {
  const Armed armed;
  return World(scenario, seed, tier).run();
}

int run(const Scenario& scenario, const Options& options) {
  bool violated = false;
  for (uint64_t seed = options.first; seed <= options.last; ++seed) {
    const auto from = std::chrono::steady_clock::now();
    const RunResult result = run_one(scenario, seed, options.tier);
    const double wall =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
    violated = violated || !result.violations.empty();
    if (options.json)
      print_json(scenario, seed, result, wall);
    else
      print_text(scenario, seed, result, wall);
  }
  return violated ? kFindings : kOk;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.empty() || words[0] == "--help" || words[0] == "-h" ||
      (words.size() > 1 && words[1] == "--help")) {
    std::fputs(kHelp, words.empty() ? stderr : stdout);
    return words.empty() ? kUsage : kOk;
  }
  if (words[0] == "rules") {
    const Armed armed;
    return members::rules_command({words.begin() + 1, words.end()});
  }
  Options options;
  if (words[0] == "list") {
    if (!parse({words.begin() + 1, words.end()}, options)) return kUsage;
    return list(options.json);
  }
  if (words[0] != "run" || words.size() < 2) {
    std::fprintf(stderr, "paygress-sim: no verb '%s'; see paygress-sim --help\n",
                 std::string(words[0]).c_str());
    return kUsage;
  }
  const Scenario* scenario = find_scenario(words[1]);
  if (scenario == nullptr) {
    std::fprintf(stderr, "paygress-sim: no scenario '%s'; paygress-sim list shows them\n",
                 std::string(words[1]).c_str());
    return kNotFound;
  }
  if (!parse({words.begin() + 2, words.end()}, options)) return kUsage;
  return run(*scenario, options);
}
