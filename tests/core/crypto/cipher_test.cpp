#include "core/crypto/cipher.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <numeric>

namespace paygress::crypto {
namespace {

template <size_t N>
ByteArray<N> fixed(std::string_view hex) {
  ByteArray<N> bytes{};
  EXPECT_TRUE(from_lower_hex(hex, bytes));
  return bytes;
}

TEST(ChaCha20, Rfc8439AppendixA2Vector1) {
  Bytes data(64);
  chacha20({}, {}, data);
  EXPECT_EQ(to_hex(data),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
}

TEST(ChaCha20, TwiceIsTheIdentity) {
  EXPECT_TRUE(rc::check([](const ByteArray<32>& key, const ByteArray<12>& nonce, Bytes data) {
    const Bytes before = data;
    chacha20(key, nonce, data);
    RC_ASSERT(before.size() < 8 || data != before);
    chacha20(key, nonce, data);
    RC_ASSERT(data == before);
  }));
}

// NIST SP 800-38A, F.2.5 (CBC-AES256); the last block is the PKCS#7 padding of ours.
TEST(Aes256Cbc, NistVectors) {
  const auto key = fixed<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
  const auto iv = fixed<16>("000102030405060708090a0b0c0d0e0f");
  const Bytes plaintext =
      *from_hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
  const Bytes ciphertext = aes256_cbc_encrypt(key, iv, plaintext);
  ASSERT_EQ(ciphertext.size(), 48u);
  EXPECT_EQ(to_hex(ByteView(ciphertext).first(32)),
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d");
  EXPECT_EQ(aes256_cbc_decrypt(key, iv, ciphertext).value(), plaintext);
}

TEST(Aes256Cbc, RoundTripsAndRefusesEveryTruncation) {
  EXPECT_TRUE(rc::check([](const ByteArray<32>& key, const ByteArray<16>& iv, const Bytes& data) {
    const Bytes ciphertext = aes256_cbc_encrypt(key, iv, data);
    RC_ASSERT(aes256_cbc_decrypt(key, iv, ciphertext).value() == data);
    const size_t shorter = ciphertext.size() - 1;
    RC_ASSERT(!aes256_cbc_decrypt(key, iv, ByteView(ciphertext).first(shorter)));
  }));
}

TEST(Aes256Cbc, SaysTheSameForEveryFailure) {
  const auto no_block = aes256_cbc_decrypt({}, {}, {});
  const auto bad_padding = aes256_cbc_decrypt({}, {}, Bytes(16, 1));
  ASSERT_FALSE(no_block);
  ASSERT_FALSE(bad_padding);
  EXPECT_EQ(no_block.error(), bad_padding.error());
}

// RFC 5869, appendix A.1 and A.2 (expansion only).
TEST(Hkdf, Rfc5869Vectors) {
  Bytes out(42);
  hkdf_expand(*from_hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"),
              *from_hex("f0f1f2f3f4f5f6f7f8f9"), out);
  EXPECT_EQ(to_hex(out),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  Bytes info(80);
  std::iota(info.begin(), info.end(), uint8_t{0xb0});
  Bytes more(82);
  hkdf_expand(*from_hex("06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244"), info,
              more);
  EXPECT_EQ(to_hex(more),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

}  // namespace
}  // namespace paygress::crypto
