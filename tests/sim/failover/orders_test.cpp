#include "orders.h"

#include <gtest/gtest.h>

namespace paygress::sim {
namespace {

TEST(Orders, ThreeClaimantsInEveryOrderMakeOneHolder) {
  const OrdersFound found = explore_orders({});
  EXPECT_TRUE(found.complete);
  EXPECT_GT(found.states, 5'000u) << "the orders were looked at";
  EXPECT_EQ(found.two_copies, 0u) << found.first;
  EXPECT_EQ(found.holders, found.ends) << "and every one of them ends with a holder";
}

TEST(Orders, WithoutTheReadAfterTheClaimTwoAreFound) {
  OrdersSetup setup;
  setup.policy.read_after_claim = false;
  const OrdersFound found = explore_orders(setup);
  EXPECT_GT(found.two_copies, 0u);
}

TEST(Orders, WithoutTheClaimTwoAreFound) {
  OrdersSetup setup;
  setup.policy.claim = false;
  EXPECT_GT(explore_orders(setup).two_copies, 0u);
}

TEST(Orders, WithoutRanksSomeOrdersEndWithNobody) {
  OrdersSetup setup;
  setup.policy.ranks = false;
  const OrdersFound found = explore_orders(setup);
  EXPECT_EQ(found.two_copies, 0u);
  EXPECT_LT(found.holders, found.ends);
}

}  // namespace
}  // namespace paygress::sim
