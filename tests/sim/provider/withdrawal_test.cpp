// The operator takes earnings out (core/provider/withdrawals.h): of what is free and of nothing
// else, once, whatever the mint does and wherever the process dies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/models/rule_switch.h"
#include "tests/sim/provider/earner.h"

namespace paygress::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Withdrawal, IsATokenOfWhatWasAskedForAndTheFeeLeavesTheWalletBesideIt) {
  Earner e;
  e.earn();
  const provider::FreeMoney before = e.money();
  EXPECT_EQ(before.owed, Msat{0});
  EXPECT_EQ(before.free, before.wallet);
  EXPECT_GE(before.free, Msat{30'000});
  e.rig.step(e.asked(1, 20));
  e.rig.run_for(Seconds{5});
  ASSERT_EQ(e.settled(1), "");
  EXPECT_EQ(e.worth(e.token(1)), Msat{20'000});
  EXPECT_EQ(e.money().wallet, before.wallet - Msat{21'000});
  EXPECT_EQ(e.money().withdrawing, Msat{0});

  // Asked again, also by the next process, it is the same token, and no other swap.
  const std::string token = e.token(1);
  const size_t swaps = e.rig.mint().swaps().size();
  e.rig.restart();
  e.rig.run_for(Seconds{2});
  e.rig.step(e.asked(1, 20));
  e.rig.run_for(Seconds{5});
  EXPECT_EQ(e.token(1), token);
  EXPECT_EQ(e.rig.settled().size(), 2u);
  EXPECT_EQ(e.rig.mint().swaps().size(), swaps);
}

// At this mint the fee of one coin is one coin.
TEST(Withdrawal, OfSoLittleThatNobodyCouldTakeItIsRefused) {
  Earner e;
  e.earn();
  const provider::FreeMoney before = e.money();
  e.rig.step(e.asked(1, 1));
  EXPECT_THAT(e.settled(1).value_or(""), HasSubstr("no more than the mint's fee"));
  EXPECT_EQ(e.money(), before);
  e.rig.step(e.asked(2, 2));
  e.rig.run_for(Seconds{5});
  EXPECT_EQ(e.settled(2), "");
  EXPECT_EQ(e.worth(e.token(2)), Msat{2000});
}

TEST(Withdrawal, OfAllLeavesNothingThatIsFree) {
  Earner e;
  e.earn();
  const Msat free = e.money().free;
  e.rig.step(e.all(1));
  e.rig.run_for(Seconds{5});
  ASSERT_EQ(e.settled(1), "");
  EXPECT_EQ(e.worth(e.token(1)), free - Msat{1000});
  EXPECT_EQ(e.money().free, Msat{0});
  e.rig.step(e.all(2));
  EXPECT_THAT(e.settled(2).value_or(""), HasSubstr("has nothing"));
}

TEST(Withdrawal, NeverTakesWhatIsOwed) {  // flaw 16
  Earner e;
  e.earn();
  const auto access = e.rig.buy(e.rig.alice, 100);
  const provider::FreeMoney money = e.money();
  EXPECT_EQ(money.owed, Msat{99'000});
  EXPECT_EQ(money.margin, Msat{4'000});
  EXPECT_EQ(money.free, money.wallet - Msat{103'000});
  e.rig.step(e.asked(1, 60));
  EXPECT_THAT(e.settled(1).value_or(""), HasSubstr("99000 owed"));
  e.rig.step(e.all(2));
  e.rig.run_for(Seconds{5});
  EXPECT_EQ(e.worth(e.token(2)), money.free - Msat{1000});
  // Its owner stops at once, and is paid.
  e.stop(e.rig.alice, access.pod_npub, 1);
  e.rig.run_for(Seconds{60});
  EXPECT_THAT(e.leases().claims().owed(), IsEmpty());
}

TEST(Withdrawal, WithTheRuleOffTheRefundIsNeverPaid) {
  provider::Policies policies;
  RuleSwitch::off(policies.desk.spend_only_free);
  Earner e(policies);
  const auto access = e.rig.buy(e.rig.alice, 100);
  e.rig.step(e.asked(1, 60));
  e.rig.run_for(Seconds{5});
  EXPECT_EQ(e.worth(e.token(1)), Msat{60'000});
  e.stop(e.rig.alice, access.pod_npub, 1);
  e.rig.run_for(Seconds{3600});
  EXPECT_EQ(e.leases().claims().owed().size(), 1u);
}

TEST(Withdrawal, TwoAtOnceTakeWhatIsFreeOnce) {
  Earner e;
  e.earn();
  e.rig.step(e.asked(1, 20));
  e.rig.step(e.asked(2, 20));
  e.rig.run_for(Seconds{5});
  EXPECT_EQ(e.settled(1), "");
  EXPECT_THAT(e.settled(2).value_or(""), HasSubstr("being withdrawn"));
}

TEST(Withdrawal, IsFoundWhenTheMintsAnswerWasLost) {
  Earner e;
  e.earn();
  e.rig.mint().set_restore_lag(micros(Seconds{1'200}));
  e.rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::DropAnswer);
  const size_t before = e.rig.mint().swaps().size();
  e.rig.step(e.asked(1, 20));
  e.rig.run_for(Seconds{600});
  EXPECT_EQ(e.settled(1), std::nullopt);
  EXPECT_EQ(e.money().withdrawing, Msat{21'000});
  EXPECT_GE(e.money().in_doubt, Msat{21'000});
  e.rig.restart();
  e.rig.run_for(Seconds{900});
  EXPECT_EQ(e.settled(1), "");
  EXPECT_EQ(e.worth(e.token(1)), Msat{20'000});
  EXPECT_EQ(e.rig.mint().swaps().size(), before + 1);
}

// What others are owed pays no part of a fee that grew: the token is smaller, or it waits.
TEST(Withdrawal, NeverTakesMoreThanItSaidWhateverTheFeeBecomes) {
  for (const cashu::Amount sats : {cashu::Amount{20}, cashu::Amount{2}}) {
    Earner e;
    e.earn();
    const Msat before = e.money().wallet;
    e.rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::Unreachable);
    e.rig.step(e.asked(1, sats));
    e.rig.run_for(Seconds{1});
    const Msat said = e.money().withdrawing;
    e.rig.mint().set_fee(3'000);
    e.rig.run_for(Seconds{400});
    if (sats == 2) {
      EXPECT_EQ(e.settled(1), std::nullopt);
      e.rig.mint().set_fee(100);
      e.rig.run_for(Seconds{400});
    }
    ASSERT_EQ(e.settled(1), "") << sats;
    EXPECT_LE(e.worth(e.token(1)), Msat{static_cast<int64_t>(sats) * 1000});
    EXPECT_EQ(e.money().wallet, before - said);
  }
}

TEST(Withdrawal, OfAMintThatDoesNotAnswerIsRefusedAndNothingIsHeld) {
  Earner e;
  e.earn();
  e.rig.mint().set_reachable(false);
  e.rig.restart();
  e.rig.run_for(Seconds{2});
  e.rig.step(e.asked(1, 20));
  EXPECT_THAT(e.settled(1).value_or(""), HasSubstr("has not answered"));
  EXPECT_EQ(e.money().free, e.money().wallet);
}

TEST(Withdrawal, APayoutIsSaidAtEveryStartUntilItsTokenIsDelivered) {
  Earner e;
  e.earn();
  provider::Withdraw payout = e.asked(1, 20);
  payout.purpose = lease::kPayout;
  e.rig.step(payout);
  e.rig.run_for(Seconds{5});
  ASSERT_EQ(e.settled(1), "");
  const size_t said = e.rig.settled().size();
  e.rig.restart();
  EXPECT_EQ(e.rig.settled().size(), said + 1);
  e.rig.step(provider::TokenDelivered{withdrawal_id(1)});
  e.rig.step(provider::TokenDelivered{withdrawal_id(1)});
  e.rig.restart();
  EXPECT_EQ(e.rig.settled().size(), said + 1);
}

TEST(Withdrawal, ThePayoutRuleTakesWhatIsFreeAndLeavesWhatItIsToldTo) {
  Earner e;
  e.earn();
  e.rig.settings().payout = provider::PayoutRule{Msat{25'000}, Msat{5'000}, {}};
  e.rig.mint().set_reachable(false);
  e.rig.restart();
  e.rig.run_for(Seconds{200});
  EXPECT_THAT(e.leases().withdrawals().all(), IsEmpty()) << "the mint does not answer";
  e.rig.mint().set_reachable(true);
  e.rig.run_for(Seconds{200});
  ASSERT_EQ(e.leases().withdrawals().all().size(), 1u);
  const lease::Withdrawal& payout = e.leases().withdrawals().all().begin()->second;
  EXPECT_EQ(payout.opened.purpose, lease::kPayout);
  EXPECT_EQ(payout.state, lease::WithdrawalState::Paid);
  EXPECT_EQ(e.money().free, Msat{5'000});
  EXPECT_EQ(e.worth(payout.paid->token), payout.paid->face);
  // What is owed is not paid out, and what is kept is below the threshold.
  e.rig.buy(e.rig.alice, 100);
  e.rig.run_for(Seconds{300});
  EXPECT_EQ(e.leases().withdrawals().all().size(), 1u);
}

// The process dies at every boundary between the request and the token, once; its operator asks
// with the same id until it is settled. There is one token, or nothing has left the wallet.
TEST(Withdrawal, IsMadeOnceWhereverTheProcessDies) {
  size_t died = 0;
  size_t dropped = 0;
  for (uint64_t offset = 0;; ++offset) {
    Earner e;
    e.earn();
    const Msat before = e.money().wallet;
    const uint64_t first = e.rig.boundaries();
    e.rig.crash_at = {first + offset};
    e.rig.step(e.asked(1, 20));
    for (int tries = 0; tries < 20 && !e.settled(1); ++tries) {
      e.rig.run_for(Seconds{30});
      if (e.rig.up()) e.rig.step(e.asked(1, 20));
    }
    e.rig.run_for(Seconds{60});
    ASSERT_TRUE(e.rig.up() && e.settled(1)) << offset;
    if (e.rig.boundaries() <= first + offset) break;
    ++died;
    EXPECT_EQ(e.money().in_doubt, Msat{0}) << offset;
    EXPECT_EQ(e.money().withdrawing, Msat{0}) << offset;
    if (e.settled(1)->empty()) {
      EXPECT_EQ(e.worth(e.token(1)), Msat{20'000}) << offset;
      EXPECT_EQ(e.money().wallet, before - Msat{21'000}) << offset;
    } else {
      ++dropped;
      EXPECT_EQ(e.token(1), "") << offset;
      EXPECT_EQ(e.money().wallet, before) << offset;
    }
    if (e.rig.time() > micros(Seconds{1'000'000})) break;
    if (offset > 60) break;  // the rest is the provider's daily work
  }
  EXPECT_GE(died, 15u);
  EXPECT_GE(dropped, 2u);
}

}  // namespace
}  // namespace paygress::sim
