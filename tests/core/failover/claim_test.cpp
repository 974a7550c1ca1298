// Rules 14 to 18: claiming, promoting, withdrawing, taking over.
#include "lab.h"

namespace paygress::failover {
namespace {

TEST(Claim, Rule14_IsDurableBeforeItIsPublishedAndNamesTheNextEpoch) {
  Lab lab;
  lab.claim_now();
  const auto claim = lab.published<market::Claim>().back().second;
  EXPECT_EQ(claim.epoch, 1u);
  EXPECT_EQ(claim.rank, 1u);
  EXPECT_FALSE(claim.withdrawn);
  EXPECT_TRUE(std::holds_alternative<Claimed>(lab.journal().back()));
}

TEST(Claim, Rule14_IsReadAgainOnlyAfterItsWriteQuorum) {
  Lab lab;
  lab.claim_now();
  const PublishNo id = lab.published<market::Claim>().back().first.id;
  const size_t queries = lab.count<Query>();
  lab.publish_reaches(id, {0});
  EXPECT_EQ(lab.count<Query>(), queries);
  lab.publish_reaches(id, {1});
  EXPECT_EQ(lab.count<Query>(), queries + 1);
  EXPECT_EQ(lab.sent<market::Promotion>(), 0u) << "what was read before the claim is not enough";
  lab.answer();
  EXPECT_EQ(lab.sent<market::Promotion>(), 1u);
}

TEST(Claim, Rule14_WithoutItsWriteQuorumWithinDItIsWithdrawn) {
  Lab lab;
  lab.claim_now();
  lab.publish_reaches(lab.published<market::Claim>().back().first.id, {0});
  lab.advance(lab.profile().delay + 1_us);
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
  EXPECT_TRUE(lab.published<market::Claim>().back().second.withdrawn);
}

TEST(Claim, Rule14_APossibleHolderThatIsAliveEndsIt) {
  Lab lab;
  lab.read_again();
  lab.beat(0, 0);
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
  lab.answer();
  EXPECT_EQ(lab.sent<market::Promotion>(), 0u);
}

TEST(Claim, Rule15_ThePromotionIsNotSentOnAnOldClaim) {
  Lab lab;
  lab.claim_now();
  const Micros sent = lab.mono();
  lab.publish_reaches(lab.published<market::Claim>().back().first.id);
  lab.answer();
  const Publish promotion = lab.published<market::Promotion>().back().first;
  EXPECT_EQ(promotion.not_after, sent + lab.profile().claim_ttl - lab.profile().delay);
}

TEST(Claim, Rule15_AnOldClaimIsWithdrawnThoughTheAnswerComes) {
  Lab lab;
  lab.read_again();
  lab.advance(lab.profile().claim_ttl - lab.profile().delay);
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
  lab.answer();
  EXPECT_EQ(lab.sent<market::Promotion>(), 0u);
}

TEST(Claim, Rule15_APromotionWithoutItsQuorumIsWithdrawnWithItsClaimBeforeANewOne) {
  Lab lab;
  lab.promote();
  lab.publish_reaches(lab.published<market::Promotion>().back().first.id, {2});
  lab.advance(lab.profile().delay + 1_us);
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
  EXPECT_EQ(lab.count<failover::Run>(), 0u);
  const auto claim = lab.published<market::Claim>().back();
  const auto promotion = lab.published<market::Promotion>().back();
  EXPECT_TRUE(claim.second.withdrawn);
  EXPECT_EQ(promotion.second.withdrawn, true);
  EXPECT_EQ(promotion.second.epoch, 1u);
  lab.publish_reaches(claim.first.id);
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
  lab.publish_reaches(promotion.first.id);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.advance(lab.profile().retry);
  lab.answer();
  EXPECT_EQ(lab.published<market::Claim>().back().second.epoch, 2u);
}

TEST(Claim, Rule15_CreateBeginsWithinTheClaimOrNever) {
  Lab lab;
  lab.promote();
  lab.publish_reaches(lab.published<market::Promotion>().back().first.id);
  lab.advance(lab.profile().claim_ttl);  // the guard does not answer
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
  lab.guard_confirms();
  EXPECT_EQ(lab.count<failover::Run>(), 0u);
}

TEST(Claim, Rule15_ThePromotionIsTheFirstHeartbeatOfItsEpochAndIsRepeated) {
  Lab lab;
  lab.promote();
  const Micros sent = lab.mono();
  lab.publish_reaches(lab.published<market::Promotion>().back().first.id);
  EXPECT_EQ(lab.last<GuardHold>().deadline, sent + lab.profile().fence);
  lab.guard_confirms();
  EXPECT_EQ(lab.last<failover::Run>().epoch, 1u);
  EXPECT_EQ(lab.last<PublishBeat>().holds[0].epoch, 1u);
  lab.advance(lab.profile().heartbeat);
  EXPECT_EQ(lab.sent<market::Promotion>(), 2u);
  lab.advance(lab.profile().fence);
  lab.workload(WorkloadNews::Stopped);
  const size_t promotions = lab.sent<market::Promotion>();
  lab.advance(lab.profile().silence);
  EXPECT_EQ(lab.sent<market::Promotion>(), promotions) << "a fenced one does not";
}

// With a heartbeat a second, a promotion with each of them would run the timestamps of all our
// events ahead of the clock: each is later than the one before.
TEST(Claim, APromotionIsRepeatedEveryMinuteWhateverTheHeartbeat) {
  LabSetup setup;
  setup.profile = kDemoProfile;
  Lab lab(setup);
  lab.take_over();
  for (int i = 0; i < 59; ++i) {
    lab.advance(lab.profile().heartbeat);
    lab.publish_reaches(lab.last<PublishBeat>().id);
    lab.guard_confirms();
  }
  ASSERT_EQ(lab.phase(), Phase::Holding);
  EXPECT_EQ(lab.sent<market::Promotion>(), 1u);
  lab.advance(lab.profile().heartbeat);
  EXPECT_EQ(lab.sent<market::Promotion>(), 2u);
  lab.advance(lab.profile().fence);
  lab.workload(WorkloadNews::Stopped);
  lab.forget();
  lab.connect({});
  lab.advance(Micros{59'000'000});
  EXPECT_EQ(lab.sent<market::Revocation>(), 0u) << "nor a revocation";
  lab.advance(Micros{1'000'000});
  EXPECT_EQ(lab.sent<market::Revocation>(), 1u);
}

// The guard refuses what follows a deadline that has passed, and may have missed our last word.
TEST(Claim, TheFirstDeadlineOfAnEpochBeginsAnew) {
  Lab lab;
  lab.promote();
  const PublishNo promotion = lab.published<market::Promotion>().back().first.id;
  lab.forget();
  lab.publish_reaches(promotion);
  EXPECT_EQ(lab.count<GuardFreeze>(), 1u);
  EXPECT_EQ(lab.count<GuardHold>(), 1u);
  EXPECT_TRUE((lab.comes_before<GuardFreeze, GuardHold>()));
  lab.guard_confirms();
  lab.forget();
  lab.advance(lab.profile().heartbeat);
  lab.publish_reaches(lab.last<PublishBeat>().id);
  EXPECT_EQ(lab.count<GuardHold>(), 1u);
  EXPECT_EQ(lab.count<GuardFreeze>(), 0u) << "and later ones only extend it";
}

TEST(Claim, Rule16_ARivalOfABetterRankGoesFirstWhateverItsEpoch) {
  Lab lab({2, 3, 3, {}, {}});
  lab.read_again();
  lab.claim(1, 9);
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
  lab.publish_reaches(lab.published<market::Claim>().back().first.id);
  lab.advance(lab.profile().silence);
  const Micros void_after = claim_void_after(lab.profile());
  EXPECT_LT(void_after, lab.profile().silence);
  EXPECT_EQ(lab.phase(), Phase::Doubting) << "it did not promote, and is void";
}

TEST(Claim, Rule16_ARivalOfAWorseRankIsWaitedForAndThenReadAgain) {
  Lab lab;
  lab.read_again();
  lab.claim(2, 1);
  lab.answer();
  EXPECT_EQ(lab.phase(), Phase::Reading);
  const size_t queries = lab.count<Query>();
  lab.claim(2, 1, true);
  EXPECT_EQ(lab.count<Query>(), queries + 1) << "it may have promoted before";
  EXPECT_EQ(lab.phase(), Phase::Reading);
  lab.answer();
  EXPECT_EQ(lab.phase(), Phase::Promoting);
}

TEST(Claim, Rule16_NobodyClaimsWhileARivalsClaimIsLive) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.advance(lab.profile().silence - 1_us);
  lab.claim(2, 1);
  lab.advance(claim_void_after(lab.profile()) - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Claim, Rule16_ARankWaitsItsTurn) {
  Lab lab({3, 4, 3, {}, {}});
  lab.connect();
  lab.beat(0, 0);
  lab.advance(lab.profile().silence + lab.profile().backoff + lab.profile().backoff - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Claim, Rule16_AClaimOfAnEarlierRunIsWithdrawnFirst) {
  Lab lab;
  lab.claim_now();
  lab.restart();
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
  const auto withdrawal = lab.published<market::Claim>().back();
  EXPECT_TRUE(withdrawal.second.withdrawn);
  lab.publish_reaches(withdrawal.first.id);
  EXPECT_EQ(lab.phase(), Phase::Armed);
}

TEST(Claim, Rule17_WhatCouldNotBeStartedIsWithdrawnAndNotClaimedForAWhile) {
  Lab lab;
  lab.promote();
  lab.publish_reaches(lab.published<market::Promotion>().back().first.id);
  lab.guard_confirms();
  lab.workload(WorkloadNews::StartFailed);
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
  const auto promotion = lab.published<market::Promotion>().back();
  EXPECT_EQ(promotion.second.withdrawn, true);
  EXPECT_EQ(lab.sent<market::Revocation>(), 0u);
  lab.publish_reaches(promotion.first.id);
  lab.advance(hold_off(lab.profile(), 3) - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Claim, Rule18_TheOwnerIsToldWhenItRunsAndOnlyOnce) {
  Lab lab;
  lab.promote();
  lab.publish_reaches(lab.published<market::Promotion>().back().first.id);
  lab.guard_confirms();
  EXPECT_FALSE(lab.told(News::TookOver));
  lab.workload(WorkloadNews::Running);
  lab.workload(WorkloadNews::Running);
  EXPECT_TRUE(lab.told(News::TookOver));
  EXPECT_EQ(lab.count<TellOwner>(), 1u);
}

// A crash at any moment of a take-over: the epoch is over, and another can be claimed.
TEST(Claim, ACrashWhilePromotingEndsTheEpoch) {
  Lab lab;
  lab.promote();
  lab.restart();
  EXPECT_EQ(lab.phase(), Phase::Recovering);
  lab.guard_has(std::nullopt);
  lab.workload(WorkloadNews::Absent);
  EXPECT_TRUE(lab.status().fenced);
  EXPECT_EQ(lab.published<market::Revocation>().back().second.epoch, 1u);
  lab.connect();
  lab.advance(lab.profile().silence);
  lab.answer();
  EXPECT_EQ(lab.published<market::Claim>().back().second.epoch, 2u);
}

TEST(Claim, NothingIsStartedOnTopOfWhatIsNotConfirmedToHaveStopped) {
  Lab lab;
  lab.promote();
  lab.workload(WorkloadNews::CannotRun);  // a copy of an earlier epoch
  EXPECT_EQ(lab.phase(), Phase::Fencing);
  lab.publish_reaches(lab.published<market::Promotion>().back().first.id);
  EXPECT_EQ(lab.count<failover::Run>() + lab.count<GuardHold>(), 0u);
  lab.workload(WorkloadNews::Stopped);
  EXPECT_EQ(lab.phase(), Phase::Withdrawing);
}

TEST(Claim, TheFoldOfItsRecordsIsTheState) {
  Lab lab;
  lab.take_over();
  lab.promotion(2, 2);
  lab.workload(WorkloadNews::Stopped);
  Failover again(key(1), lab.profile().heartbeat);
  for (const auto& record : lab.journal()) again.apply(record);
  EXPECT_EQ(again.status(kLease)->epoch, 2u);
  EXPECT_TRUE(again.status(kLease)->superseded);
  EXPECT_EQ(*again.terms(kLease), lab.terms());
}

// A liar among the members can end fail-over, and must not make two of the others run.
TEST(Claim, NobodyClaimsAboveTheLastEpoch) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.revocation(2, kEpochMax);
  lab.advance(lab.profile().silence + lab.profile().claim_ttl);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  EXPECT_EQ(lab.sent<market::Claim>(), 0u);
  EXPECT_EQ(lab.count<Query>(), 0u);
  size_t alarms = 0;
  for (const auto& tell : lab.all<TellOperator>()) alarms += tell.weight == Weight::Alarm;
  EXPECT_EQ(alarms, 1u);
}

TEST(Claim, TheLastEpochCanBeClaimed) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.promotion(2, kEpochMax - 1, true);
  lab.advance(lab.profile().silence + lab.profile().backoff);
  lab.answer();
  ASSERT_EQ(lab.sent<market::Claim>(), 1u);
  EXPECT_EQ(lab.published<market::Claim>().back().second.epoch, kEpochMax);
}

TEST(Claim, TheLastEpochIsHeardOfWhileReading) {
  Lab lab;
  lab.doubt();
  lab.revocation(2, kEpochMax);
  lab.answer();
  EXPECT_EQ(lab.phase(), Phase::Armed);
  EXPECT_EQ(lab.sent<market::Claim>(), 0u);
}

TEST(Join, IsRefusedWithTheReason) {
  Lab lab;
  Step out;
  const Now now{lab.mono(), {}};
  EXPECT_FALSE(lab.machine().join(now, kLease, lab.terms(), out).has_value());
  Terms terms = lab.terms();
  EXPECT_EQ(lab.machine().join(now, LeaseId{{8}}, terms, out).error().where, "workload_id");
  terms.workload_id = "another";
  terms.rank = 2;
  EXPECT_EQ(lab.machine().join(now, LeaseId{{8}}, terms, out).error().where, "rank");
  EXPECT_TRUE(out.records.empty());
}

}  // namespace
}  // namespace paygress::failover
