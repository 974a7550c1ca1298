#include "core/cashu/cbor.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }

bool reads(std::string_view text) {
  const Bytes bytes = hex(text);
  CborReader in(bytes);
  return in.skip(0).has_value() && in.at_end();
}

std::string cbor_refusal(std::string_view text) {
  const Bytes bytes = hex(text);
  CborReader in(bytes);
  const auto skipped = in.skip(0);
  return skipped ? (in.at_end() ? "" : "rest") : skipped.error().message;
}

// RFC 8949 appendix A: all is read but tags, indefinite lengths and unassigned simple values.
TEST(Cbor, AppendixA) {
  const auto file = test::vectors("cbor/appendix_a.json");
  ASSERT_EQ(file.as_array().size(), 82U);
  bool indefinite = false;  // the appendix ends with the items of indefinite length
  for (const auto& v : file.as_array()) {
    const std::string text = test::str(v.at("hex"));
    const uint8_t head = hex(text)[0];
    const bool tag = head >= 0xc0 && head <= 0xdb;
    const bool simple = text == "f0" || text == "f818" || text == "f8ff";
    indefinite = indefinite || head == 0x5f;
    EXPECT_EQ(reads(text), !tag && !simple && !indefinite) << text;
    const std::string reason = tag ? "tags" : indefinite ? "indefinite" : "";
    EXPECT_NE(cbor_refusal(text).find(reason), std::string::npos) << text;
  }
}

// The same appendix: values of unsigned integers and texts.
TEST(Cbor, AppendixAValues) {
  const auto file = test::vectors("cbor/appendix_a.json");
  size_t numbers = 0;
  for (const auto& v : file.as_array()) {
    const Bytes bytes = hex(test::str(v.at("hex")));
    const auto* decoded = v.as_object().if_contains("decoded");
    CborReader in(bytes);
    const auto item = in.next();
    if (decoded == nullptr || !item) continue;
    if (item->type == CborType::Uint) {
      EXPECT_EQ(item->number, decoded->to_number<uint64_t>());
      ++numbers;
    }
    if (item->type == CborType::Text) {
      EXPECT_EQ(as_text(item->bytes), test::str(*decoded));
    }
  }
  EXPECT_GE(numbers, 9U);
}

TEST(Cbor, LengthsBeyondTheInputAreRefusedAtOnce) {
  for (const char* text :
       {"", "18", "1bffffffffffffff", "41", "5bffffffffffffffff00", "7bffffffffffffffff00",
        "9bffffffffffffffff00", "bbffffffffffffffff00", "9b8000000000000000", "bb8000000000000000",
        "8201", "a101", "a201020304ff"})
    EXPECT_FALSE(reads(text)) << text;
}

TEST(Cbor, DuplicateKeysAndBadTextAreRefused) {
  EXPECT_EQ(cbor_refusal("a2616101616102"), "duplicate key in a map");
  EXPECT_EQ(cbor_refusal("81a201020103"), "duplicate key in a map");
  EXPECT_EQ(cbor_refusal("61ff"), "CBOR text is not UTF-8");
  EXPECT_TRUE(reads("a2616101616202"));
}

TEST(Cbor, DepthIsBounded) {
  std::string text = "00";
  for (int i = 1; i < kCborDepthMax; ++i) text = "81" + text;
  EXPECT_TRUE(reads(text));
  EXPECT_NE(cbor_refusal("81" + text).find("deeper"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "81";
  EXPECT_FALSE(reads(deep));
}

TEST(Cbor, ArbitraryBytesEndInAnErrorOrAtTheirEnd) {
  EXPECT_TRUE(rc::check([](const std::vector<uint8_t>& bytes) {
    CborReader in(bytes);
    while (!in.at_end())
      if (!in.skip(0)) break;
  }));
}

}  // namespace
}  // namespace paygress::cashu
