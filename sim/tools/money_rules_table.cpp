#include "sim/tools/money_rules_table.h"

#include <cinttypes>
#include <cstdio>
#include <optional>

#include "sim/tools/family.h"
#include "sim/world/money_rules.h"

namespace paygress::sim {
namespace {

constexpr SeedRange kDefaultSeeds{1, 20'000};

struct Detection {
  uint64_t seed = 0;  // 0: not found
  std::string as;
};

// The least of these seeds that is violated; none is: nothing.
std::optional<HistoryResult> first_violated(const MoneyRule& rule, bool off, SeedRange seeds,
                                            const Options& options) {
  WorkOrder order;
  order.arguments = {std::string(rule.family)};
  if (off) order.arguments.insert(order.arguments.end(), {"--off", std::string(rule.name)});
  order.seeds = seeds;
  order.jobs = options.jobs;
  const auto violated = [](const HistoryResult& result) { return !result.run.violations.empty(); };
  auto found = first_wanted(order, violated);
  if (found) return *std::move(found);
  std::fprintf(stderr, "paygress-sim: %s\n", to_string(found.error()).c_str());
  return std::nullopt;
}

// What goes wrong with the rule as well proves nothing about it.
Detection look_for(const MoneyRule& rule, SeedRange seeds, const Options& options) {
  while (seeds.first <= seeds.last) {
    const auto without = first_violated(rule, true, seeds, options);
    if (!without) return {};
    const SeedRange that{without->seed, without->seed};
    if (!first_violated(rule, false, that, options))
      return {without->seed, without->run.violations.front().rule};
    std::fprintf(stderr, "paygress-sim: seed %" PRIu64 " of %s is violated with every rule on\n",
                 without->seed, std::string(rule.family).c_str());
    seeds.first = without->seed + 1;
  }
  return {};
}

}  // namespace

int money_rules_table(const Options& options) {
  const bool ranged = options.seeds.last > options.seeds.first;
  const SeedRange seeds = ranged ? options.seeds : kDefaultSeeds;
  bool all = true;
  std::printf(
      "| rule switched off | what is done instead | scenario | found as | by seed |\n"
      "|---|---|---|---|---|\n");
  for (const MoneyRule& rule : money_rules()) {
    if (!options.off.empty() && options.off != rule.name) continue;
    const Detection found = look_for(rule, seeds, options);
    const std::string at =
        found.seed == 0 ? "not in " + std::to_string(seeds.last) : std::to_string(found.seed);
    std::printf("| `%s` | %s | `%s` | %s | %s |\n", std::string(rule.name).c_str(),
                std::string(rule.off).c_str(), std::string(rule.family).c_str(), found.as.c_str(),
                at.c_str());
    std::fflush(stdout);
    all = all && found.seed != 0;
  }
  return all ? exit_code::kOk : exit_code::kFindings;
}

}  // namespace paygress::sim
