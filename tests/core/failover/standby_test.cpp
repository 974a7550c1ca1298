// Rules 9 to 13: what a standby may conclude, and from what.
#include "lab.h"

namespace paygress::failover {
namespace {

TEST(Standby, Rule9_AHeartbeatNoNewerThanTheNewestIsNone) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0, 100);
  lab.advance(lab.profile().silence - 1_us);
  lab.beat(0, 0, -50);  // replayed: dated before the newest
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Standby, Rule9_ItsAgeByOurClockIsNotLookedAtAndTheSkewIsShownOnce) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0, 86'400);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  EXPECT_EQ(lab.count<TellOperator>(), 1u);
  lab.advance(lab.profile().silence - 1_us);
  lab.beat(0, 0);
  EXPECT_EQ(lab.count<TellOperator>(), 1u);
  lab.advance(lab.profile().silence - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
}

TEST(Standby, Rule9_OnlyAHeartbeatThatNamesTheWorkloadCounts) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.advance(lab.profile().silence - 1_us);
  lab.beat(0, std::nullopt);  // fenced: it lives, and does not hold
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Standby, Rule9_AHeartbeatOfAnEarlierEpochDoesNotCount) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.promotion(2, 2);
  lab.advance(lab.profile().silence - 1_us);
  lab.beat(2, 1);
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Standby, Rule9_StrangersAndOtherWorkloadsAreIgnored) {
  Lab lab({1, 3, 3, {}, {}});
  lab.connect();
  lab.beat(9, 0);
  EXPECT_EQ(lab.phase(), Phase::Unarmed);
  lab.hear(0, market::Promotion{"another", key(0), {}, 1, 5, {}});
  EXPECT_EQ(lab.status().epoch, 0u);
}

TEST(Standby, Rule10_ItIsArmedByTheHolderAndNotBefore) {
  Lab lab;
  lab.connect();
  lab.advance(Micros{4 * lab.profile().silence.value});
  EXPECT_EQ(lab.phase(), Phase::Unarmed);
  EXPECT_TRUE(lab.told(News::NeverStarted));
  lab.beat(0, 0);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  EXPECT_TRUE(std::holds_alternative<Armed>(lab.journal().back()));
}

TEST(Standby, Rule11_SilenceIsLongAndOverOneSetOfRelays) {
  Lab lab;
  lab.beat(0, 0);
  lab.connect({0});
  lab.advance(Micros{3 * lab.profile().silence.value});
  EXPECT_EQ(lab.phase(), Phase::Armed) << "one relay is no read quorum";
  lab.connect({1});
  lab.advance(lab.profile().silence - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Standby, Rule11_ASubscriptionThatBrokeCountsFromItsReturn) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.advance(lab.profile().silence - 1_us);
  lab.unbroken(0, std::nullopt);
  lab.unbroken(1, std::nullopt);
  lab.unbroken(0, lab.mono());
  lab.advance(lab.profile().silence - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Standby, Rule11_AQueryThatFailedProvesNothing) {
  Lab lab;
  lab.doubt();
  lab.answer({0}, true);
  lab.answer({1, 2}, false);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
  EXPECT_EQ(lab.sent<market::Claim>(), 0u);
  const size_t before = lab.count<Query>();
  lab.advance(lab.profile().delay + lab.profile().retry);
  EXPECT_EQ(lab.count<Query>(), before + 1);
}

TEST(Standby, Rule11_AnAnswerOfARelayThatBrokeDoesNotCount) {
  Lab lab;
  lab.doubt();
  lab.answer({0});
  lab.unbroken(0, std::nullopt);
  lab.answer({1});
  EXPECT_EQ(lab.sent<market::Claim>(), 0u);
  lab.answer({2});
  EXPECT_EQ(lab.sent<market::Claim>(), 1u);
}

TEST(Standby, Rule11_AHeartbeatThatTheQueryBroughtEndsTheDoubt) {
  Lab lab;
  lab.doubt();
  lab.beat(0, 0);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.answer();
  EXPECT_EQ(lab.sent<market::Claim>(), 0u);
}

TEST(Standby, Rule12_ARevocationEndsTheEpochItNames) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.advance(lab.profile().silence - 1'000'000_us);
  lab.beat(0, 0);
  lab.revocation(0, 0);
  lab.advance(1'000'000_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting) << "at once, when reading is possible";
}

TEST(Standby, Rule12_ARevocationOfAnEarlierEpochEndsNothing) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.promotion(0, 2);
  lab.revocation(0, 1);
  lab.advance(lab.profile().silence - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
}

