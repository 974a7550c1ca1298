// The operator pays an invoice out of the earnings (core/cashu/redeemer_melt.cpp): once or not at
// all, with every coin of change, whatever the mint does and wherever the process dies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/provider/earner.h"

namespace paygress::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kCoin = 1000;  // of the mint's unit, in msat

struct Payer : Earner {
  Payer() { earn(); }
  const std::string invoice = make_invoice(Msat{20 * kCoin}, 1);

  provider::Withdraw pay(uint8_t id) { return pay(id, invoice); }
  provider::Withdraw pay(uint8_t id, const std::string& which) {
    provider::Withdraw asked = this->asked(id, 0);
    asked.purpose = lease::kPay;
    asked.invoice = which;
    return asked;
  }
  const lease::Withdrawal* entry(uint8_t id) {
    return leases().withdrawals().find(withdrawal_id(id));
  }
  // Every proof in the wallet is good, and none of the mint's signatures to us is lost: what the
  // mint has signed and nobody spent is what the wallet and the consumers hold.
  void expect_whole() {
    rig.core().check_invariants();
    rig.mint().check_invariants();
    for (const auto& [purse, coins] : wallet().wallet().balances())
      for (const cashu::Proof& proof : wallet().wallet().proofs(purse)) {
        EXPECT_TRUE(rig.mint().is_valid(proof));
        EXPECT_EQ(rig.mint().state_of(rig.time(), proof), cashu::ProofState::Unspent);
      }
  }
  // Coins that left the mint over Lightning, with what that cost.
  Msat over_lightning() {
    Msat sum;
    for (const MintSwap& swap : rig.mint().swaps())
      sum += Msat{static_cast<int64_t>(swap.paid) * kCoin};
    return sum;
  }
  // Nothing was paid and nothing is missing but `fee`.
  void expect_unpaid(uint8_t id, Msat before, Msat fee) {
    ASSERT_NE(settled(id), std::nullopt);
    EXPECT_THAT(*settled(id), HasSubstr("not paid"));
    EXPECT_EQ(rig.mint().times_paid(invoice), 0u);
    EXPECT_EQ(money().wallet, before - fee);
    EXPECT_EQ(entry(id)->dropped->fee, fee);
    EXPECT_EQ(money().in_doubt, Msat{0});
    EXPECT_EQ(money().withdrawing, Msat{0});
    expect_whole();
  }
  // It was paid once, and nothing is missing but what that cost.
  void expect_paid(uint8_t id, Msat before) {
    ASSERT_EQ(settled(id), "");
    ASSERT_EQ(entry(id)->state, lease::WithdrawalState::Settled);
    const lease::InvoiceSettled& done = *entry(id)->settled;
    EXPECT_EQ(rig.mint().times_paid(entry(id)->opened.invoice), 1u);
    EXPECT_EQ(money().wallet, before - done.amount - done.fee);
    EXPECT_LE(done.amount + done.fee, entry(id)->opened.lot.msat);
    EXPECT_EQ(money().in_doubt, Msat{0});
    EXPECT_EQ(money().withdrawing, Msat{0});
    expect_whole();
  }
};

TEST(Payment, PaysTheInvoiceAndTheChangeComesBack) {
  Payer p;
  const Msat before = p.money().wallet;
  p.rig.step(p.pay(1));
  p.rig.run_for(Seconds{5});
  p.expect_paid(1, before);
  const lease::InvoiceSettled& done = *p.entry(1)->settled;
  EXPECT_EQ(done.amount, Msat{20 * kCoin});
  EXPECT_EQ(done.fee, Msat{1 * kCoin}) << "of the inputs; Lightning took half of one coin, or none";
  EXPECT_THAT(done.preimage, HasSubstr("preimage-of-"));
  EXPECT_EQ(p.entry(1)->opened.lot.msat, Msat{22 * kCoin});

  // Asked again, also by the next process, it is that payment.
  p.rig.restart();
  p.rig.run_for(Seconds{2});
  p.rig.step(p.pay(1));
  p.rig.run_for(Seconds{5});
  EXPECT_EQ(p.rig.mint().times_paid(p.invoice), 1u);
  EXPECT_EQ(p.rig.settled().back().problem, "");
}

