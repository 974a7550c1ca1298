#include "sim/tools/plants.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "sim/tools/family.h"

namespace paygress::sim {
namespace {

bool lists(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

struct Found {
  uint64_t seed = 0;  // 0: not found
  std::string rule;
};

Found look_for(const PlantedBug& bug, const Family& family, const Options& options) {
  WorkOrder order;
  order.arguments = {family.name(), "--plant", std::string(bug.name)};
  order.seeds = {1, kSeedsToDetection};
  order.jobs = options.jobs;
  const auto finds = [&](const Violation& v) { return lists(bug.rules, v.rule); };
  const auto proves_nothing = [](const Violation& v) {
    return v.rule == "died" || v.rule == "hung";
  };
  const auto first = first_wanted(order, [&](const HistoryResult& result) {
    return std::ranges::any_of(result.run.violations, finds) ||
           std::ranges::any_of(result.run.violations, proves_nothing);
  });
  if (!first) std::fprintf(stderr, "paygress-sim: %s\n", to_string(first.error()).c_str());
  if (!first || !*first) return {};
  const auto& violations = (*first)->run.violations;
  const auto as = std::ranges::find_if(violations, finds);
  return as == violations.end() ? Found{} : Found{(*first)->seed, as->rule};
}

}  // namespace

int plants(const Options& options) {
  if (!kPlantsCompiledIn) {
    std::fprintf(stderr,
                 "paygress-sim: this program holds no planted bugs; ./dev plants builds one\n");
    return exit_code::kUsage;
  }
  const auto wanted = [&](const PlantedBug& bug) {
    if (options.positional.size() < 2) return true;
    return std::ranges::any_of(options.positional.begin() + 1, options.positional.end(),
                               [&](const std::string& n) { return bug_named(n) == bug.bug; });
  };
  bool all = true;
  std::printf(
      "| planted bug | what is wrong | scenario | found as | seeds to detection |\n"
      "|---|---|---|---|---|\n");
  for (const PlantedBug& bug : kPlantedBugs) {
    if (!wanted(bug)) continue;
    const Family* family = find_family(bug.scenario);
    PG_CHECK(family != nullptr);
    const Found found = look_for(bug, *family, options);
    std::string name(bug.name);
    std::ranges::replace(name, '_', '-');
    const std::string seeds = found.seed == 0 ? "not in " + std::to_string(kSeedsToDetection)
                                              : std::to_string(found.seed);
    std::printf("| `%s` | %s | `%s` | %s | %s |\n", name.c_str(), std::string(bug.about).c_str(),
                std::string(bug.scenario).c_str(), found.rule.c_str(), seeds.c_str());
    std::fflush(stdout);
    all = all && found.seed != 0;
  }
  return all ? exit_code::kOk : exit_code::kFindings;
}

}  // namespace paygress::sim
