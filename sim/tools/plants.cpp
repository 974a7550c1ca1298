#include "sim/tools/plants.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>

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

// A seed up to `last` that finds it, if there is one: with several jobs not the first.
Found find_up_to(uint64_t last, const PlantedBug& bug, const Family& family,
                 const Options& options) {
  Found found;
  bool broken = false;
  WorkOrder order;
  order.arguments = {family.name(), "--plant", std::string(bug.name)};
  order.seeds = {1, last};
  order.jobs = options.jobs;
  const auto done = run_seeds(order, [&](const HistoryResult& result) {
    for (const Violation& v : result.run.violations) {
      broken = broken || v.rule == "died" || v.rule == "hung";  // that proves nothing
      if (found.seed == 0 && lists(bug.rules, v.rule)) found = {result.seed, v.rule};
    }
    return found.seed == 0 && !broken;
  });
  if (!done) std::fprintf(stderr, "paygress-sim: %s\n", to_string(done.error()).c_str());
  return found;
}

Found look_for(const PlantedBug& bug, const Family& family, const Options& options) {
  Found first = find_up_to(kSeedsToDetection, bug, family, options);
  while (first.seed > 1) {
    Found earlier = find_up_to(first.seed - 1, bug, family, options);
    if (earlier.seed == 0) break;
    first = std::move(earlier);
  }
  return first;
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
  std::printf("| planted bug | what is wrong | scenario | found as | seeds to detection |\n"
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