TEST(Payment, OfWhatCannotBePaidIsRefusedAndNothingIsHeld) {
  Payer p;
  const provider::FreeMoney before = p.money();
  const std::string amountless = "lnbcrt1" + p.invoice.substr(p.invoice.rfind('1') + 1);
  const auto refused = [&](uint8_t id, const std::string& invoice, const std::string& why) {
    p.rig.step(p.pay(id, invoice));
    p.rig.run_for(Seconds{2});
    EXPECT_THAT(p.settled(id).value_or(""), HasSubstr(why));
  };
  refused(1, "lnbc1nothing", "no Lightning invoice");
  refused(2, amountless, "says no amount");
  refused(3, make_invoice(Msat{500 * kCoin}, 3), "are free");
  p.rig.mint().plan_fault(cashu::Endpoint::MeltQuote, MintFault::DropAnswer);
  p.rig.step(p.pay(4));
  p.rig.step(p.pay(4));  // joins the first
  p.rig.run_for(Seconds{60});
  EXPECT_THAT(p.settled(4).value_or(""), HasSubstr("did not answer"));
  p.rig.mint().set_reachable(false);
  p.rig.restart();
  p.rig.run_for(Seconds{2});
  refused(5, p.invoice, "has not answered");
  EXPECT_EQ(p.money(), before);
  EXPECT_THAT(p.leases().withdrawals().all(), IsEmpty());
}

TEST(Payment, TakesWhatIsOwedOnlyByTheOperatorsWord) {  // flaw 16
  Payer p;
  p.rig.buy(p.rig.alice, 100);
  const Msat free = p.money().free;
  const std::string more = make_invoice(free + Msat{10 * kCoin}, 2);
  p.rig.step(p.pay(1, more));
  p.rig.run_for(Seconds{2});
  EXPECT_THAT(p.settled(1).value_or(""), HasSubstr("owed"));
  provider::Withdraw forced = p.pay(2, more);
  forced.force = true;
  const Msat before = p.money().wallet;
  p.rig.step(forced);
  p.rig.run_for(Seconds{5});
  p.expect_paid(2, before);
  EXPECT_TRUE(p.entry(2)->opened.forced);
}

// The mint read the one request that there is, and could not pay: the inputs are ours as they were.
TEST(Payment, ThatTheMintRefusesLeavesTheWalletAsItWas) {
  Payer p;
  const Msat before = p.money().wallet;
  p.rig.mint().set_lightning(Lightning::Fails);
  const size_t swaps = p.rig.mint().swaps().size();
  p.rig.step(p.pay(1));
  p.rig.run_for(Seconds{5});
  p.expect_unpaid(1, before, Msat{0});
  EXPECT_THAT(*p.settled(1), HasSubstr("no route"));
  EXPECT_EQ(p.rig.mint().swaps().size(), swaps);
  // The same proofs pay another one.
  p.rig.mint().set_lightning(Lightning::Pays);
  p.rig.step(p.pay(2));
  p.rig.run_for(Seconds{5});
  p.expect_paid(2, before);
}

// A ledger that is lost leaves the seed, and a search by it ends after 300 counters that nobody
// signed. Payments that fail do not make such a gap.
TEST(Payment, ThatFailsAgainAndAgainLeavesNoGapThatASearchWouldEndAt) {
  Payer p;
  const Msat before = p.money().wallet;
  p.rig.mint().set_lightning(Lightning::Fails);
  const std::string keyset = p.rig.mint().active_keyset();
  uint32_t longest = 0;
  Msat fees;
  for (uint8_t id = 1; id <= 100; ++id) {
    p.rig.step(p.pay(id, make_invoice(Msat{10 * kCoin}, id)));
    p.rig.run_for(Seconds{30});
    ASSERT_NE(p.entry(id), nullptr);
    ASSERT_TRUE(p.entry(id)->dropped) << int{id};
    fees += p.entry(id)->dropped->fee;
    longest = std::max(longest, p.wallet().unsigned_run(keyset));
  }
  EXPECT_GT(p.wallet().next_counter(keyset), 300u);
  EXPECT_LE(longest, 160u);
  EXPECT_EQ(p.money().wallet, before - fees);
  EXPECT_LE(fees, Msat{5 * kCoin}) << "seldom";
  p.expect_whole();
}

