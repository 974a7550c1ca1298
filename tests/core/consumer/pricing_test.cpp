// Seconds, sats and the mint's input fee (NUT-02).
#include "core/consumer/pricing.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/cashu/keyset.h"
#include "core/cashu/token.h"

namespace paygress::consumer {
namespace {

cashu::Keyset keyset_with(uint64_t ppk) {
  cashu::Keyset keyset;
  keyset.id = "00aabbccddeeff00";
  keyset.unit = "sat";
  keyset.active = true;
  keyset.input_fee_ppk = ppk;
  for (int bit = 0; bit < 32; ++bit) keyset.keys[uint64_t{1} << bit] = {};
  return keyset;
}

std::vector<cashu::Proof> proofs_of(const std::vector<cashu::Amount>& amounts) {
  std::vector<cashu::Proof> proofs;
  for (const auto amount : amounts)
    proofs.push_back({amount, "00aabbccddeeff00", "s" + std::to_string(proofs.size()), {}, "", {}});
  return proofs;
}

cashu::Amount sum_of(const std::vector<cashu::Proof>& proofs) {
  return cashu::total(proofs).value();
}

TEST(Pricing, SatsAreRoundedUpAndBuyWhatWasAsked) {
  EXPECT_EQ(sats_for(50, Seconds{3600}).value(), 180u);
  EXPECT_EQ(sats_for(1, Seconds{1}).value(), 1u);
  EXPECT_EQ(sats_for(999, Seconds{2}).value(), 2u);
  EXPECT_EQ(seconds_for(180, 50), Seconds{3600});
  EXPECT_FALSE(sats_for(0, Seconds{1}));
  EXPECT_FALSE(sats_for(1, Seconds{0}));
  EXPECT_FALSE(sats_for(UINT64_MAX, Seconds{2}));
  EXPECT_TRUE(rc::check([] {
    const auto rate = *rc::gen::inRange<uint64_t>(1, 1'000'000);
    const auto seconds = *rc::gen::inRange<int64_t>(1, 100'000'000);
    const auto sats = sats_for(rate, Seconds{seconds}).value();
    RC_ASSERT(seconds_for(sats, rate).value >= seconds);
    RC_ASSERT((sats == 1 || seconds_for(sats - 1, rate).value < seconds));
  }));
}

TEST(Pricing, FaceLeavesTheNetAfterTheFeeAndNotASatMoreThanNeeded) {
  EXPECT_EQ(face_for_net(100, keyset_with(0)).value(), 100u);
  EXPECT_FALSE(face_for_net(0, keyset_with(100)));
  // Each proof costs a sat: 1 needs 2, whose one proof leaves 1.
  EXPECT_EQ(face_for_net(1, keyset_with(1000)).value(), 2u);
  EXPECT_TRUE(rc::check([] {
    const auto net = *rc::gen::inRange<uint64_t>(1, 1'000'000);
    const auto ppk = *rc::gen::element<uint64_t>(0, 1, 100, 333, 1000, 2500);
    const auto keyset = keyset_with(ppk);
    const auto face = face_for_net(net, keyset).value();
    const auto left = [&](cashu::Amount f) {
      const auto fee =
          fee_of(proofs_of(cashu::split_amount(f, keyset.keys).value()), {&keyset, 1}).value();
      return f > fee ? f - fee : 0;
    };
    RC_ASSERT(left(face) >= net);
    RC_ASSERT((face == 1 || left(face - 1) < net));  // RC_ASSERT alone evaluates both sides
  }));
}

TEST(Pricing, GreedyFindsAnExactSubsetOfPowersOfTwoWhenThereIsOne) {
  EXPECT_EQ(sum_of(exact_subset(proofs_of({1, 2, 4, 4, 16}), 10).value()), 10u);
  EXPECT_FALSE(exact_subset(proofs_of({2, 4, 4}), 5));
  EXPECT_FALSE(exact_subset({}, 1));
}

TEST(Pricing, SplitConservesAndGivesExactlyTheAmount) {
  EXPECT_TRUE(rc::check([] {
    const auto bits = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 10));
    std::vector<cashu::Amount> amounts;
    for (const int bit : bits) amounts.push_back(uint64_t{1} << bit);
    const auto purse = proofs_of(amounts);
    const auto keyset = keyset_with(*rc::gen::element<uint64_t>(0, 100, 1000));
    const auto wanted = *rc::gen::inRange<uint64_t>(1, 3000);
    const auto plan = plan_split(purse, wanted, {&keyset, 1}, keyset);
    if (!plan) {
      const auto fee = fee_of(purse, {&keyset, 1}).value();
      // Refused only when even one proof after the other never reaches it.
      RC_ASSERT(sum_of(purse) < wanted + fee || purse.empty() || fee > 0);
      return;
    }
    cashu::Amount given = 0;
    cashu::Amount all = 0;
    for (const auto i : plan->given) given += plan->amounts.at(i);
    for (const auto amount : plan->amounts) all += amount;
    RC_ASSERT(given == wanted);
    RC_ASSERT(all + plan->fee == sum_of(plan->inputs));
    RC_ASSERT(std::is_sorted(plan->amounts.begin(), plan->amounts.end()));  // NUT-03
  }));
}

TEST(Pricing, TooLittleMoneyIsSaidInWords) {
  const auto keyset = keyset_with(1000);
  const auto plan = plan_split(proofs_of({4}), 4, {&keyset, 1}, keyset);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message.find("not enough money"), std::string::npos);
  EXPECT_TRUE(check_reach(proofs_of({4, 1}), 5).has_value());
  EXPECT_EQ(check_reach(proofs_of({4}), 5'000'000'000).error().message,
            "not enough money: 5000000000 are needed, the purse holds 4");
}

}  // namespace
}  // namespace paygress::consumer
