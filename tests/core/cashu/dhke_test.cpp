#include "core/cashu/dhke.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

using test::point;
using test::scalar;
using test::str;

std::string decoded(const boost::json::value& hex) {
  return std::string(as_text(from_hex(str(hex)).value()));
}

// NUT-00 tests, hash_to_curve: two of the three need a counter above 0.
TEST(Dhke, HashToCurveVectors) {
  const auto file = test::vectors("nut00_12_crypto.json");
  const auto& cases = file.at("hash_to_curve").as_array();
  ASSERT_EQ(cases.size(), 3U);
  for (const auto& c : cases)
    EXPECT_EQ(hash_to_curve(decoded(c.at("msg_hex"))).value().compressed(), point(c.at("Y")));
}

// NUT-00 tests, blinded messages: these hash the decoded bytes.
TEST(Dhke, BlindingVectors) {
  const auto file = test::vectors("nut00_12_crypto.json");
  const auto& cases = file.at("blind_raw_bytes").as_array();
  ASSERT_EQ(cases.size(), 2U);
  for (const auto& c : cases)
    EXPECT_EQ(blind(decoded(c.at("x_hex")), scalar(c.at("r"))).value(), point(c.at("B_")));
}

// NUT-00 tests, blinded signatures.
TEST(Dhke, SigningVectors) {
  const auto file = test::vectors("nut00_12_crypto.json");
  for (const auto& c : file.at("sign").as_array())
    EXPECT_EQ(sign_blinded(scalar(c.at("k")), point(c.at("B_"))).value(), point(c.at("C_")));
}

// NUT-00 "Blind Diffie-Hellmann key exchange": C = kY whatever r is, and only for that secret.
TEST(Dhke, UnblindedSignatureIsTheMintsOnTheSecret) {
  const test::TinyMint mint;
  EXPECT_TRUE(rc::check([&](const std::string& secret, const std::array<uint8_t, 32>& mask) {
    const auto r = crypto::reduce_scalar(mask);
    RC_PRE(r.has_value());
    const Scalar& k = mint.secrets.at(8);
    const Point blinded = blind(secret, *r).value();
    const Point c = unblind(sign_blinded(k, blinded).value(), *r, mint.keyset.keys.at(8)).value();
    RC_ASSERT(verify_unblinded(k, secret, c));
    RC_ASSERT(!verify_unblinded(k, secret + "x", c));
    RC_ASSERT(!verify_unblinded(mint.secrets.at(4), secret, c));
    RC_ASSERT(blinded != hash_to_curve(secret).value().compressed());
  }));
}

TEST(Dhke, RefusesBadScalarsAndPoints) {
  const test::TinyMint mint;
  const Point good = mint.keyset.keys.at(1);
  Point bad = good;
  bad[0] = 0x04;
  EXPECT_FALSE(blind("secret", Scalar{}));
  EXPECT_FALSE(unblind(good, Scalar{}, good));
  EXPECT_FALSE(unblind(bad, test::small_scalar(1), good));
  EXPECT_FALSE(unblind(good, test::small_scalar(1), bad));
  EXPECT_FALSE(unblind(good, test::small_scalar(1), good)) << "C_ - 1*K is the identity";
  EXPECT_FALSE(sign_blinded(Scalar{}, good));
  EXPECT_FALSE(sign_blinded(test::small_scalar(1), bad));
  EXPECT_FALSE(verify_unblinded(Scalar{}, "secret", good));
}

}  // namespace
}  // namespace paygress::cashu
