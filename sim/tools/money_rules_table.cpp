#include "sim/tools/money_rules_table.h"

#include <cinttypes>
#include <cstdio>

#include "sim/tools/family.h"
#include "sim/world/money_rules.h"

namespace paygress::sim {
namespace {

constexpr SeedRange kDefaultSeeds{1, 20'000};

struct Detection {
  uint64_t seed = 0;  // 0: not found
  std::string as;
};

Detection look_for(const MoneyRule& rule, SeedRange seeds, const Options& options) {
  Detection found;
  WorkOrder order;
  order.arguments = {std::string(rule.family), "--off", std::string(rule.name)};
  order.seeds = seeds;
  order.jobs = options.jobs;
  const auto done = run_seeds(order, [&](const HistoryResult& result) {
    if (result.run.violations.empty()) return true;
    if (found.seed == 0 || result.seed < found.seed)
      found = {result.seed, result.run.violations.front().rule};
    return false;
  });
  if (!done) std::fprintf(stderr, "paygress-sim: %s\n", to_string(done.error()).c_str());
  return found;
}

}  // namespace

int money_rules_table(const Options& options) {
  const bool ranged = options.seeds.last > options.seeds.first;
  const SeedRange seeds = ranged ? options.seeds : kDefaultSeeds;
  bool all = true;
  std::printf("| rule switched off | what is done instead | scenario | found as | by seed |\n"
              "|---|---|---|---|---|\n");
  for (const MoneyRule& rule : money_rules()) {
    if (!options.off.empty() && options.off != rule.name) continue;
    const Detection found = look_for(rule, seeds, options);
    const std::string at = found.seed == 0 ? "not in " + std::to_string(seeds.last)
                                           : std::to_string(found.seed);
    std::printf("| `%s` | %s | `%s` | %s | %s |\n", std::string(rule.name).c_str(),
                std::string(rule.off).c_str(), std::string(rule.family).c_str(),
                found.as.c_str(), at.c_str());
    std::fflush(stdout);
    all = all && found.seed != 0;
  }
  return all ? exit_code::kOk : exit_code::kFindings;
}

}  // namespace paygress::sim
