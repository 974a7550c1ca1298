// RFC 4648: the base encodings.
#include "core/base/bytes.h"

#include <gtest/gtest.h>

namespace paygress {
namespace {

// Section 10.
TEST(ToLower, ChangesAsciiLettersAlone) {
  EXPECT_EQ(to_lower("AZaz09@[`{\xc3\x84"), "azaz09@[`{\xc3\x84");
}

TEST(Base64, VectorsOfTheStandard) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain), Base64::Standard, true), coded);
    const auto read = from_base64(coded, Base64::Standard, Padding::Required);
    ASSERT_TRUE(read.has_value()) << coded;
    EXPECT_EQ(as_text(*read), plain);
  }
}

TEST(Base64, EveryByteInEveryPlaceComesBack) {
  for (size_t place = 0; place < 7; ++place)
    for (int value = 0; value < 256; ++value) {
      Bytes bytes(7, 0xa5);
      bytes[place] = static_cast<uint8_t>(value);
      for (Base64 alphabet : {Base64::Standard, Base64::UrlSafe})
        EXPECT_EQ(from_base64(to_base64(bytes, alphabet, false), alphabet, Padding::Forbidden),
                  bytes);
    }
}

// Section 3.3: a character outside the alphabet is refused wherever it stands.
TEST(Base64, AForeignCharacterIsRefusedInEveryPlace) {
  const std::string good = "AAECAwQFBgcI/w";
  for (size_t place = 0; place < good.size(); ++place)
    for (char foreign : {'-', '_', ' ', '\n', '=', '\0', '\xff'}) {
      std::string text = good;
      text[place] = foreign;
      EXPECT_FALSE(from_base64(text, Base64::Standard, Padding::Forbidden)) << place;
    }
  const auto error = from_base64("AAEC*wQF", Base64::Standard, Padding::Optional);
  ASSERT_FALSE(error.has_value());
  EXPECT_EQ(error.error().where, "offset 4");
}

// Section 3.5: bits that no byte holds must be zero.
TEST(Base64, TrailingBitsAreZero) {
  EXPECT_FALSE(from_base64("Zh==", Base64::Standard, Padding::Required));
  EXPECT_FALSE(from_base64("Zm9=", Base64::Standard, Padding::Required));
  EXPECT_FALSE(from_base64("Zm9vY", Base64::Standard, Padding::Optional));
}

}  // namespace
}  // namespace paygress
