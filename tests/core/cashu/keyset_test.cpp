#include "core/cashu/keyset.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <limits>
#include <numeric>

#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

constexpr char kV1[] = "009a1f293253e41e";
const std::string kV2a = "01" + std::string(64, 'a');
const std::string kV2b = "01" + std::string(14, 'a') + std::string(50, 'b');

// NUT-02 tests: two ids of version 1, three of version 2.
TEST(KeysetId, Vectors) {
  const auto file = test::vectors("nut02_keyset_ids.json");
  ASSERT_EQ(file.as_array().size(), 5U);
  for (const auto& v : file.as_array()) {
    Keyset keyset;
    keyset.id = test::str(v.at("id"));
    keyset.keys = test::keys_of(v.at("keys"));
    if (v.at("version").as_int64() == 2) {
      keyset.unit = test::str(v.at("unit"));
      keyset.input_fee_ppk = v.at("input_fee_ppk").to_number<uint64_t>();
      if (!v.at("final_expiry").is_null())
        keyset.final_expiry = UnixSeconds{v.at("final_expiry").to_number<int64_t>()};
    }
    EXPECT_TRUE(check_keyset_id(keyset)) << keyset.id;
    Keyset other = keyset;
    other.keys.erase(other.keys.begin());
    EXPECT_FALSE(check_keyset_id(other));
    // Version 2 binds the fee into the id; version 1 does not.
    other = keyset;
    other.input_fee_ppk += 1;
    EXPECT_EQ(check_keyset_id(other).has_value(), v.at("version").as_int64() == 1);
  }
}

TEST(KeysetId, OtherVersionsAreRefusedByName) {
  EXPECT_EQ(keyset_version(kV1), KeysetVersion::V1);
  EXPECT_EQ(keyset_version(kV2a), KeysetVersion::V2);
  const auto bls = keyset_version("02" + std::string(64, 'a'));
  ASSERT_FALSE(bls);
  EXPECT_NE(bls.error().message.find("02"), std::string::npos);
  const auto ancient = keyset_version("I2yN+iRYfkzT");
  ASSERT_FALSE(ancient);
  EXPECT_NE(ancient.error().message.find("base64"), std::string::npos);
  for (const char* bad :
       {"", "0", "00", "009a1f293253e41", "009a1f293253e41e0", "009A1F293253E41E"})
    EXPECT_FALSE(keyset_version(bad)) << bad;
}

// NUT-02 "Short keyset IDs": looked up among one mint's keysets; two matches must fail.
TEST(KeysetId, ShortIdsResolveOnlyWhenUnique) {
  const std::vector<std::string> ids = {kV1, kV2a};
  EXPECT_EQ(resolve_keyset_id(kV1, ids).value(), kV1);
  EXPECT_EQ(resolve_keyset_id(kV2a, ids).value(), kV2a);
  EXPECT_EQ(resolve_keyset_id(short_keyset_id(kV2a), ids).value(), kV2a);
  EXPECT_FALSE(resolve_keyset_id("00ffffffffffffff", ids));
  EXPECT_FALSE(resolve_keyset_id(kV2b, ids));
  const std::vector<std::string> both = {kV2a, kV2b};
  ASSERT_EQ(short_keyset_id(kV2a), short_keyset_id(kV2b));
  EXPECT_FALSE(resolve_keyset_id(short_keyset_id(kV2a), both));
  EXPECT_EQ(resolve_keyset_id(kV2b, both).value(), kV2b);
  const std::vector<std::string> repeated = {kV2a, kV2a};
  EXPECT_EQ(resolve_keyset_id(short_keyset_id(kV2a), repeated).value(), kV2a);
}

// A "00" id stands for a number of 31 bits: a mint can make one that equals another's on purpose.
TEST(KeysetId, CollisionsBetweenKeysetsAreRefused) {
  // The modulus is 2^31 - 1; adding it to the id keeps the number.
  const uint64_t number = std::stoull(kV1, nullptr, 16) + ((1ULL << 31) - 1);
  Bytes bytes(8);
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(number >> (56 - 8 * i));
  const std::string twin = to_hex(bytes);
  ASSERT_EQ(keyset_int(twin), keyset_int(kV1));
  const std::vector<std::pair<std::string, std::string>> stored = {{"A", kV1}, {"A", kV2a}};
  EXPECT_TRUE(check_keyset_collision("A", kV1, stored)) << "the same keyset again";
  EXPECT_FALSE(check_keyset_collision("B", kV1, stored));
  EXPECT_FALSE(check_keyset_collision("A", twin, stored));
  EXPECT_FALSE(check_keyset_collision("B", twin, stored));
  EXPECT_FALSE(check_keyset_collision("B", kV2a, stored));
  EXPECT_FALSE(check_keyset_collision("B", kV2b, stored)) << "the short id is the same";
  EXPECT_TRUE(check_keyset_collision("B", "00ffffffffffffff", stored));
}

