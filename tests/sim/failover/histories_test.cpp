// Histories of the small world: with every rule there are never two copies, and at the end there is
// one; each rule that is off is missed.
#include <gtest/gtest.h>

#include "sim/members/rules.h"

namespace paygress::sim::members {
namespace {

std::string shown(uint64_t seed, const Verdict& v) {
  return "seed " + std::to_string(seed) + ": " + std::to_string(v.overlaps) + " overlaps, " +
         std::to_string(v.false_promotions) + " false promotions, stall '" + v.stall + "'";
}

TEST(Histories, WithAllRulesNeverTwoCopiesAndInTheEndOne) {
  uint32_t promotions = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const Verdict verdict = run(hostile_plan(seed));
    EXPECT_TRUE(verdict.good()) << shown(seed, verdict);
    promotions += verdict.promotions;
  }
  EXPECT_GT(promotions, 30u) << "something happened";
}

TEST(Histories, TheSamePlanIsTheSameHistory) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Verdict once = run(hostile_plan(seed));
    const Verdict again = run(hostile_plan(seed));
    EXPECT_EQ(once.hash, again.hash);
    EXPECT_EQ(once.events, again.events);
  }
}

TEST(Histories, RecoveryKeepsItsBound) {
  for (const auto& profile : {failover::kDefaultProfile, failover::kFastProfile}) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      const Plan plan = plain_plan(seed, profile);
      const Verdict verdict = run(plan);
      ASSERT_TRUE(verdict.good()) << shown(seed, verdict);
      ASSERT_EQ(verdict.gaps.size(), 1u);
      const Micros trips{4 * 3 * plan.leg_max.value};  // a quorum of them, one after another
      const Micros bound = failover::stretched(profile.silence) + profile.delay +
                           Micros{static_cast<int64_t>(plan.members) * profile.backoff.value} +
                           trips + plan.create;
      EXPECT_LE(verdict.gaps[0], bound);
    }
  }
}

struct Missed {
  const char* rule;
  uint64_t seed;  // the first of `paygress-sim rules` that shows it
};
void PrintTo(const Missed& m, std::ostream* out) { *out << m.rule; }

class RuleOff : public testing::TestWithParam<Missed> {};

TEST_P(RuleOff, IsMissed) {
  Plan plan = hostile_plan(GetParam().seed);
  EXPECT_TRUE(run(plan).good()) << "with all rules nothing is wrong";
  ASSERT_TRUE(switch_off(plan.policy, GetParam().rule));
  EXPECT_FALSE(run(plan).good());
}

INSTANTIATE_TEST_SUITE_P(
    Rules, RuleOff,
    testing::Values(Missed{"self_fencing", 3}, Missed{"guard", 19}, Missed{"guarded_start", 166},
                    Missed{"revoke_after_pause", 177}, Missed{"restarted_holder_claims", 2},
                    Missed{"epochs_named", 23}, Missed{"increasing_timestamps", 369},
                    Missed{"no_wall_age", 2}, Missed{"claim", 19}, Missed{"read_after_claim", 19},
                    Missed{"promote_before_ttl", 755}, Missed{"echo", 50},
                    Missed{"unbroken_subscriptions", 130}, Missed{"holds", 12}, Missed{"ranks", 19},
                    Missed{"failed_query_is_no_silence", 100}, Missed{"void_claims_end", 113},
                    Missed{"arming", 9}));

TEST(Histories, EveryRuleIsTried) {
  EXPECT_EQ(rule_names().size(), 18u);
  for (const std::string& rule : rule_names()) {
    failover::RulePolicy policy;
    EXPECT_TRUE(switch_off(policy, rule));
    EXPECT_NE(policy, failover::RulePolicy{});
  }
  failover::RulePolicy policy;
  EXPECT_FALSE(switch_off(policy, "no such rule"));
}

TEST(Histories, TheExistingNetworksPolicyRunsTwoCopies) {
  uint32_t overlaps = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Plan plan = hostile_plan(seed);
    plan.timeout_only = true;
    plan.policy.guard = false;
    overlaps += run(plan).overlaps > 0 ? 1 : 0;
  }
  EXPECT_GT(overlaps, 4u);
}

}  // namespace
}  // namespace paygress::sim::members
