// HMAC-SHA-256 (RFC 2104) by the vectors of RFC 4231.
#include "core/crypto/hash.h"

#include <gtest/gtest.h>

namespace paygress::crypto {
namespace {

// Section 4.3.
TEST(HmacSha256, AShortKey) {
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), {as_bytes("what do ya want for nothing?")})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

// Section 4.7: a key longer than a block is hashed first.
TEST(HmacSha256, AKeyLongerThanABlock) {
  const Bytes key(131, 0xaa);
  EXPECT_EQ(to_hex(hmac_sha256(
                key, {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")})),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacSha256, OneKeyServesSeveralMessages) {
  const HmacSha256 hmac(as_bytes("Jefe"));
  for (const char* text : {"", "a", "what do ya want for nothing?"}) {
    const ByteView message = as_bytes(text);
    const Digest whole = hmac_sha256(as_bytes("Jefe"), {message});
    EXPECT_EQ(hmac({message}), whole);
    const size_t half = message.size() / 2;
    EXPECT_EQ(hmac({message.first(half), message.subspan(half)}), whole);
  }
}

}  // namespace
}  // namespace paygress::crypto
