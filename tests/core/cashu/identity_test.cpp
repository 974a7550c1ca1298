#include "core/cashu/identity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

// An operation's name depends on its secrets alone, not on their order in the token.
TEST(Identity, OpIdIsThatOfTheSmallestY) {
  std::array<Point, 3> ys;
  for (size_t i = 0; i < ys.size(); ++i)
    ys[i] = hash_to_curve("secret " + std::to_string(i)).value().compressed();
  const OpId id = op_id(ys);
  const Point smallest = *std::ranges::min_element(ys);
  EXPECT_EQ(id, op_id(std::span(&smallest, 1)));
  std::ranges::reverse(ys);
  EXPECT_EQ(id, op_id(ys));
  EXPECT_NE(id, op_id(std::span(&*std::ranges::max_element(ys), 1)));
  const auto digest = crypto::sha256({as_bytes("paygress-op-v1"), smallest});
  EXPECT_TRUE(std::equal(id.bytes.begin(), id.bytes.end(), digest.begin()));
}

// The same proof may be the input of two of them.
TEST(Identity, AnOperationOnProofsOfOursIsThatOfItsClaimToo) {
  const Point y = hash_to_curve("secret").value().compressed();
  const std::span<const Point> ys(&y, 1);
  ClaimId claim;
  const OpId id = own_op_id(claim, ys);
  EXPECT_EQ(id, own_op_id(claim, ys));
  EXPECT_NE(id, op_id(ys));
  claim.bytes[0] = 1;
  EXPECT_NE(id, own_op_id(claim, ys));
}

TEST(Identity, YHashIsHalfADigest) {
  const Point y = hash_to_curve("secret").value().compressed();
  const auto digest = crypto::sha256(y);
  EXPECT_EQ(y_hash(y).hex(), to_hex(digest).substr(0, 32));
}

}  // namespace
}  // namespace paygress::cashu
