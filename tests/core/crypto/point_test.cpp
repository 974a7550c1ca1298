#include "core/crypto/point.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace paygress::crypto {
namespace {

constexpr std::string_view kGenerator =
    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
constexpr std::string_view kOrder =
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
constexpr std::string_view kOrderMinusOne =
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140";

Scalar scalar(std::string_view hex) {
  Scalar out{};
  const auto bytes = from_hex(hex).value();
  std::copy(bytes.begin(), bytes.end(), out.end() - static_cast<long>(bytes.size()));
  return out;
}

std::string hex_of(const Result<CurvePoint>& point) { return to_hex(point.value().compressed()); }

// SEC 2 section 2.4.1.
TEST(Point, GeneratorTimesOneIsTheGenerator) {
  EXPECT_EQ(hex_of(CurvePoint::generator_times(scalar("01"))), kGenerator);
  const auto minus = CurvePoint::generator_times(scalar(kOrderMinusOne)).value();
  EXPECT_EQ(to_hex(minus.compressed()), "03" + std::string(kGenerator.substr(2)));
  EXPECT_EQ(to_hex(minus.negated().compressed()), kGenerator);
}

// NUT-01's invalid keys: a byte short, uncompressed; and what is not on the curve at all.
TEST(Point, RefusesWhatIsNotACompressedPoint) {
  const auto generator = CurvePoint::generator_times(scalar("01")).value();
  EXPECT_TRUE(CurvePoint::parse(generator.compressed()));
  EXPECT_FALSE(CurvePoint::parse(generator.uncompressed()));
  EXPECT_FALSE(CurvePoint::parse(ByteView(generator.compressed()).first(32)));
  EXPECT_FALSE(CurvePoint::parse({}));
  Point point = generator.compressed();
  for (const uint8_t prefix : {0x00, 0x01, 0x04, 0x06, 0x07}) {
    point[0] = prefix;
    EXPECT_FALSE(CurvePoint::parse(point)) << int{prefix};
  }
  Point off_curve{};
  off_curve[0] = 0x02;
  off_curve[32] = 0x05;  // x = 5 has no y
  EXPECT_FALSE(CurvePoint::parse(off_curve));
  Point beyond_field;
  beyond_field.fill(0xff);
  beyond_field[0] = 0x02;
  EXPECT_FALSE(CurvePoint::parse(beyond_field));
}

TEST(Point, RefusesZeroOverflowAndTheIdentity) {
  const auto g = CurvePoint::generator_times(scalar("01")).value();
  for (const Scalar& bad : {Scalar{}, scalar(kOrder)}) {
    EXPECT_FALSE(is_valid_scalar(bad));
    EXPECT_FALSE(CurvePoint::generator_times(bad));
    EXPECT_FALSE(g.times(bad));
    EXPECT_FALSE(scalar_sum(bad, scalar("01")));
    EXPECT_FALSE(scalar_sum(scalar("01"), bad));
    EXPECT_FALSE(scalar_product(bad, scalar("01")));
    EXPECT_FALSE(scalar_product(scalar("01"), bad));
  }
  EXPECT_TRUE(is_valid_scalar(scalar(kOrderMinusOne)));
  EXPECT_FALSE(g.plus(g.negated()));
  EXPECT_TRUE(g.plus(g));
  EXPECT_FALSE(scalar_sum(scalar("01"), scalar(kOrderMinusOne)));
}

TEST(Point, ReducesModuloTheOrder) {
  EXPECT_EQ(reduce_scalar(scalar("07")), scalar("07"));
  EXPECT_EQ(reduce_scalar(scalar(kOrderMinusOne)), scalar(kOrderMinusOne));
  EXPECT_EQ(reduce_scalar(Scalar{}), std::nullopt);
  EXPECT_EQ(reduce_scalar(scalar(kOrder)), std::nullopt);
  Scalar all_ones;
  all_ones.fill(0xff);
  // 2^256 - 1 - n, by hand.
  EXPECT_EQ(reduce_scalar(all_ones), scalar("014551231950b75fc4402da1732fc9bebe"));
  EXPECT_EQ(
      reduce_scalar(scalar("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142")),
      scalar("01"));
}

// The laws that blinding stands on: (a + b)G = aG + bG and (ab)G = a(bG).
TEST(Point, MultiplicationIsAHomomorphism) {
  EXPECT_TRUE(rc::check([](const std::array<uint8_t, 32>& x, const std::array<uint8_t, 32>& y) {
    const auto a = reduce_scalar(x);
    const auto b = reduce_scalar(y);
    RC_PRE(a && b && *a != *b);
    const auto a_g = CurvePoint::generator_times(*a).value();
    const auto b_g = CurvePoint::generator_times(*b).value();
    const auto sum = scalar_sum(*a, *b);
    RC_PRE(sum.has_value());
    RC_ASSERT(CurvePoint::generator_times(*sum).value() == a_g.plus(b_g).value());
    RC_ASSERT(CurvePoint::generator_times(*scalar_product(*a, *b)).value() ==
              b_g.times(*a).value());
    RC_ASSERT(CurvePoint::parse(a_g.compressed()).value() == a_g);
    RC_ASSERT(!(a_g == b_g));
  }));
}

}  // namespace
}  // namespace paygress::crypto
