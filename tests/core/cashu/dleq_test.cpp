#include "core/cashu/dleq.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

using test::point;
using test::scalar;
using test::str;

// NUT-12 tests, hash_e.
TEST(Dleq, HashEVector) {
  const auto file = test::vectors("nut00_12_crypto.json");
  const auto& v = file.at("hash_e");
  std::vector<crypto::CurvePoint> points;
  for (const char* name : {"R1", "R2", "K", "C_"})
    points.push_back(crypto::CurvePoint::parse(point(v.at(name))).value());
  EXPECT_EQ(to_hex(hash_e(points)), str(v.at("e")));
}

// NUT-12 tests, DLEQ on a BlindSignature; every one-sided change breaks it.
TEST(Dleq, BlindSignatureVector) {
  const auto file = test::vectors("nut00_12_crypto.json");
  const auto& v = file.at("dleq_blindsig");
  const Dleq dleq{scalar(v.at("e")), scalar(v.at("s")), std::nullopt};
  const Point key = point(v.at("A"));
  const Point b = point(v.at("B_"));
  const Point c = point(v.at("C_"));
  EXPECT_TRUE(verify_signature_dleq(dleq, key, b, c));
  EXPECT_FALSE(verify_signature_dleq({dleq.s, dleq.e, {}}, key, b, c));
  EXPECT_FALSE(verify_signature_dleq(dleq, b, b, c));
  EXPECT_FALSE(verify_signature_dleq(dleq, key, key, c));
  EXPECT_FALSE(verify_signature_dleq(dleq, key, b, key));
  EXPECT_FALSE(verify_signature_dleq({Scalar{}, dleq.s, {}}, key, b, c));
  EXPECT_FALSE(verify_signature_dleq({dleq.e, Scalar{}, {}}, key, b, c));
  Point malformed = c;
  malformed[0] = 0;
  EXPECT_FALSE(verify_signature_dleq(dleq, key, b, malformed));
}

// NUT-12 tests, DLEQ on a Proof: Y is the hash of the secret's TEXT, not of its decoded bytes.
TEST(Dleq, ProofVectorHashesTheText) {
  const auto file = test::vectors("nut00_12_crypto.json");
  const auto& v = file.at("dleq_proof_utf8");
  Dleq dleq{scalar(v.at("e")), scalar(v.at("s")), scalar(v.at("r"))};
  const std::string secret = str(v.at("secret"));
  const std::string raw(as_text(from_hex(secret).value()));
  EXPECT_TRUE(verify_proof_dleq(dleq, point(v.at("A")), secret, point(v.at("C"))));
  EXPECT_FALSE(verify_proof_dleq(dleq, point(v.at("A")), raw, point(v.at("C"))));
  EXPECT_FALSE(verify_proof_dleq(dleq, point(v.at("C")), secret, point(v.at("C"))));
  dleq.r = Scalar{};
  EXPECT_FALSE(verify_proof_dleq(dleq, point(v.at("A")), secret, point(v.at("C"))));
  dleq.r.reset();
  EXPECT_FALSE(verify_proof_dleq(dleq, point(v.at("A")), secret, point(v.at("C"))));
}

// NUT-12 tests, deterministic nonce.
TEST(Dleq, DeterministicNonceVector) {
  const auto file = test::vectors("nut00_12_crypto.json");
  const auto& v = file.at("dleq_det_nonce");
  const Dleq dleq = make_dleq(scalar(v.at("a")), point(v.at("B_")), point(v.at("C_"))).value();
  EXPECT_EQ(to_hex(dleq.e), str(v.at("e")));
  EXPECT_EQ(to_hex(dleq.s), str(v.at("s")));
  EXPECT_FALSE(make_dleq(Scalar{}, point(v.at("B_")), point(v.at("C_"))));
}

TEST(Dleq, WhatAMintMakesHoldsAndNoOtherKeyDoes) {
  const test::TinyMint mint;
  EXPECT_TRUE(rc::check([&](const std::string& secret) {
    const Proof proof = mint.issue(16, secret);
    const Point& key = mint.keyset.keys.at(16);
    RC_ASSERT(verify_proof_dleq(*proof.dleq, key, secret, proof.c));
    RC_ASSERT(!verify_proof_dleq(*proof.dleq, mint.keyset.keys.at(32), secret, proof.c));
    Dleq changed = *proof.dleq;
    auto& victim = *rc::gen::element(0, 1, 2) == 0 ? changed.e : changed.s;
    victim[*rc::gen::inRange<size_t>(0, 32)] ^= static_cast<uint8_t>(*rc::gen::inRange(1, 256));
    RC_ASSERT(!verify_proof_dleq(changed, key, secret, proof.c));
  }));
}

}  // namespace
}  // namespace paygress::cashu
