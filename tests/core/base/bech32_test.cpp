#include "core/base/bech32.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace paygress {
namespace {

TEST(Bech32, Bip173ValidStrings) {
  for (const char* text : {"A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
                           "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"})
    EXPECT_TRUE(from_bech32(text)) << text;
}

TEST(Bech32, Bip173InvalidStrings) {
  for (const char* text : {"", "1", "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3",
                           "A1G7SGD8", "10a06t8", "1qzzfhee", "A12uEL5L", "a12uel5m",
                           "\x7f"
                           "1axkwrx",
                           "\x80"
                           "1eym55h"})
    EXPECT_FALSE(from_bech32(text)) << text;
}

TEST(Bech32, RefusesTheBech32mChecksum) {
  EXPECT_FALSE(from_bech32("a1lqfn3a"));  // BIP-350's valid bech32m
}

TEST(Bech32, RefusesTooLongText) {
  EXPECT_TRUE(from_bech32(to_bech32("naddr", Bytes(3000, 7))));
  EXPECT_FALSE(from_bech32(to_bech32("naddr", Bytes(3200, 7))));
}

TEST(Bech32, RoundTripsAnyBytes) {
  EXPECT_TRUE(rc::check([](const Bytes& data) {
    RC_PRE(data.size() < 3000);
    const auto decoded = from_bech32(to_bech32("npub", data));
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(decoded->data == data);
    RC_ASSERT(decoded->prefix == "npub");
  }));
}

TEST(Bech32, OneWrongCharacterIsNoticed) {
  EXPECT_TRUE(rc::check([](const ByteArray<32>& data, uint8_t position, uint8_t digit) {
    constexpr std::string_view kDigits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const std::string good = to_bech32("npub", data);
    std::string bad = good;
    bad[5 + position % (bad.size() - 5)] = kDigits[digit % 32];
    RC_PRE(bad != good);
    RC_ASSERT(!from_bech32(bad));
  }));
}

}  // namespace
}  // namespace paygress
