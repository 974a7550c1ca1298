// OpenSSL's SHA-256 as it was before 3.0: a plain struct, no allocation and no look-up for each
// digest. Nostr's and Cashu's hashes are short and many; through EVP, starting one costs more than
// hashing. The functions are deprecated in favour of EVP, not withdrawn.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "core/crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cstring>

#include "core/base/check.h"

namespace paygress::crypto {
namespace {

constexpr size_t kBlockBytes = 64;

void absorb(SHA256_CTX& state, std::initializer_list<ByteView> parts) {
  for (ByteView part : parts) PG_CHECK(SHA256_Update(&state, part.data(), part.size()) == 1);
}

// `pad` is RFC 2104's ipad or opad; the key has been shortened to a block already.
void start_padded(SHA256_CTX& state, ByteView key, uint8_t pad) {
  ByteArray<kBlockBytes> block;
  block.fill(pad);
  for (size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
  PG_CHECK(SHA256_Init(&state) == 1);
  absorb(state, {block});
  OPENSSL_cleanse(block.data(), block.size());
}

}  // namespace

Digest sha256(std::initializer_list<ByteView> parts) {
  SHA256_CTX state;
  Digest digest;
  PG_CHECK(SHA256_Init(&state) == 1);
  absorb(state, parts);
  PG_CHECK(SHA256_Final(digest.data(), &state) == 1);  // wipes its buffer
  return digest;
}

Digest sha256(ByteView data) { return sha256({data}); }

struct HmacSha256::States {
  SHA256_CTX inner;
  SHA256_CTX outer;
};

HmacSha256::HmacSha256(ByteView key) {
  static_assert(sizeof(States) == sizeof states_);
  const Digest key_digest = key.size() > kBlockBytes ? sha256(key) : Digest{};
  const ByteView block = key.size() > kBlockBytes ? ByteView(key_digest) : key;
  States states;
  start_padded(states.inner, block, 0x36);
  start_padded(states.outer, block, 0x5c);
  std::memcpy(states_.data(), &states, sizeof states);
  OPENSSL_cleanse(&states, sizeof states);
}

HmacSha256::~HmacSha256() { OPENSSL_cleanse(states_.data(), states_.size()); }

Digest HmacSha256::operator()(std::initializer_list<ByteView> parts) const {
  States states;
  std::memcpy(&states, states_.data(), sizeof states);
  Digest digest;
  absorb(states.inner, parts);
  PG_CHECK(SHA256_Final(digest.data(), &states.inner) == 1);
  absorb(states.outer, {digest});
  PG_CHECK(SHA256_Final(digest.data(), &states.outer) == 1);
  OPENSSL_cleanse(&states, sizeof states);
  return digest;
}

Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> parts) {
  return HmacSha256(key)(parts);
}

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace paygress::crypto
