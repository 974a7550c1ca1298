#include "core/nostr/nip44.h"

#include <algorithm>
#include <bit>

#include "core/base/check.h"
#include "core/crypto/cipher.h"
#include "core/crypto/ecdh.h"
#include "core/crypto/hash.h"

namespace paygress::nostr::nip44 {
namespace {

constexpr uint8_t kVersion = 2;
constexpr size_t kNonceBytes = 32;
constexpr size_t kMacBytes = 32;
constexpr size_t kPayloadBytesMin = 1 + kNonceBytes + 2 + 32 + kMacBytes;
constexpr size_t kShortLengthMax = 65535;  // above it the length takes six bytes instead of two

void append_length(Bytes& out, size_t size) {
  const bool is_short = size <= kShortLengthMax;
  if (!is_short) out.insert(out.end(), {0, 0});
  for (int shift = is_short ? 8 : 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<uint8_t>(size >> shift));
}

struct Length {
  size_t prefix_bytes = 0;
  uint64_t value = 0;
};

// Every read is bounded by what was decrypted: the sender chose these bytes.
Result<Length> read_length(ByteView padded) {
  if (padded.size() < 2) return fail("no length prefix");
  Length length{2, static_cast<uint64_t>(padded[0]) << 8 | padded[1]};
  if (length.value != 0) return length;
  if (padded.size() < 6) return fail("no extended length prefix");
  for (size_t i = 2; i < 6; ++i) length.value = length.value << 8 | padded[i];
  length.prefix_bytes = 6;
  if (length.value <= kShortLengthMax) return fail("length not in its shortest form");
  return length;
}

Result<std::string> unpad(ByteView padded) {
  const auto length = read_length(padded);
  if (!length) return std::unexpected(length.error());
  if (padded.size() != length->prefix_bytes + padded_length(length->value))
    return fail("wrong padding");
  const ByteView text = padded.subspan(length->prefix_bytes, length->value);
  if (!is_utf8(as_text(text))) return fail("plaintext is not UTF-8");
  return std::string(as_text(text));
}

}  // namespace

MessageKeys::~MessageKeys() {
  crypto::wipe(chacha_key);
  crypto::wipe(chacha_nonce);
  crypto::wipe(hmac_key);
}

Result<ConversationKey> conversation_key(const SecretKey& mine, const PubKey& peer) {
  const auto x = crypto::shared_x(mine, peer);
  if (!x) return std::unexpected(x.error());
  return ConversationKey{SecretKey(crypto::hmac_sha256(as_bytes("nip44-v2"), {x->bytes}))};
}

void derive(const ConversationKey& key, const ByteArray<32>& nonce, MessageKeys& out) {
  ByteArray<76> material;
  crypto::hkdf_expand(key.secret.bytes, nonce, material);
  std::copy_n(material.begin(), 32, out.chacha_key.begin());
  std::copy_n(material.begin() + 32, 12, out.chacha_nonce.begin());
  std::copy_n(material.begin() + 44, 32, out.hmac_key.begin());
  crypto::wipe(material);
}

uint64_t padded_length(uint64_t n) {
  PG_CHECK(n > 0);
  if (n <= 32) return 32;
  const uint64_t next_power = uint64_t{1} << std::bit_width(n - 1);
  const uint64_t chunk = next_power <= 256 ? 32 : next_power / 8;
  return chunk * ((n - 1) / chunk + 1);
}

Result<std::string> encrypt(const ConversationKey& key, std::string_view plaintext,
                            const ByteArray<32>& nonce) {
  if (plaintext.empty()) return fail("nothing to encrypt");
  if (plaintext.size() > kPlaintextBytesMax) return fail("plaintext is too large");
  MessageKeys keys;
  derive(key, nonce, keys);
  Bytes padded;
  padded.reserve(6 + padded_length(plaintext.size()));
  append_length(padded, plaintext.size());
  const size_t prefix_bytes = padded.size();
  padded.insert(padded.end(), plaintext.begin(), plaintext.end());
  padded.resize(prefix_bytes + padded_length(plaintext.size()));
  crypto::chacha20(keys.chacha_key, keys.chacha_nonce, padded);
  const auto mac = crypto::hmac_sha256(keys.hmac_key, {nonce, padded});
  Bytes payload;
  payload.reserve(1 + kNonceBytes + padded.size() + kMacBytes);
  payload.push_back(kVersion);
  payload.insert(payload.end(), nonce.begin(), nonce.end());
  payload.insert(payload.end(), padded.begin(), padded.end());
  payload.insert(payload.end(), mac.begin(), mac.end());
  return to_base64(payload, Base64::Standard, true);
}

Result<std::string> decrypt(const ConversationKey& key, std::string_view payload) {
  if (payload.starts_with('#')) return fail("unsupported encryption version");
  if (payload.size() < kPayloadCharsMin || payload.size() > kPayloadCharsMax)
    return fail("payload of impossible size");
  auto decoded = from_base64(payload, Base64::Standard, Padding::Required);
  if (!decoded) return std::unexpected(decoded.error());
  if (decoded->size() < kPayloadBytesMin) return fail("payload of impossible size");
  if (decoded->front() != kVersion) return fail("unsupported encryption version");
  const std::span<uint8_t> bytes(*decoded);
  ByteArray<32> nonce;
  std::copy_n(bytes.begin() + 1, kNonceBytes, nonce.begin());
  const auto mac = bytes.last(kMacBytes);
  const auto ciphertext =
      bytes.subspan(1 + kNonceBytes, bytes.size() - 1 - kNonceBytes - kMacBytes);
  MessageKeys keys;
  derive(key, nonce, keys);
  if (!crypto::equal_constant_time(crypto::hmac_sha256(keys.hmac_key, {nonce, ciphertext}), mac))
    return fail("wrong message authentication code");
  crypto::chacha20(keys.chacha_key, keys.chacha_nonce, ciphertext);
  auto text = unpad(ciphertext);
  crypto::wipe(ciphertext);
  return text;
}

}  // namespace paygress::nostr::nip44
