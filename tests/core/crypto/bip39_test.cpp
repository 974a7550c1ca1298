#include "core/crypto/bip39.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/crypto/hash.h"

namespace paygress::crypto {
namespace {

constexpr std::string_view kAbandon =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

std::string mnemonic_of(std::string_view hex) {
  return mnemonic_from_entropy(from_hex(hex).value());
}

// The reference vectors that BIP-39 links to.
TEST(Bip39, ReferenceVectors) {
  EXPECT_EQ(mnemonic_of("00000000000000000000000000000000"), kAbandon);
  EXPECT_EQ(mnemonic_of("7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f"),
            "legal winner thank year wave sausage worth useful legal winner thank yellow");
  EXPECT_EQ(mnemonic_of("ffffffffffffffffffffffffffffffff"),
            "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong");
  EXPECT_EQ(mnemonic_of("000000000000000000000000000000000000000000000000"),
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
            "abandon abandon abandon abandon abandon abandon abandon agent");
  EXPECT_EQ(mnemonic_of("9e885d952ad362caeb4efe34a8e91bd2"),
            "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic");
}

// The published seed of "abandon ... about" with the empty passphrase.
TEST(Bip39, SeedOfTheFirstVector) {
  EXPECT_EQ(to_hex(seed_from_mnemonic(kAbandon).value()),
            "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
            "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4");
}

TEST(Bip39, SpacesAndCaseDoNotChangeTheSeed) {
  const std::string sloppy = "  Abandon" + std::string(kAbandon.substr(7)) + "\n";
  EXPECT_EQ(seed_from_mnemonic(sloppy).value(), seed_from_mnemonic(kAbandon).value());
}

TEST(Bip39, RefusesWrongWordsCountsAndChecksums) {
  const std::string good(kAbandon);
  EXPECT_FALSE(seed_from_mnemonic(""));
  EXPECT_FALSE(seed_from_mnemonic(good.substr(8)));
  EXPECT_FALSE(seed_from_mnemonic(good + " abandon"));
  const auto wrong_sum = seed_from_mnemonic(good.substr(0, good.rfind(' ')) + " abandon");
  ASSERT_FALSE(wrong_sum);
  EXPECT_EQ(wrong_sum.error().message, "the mnemonic's checksum is wrong");
  const auto wrong_word = seed_from_mnemonic("sesame " + good.substr(8));
  ASSERT_FALSE(wrong_word);
  EXPECT_EQ(wrong_word.error().message.find("sesame"), std::string::npos);
}

TEST(Bip39, EveryEntropyComesBack) {
  EXPECT_TRUE(rc::check([] {
    const auto size = *rc::gen::element(16, 20, 24, 28, 32);
    const auto entropy =
        *rc::gen::container<Bytes>(static_cast<size_t>(size), rc::gen::arbitrary<uint8_t>());
    RC_ASSERT(entropy_from_mnemonic(mnemonic_from_entropy(entropy)).value() == entropy);
  }));
}

}  // namespace
}  // namespace paygress::crypto
