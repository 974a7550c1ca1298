#include "core/crypto/bip32.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "core/base/check.h"

namespace paygress::crypto {
namespace {

struct Halves {
  Scalar left{};
  ByteArray<32> right{};
};

Halves hmac_sha512(ByteView key, ByteView data) {
  ByteArray<64> digest;
  unsigned int size = 0;
  PG_CHECK(HMAC(EVP_sha512(), key.data(), static_cast<int>(key.size()), data.data(), data.size(),
                digest.data(), &size) != nullptr);
  PG_CHECK(size == digest.size());
  Halves halves;
  std::copy_n(digest.begin(), 32, halves.left.begin());
  std::copy_n(digest.begin() + 32, 32, halves.right.begin());
  OPENSSL_cleanse(digest.data(), digest.size());
  return halves;
}

}  // namespace

ExtendedKey::~ExtendedKey() {
  OPENSSL_cleanse(key.data(), key.size());
  OPENSSL_cleanse(chain_code.data(), chain_code.size());
}

Result<ExtendedKey> master_key(ByteView seed) {
  if (seed.size() < 16 || seed.size() > 64) return fail("a BIP-32 seed has 16 to 64 bytes");
  const Halves halves = hmac_sha512(as_bytes("Bitcoin seed"), seed);
  if (!is_valid_scalar(halves.left)) return fail("this seed has no master key");
  ExtendedKey root;
  root.key = halves.left;
  root.chain_code = halves.right;
  return root;
}

Result<ExtendedKey> child_key(const ExtendedKey& parent, uint32_t index) {
  // Hardened: 00 || key; else the compressed public key. Then the index, big endian.
  ByteArray<37> data{};
  if ((index & kHardened) != 0) {
    std::copy(parent.key.begin(), parent.key.end(), data.begin() + 1);
  } else {
    const auto public_key = CurvePoint::generator_times(parent.key);
    if (!public_key) return std::unexpected(public_key.error());
    const Point compressed = public_key->compressed();
    std::copy(compressed.begin(), compressed.end(), data.begin());
  }
  for (size_t i = 0; i < 4; ++i) data[33 + i] = static_cast<uint8_t>(index >> (24 - 8 * i));
  const Halves halves = hmac_sha512(parent.chain_code, data);
  OPENSSL_cleanse(data.data(), data.size());
  // A left half of zero is allowed by BIP-32 and gives the parent's key; scalar_sum refuses it. It
  // has never been seen and never will be (2^-256).
  const auto key = scalar_sum(parent.key, halves.left);
  if (!key) return fail("this index has no key");
  ExtendedKey child;
  child.key = *key;
  child.chain_code = halves.right;
  return child;
}

Result<ExtendedKey> derive_key(const ExtendedKey& root, std::span<const uint32_t> path) {
  ExtendedKey node = root;
  for (const uint32_t index : path) {
    auto child = child_key(node, index);
    if (!child) return child;
    node = *child;
  }
  return node;
}

}  // namespace paygress::crypto
