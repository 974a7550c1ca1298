#include "core/failover/profile.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/failover/terms.h"

namespace paygress::failover {
namespace {

TEST(Profile, TheBuiltInOnesHold) {
  for (const Profile& profile : {kDefaultProfile, kFastProfile, kDemoProfile})
    EXPECT_TRUE(check_profile(profile).has_value());
  EXPECT_EQ(profile_named("fast"), kFastProfile);
  EXPECT_EQ(profile_named("slow"), std::nullopt);
  EXPECT_EQ(name_of(kDemoProfile), "demo");
}

TEST(Profile, SilenceOutlastsFenceAndStopOnADriftingClock) {
  Profile p = kDefaultProfile;
  p.silence = p.fence + p.stop + p.delay;  // 175 s: enough, were it not for the drift
  EXPECT_FALSE(check_profile(p).has_value());
  p.silence += 400'000_us;
  EXPECT_TRUE(check_profile(p).has_value());
}

TEST(Profile, AFenceLeavesTimeForThreeRetries) {
  Profile p = kDefaultProfile;
  p.fence = p.heartbeat + p.delay + Micros{3 * p.retry.value};
  EXPECT_TRUE(check_profile(p).has_value());
  p.fence = p.fence - 1_us;
  EXPECT_FALSE(check_profile(p).has_value());
}

TEST(Profile, AClaimLastsFiveD) {
  Profile p = kDefaultProfile;
  p.claim_ttl = Micros{5 * p.delay.value} - 1_us;
  EXPECT_FALSE(check_profile(p).has_value());
}

TEST(Profile, AVoidClaimIsVoidOnTheSlowestClock) {
  // 75 s * 1.001 / 0.999 + 15 s
  EXPECT_GE(claim_void_after(kDefaultProfile), 90'150'150_us);
  EXPECT_LE(claim_void_after(kDefaultProfile), 90'155'000_us);
}

TEST(Quorums, OfTheDesignsTable) {
  EXPECT_EQ(quorums(1), (Quorums{1, 1, 1}));
  EXPECT_EQ(quorums(2), (Quorums{2, 1, 2}));
  EXPECT_EQ(quorums(3), (Quorums{3, 2, 2}));
  EXPECT_EQ(quorums(5), (Quorums{5, 3, 3}));
  EXPECT_EQ(quorums(4, 1), (Quorums{4, 3, 3}));
  EXPECT_EQ(quorums(5, 1), (Quorums{5, 3, 4}));
}

RC_GTEST_PROP(Quorums, IntersectInMoreThanTheFaultyAndCanBeHadWithoutThem, ()) {
  const auto f = *rc::gen::inRange<uint32_t>(0, 9);
  const auto n = *rc::gen::inRange<uint32_t>(3 * f + 1, 33);
  const Quorums q = quorums(n, f);
  RC_ASSERT(q.write + q.read >= n + f + 1);
  RC_ASSERT(q.write <= n - f);
  RC_ASSERT(f == 0 || q.read <= n - f);
  RC_ASSERT(q.write >= 1 && q.read <= n);
}

TEST(Terms, AreRefusedWithTheFieldAtFault) {
  Terms good;
  good.workload_id = "w";
  good.members = {{PubKey{{1}}, true}, {PubKey{{2}}, true}};
  good.relays = {"a", "b"};
  good.profile = kDefaultProfile;
  good.quorums = quorums(2);
  ASSERT_TRUE(check_terms(good).has_value());
  const auto field = [&](auto change) {
    Terms terms = good;
    change(terms);
    const auto checked = check_terms(terms);
    return checked ? std::string("accepted") : checked.error().where;
  };
  EXPECT_EQ(field([](Terms& t) { t.workload_id.clear(); }), "workload_id");
  EXPECT_EQ(field([](Terms& t) { t.members.pop_back(); }), "members");
  EXPECT_EQ(field([](Terms& t) { t.members[1] = t.members[0]; }), "members");
  EXPECT_EQ(field([](Terms& t) { t.rank = 2; }), "rank");
  EXPECT_EQ(field([](Terms& t) { t.relays.clear(); }), "relays");
  EXPECT_EQ(field([](Terms& t) { t.relays[1] = "a"; }), "relays");
  EXPECT_EQ(field([](Terms& t) { t.quorums.read = 1; }), "quorums");
  EXPECT_EQ(field([](Terms& t) { t.profile.silence = t.profile.fence; }), "profile");
}

TEST(Terms, SayWhatIsGuaranteed) {
  Terms terms;
  terms.members = {{PubKey{{1}}, true}, {PubKey{{2}}, true}};
  EXPECT_EQ(guarantee_of(terms), Guarantee::Fenced);
  terms.members[1].knows_rules = false;
  EXPECT_EQ(guarantee_of(terms), Guarantee::OldStandby);
  terms.members[0].knows_rules = false;
  EXPECT_EQ(guarantee_of(terms), Guarantee::OldPrimary);
}

}  // namespace
}  // namespace paygress::failover
