// The payout rule, to a Lightning address: how much, when, and when again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/provider/earner.h"

namespace paygress::sim {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kAddress = "me@pay.example";

struct Sweeper : Earner {
  uint64_t invoices = 0;

  Sweeper() {
    earn();
    rig.receiver = [this](const provider::FetchInvoice& e) { return invoice_for(e); };
  }
  provider::InvoiceFetched invoice_for(const provider::FetchInvoice& e) {
    EXPECT_EQ(e.address, kAddress);
    return {e.id, make_invoice(e.amount, ++invoices), ""};
  }
  // From now on, as after a change of the config.
  void sweep(Msat above, Msat keep) {
    rig.settings().payout = provider::PayoutRule{above, keep, kAddress};
    rig.restart();
  }
  const std::vector<provider::FetchInvoice>& asked() { return rig.invoices_asked(); }
  std::vector<lease::Withdrawal> payouts() {
    std::vector<lease::Withdrawal> found;
    for (const auto& [id, withdrawal] : leases().withdrawals().all()) found.push_back(withdrawal);
    return found;
  }
};

TEST(Payout, PaysAnInvoiceOfTheAddressAndLeavesWhatItIsToldTo) {
  Sweeper s;
  const Msat before = s.money().free;
  s.sweep(Msat{25'000}, Msat{5'000});
  s.rig.run_for(Seconds{200});
  ASSERT_THAT(s.payouts(), SizeIs(1));
  const lease::Withdrawal payout = s.payouts()[0];
  EXPECT_EQ(payout.opened.purpose, lease::kPayout);
  ASSERT_EQ(payout.state, lease::WithdrawalState::Settled);
  EXPECT_EQ(payout.settled->amount, s.asked().at(0).amount);
  EXPECT_GE(payout.settled->amount, before - Msat{5'000} - Msat{12'000});
  EXPECT_EQ(s.rig.mint().times_paid(payout.opened.invoice), 1u);
  EXPECT_GE(s.money().wallet, Msat{5'000});
  EXPECT_EQ(s.money().wallet, before - payout.settled->amount - payout.settled->fee);
  // What is left is below the threshold.
  s.rig.run_for(Seconds{7200});
  EXPECT_THAT(s.asked(), SizeIs(1));
}

TEST(Payout, OfAnInvoiceThatAsksAnotherAmountIsNotPaid) {
  for (const int64_t more : {-1'000, 1'000, 1}) {
    Sweeper s;
    s.rig.receiver = [&](const provider::FetchInvoice& e) {
      return provider::InvoiceFetched{e.id, make_invoice(e.amount + Msat{more}, 1), ""};
    };
    const Msat before = s.money().wallet;
    s.sweep(Msat{25'000}, Msat{5'000});
    s.rig.run_for(Seconds{400});
    EXPECT_THAT(s.asked(), SizeIs(1));
    EXPECT_THAT(s.payouts(), IsEmpty());
    EXPECT_EQ(s.money().wallet, before);
  }
}

// Ten minutes, twenty, forty ... and each time less, so that more is left for Lightning.
TEST(Payout, ThatFailsIsTriedAgainLaterAndWithLess) {
  Sweeper s;
  s.rig.mint().set_lightning(Lightning::Fails);
  std::vector<Micros> at;
  s.rig.receiver = [&](const provider::FetchInvoice& e) {
    at.push_back(s.rig.time());
    return s.invoice_for(e);
  };
  const Msat before = s.money().wallet;
  s.sweep(Msat{25'000}, Msat{0});
  s.rig.run_for(Seconds{6000});
  ASSERT_GE(at.size(), 4u);
  for (size_t i = 1; i < at.size(); ++i) {
    EXPECT_GE(at[i] - at[i - 1], micros(Seconds{600 << (i - 1)}));
    EXPECT_LE(at[i] - at[i - 1], micros(Seconds{(600 << (i - 1)) + 130}));
    EXPECT_LE(s.asked()[i].amount, s.asked()[i - 1].amount);
  }
  EXPECT_LT(s.asked().back().amount, s.asked().front().amount);
  EXPECT_EQ(s.money().wallet, before);
  s.rig.mint().set_lightning(Lightning::Pays);
  s.rig.run_for(Seconds{20'000});
  EXPECT_EQ(std::ranges::count_if(s.payouts(), [](const auto& p) { return p.settled.has_value(); }),
            1);
}

TEST(Payout, AskedOfNobodyWaitsAndAsksNoSecondTime) {
  Sweeper s;
  s.rig.receiver = nullptr;  // no answer yet
  s.sweep(Msat{25'000}, Msat{5'000});
  s.rig.run_for(Seconds{3600});
  EXPECT_THAT(s.asked(), SizeIs(1));
  EXPECT_THAT(s.payouts(), IsEmpty());
}

// Nobody asks again for a payout, as an operator does for a payment: the rule itself has to find
// out what became of the last one before it makes another.
TEST(Payout, IsMadeOnceWhereverTheProcessDies) {
  size_t died = 0;
  size_t again = 0;  // asked for another invoice after the crash
  for (const MintFault fault : {MintFault::None, MintFault::DropAnswer}) {
    for (uint64_t offset = 0; offset < 40; ++offset) {
      Sweeper s;
      const Msat before = s.money().wallet;
      const uint64_t first = s.rig.boundaries();
      s.rig.crash_at = {first + offset};
      if (fault != MintFault::None) s.rig.mint().plan_fault(cashu::Endpoint::Melt, fault);
      s.sweep(Msat{25'000}, Msat{5'000});
      s.rig.run_for(Seconds{2000});
      ASSERT_TRUE(s.rig.up()) << offset;
      died += s.rig.boundaries() > first + offset;
      again += s.asked().size() > 1;
      Msat left = before;
      size_t paid = 0;
      for (const lease::Withdrawal& payout : s.payouts()) {
        const auto times = s.rig.mint().times_paid(payout.opened.invoice);
        EXPECT_EQ(times, payout.settled ? 1u : 0u) << offset;
        paid += times;
        if (payout.settled) left -= payout.settled->amount + payout.settled->fee;
      }
      EXPECT_EQ(paid, 1u) << offset;
      EXPECT_EQ(s.money().wallet, left) << offset;
      EXPECT_EQ(s.money().in_doubt, Msat{0}) << offset;
    }
  }
  EXPECT_GT(died, 60u);
  EXPECT_GT(again, 0u);
}

}  // namespace
}  // namespace paygress::sim
