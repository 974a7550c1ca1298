// Every scenario over several histories: nothing is violated, and leases are sold. A rule that
// is switched off is found.
#include <gtest/gtest.h>

#include <set>

#include "sim/models/rule_switch.h"
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

TEST(Scenarios, HoldAndLeasesAreSoldInThem) {
  for (const Scenario& scenario : scenarios()) {
    uint64_t leases = 0;
    for (uint64_t seed = 1; seed <= 6 / PAYGRESS_THINNED; ++seed) {
      const RunResult result = run(scenario, seed);
      EXPECT_TRUE(result.violations.empty()) << scenario.name << " seed " << seed << "\n"
                                             << text_of(result);
      const auto lease = result.marks.find("lease");
      if (lease != result.marks.end()) leases += lease->second;
    }
    EXPECT_GT(leases, 0u) << scenario.name;
  }
}

TEST(Scenarios, HoldWithProductionsCryptography) {
  for (const char* name : {"first-lease", "top-up", "old-clients"}) {
    const RunResult result = run(*find_scenario(name), 1, Tier::Real);
    EXPECT_TRUE(result.violations.empty()) << name << "\n" << text_of(result);
    EXPECT_GT(result.marks.find("lease")->second, 0u);
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
      {"restore", [](cashu::RedeemPolicy& p) { RuleSwitch::off(p.restore); }},
      {"record before post", [](cashu::RedeemPolicy& p) { RuleSwitch::off(p.record_before_post); }},
      {"reserve counters", [](cashu::RedeemPolicy& p) { RuleSwitch::off(p.reserve_counters); }},
  };
  Scenario scenario = *find_scenario("mint-trouble");
  const auto& crashes = find_scenario("crashes")->faults;
  scenario.faults.insert(scenario.faults.end(), crashes.begin(), crashes.end());
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const RunResult result = run(scenario, seed);
    ASSERT_TRUE(result.violations.empty()) << "seed " << seed << "\n" << text_of(result);
  }
  for (const Planted& bug : bugs) {
    Scenario planted = scenario;
    bug.plant(planted.policies.redeem);
    uint64_t found = 0;
    for (uint64_t seed = 1; seed <= kSeeds && found == 0; ++seed)
      if (!run(planted, seed).violations.empty()) found = seed;
    EXPECT_NE(found, 0u) << bug.name << " off is not found in " << kSeeds << " histories";
  }
}

}  // namespace
}  // namespace paygress::sim