TEST(Payment, ThatHangsHoldsItsInputsForADayAndEndsAsTheMintSays) {
  for (const bool pays : {true, false}) {
    Payer p;
    const Msat before = p.money().wallet;
    p.rig.mint().set_lightning(Lightning::Hangs);
    p.rig.step(p.pay(1));
    p.rig.run_for(Seconds{86'400});
    EXPECT_EQ(p.settled(1), std::nullopt);
    EXPECT_GE(p.money().in_doubt, p.entry(1)->opened.lot.msat);
    p.rig.restart();
    p.rig.run_for(Seconds{3600});
    EXPECT_EQ(p.settled(1), std::nullopt);
    p.rig.mint().settle_lightning(p.rig.time(), pays);
    p.rig.run_for(Seconds{600});
    if (pays) p.expect_paid(1, before);
    // The process that sent it is gone: a copy may be on its way, so that the inputs are swapped.
    else
      p.expect_unpaid(1, before, Msat{1 * kCoin});
  }
}

TEST(Payment, WhoseAnswerIsLostIsPaidOnceAndTheChangeIsFound) {
  for (const bool hidden : {false, true}) {
    Payer p;
    const Msat before = p.money().wallet;
    p.rig.mint().set_change_hidden(hidden);
    p.rig.mint().set_restore_lag(60'000'000_us);
    p.rig.mint().plan_fault(cashu::Endpoint::Melt, MintFault::DropAnswer);
    p.rig.step(p.pay(1));
    p.rig.run_for(Seconds{800});
    p.expect_paid(1, before);
    EXPECT_EQ(p.entry(1)->settled->fee, Msat{1 * kCoin});
  }
}

TEST(Payment, WhoseRequestIsLostIsSentAgain) {
  Payer p;
  const Msat before = p.money().wallet;
  p.rig.mint().plan_fault(cashu::Endpoint::Melt, MintFault::Unreachable);
  p.rig.step(p.pay(1));
  p.rig.run_for(Seconds{300});
  p.expect_paid(1, before);
}

// A request that nobody answered arrives an hour later. It was given up long before: the inputs are
// spent, on others of ours.
TEST(Payment, ThatWasTakenBackCannotBePaidByALateCopy) {
  Payer p;
  const Msat before = p.money().wallet;
  p.rig.mint().plan_fault(cashu::Endpoint::Melt, MintFault::SlowRequest, micros(Seconds{3600}));
  p.rig.mint().set_lightning(Lightning::Fails);
  for (int i = 0; i < 40; ++i)
    p.rig.mint().plan_fault(cashu::Endpoint::Melt, MintFault::Unreachable);
  p.rig.step(p.pay(1));
  p.rig.run_for(Seconds{1800});
  p.expect_unpaid(1, before, Msat{1 * kCoin});
  p.rig.mint().set_lightning(Lightning::Pays);
  p.rig.run_for(Seconds{3600});
  p.rig.mint().advance(p.rig.time());
  p.expect_unpaid(1, before, Msat{1 * kCoin});
}

// It arrives while the inputs are being taken back: the mint carries out one of the two.
TEST(Payment, RacesItsOwnTakingBackAndTheMintDecides) {
  size_t paid = 0;
  size_t taken_back = 0;
  for (int64_t at = 560; at <= 800; at += 5) {
    Payer p;
    const Msat before = p.money().wallet;
    p.rig.mint().plan_fault(cashu::Endpoint::Melt, MintFault::SlowRequest, micros(Seconds{at}));
    for (int i = 0; i < 40; ++i)
      p.rig.mint().plan_fault(cashu::Endpoint::Melt, MintFault::Unreachable);
    p.rig.mint().plan_fault(cashu::Endpoint::Swap, MintFault::DropAnswer);
    p.rig.step(p.pay(1));
    p.rig.run_for(Seconds{2400});
    ASSERT_TRUE(p.settled(1)) << at;
    if (p.settled(1)->empty()) {
      ++paid;
      p.expect_paid(1, before);
    } else {
      ++taken_back;
      p.expect_unpaid(1, before, Msat{1 * kCoin});
    }
  }
  EXPECT_GE(paid, 5u);
  EXPECT_GE(taken_back, 5u);
}

TEST(Payment, SurvivesAKeysetThatIsRetiredOrAMintThatForgets) {
  Payer p;
  const Msat before = p.money().wallet;
  p.rig.mint().rotate(100);  // the blanks are on the old one: refused, and nothing is lost
  p.rig.step(p.pay(1));
  p.rig.run_for(Seconds{5});
  p.expect_unpaid(1, before, Msat{0});
  p.rig.run_for(Seconds{700});
  for (int i = 0; i < 40; ++i)
    p.rig.mint().plan_fault(cashu::Endpoint::Melt, MintFault::Unreachable);
  p.rig.step(p.pay(2));
  p.rig.run_for(Seconds{60});
  p.rig.mint().forget_quotes();
  p.rig.mint().rotate(100);
  p.rig.run_for(Seconds{1800});
  p.expect_unpaid(2, before, Msat{1 * kCoin});
}

TEST(Payment, OfAMintThatLiesAboutTheChangeWaitsForTheTruth) {
  for (const MintFault lie : {MintFault::WrongAmounts, MintFault::BadDleq, MintFault::Garbage,
                              MintFault::ErrorAfter, MintFault::DoubleAnswer}) {
    Payer p;
    const Msat before = p.money().wallet;
    p.rig.mint().plan_fault(cashu::Endpoint::Melt, lie, 1'000'000_us);
    p.rig.mint().plan_fault(cashu::Endpoint::MeltQuoteState, lie, 1'000'000_us);
    p.rig.mint().plan_fault(cashu::Endpoint::Restore, lie, 1'000'000_us);
    p.rig.step(p.pay(1));
    p.rig.run_for(Seconds{900});
    p.expect_paid(1, before);
  }
}

// The process dies at every boundary between the request and its end, once, with a mint that pays,
// one that refuses, one that hangs, and answers that are lost; its operator asks with the same id
// until it is settled.
TEST(Payment, IsMadeOnceOrNotAtAllWhereverTheProcessDies) {
  struct Way {
    Lightning lightning;
    MintFault fault;
  };
  size_t died = 0;
  size_t paid = 0;
  size_t unpaid = 0;
  for (const Way way :
       {Way{Lightning::Pays, MintFault::None}, Way{Lightning::Pays, MintFault::DropAnswer},
        Way{Lightning::Fails, MintFault::None}, Way{Lightning::Hangs, MintFault::None}}) {
    for (uint64_t offset = 0; offset < 40; ++offset) {
      Payer p;
      const Msat before = p.money().wallet;
      const uint64_t first = p.rig.boundaries();
      p.rig.crash_at = {first + offset};
      p.rig.mint().set_lightning(way.lightning);
      if (way.fault != MintFault::None) p.rig.mint().plan_fault(cashu::Endpoint::Melt, way.fault);
      p.rig.step(p.pay(1));
      p.rig.run_for(Seconds{300});
      const bool pays = way.lightning == Lightning::Pays || offset % 2 == 0;
      p.rig.mint().settle_lightning(p.rig.time(), pays);
      p.rig.mint().set_lightning(pays ? Lightning::Pays : Lightning::Fails);
      for (int tries = 0; tries < 60 && !p.settled(1); ++tries) {
        p.rig.run_for(Seconds{30});
        if (p.rig.up()) p.rig.step(p.pay(1));
      }
      p.rig.run_for(Seconds{60});
      ASSERT_TRUE(p.rig.up() && p.settled(1)) << offset;
      died += p.rig.boundaries() > first + offset;
      const bool is_paid = p.rig.mint().times_paid(p.invoice) > 0;
      EXPECT_EQ(is_paid, p.settled(1)->empty()) << offset;
      EXPECT_EQ(p.money().in_doubt, Msat{0}) << offset;
      if (is_paid) {
        ++paid;
        p.expect_paid(1, before);
      } else {
        ++unpaid;
        const bool known = p.entry(1) != nullptr;
        const Msat fee = known ? p.entry(1)->dropped->fee : Msat{0};
        EXPECT_EQ(p.money().wallet, before - fee) << offset;
        EXPECT_LE(fee, Msat{1 * kCoin}) << offset;
        p.expect_whole();
      }
    }
  }
  EXPECT_GE(died, 60u);
  EXPECT_GE(paid, 40u);
  EXPECT_GE(unpaid, 40u);
}

}  // namespace
}  // namespace paygress::sim