TEST(Standby, Rule12_WithoutAnEpochOnlyAtEpochZeroAndOnlyAfterTheNewestHeartbeat) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0, 100);
  lab.advance(lab.profile().silence - 2'000'000_us);
  lab.beat(0, 0, 100);
  lab.revocation(0, std::nullopt, -50);
  lab.advance(2'000'000_us);
  EXPECT_EQ(lab.phase(), Phase::Armed) << "older than the heartbeat";
  lab.revocation(0, std::nullopt, 100);
  EXPECT_EQ(lab.phase(), Phase::Doubting);

  Lab later;
  later.connect();
  later.beat(0, 0);
  later.promotion(0, 3);
  later.revocation(0, std::nullopt, 100);
  later.advance(later.profile().silence - 1_us);
  EXPECT_EQ(later.phase(), Phase::Armed) << "a later epoch";
}

TEST(Standby, Rule13_EveryPromotionThatDidNotEndMakesAPossibleHolder) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.promotion(2, 1);
  lab.revocation(0, 0);
  lab.advance(lab.profile().silence - 1'000'000_us);
  lab.promotion(0, 2);
  lab.promotion(0, 2, true);  // the newest was withdrawn; the one before it still stands
  lab.beat(2, 1);
  lab.advance(1'000'000_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.advance(lab.profile().silence - 1'000'000_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
  lab.answer();
  EXPECT_EQ(lab.published<market::Claim>().back().second.epoch, 3u)
      << "one above every promotion, withdrawn ones included";
}

TEST(Standby, Rule13_ThePromotionOfAPossibleHolderBeginsASilenceOfItsOwn) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.advance(lab.profile().silence - 1_us);
  lab.promotion(2, 1);
  lab.advance(lab.profile().silence - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.promotion(2, 1);  // published again: not a new one
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
}

TEST(Standby, Rule13_ItIsArmedBehindWhoeverTookOver) {
  Lab lab;
  lab.connect();
  lab.promotion(2, 1);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  EXPECT_EQ(lab.status().holder, key(2));
}

TEST(Standby, Rule13_AnEpochIsKnownFromRevocationsAndClaimsToo) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.revocation(2, 4);  // its promotion was forgotten
  EXPECT_EQ(lab.status().epoch, 4u);
  lab.claim(2, 7, true);
  EXPECT_EQ(lab.status().epoch, 6u);
}

TEST(Standby, AnEpochBeyondAllMeasureIsIgnored) {
  Lab lab;
  lab.connect();
  lab.beat(0, 0);
  lab.promotion(2, ~uint64_t{0});
  lab.claim(2, ~uint64_t{0});
  EXPECT_EQ(lab.status().epoch, 0u);
}

// --- members that do not know the rules ----------------------------------------------------------

TEST(OldPeers, BehindAnOldPrimaryAnyHeartbeatCountsAndNoneIsWaitedFor) {
  Lab lab({1, 3, 3, {}, {0}});
  lab.connect();
  EXPECT_EQ(lab.phase(), Phase::Armed);
  EXPECT_EQ(lab.status().guarantee, Guarantee::OldPrimary);
  lab.advance(lab.profile().silence - 1_us);
  lab.beat(0, std::nullopt);
  lab.advance(lab.profile().silence - 1_us);
  EXPECT_EQ(lab.phase(), Phase::Armed);
  lab.advance(1_us);
  EXPECT_EQ(lab.phase(), Phase::Doubting);
  lab.answer();
  EXPECT_EQ(lab.sent<market::Claim>(), 1u) << "it claims and reads all the same";
}

TEST(OldPeers, ARevocationWithoutAnEpochIsBelievedUnlessAHeartbeatIsNewer) {
  for (const bool late : {false, true}) {
    Lab lab({1, 3, 3, {}, {0}});
    lab.connect();
    lab.advance(lab.profile().silence - 1_us);
    lab.beat(0, std::nullopt);
    lab.advance(1_us);
    ASSERT_EQ(lab.phase(), Phase::Armed);
    lab.revocation(0, std::nullopt, late ? -1 : 1);
    EXPECT_EQ(lab.phase(), late ? Phase::Armed : Phase::Doubting);
  }
}

TEST(OldPeers, AnOldStandbysHeartbeatsDoNotMakeItAHolder) {
  Lab lab({1, 3, 3, {}, {2}});
  lab.connect();
  lab.advance(lab.profile().silence);
  lab.beat(0, 0);
  lab.beat(2, std::nullopt);
  lab.revocation(0, 0);
  EXPECT_EQ(lab.phase(), Phase::Doubting) << "nobody else may hold it";
}

TEST(OldPeers, ThePromotionOfAnOldStandbySupersedesUs) {
  Lab lab({0, 3, 3, {}, {1, 2}});
  lab.hold_as_primary();
  lab.hear(1, market::Promotion{kWorkload, key(1), {}, 1, {}, {}});
  EXPECT_EQ(lab.count<Pause>(), 1u);
  EXPECT_TRUE(lab.told(News::Superseded));
}

}  // namespace
}  // namespace paygress::failover
