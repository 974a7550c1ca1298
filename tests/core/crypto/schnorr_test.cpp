// BIP-340, and the Diffie-Hellman of NIP-04 and NIP-44.
#include "core/crypto/schnorr.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <fstream>
#include <sstream>

#include "core/crypto/ecdh.h"

namespace paygress::crypto {
namespace {

template <class T>
T fixed(const std::string& hex) {
  T value;
  const auto bytes = from_hex(hex);
  if (!bytes || bytes->size() != value.bytes.size()) throw std::runtime_error("bad vector " + hex);
  std::copy(bytes->begin(), bytes->end(), value.bytes.begin());
  return value;
}

// Columns: index, secret key, public key, aux, message, signature, result, comment.
std::vector<std::vector<std::string>> vectors() {
  std::ifstream file(PAYGRESS_VECTORS "/nostr/bip340-test-vectors.csv");
  std::vector<std::vector<std::string>> rows;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::vector<std::string> row(8);
    std::istringstream cells(line);
    for (auto& cell : row) std::getline(cells, cell, ',');
    rows.push_back(row);
  }
  return rows;
}

SecretKey secret(uint8_t last) {
  SecretKey key;
  key.bytes[31] = last;
  return key;
}

TEST(Schnorr, Bip340VerifyVectors) {
  const auto rows = vectors();
  ASSERT_EQ(rows.size(), 19u);
  for (const auto& row : rows) {
    const bool good =
        verify_schnorr(fixed<PubKey>(row[2]), *from_hex(row[4]), fixed<Signature>(row[5]));
    EXPECT_EQ(good, row[6] == "TRUE") << "vector " << row[0] << ": " << row[7];
  }
}

TEST(Schnorr, Bip340SignVectorsOfEveryMessageLength) {
  int signed_count = 0;
  for (const auto& row : vectors()) {
    if (row[1].empty()) continue;
    const auto pair = Keypair::from(fixed<SecretKey>(row[1]));
    ASSERT_TRUE(pair);
    EXPECT_EQ(pair->public_key(), fixed<PubKey>(row[2])) << row[0];
    const auto aux = fixed<SecretKey>(row[3]).bytes;
    EXPECT_EQ(pair->sign(*from_hex(row[4]), aux), fixed<Signature>(row[5])) << row[0];
    ++signed_count;
  }
  EXPECT_EQ(signed_count, 8);  // 0-3 and 15-18
}

TEST(Schnorr, RefusesSecretsOutsideTheGroup) {
  EXPECT_FALSE(Keypair::from(SecretKey{}));
  SecretKey all_ones;
  all_ones.bytes.fill(0xff);
  EXPECT_FALSE(Keypair::from(all_ones));
  // The group order, and the largest secret below it.
  auto order = fixed<SecretKey>("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
  EXPECT_FALSE(Keypair::from(order));
  order.bytes[31] = 0x40;
  EXPECT_TRUE(Keypair::from(order));
}

TEST(Schnorr, ASignatureHoldsForItsMessageOnly) {
  const auto pair = Keypair::from(secret(7));
  EXPECT_TRUE(rc::check([&](const Bytes& message, const ByteArray<32>& aux, uint8_t flip) {
    const Signature signature = pair->sign(message, aux);
    RC_ASSERT(verify_schnorr(pair->public_key(), message, signature));
    Bytes longer = message;
    longer.push_back(0);
    RC_ASSERT(!verify_schnorr(pair->public_key(), longer, signature));
    Signature broken = signature;
    broken.bytes[flip % 64] ^= 1;
    RC_ASSERT(!verify_schnorr(pair->public_key(), message, broken));
  }));
}

TEST(Schnorr, KnowsWhichKeysAreOnTheCurve) {
  EXPECT_TRUE(is_valid(Keypair::from(secret(1))->public_key()));
  EXPECT_FALSE(is_valid(PubKey{}));
  // BIP-340 vector 5: not on the curve.
  EXPECT_FALSE(
      is_valid(fixed<PubKey>("eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34")));
}

TEST(Ecdh, IsTheSameFromBothSides) {
  EXPECT_TRUE(rc::check([](const ByteArray<32>& a, const ByteArray<32>& b) {
    const auto alice = Keypair::from(SecretKey(a));
    const auto bob = Keypair::from(SecretKey(b));
    RC_PRE(alice.has_value() && bob.has_value());
    const auto from_alice = shared_x(alice->secret(), bob->public_key());
    const auto from_bob = shared_x(bob->secret(), alice->public_key());
    RC_ASSERT(from_alice.has_value() && from_bob.has_value());
    RC_ASSERT(from_alice->bytes == from_bob->bytes);
  }));
}

TEST(Ecdh, GivesTheBareCoordinate) {
  const auto one = Keypair::from(secret(1));
  const auto two = Keypair::from(secret(2));
  // 1 * (2G) = 2G: the coordinate is the public key itself, not a hash of it.
  EXPECT_EQ(shared_x(one->secret(), two->public_key())->bytes, two->public_key().bytes);
}

TEST(Ecdh, RefusesBadInputs) {
  const auto one = Keypair::from(secret(1));
  EXPECT_FALSE(shared_x(SecretKey{}, one->public_key()));
  EXPECT_FALSE(shared_x(one->secret(), PubKey{}));
}

}  // namespace
}  // namespace paygress::crypto