TEST(KeysetSplit, PowersOfTwoGiveOneOutputPerBit) {
  const test::TinyMint mint;
  EXPECT_EQ(split_amount(13, mint.keyset.keys).value(), (std::vector<Amount>{1, 4, 8}));
  EXPECT_TRUE(rc::check([&] {
    const Amount amount = *rc::gen::inRange<Amount>(1, 65536);
    const auto amounts = split_amount(amount, mint.keyset.keys).value();
    RC_ASSERT(amounts.size() == static_cast<size_t>(std::popcount(amount)));
    RC_ASSERT(std::accumulate(amounts.begin(), amounts.end(), Amount{0}) == amount);
    RC_ASSERT(std::is_sorted(amounts.begin(), amounts.end()));
  }));
}

TEST(KeysetSplit, RefusesWhatCannotBeMadeOrIsTooMany) {
  const Point key{};
  EXPECT_FALSE(split_amount(0, {{1, key}}));
  EXPECT_FALSE(split_amount(1, {}));
  EXPECT_FALSE(split_amount(3, {{2, key}}));
  EXPECT_EQ(split_amount(kOutputsMax, {{1, key}})->size(), kOutputsMax);
  EXPECT_FALSE(split_amount(kOutputsMax + 1, {{1, key}}));
  EXPECT_FALSE(split_amount(std::numeric_limits<Amount>::max(), {{1, key}}));
  const Amount top = Amount{1} << 63;
  EXPECT_EQ(split_amount(top, {{1, key}, {top, key}}).value(), std::vector<Amount>{top});
}

// NUT-02 "Fees": one rounding for the whole swap.
TEST(KeysetFee, IsRoundedUpOnce) {
  std::vector<Proof> inputs(10);
  for (auto& input : inputs) input.keyset = kV1;
  EXPECT_EQ(swap_fee(inputs, {{kV1, 100}}).value(), 1U);
  EXPECT_EQ(swap_fee(std::span(inputs).first(1), {{kV1, 100}}).value(), 1U);
  EXPECT_EQ(swap_fee(inputs, {{kV1, 101}}).value(), 2U);
  EXPECT_EQ(swap_fee(inputs, {{kV1, 0}}).value(), 0U);
  inputs[0].keyset = kV2a;
  EXPECT_EQ(swap_fee(inputs, {{kV1, 100}, {kV2a, 1101}}).value(), 3U);
  EXPECT_FALSE(swap_fee(inputs, {{kV1, 100}}));
  EXPECT_FALSE(swap_fee(inputs, {{kV1, UINT64_MAX}, {kV2a, 1}}));
}

TEST(KeysetChoice, CheapestThenLongestLivedThenSmallestId) {
  const UnixSeconds now{1'000};
  const auto make = [](std::string id, uint64_t fee, std::optional<UnixSeconds> expiry) {
    return Keyset{std::move(id), "sat", true, fee, expiry, {}};
  };
  std::vector<Keyset> keysets = {make("00aaaaaaaaaaaaaa", 100, {}),
                                 make("00bbbbbbbbbbbbbb", 0, UnixSeconds{9'000}),
                                 make("00cccccccccccccc", 0, {}), make("00dddddddddddddd", 0, {}),
                                 make("02" + std::string(64, 'a'), 0, {})};
  const auto chosen = [&] { return choose_output_keyset(keysets, "sat", now, 500_s).value()->id; };
  EXPECT_EQ(chosen(), "00cccccccccccccc");
  keysets[2].unit = "msat";
  EXPECT_EQ(chosen(), "00dddddddddddddd");
  keysets[3].active = false;
  EXPECT_EQ(chosen(), "00bbbbbbbbbbbbbb");
  keysets[1].final_expiry = UnixSeconds{1'499};
  EXPECT_TRUE(expires_within(keysets[1], now, 500_s));
  EXPECT_EQ(chosen(), "00aaaaaaaaaaaaaa");
  keysets[1].final_expiry = UnixSeconds{1'500};
  EXPECT_FALSE(expires_within(keysets[1], now, 500_s));
  EXPECT_EQ(chosen(), "00bbbbbbbbbbbbbb");
  EXPECT_FALSE(choose_output_keyset(keysets, "usd", now, 500_s));
}

}  // namespace
}  // namespace paygress::cashu
