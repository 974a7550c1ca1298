// Rules 1 to 8 and 10: running, fencing, restarting.
#include "lab.h"

namespace paygress::failover {
namespace {

constexpr LabSetup kPrimary{0, 3, 3, {}, {}};

TEST(Holder, Rule10_ThePrimaryStartsOnlyAfterAHeartbeatWithItsWriteQuorum) {
  Lab lab(kPrimary);
  lab.connect();
  const PublishBeat beat = lab.last<PublishBeat>();
  ASSERT_EQ(beat.holds.size(), 1u);
  EXPECT_EQ(beat.holds[0].tag, market::hold_tag(kWorkload));
  EXPECT_EQ(beat.holds[0].epoch, 0u);
  lab.publish_reaches(beat.id, {0});
  EXPECT_EQ(lab.count<GuardHold>(), 0u);
  lab.publish_reaches(beat.id, {2});
  EXPECT_EQ(lab.count<GuardHold>(), 1u);
}

TEST(Holder, Rule10_APrimaryThatIsNotHeardInTimeDoesNotStartAtEpochZero) {
  Lab lab(kPrimary);
  lab.connect();
  lab.publish_reaches(lab.last<PublishBeat>().id, {0});  // a standby may have heard it
  lab.advance(lab.profile().fence - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Holding);
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  EXPECT_TRUE(lab.status().fenced);
  EXPECT_EQ(lab.count<failover::Run>(), 0u);
}

TEST(Holder, Rule1_AnOkAloneIsNotEnough) {
  Lab lab(kPrimary);
  const PublishNo id = lab.last<PublishBeat>().id;
  for (const uint32_t r : {0u, 1u, 2u}) lab.ok(id, r);
  EXPECT_EQ(lab.count<GuardHold>(), 0u);
  lab.echo(id, 0);
  lab.echo(id, 1);
  EXPECT_EQ(lab.count<GuardHold>(), 1u);
}

TEST(Holder, Rule1_AnEchoLaterThanDSaysNothing) {
  Lab lab(kPrimary);
  const PublishNo id = lab.last<PublishBeat>().id;
  lab.publish_reaches(id, {0});
  lab.advance(lab.profile().delay + 1_us);
  lab.publish_reaches(id, {1, 2});
  EXPECT_EQ(lab.count<GuardHold>(), 0u);
}

TEST(Holder, Rule1_TheFenceRunsFromTheSendingNotFromTheEcho) {
  Lab lab(kPrimary);
  const Micros sent = lab.mono();
  const PublishNo id = lab.last<PublishBeat>().id;
  lab.advance(lab.profile().delay);
  lab.publish_reaches(id);
  EXPECT_EQ(lab.last<GuardHold>().deadline, sent + lab.profile().fence);
}

TEST(Holder, Rule1_AHeartbeatWithoutQuorumIsFollowedByAnotherAtOnceAndThenEveryRetry) {
  Lab lab(kPrimary);
  lab.hold_as_primary();
  lab.forget();
  lab.advance(lab.profile().heartbeat);
  EXPECT_EQ(lab.count<PublishBeat>(), 1u);
  lab.advance(lab.profile().delay + 1_us);
  EXPECT_EQ(lab.count<PublishBeat>(), 2u);
  lab.advance(lab.profile().retry);
  EXPECT_EQ(lab.count<PublishBeat>(), 3u);
  lab.publish_reaches(lab.last<PublishBeat>().id);
  lab.advance(lab.profile().heartbeat - 1_us);
  EXPECT_EQ(lab.count<PublishBeat>(), 3u);
}

TEST(Holder, Rule2_AtTheDeadlineItPausesAndNamesTheWorkloadNoMore) {
  Lab lab(kPrimary);
  lab.hold_as_primary();
  lab.advance(lab.profile().fence - 1_us);
  EXPECT_TRUE(lab.may_run());
  EXPECT_EQ(lab.count<Pause>(), 0u);
  lab.advance(1_us);
  EXPECT_FALSE(lab.may_run());
  EXPECT_EQ(lab.count<Pause>(), 1u);
  EXPECT_EQ(lab.count<GuardFreeze>(), 1u);
  lab.advance(lab.profile().heartbeat);
  EXPECT_TRUE(lab.last<PublishBeat>().holds.empty());
}

TEST(Holder, Rule2_ItRevokesOnlyWhatTheEngineConfirmedAndNamesTheEpoch) {
  Lab lab(kPrimary);
  lab.hold_as_primary();
  lab.advance(lab.profile().fence);
  EXPECT_EQ(lab.sent<market::Revocation>(), 0u);
  lab.workload(WorkloadNews::Stopped);
  ASSERT_EQ(lab.sent<market::Revocation>(), 1u);
  EXPECT_EQ(lab.published<market::Revocation>()[0].second.epoch, 0u);
  EXPECT_TRUE(std::holds_alternative<HoldEnded>(lab.journal().back()));
  EXPECT_TRUE(lab.told(News::Fenced));
  lab.advance(lab.profile().heartbeat);
  EXPECT_EQ(lab.sent<market::Revocation>(), 2u) << "blindly, again and again";
  lab.promotion(1, 1);
  lab.forget();
  lab.advance(lab.profile().heartbeat + lab.profile().heartbeat);
  EXPECT_EQ(lab.sent<market::Revocation>(), 0u) << "until a newer promotion is seen";
}

TEST(Holder, Rule2_APauseThatIsNotConfirmedBecomesAKillAndNothingIsRevokedUntilThatIs) {
  Lab lab(kPrimary);
  lab.hold_as_primary();
  lab.advance(lab.profile().fence + lab.profile().stop);
  EXPECT_EQ(lab.count<Kill>(), 1u);
  lab.advance(Micros{10 * lab.profile().silence.value});
  EXPECT_GT(lab.count<Kill>(), 2u) << "for as long as it takes";
  EXPECT_EQ(lab.sent<market::Revocation>() + lab.sent<market::Claim>(), 0u);
  EXPECT_EQ(lab.phase(), Phase::Fencing);
  lab.workload(WorkloadNews::Absent);
  EXPECT_EQ(lab.sent<market::Revocation>(), 1u);
}

TEST(Holder, Rule3_AFencedHolderMustWinAClaimToRunAgain) {
  Lab lab(kPrimary);
  lab.hold_as_primary();
  lab.advance(lab.profile().fence);
  lab.workload(WorkloadNews::Stopped);
  lab.forget();
  lab.advance(lab.profile().silence);
  lab.answer();
  ASSERT_EQ(lab.sent<market::Claim>(), 1u);
  EXPECT_EQ(lab.published<market::Claim>()[0].second.epoch, 1u);
  EXPECT_EQ(lab.count<failover::Run>(), 0u);
}

TEST(Holder, Rule3_AHigherPromotionSupersedesAndTheCopyGoesAfterAHeartbeatOfTheNewHolder) {
  Lab lab(kPrimary);
  lab.hold_as_primary();
  lab.promotion(2, 1);
  EXPECT_EQ(lab.count<Pause>(), 1u);
  EXPECT_FALSE(lab.may_run());
  EXPECT_TRUE(lab.told(News::Superseded));
  lab.workload(WorkloadNews::Stopped);
  EXPECT_EQ(lab.published<market::Revocation>().back().second.epoch, 0u);
  EXPECT_EQ(lab.count<Remove>(), 0u);
  lab.beat(1, std::nullopt);
  EXPECT_EQ(lab.count<Remove>(), 0u) << "not the new holder";
  lab.beat(2, 1);
  EXPECT_EQ(lab.count<Remove>(), 1u);
  lab.workload(WorkloadNews::Absent);
  EXPECT_FALSE(lab.status().superseded);
  EXPECT_EQ(lab.phase(), Phase::Armed) << "behind the new holder";
  EXPECT_EQ(lab.status().holder, key(2));
}

TEST(Holder, Rule3_AnEpochThatEndedMayBeTakenAgainWhenAllRelaysForgotIt) {
  Lab lab;
  lab.take_over();
  lab.advance(lab.profile().fence);
  lab.workload(WorkloadNews::Stopped);
  lab.promotion(2, 1);
  EXPECT_TRUE(lab.status().superseded);
  lab.beat(2, 1);
  EXPECT_EQ(lab.count<Remove>(), 1u);
}

TEST(Holder, Rule3_ASupersededTakeOverWithdrawsItsPromotion) {
  Lab lab;
  lab.take_over();
  lab.promotion(2, 2);
  lab.workload(WorkloadNews::Stopped);
  const auto promotion = lab.published<market::Promotion>().back().second;
  EXPECT_EQ(promotion.epoch, 1u);
  EXPECT_EQ(promotion.withdrawn, true);
}

TEST(Holder, Rule4_AWorkloadThatCannotBeKeptRunningIsGivenUpAndNotClaimedForAWhile) {
  Lab lab(kPrimary);
  lab.hold_as_primary();
  lab.workload(WorkloadNews::CannotRun);
  EXPECT_EQ(lab.count<Pause>(), 1u);
  EXPECT_FALSE(lab.may_run());
  lab.workload(WorkloadNews::Stopped);
  EXPECT_EQ(lab.sent<market::Revocation>(), 1u);
  lab.connect();
  const Micros off = hold_off(lab.profile(), 3);
  lab.advance(off - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Holder, Rule7_NothingStartsBelowADeadlineThatTheGuardDidNotConfirm) {
  Lab lab(kPrimary);
  lab.connect();
  lab.publish_reaches(lab.last<PublishBeat>().id);
  EXPECT_EQ(lab.count<failover::Run>(), 0u);
  lab.guard_confirms();
  EXPECT_EQ(lab.count<failover::Run>(), 1u);
}

TEST(Holder, Rule6_ADeadlineThatTheGuardWasNotToldOfIsNotKept) {
  Lab lab(kPrimary);
  lab.hold_as_primary();
  Step out;
  lab.advance(lab.profile().heartbeat);
  lab.publish_reaches(lab.last<PublishBeat>().id);  // the guard does not answer
  lab.advance(lab.profile().fence - lab.profile().heartbeat);
  EXPECT_EQ(lab.phase(), Phase::Fencing);
}

TEST(Holder, Rule6_AGuardThatWasLostIsToldAgain) {
  Lab lab(kPrimary);
  lab.hold_as_primary();
  lab.forget();
  Step out;
  lab.machine().handle_guard_lost({lab.mono(), {}}, out);
  lab.guard_has(std::nullopt);
  EXPECT_EQ(lab.count<GuardHold>(), 1u);
  EXPECT_TRUE(lab.may_run());
}

struct Restart : testing::Test {
  Lab lab{kPrimary};
  Micros deadline;
  void SetUp() override {
    lab.hold_as_primary();
    deadline = lab.last<GuardHold>().deadline;
    lab.restart();
    EXPECT_EQ(lab.phase(), Phase::Recovering);
    EXPECT_EQ(lab.count<failover::Run>() + lab.count<GuardHold>(), 0u);
    EXPECT_TRUE(lab.last<PublishBeat>().holds.empty());
  }
};

TEST_F(Restart, Rule8_GoesOnWhenItNeverStoppedTheGuardHoldsAndNobodyPromoted) {
  lab.guard_has(deadline);
  lab.workload(WorkloadNews::Running, true);
  EXPECT_EQ(lab.phase(), Phase::Recovering);
  lab.connect({0, 1});
  EXPECT_EQ(lab.phase(), Phase::Holding);
  EXPECT_TRUE(lab.may_run());
  EXPECT_EQ(lab.status().epoch, 0u);
}

TEST_F(Restart, Rule8_IsFencedWhenTheWorkloadStopped) {
  lab.guard_has(deadline);
  lab.connect();
  lab.workload(WorkloadNews::Running, false);
  EXPECT_EQ(lab.phase(), Phase::Fencing);
  lab.workload(WorkloadNews::Stopped);
  EXPECT_EQ(lab.sent<market::Revocation>(), 1u);
}

TEST_F(Restart, Rule8_IsFencedWhenTheGuardHoldsNothing) {
  lab.workload(WorkloadNews::Running, true);
  lab.connect();
  lab.guard_has(std::nullopt);
  EXPECT_EQ(lab.phase(), Phase::Fencing);
}

TEST_F(Restart, Rule8_IsFencedWhenSomebodyPromoted) {
  lab.guard_has(deadline);
  lab.workload(WorkloadNews::Running, true);
  lab.promotion(1, 1);
  lab.connect();
  EXPECT_EQ(lab.phase(), Phase::Fencing);
}

TEST_F(Restart, Rule8_IsFencedWhenTheRelaysDoNotAnswerBeforeTheDeadline) {
  lab.guard_has(deadline);
  lab.workload(WorkloadNews::Running, true);
  lab.connect({0});
  lab.advance(deadline - lab.mono());
  EXPECT_EQ(lab.phase(), Phase::Fencing);
}

TEST_F(Restart, Rule8_IsFencedWhenTheGuardSaysNothingAtAll) {
  lab.workload(WorkloadNews::Running, true);
  lab.connect();
  lab.advance(lab.profile().delay + lab.profile().delay);
  EXPECT_EQ(lab.phase(), Phase::Fencing);
}

TEST_F(Restart, Rule8_AnEpochThatEndedIsNeverResumed) {
  lab.guard_has(std::nullopt);
  lab.workload(WorkloadNews::Stopped);
  EXPECT_TRUE(lab.status().fenced);
  lab.restart();
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.guard_has(lab.mono() + lab.profile().fence);
  lab.workload(WorkloadNews::Stopped);
  lab.connect();
  EXPECT_EQ(lab.count<failover::Run>(), 0u);
  EXPECT_EQ(lab.sent<market::Revocation>(), 1u);
}

TEST(Holder, AWorkloadThatRunsAlthoughItMustNotIsStopped) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.workload(WorkloadNews::Running);
  EXPECT_EQ(lab.count<Pause>(), 1u);
  EXPECT_EQ(lab.count<GuardFreeze>(), 1u);
  lab.advance(lab.profile().stop);
  EXPECT_EQ(lab.count<Kill>(), 1u);
}

}  // namespace
}  // namespace paygress::failover
