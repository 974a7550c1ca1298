// Every scenario over several histories: nothing is violated, and something happened. A rule that
// is switched off is found.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "sim/world/world.h"

namespace paygress::sim {
namespace {

RunResult run(const Scenario& scenario, uint64_t seed, Tier tier = Tier::Fast) {
  return World(scenario, seed, tier).run();
}

std::string text_of(const RunResult& result) {
  std::string text;
  for (const Violation& v : result.violations) text += v.rule + ": " + v.detail + "\n";
  return text;
}

// What must have happened in at least one history of the scenario.
const std::map<std::string, std::vector<std::string>>& wanted_marks() {
  static const std::map<std::string, std::vector<std::string>> wanted = {
      {"first-lease", {"lease"}},
      {"top-up", {"lease", "top-up"}},
      {"old-clients", {"lease"}},
      {"market", {"lease", "top-up"}},
      {"rough-network", {"lease", "frame lost", "link broken"}},
      {"crashes", {"lease", "crash"}},
      {"mint-trouble", {"lease", "interim answer"}},
      {"engine-trouble", {"lease"}},
      {"everything", {"lease", "crash", "frame lost", "link broken"}},
  };
  return wanted;
}

TEST(Scenarios, HoldOverTenHistoriesAndSomethingHappensInThem) {
  for (const Scenario& scenario : scenarios()) {
    std::map<std::string, uint64_t> marks;
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      const RunResult result = run(scenario, seed);
      EXPECT_TRUE(result.violations.empty())
          << scenario.name << " seed " << seed << "\n" << text_of(result);
      for (const auto& [name, count] : result.marks) marks[name] += count;
    }
    const auto wanted = wanted_marks().find(scenario.name);
    if (wanted == wanted_marks().end()) continue;
    for (const std::string& mark : wanted->second)
      EXPECT_GT(marks[mark], 0u) << scenario.name << ": " << mark;
  }
}

TEST(Scenarios, HoldWithProductionsCryptography) {
  for (const char* name : {"first-lease", "top-up", "old-clients"}) {
    const RunResult result = run(*find_scenario(name), 1, Tier::Real);
    EXPECT_TRUE(result.violations.empty()) << name << "\n" << text_of(result);
    EXPECT_GT(result.marks.at("lease"), 0u);
  }
}

TEST(Scenarios, OneSeedIsOneHistory) {
  for (const char* name : {"crashes", "everything"}) {
    const Scenario& scenario = *find_scenario(name);
    std::set<uint64_t> hashes;
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      const uint64_t hash = run(scenario, seed).hash;
      EXPECT_EQ(hash, run(scenario, seed).hash) << name << " seed " << seed;
      hashes.insert(hash);
    }
    EXPECT_EQ(hashes.size(), 3u) << name;
  }
}

struct Planted {
  const char* name;
  void (*plant)(cashu::RedeemPolicy&);
};

// In histories of both kinds of trouble. The rules that only a lagging mint misses are planted in
// tests/sim/redeem.
TEST(PlantedBugs, AreFound) {
  constexpr uint64_t kSeeds = 40;
  const Planted bugs[] = {
      {"restore", [](cashu::RedeemPolicy& p) { p.restore = false; }},
      {"record before post", [](cashu::RedeemPolicy& p) { p.record_before_post = false; }},
      {"reserve counters", [](cashu::RedeemPolicy& p) { p.reserve_counters = false; }},
  };
  Scenario scenario = *find_scenario("mint-trouble");
  const Scenario& crashes = *find_scenario("crashes");
  scenario.crash_every = crashes.crash_every;
  scenario.crash_in_step_ppm = crashes.crash_in_step_ppm;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const RunResult result = run(scenario, seed);
    ASSERT_TRUE(result.violations.empty()) << "seed " << seed << "\n" << text_of(result);
  }
  for (const Planted& bug : bugs) {
    Scenario planted = scenario;
    bug.plant(planted.redeem);
    uint64_t found = 0;
    for (uint64_t seed = 1; seed <= kSeeds && found == 0; ++seed)
      if (!run(planted, seed).violations.empty()) found = seed;
    EXPECT_NE(found, 0u) << bug.name << " off is not found in " << kSeeds << " histories";
  }
}

}  // namespace
}  // namespace paygress::sim
