#include "core/cashu/nut13.h"

#include <gtest/gtest.h>

#include "core/crypto/bip39.h"
#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

using test::str;

void expect_vectors(const WalletSeed& seed, const boost::json::value& vectors) {
  const auto deriver = OutputDeriver::make(seed, str(vectors.at("keyset_id")));
  ASSERT_TRUE(deriver);
  const auto& secrets = vectors.at("secrets").as_array();
  ASSERT_EQ(secrets.size(), 5U);
  for (uint32_t counter = 0; counter < 5; ++counter) {
    const auto output = deriver->at(counter).value();
    EXPECT_EQ(output.secret, str(secrets[counter]));
    EXPECT_EQ(to_hex(output.r), str(vectors.at("rs").as_array()[counter]));
  }
}

// NUT-13 tests: version 1 by BIP-32, version 2 by HMAC, one mnemonic.
TEST(Nut13, DerivationVectors) {
  const auto file = test::vectors("nut13_derivation.json");
  const auto seed = seed_from_mnemonic(str(file.at("mnemonic"))).value();
  EXPECT_EQ(to_hex(seed.bytes), str(file.at("seed_hex")));
  expect_vectors(seed, file.at("v1"));
  expect_vectors(seed, file.at("v2"));
  EXPECT_EQ(keyset_int(str(file.at("v1").at("keyset_id"))),
            static_cast<uint32_t>(file.at("v1").at("keyset_id_int").to_number<uint64_t>()));
}

TEST(Nut13, RefusesOtherIdsAndCountersBeyondTheRange) {
  const WalletSeed seed = seed_from_key("key");
  for (const char* id : {"", "009a1f293253e4", "029a1f293253e41e", "019a1f293253e41e",
                         "009A1F293253E41E", "I2yN+iRYfkzT"})
    EXPECT_FALSE(OutputDeriver::make(seed, id)) << id;
  const auto deriver = OutputDeriver::make(seed, "009a1f293253e41e").value();
  EXPECT_TRUE(deriver.at(0x7fff'ffff));
  EXPECT_FALSE(deriver.at(0x8000'0000));
}

// The existing network's seed: the mnemonic's entropy is fixed by the config's literal text.
TEST(Nut13, ExistingNetworkSeedFromConfigKey) {
  const std::string mnemonic = mnemonic_from_key("nsec-example-key");
  EXPECT_EQ(to_hex(crypto::entropy_from_mnemonic(mnemonic).value()),
            "f84933fb14c42b394f0ddc2220c9c6e7");
  EXPECT_EQ(seed_from_key("nsec-example-key").bytes, seed_from_mnemonic(mnemonic)->bytes);
  EXPECT_NE(seed_from_key("nsec-example-key").bytes, seed_from_key("NSEC-example-key").bytes);
}

// The older double SHA-256 form, still needed to find old funds.
TEST(Nut13, LegacySeedFromConfigKey) {
  EXPECT_EQ(to_hex(legacy_seed_from_key("nsec-example-key").bytes),
            "82b2836a79f1b7a4e8d18c9668a6580b8e7b02b3f9104527ae122bbf84a3c507"
            "69ec1267a6b6db47c38b0b4078225ddc08ab1c89968ead740b105fe8b2cdcc35");
}

}  // namespace
}  // namespace paygress::cashu
