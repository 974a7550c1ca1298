// Each rule of RedeemPolicy, switched off, is missed: the checks above find the bug that it plants.
#include <gtest/gtest.h>

#include "sim/models/rule_switch.h"
#include "tests/sim/redeem/redeem_histories.h"

namespace paygress::test {
namespace {

struct Planted {
  const char* name;
  Rule cashu::RedeemPolicy::* rule;
};

constexpr Planted kRules[] = {
    {"restore", &cashu::RedeemPolicy::restore},
    {"same_bytes", &cashu::RedeemPolicy::same_bytes},
    {"pending_is_wait", &cashu::RedeemPolicy::pending_is_wait},
    {"codes_are_no_verdict", &cashu::RedeemPolicy::codes_are_no_verdict},
    {"verdict_is_provisional", &cashu::RedeemPolicy::verdict_is_provisional},
    {"reserve_counters", &cashu::RedeemPolicy::reserve_counters},
    {"record_before_post", &cashu::RedeemPolicy::record_before_post},
    {"brake_attempts", &cashu::RedeemPolicy::brake_attempts},
    {"hold_stops_posting", &cashu::RedeemPolicy::hold_stops_posting},
};

class PlantedBug : public ::testing::TestWithParam<Planted> {};
INSTANTIATE_TEST_SUITE_P(Rules, PlantedBug, ::testing::ValuesIn(kRules),
                         [](const auto& rule) { return std::string(rule.param.name); });

TEST_P(PlantedBug, Is_found_by_random_histories) {
  cashu::RedeemPolicy policy;
  RuleSwitch::off(policy.*GetParam().rule);
  for (uint64_t seed = 0; seed < 1500; ++seed)
    if (const std::string wrong = random_history(seed, policy); !wrong.empty()) {
      RecordProperty("seed", static_cast<int>(seed));
      RecordProperty("found", wrong);
      return;
    }
  FAIL() << "1500 histories did not miss the rule";
}

// A copy of the first attempt is carried out after the second attempt was made: the fee rose while
// the copy was on its way, and fell again. Too rare for random histories.
std::string old_attempt_wins(const cashu::RedeemPolicy& policy) {
  WorldSettings settings;
  settings.policy = policy;
  RedeemWorld world(settings);
  world.run_until(after(1));
  world.mint().plan_fault(cashu::Endpoint::Swap, sim::MintFault::SlowRequest, after(60));
  world.mint().plan_fault(cashu::Endpoint::Swap, sim::MintFault::None);
  for (int i = 0; i < 10; ++i)
    world.mint().plan_fault(cashu::Endpoint::Swap, sim::MintFault::Unreachable);
  world.pay(world.mint().issue_token(100));
  world.at(after(5), [](RedeemWorld& w) { w.mint().set_fee(1500); });
  world.at(after(50), [](RedeemWorld& w) { w.mint().set_fee(100); });
  world.run_until(after(3600));
  EXPECT_EQ(world.count_records<cashu::AttemptMade>(), 2u);
  world.audit();
  return world.violation_text();
}

TEST(PlantedBugScenario, Old_attempts_are_watched) {
  EXPECT_EQ(old_attempt_wins({}), "");
  cashu::RedeemPolicy policy;
  RuleSwitch::off(policy.watch_old_attempts);
  EXPECT_NE(old_attempt_wins(policy), "");
}

}  // namespace
}  // namespace paygress::test
