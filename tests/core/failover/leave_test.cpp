// The end of a lease: nothing is claimed or started any more, and the epoch that was held is
// revoked when its copy is gone, until a write quorum has the word.
#include <algorithm>

#include "core/failover/replica.h"
#include "lab.h"

namespace paygress::failover {
namespace {

constexpr LabSetup kHolder{0, 3, 3, {}, {}};

void leave(Lab& lab) {
  lab.with([&](Step& out) { lab.machine().leave(lab.now(), kLease, out); });
}

bool known(Lab& lab) { return lab.machine().terms(kLease) != nullptr; }

size_t written(const Lab& lab, size_t index) {
  return static_cast<size_t>(std::count_if(lab.journal().begin(), lab.journal().end(),
                                           [&](const auto& r) { return r.index() == index; }));
}
template <class T>
size_t written(const Lab& lab) {
  return written(lab, FailoverRecord(T{}).index());
}

PublishNo revocation(const Lab& lab) { return lab.published<market::Revocation>().back().first.id; }

TEST(Leave, AHolderIsRevokedOnlyWhenItsCopyIsGone) {
  Lab lab(kHolder);
  lab.hold_as_primary();
  leave(lab);
  EXPECT_EQ(lab.phase(), Phase::Leaving);
  EXPECT_FALSE(lab.machine().serves(kLease));
  EXPECT_FALSE(lab.may_run());
  lab.workload(WorkloadNews::Running);
  lab.workload(WorkloadNews::Stopped);  // what is stopped is not gone
  lab.advance(Micros{3 * lab.profile().silence.value});
  EXPECT_EQ(lab.sent<market::Revocation>(), 0u);
  EXPECT_TRUE(lab.last<PublishBeat>().holds.empty()) << "nor is it said to be held";
  lab.workload(WorkloadNews::Absent);
  ASSERT_EQ(lab.sent<market::Revocation>(), 1u);
  const market::Revocation said = lab.published<market::Revocation>()[0].second;
  EXPECT_EQ(said.epoch, 0u);
  EXPECT_EQ(said.reason, "lease-over");
  EXPECT_EQ(said.primary_provider_npub, key(0));
  EXPECT_TRUE(std::holds_alternative<HoldEnded>(lab.journal().back())) << "in the same batch";
}

TEST(Leave, TheWordIsSaidUntilAWriteQuorumHasIt) {
  Lab lab(kHolder);
  lab.hold_as_primary();
  leave(lab);
  lab.workload(WorkloadNews::Absent);
  lab.publish_reaches(revocation(lab), {1});
  lab.ok(revocation(lab), 0);  // a promise, not shown yet
  EXPECT_TRUE(known(lab));
  lab.advance(kSaidAgain);
  EXPECT_EQ(lab.sent<market::Revocation>(), 2u) << "relays forget";
  EXPECT_EQ(lab.count<Unwatch>(), 0u);
  lab.publish_reaches(revocation(lab), {0});
  EXPECT_FALSE(known(lab));
  EXPECT_EQ(lab.count<Unwatch>(), 1u);
  EXPECT_EQ(lab.count<GuardRelease>(), 1u);
  EXPECT_EQ(written<Left>(lab), 1u);
  lab.forget();
  lab.advance(Micros{3 * lab.profile().silence.value});
  EXPECT_TRUE(lab.last<PublishBeat>().holds.empty());
  EXPECT_EQ(lab.count<Publish>() + lab.count<failover::Run>() + lab.count<Pause>(), 0u);
}

TEST(Leave, RelaysThatTakeNothingAreTriedForAnHour) {
  Lab lab(kHolder);
  lab.hold_as_primary();
  leave(lab);
  lab.workload(WorkloadNews::Absent);
  lab.advance(kRevokedFor - 1_us);
  EXPECT_TRUE(known(lab));
  EXPECT_GE(lab.sent<market::Revocation>(), 60u);
  lab.advance(1_us);
  EXPECT_FALSE(known(lab));
}

TEST(Leave, ItSurvivesARestartAtEveryMoment) {
  Lab lab(kHolder);
  lab.hold_as_primary();
  leave(lab);
  lab.restart();
  EXPECT_EQ(lab.phase(), Phase::Leaving) << "the copy is not gone yet";
  lab.connect();
  lab.guard_has(lab.mono() + lab.profile().fence);
  lab.workload(WorkloadNews::Running, true);
  EXPECT_EQ(lab.count<failover::Run>() + lab.sent<market::Revocation>(), 0u);
  lab.workload(WorkloadNews::Absent);
  EXPECT_EQ(lab.sent<market::Revocation>(), 1u);
  lab.restart();
  EXPECT_EQ(lab.sent<market::Revocation>(), 1u) << "the copy was gone, the word not yet taken";
  lab.publish_reaches(revocation(lab));
  EXPECT_FALSE(known(lab));
  lab.restart();
  EXPECT_FALSE(known(lab));
}

TEST(Leave, WhoTookOverRevokesItsOwnEpoch) {
  Lab lab;
  lab.take_over();
  leave(lab);
  lab.workload(WorkloadNews::Absent);
  EXPECT_EQ(lab.published<market::Revocation>().back().second.epoch, 1u);
}

TEST(Leave, AnEpochThatWasFencedBeforeIsRevokedAgainAtOnce) {
  Lab lab(kHolder);
  lab.hold_as_primary();
  lab.advance(lab.profile().fence);
  lab.workload(WorkloadNews::Stopped);
  lab.forget();
  leave(lab);
  EXPECT_EQ(lab.sent<market::Revocation>(), 1u);
  lab.advance(Micros{3 * lab.profile().silence.value});
  EXPECT_EQ(lab.sent<market::Claim>(), 0u) << "it is in line no more";
  lab.publish_reaches(revocation(lab));
  EXPECT_FALSE(known(lab));
}

TEST(Leave, WhatSomebodyElseHoldsIsNotRevoked) {
  Lab lab(kHolder);
  lab.hold_as_primary();
  leave(lab);
  lab.promotion(1, 1);
  lab.beat(1, 1);
  EXPECT_EQ(lab.count<Remove>(), 0u) << "it is being removed";
  EXPECT_FALSE(lab.told(News::Superseded));
  lab.workload(WorkloadNews::Absent);
  EXPECT_EQ(lab.sent<market::Revocation>(), 0u);
  EXPECT_FALSE(known(lab));
}

TEST(Leave, WhoTakesOverMeanwhileEndsTheRevoking) {
  Lab lab(kHolder);
  lab.hold_as_primary();
  leave(lab);
  lab.workload(WorkloadNews::Absent);
  EXPECT_EQ(lab.phase(), Phase::Leaving) << "no relay has taken the word";
  lab.promotion(1, 1);
  EXPECT_FALSE(known(lab));
}

TEST(Leave, AStandbyHasNothingToSay) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  leave(lab);
  EXPECT_FALSE(known(lab));
  leave(lab);  // not known any more
  EXPECT_EQ(written<Left>(lab), 1u);
}

TEST(Leave, AClaimThatIsOutIsDropped) {
  Lab lab;
  lab.read_again();
  leave(lab);
  EXPECT_FALSE(known(lab));
  lab.advance(Micros{3 * lab.profile().silence.value});
  EXPECT_EQ(lab.sent<market::Promotion>(), 0u);
}

// Its standbys hear it, and do not wait for the silence.
TEST(Leave, AStandbyThatReadsTheWordTakesOverAtOnce) {
  Lab lab;
  lab.connect();
  lab.advance(lab.profile().silence);
  lab.beat(0, 0);
  lab.revocation(1, 0);  // whoever else says so is no holder
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.revocation(0, 0);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

}  // namespace
}  // namespace paygress::failover
