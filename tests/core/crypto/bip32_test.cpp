#include "core/crypto/bip32.h"

#include <gtest/gtest.h>

namespace paygress::crypto {
namespace {

// BIP-32 test vector 1. The keys and chain codes are those inside its xprv texts.
TEST(Bip32, TestVector1) {
  const auto seed = from_hex("000102030405060708090a0b0c0d0e0f").value();
  const auto root = master_key(seed).value();
  EXPECT_EQ(to_hex(root.key), "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35");
  EXPECT_EQ(to_hex(root.chain_code),
            "873dff81c02f525623fd1fe5167eac3a55a049de3d314bb42ee227ffed37d508");
  const auto hardened = child_key(root, kHardened).value();
  EXPECT_EQ(to_hex(hardened.key),
            "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea");
  EXPECT_EQ(to_hex(hardened.chain_code),
            "47fdacbd0f1097043b78c63c20c34ef4ed9a111d980047ad16282c7ae6236141");
  const uint32_t path[] = {kHardened, 1};
  const auto normal = derive_key(root, path).value();
  EXPECT_EQ(to_hex(normal.key), "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368");
  EXPECT_EQ(to_hex(normal.chain_code),
            "2a7857631386ba23dacac34180dd1983734e444fdbf774041578e9b6adb37c19");
}

// BIP-32 test vector 3: keys with leading zeros keep their 32 bytes.
TEST(Bip32, TestVector3KeepsLeadingZeros) {
  const auto seed = from_hex(
                        "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4ac"
                        "ba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be")
                        .value();
  const auto root = master_key(seed).value();
  EXPECT_EQ(to_hex(root.key), "00ddb80b067e0d4993197fe10f2657a844a384589847602d56f0c629c81aae32");
  EXPECT_EQ(to_hex(child_key(root, kHardened).value().key),
            "491f7a2eebc7b57028e0d3faa0acda02e75c33b03c48fb288c41e2ea44e1daef");
}

TEST(Bip32, RefusesSeedsOfAnotherSize) {
  EXPECT_FALSE(master_key(Bytes(15)));
  EXPECT_TRUE(master_key(Bytes(16)));
  EXPECT_TRUE(master_key(Bytes(64)));
  EXPECT_FALSE(master_key(Bytes(65)));
}

}  // namespace
}  // namespace paygress::crypto
