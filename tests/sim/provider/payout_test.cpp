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

}  // namespace
}  // namespace paygress::sim
