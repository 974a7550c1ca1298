#include "sim/members/rules.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace paygress::sim::members {
namespace {

constexpr int kOk = 0;
constexpr int kUsage = 2;
constexpr int kFindings = 7;

constexpr const char* kHelp =
    "paygress-sim rules - what each rule of fail-over is worth\n"
    "\n"
    "Runs the histories of the small world (members, relays, engines and guards of one workload)\n"
    "with all rules, with each rule switched off alone, and with the existing network's policy.\n"
    "\n"
    "  --seeds A..B      which histories (default 1..2000)\n"
    "  --all-seeds A..B  which histories with all rules (default: the same)\n"
    "  --only NAME       a rule; \"all\"; or \"timeout-only\"\n"
    "  --log SEED        every event of one history, with all rules or those left by --only\n"
    "\n"
    "Exit codes: 0 as it must be; 2 usage; 7 two copies, a false promotion or a stall with all\n"
    "rules, or a rule that nothing misses.\n";

struct Range {
  uint64_t first = 1;
  uint64_t last = 2000;
};

bool read_range(std::string_view text, Range& range) {
  const std::string copy(text);
  char* end = nullptr;
  range.first = std::strtoull(copy.c_str(), &end, 10);
  if (end == copy.c_str()) return false;
  if (*end == '\0') return range.last = range.first, range.first > 0;
  if (std::string_view(end).substr(0, 2) != "..") return false;
  const char* second = end + 2;
  range.last = std::strtoull(second, &end, 10);
  return end != second && *end == '\0' && range.first > 0 && range.last >= range.first;
}

Tally tally_of(const std::string& name, const Range& range, const failover::RulePolicy& policy,
               bool timeout_only) {
  Tally tally;
  tally.name = name;
  for (uint64_t seed = range.first; seed <= range.last; ++seed) {
    Plan plan = hostile_plan(seed);
    plan.policy = policy;
    plan.timeout_only = timeout_only;
    add(tally, seed, run(plan));
  }
  return tally;
}

void print(const Tally& t) {
  std::printf(
      "%-28s %9" PRIu64 " %8" PRIu64 " %9.0f %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64,
      t.name.c_str(), t.histories, t.overlaps, static_cast<double>(t.overlapping.value) / 1e6,
      t.false_promotions, t.shared, t.unheard, t.stalls);
  if (t.first_seed > 0)
    std::printf(" %8" PRIu64 "\n", t.first_seed);
  else
    std::printf("        -\n");
  std::fflush(stdout);
}

// How long nothing ran after the primary's host was lost, and nothing else went wrong.
void print_recovery(const char* name, const failover::Profile& profile, bool timeout_only) {
  std::vector<Micros> gaps;
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    Plan plan = plain_plan(seed, profile);
    plan.timeout_only = timeout_only;
    if (timeout_only) plan.policy.guard = false;
    for (const Micros gap : run(plan).gaps) gaps.push_back(gap);
  }
  std::sort(gaps.begin(), gaps.end());
  if (gaps.empty()) return;
  const auto at = [&](size_t percent) {
    return static_cast<double>(gaps[(gaps.size() - 1) * percent / 100].value) / 1e6;
  };
  std::printf("%-28s %9zu  p50 %.1f s, p99 %.1f s, worst %.1f s\n", name, gaps.size(), at(50),
              at(99), at(100));
}

int log_history(uint64_t seed, const failover::RulePolicy& policy, bool timeout_only) {
  Plan plan = hostile_plan(seed);
  plan.policy = policy;
  plan.timeout_only = timeout_only;
  Watching watching;
  watching.log = [](Micros at, const std::string& line) {
    std::printf("%10.3f %s\n", static_cast<double>(at.value) / 1e6, line.c_str());
  };
  const Verdict verdict = run(plan, watching);
  std::printf("%s%s hash=%016" PRIx64 "\n", verdict.good() ? "ok" : "VIOLATED ",
              verdict.stall.c_str(), verdict.hash);
  return verdict.good() ? kOk : kFindings;
}

}  // namespace

void add(Tally& tally, uint64_t seed, const Verdict& v) {
  ++tally.histories;
  tally.overlaps += v.overlaps > 0 ? 1 : 0;
  tally.overlapping += v.overlapping;
  tally.false_promotions += v.false_promotions > 0 ? 1 : 0;
  tally.shared += v.shared_epochs > 0 ? 1 : 0;
  tally.unheard += v.unheard_promotions > 0 ? 1 : 0;
  tally.stalls += !v.stall.empty() || v.late_promotions > 0 ? 1 : 0;
  tally.promotions += v.promotions;
  tally.events += v.events;
  if (!v.good() && tally.first_seed == 0) tally.first_seed = seed;
}

int rules_command(const std::vector<std::string_view>& words) {
  Range range;
  std::optional<Range> all;
  std::optional<Range> logged;
  std::string only;
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::string_view value = i + 1 < words.size() ? words[i + 1] : "";
    bool fits = false;
    if (words[i] == "--seeds") fits = read_range(value, range);
    if (words[i] == "--all-seeds") fits = read_range(value, all.emplace());
    if (words[i] == "--log") fits = read_range(value, logged.emplace());
    if (words[i] == "--only") fits = !(only = std::string(value)).empty();
    if (words[i] == "--help") return std::fputs(kHelp, stdout), kOk;
    if (fits) continue;
    std::fprintf(stderr, "paygress-sim rules: cannot use '%s'; see paygress-sim rules --help\n",
                 std::string(words[i]).c_str());
    return kUsage;
  }
  failover::RulePolicy chosen;
  const bool seed_policy = only == "timeout-only";
  if (!only.empty() && only != "all" && !seed_policy && !switch_off(chosen, only)) {
    std::fprintf(stderr, "paygress-sim rules: no rule '%s'\n", only.c_str());
    return kUsage;
  }
  if (seed_policy) chosen.guard = false;
  if (logged) return log_history(logged->first, chosen, seed_policy);

  std::printf("%-28s %9s %8s %9s %8s %8s %8s %8s %8s\n", "switched off", "histories", "overlap",
              "seconds", "false", "shared", "unheard", "stall", "first");
  bool as_it_must_be = true;
  if (only.empty() || only == "all") {
    const Tally tally = tally_of("nothing", all.value_or(range), {}, false);
    print(tally);
    as_it_must_be = tally.found() == 0;
  }
  for (const std::string& rule : rule_names()) {
    if (!only.empty() && only != rule) continue;
    failover::RulePolicy policy;
    switch_off(policy, rule);
    const Tally tally = tally_of(rule, range, policy, false);
    print(tally);
    as_it_must_be = as_it_must_be && tally.found() > 0;
  }
  if (only.empty() || seed_policy) {
    failover::RulePolicy policy;
    policy.guard = false;
    print(tally_of("all: timeout-only policy", range, policy, true));
  }
  if (only.empty()) {
    std::printf("\nfrom the loss of the primary's host to running again\n");
    print_recovery("default profile", failover::kDefaultProfile, false);
    print_recovery("fast profile", failover::kFastProfile, false);
    print_recovery("timeout-only policy", failover::kDefaultProfile, true);
  }
  return as_it_must_be ? kOk : kFindings;
}

}  // namespace paygress::sim::members
