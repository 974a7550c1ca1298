#include "core/cashu/nut13.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>

#include "core/base/check.h"
#include "core/cashu/keyset.h"
#include "core/crypto/bip39.h"
#include "core/crypto/hash.h"

namespace paygress::cashu {
namespace {

constexpr uint32_t kPurpose = 129372;  // UTF-8 of a peanut, as NUT-13 has it
constexpr std::string_view kHmacDomain = "Cashu_KDF_HMAC_SHA256";
constexpr std::string_view kEntropyDomain = "paygress-cashu-wallet-bip39-v1:";
constexpr std::string_view kRefundDomain = "paygress-refund-v1";
constexpr std::string_view kLegacyFirst = "paygress-cashu-wallet-v1:a:";
constexpr std::string_view kLegacySecond = "paygress-cashu-wallet-v1:b:";

Result<OutputSecret> from_bip32(const crypto::ExtendedKey& keyset_node, uint32_t counter) {
  const auto node = crypto::child_key(keyset_node, counter | crypto::kHardened);
  if (!node) return std::unexpected(node.error());
  const auto secret = crypto::child_key(*node, 0);
  if (!secret) return std::unexpected(secret.error());
  const auto r = crypto::child_key(*node, 1);
  if (!r) return std::unexpected(r.error());
  return OutputSecret{to_hex(secret->key), r->key};
}

Result<OutputSecret> from_hmac(const WalletSeed& seed, ByteView keyset_id, uint32_t counter) {
  ByteArray<8> big_endian{};
  for (size_t i = 0; i < 4; ++i) big_endian[4 + i] = static_cast<uint8_t>(counter >> (24 - 8 * i));
  const auto derive = [&](uint8_t kind) {
    const ByteArray<1> last = {kind};
    return crypto::hmac_sha256(seed.bytes, {as_bytes(kHmacDomain), keyset_id, big_endian, last});
  };
  const auto r = crypto::reduce_scalar(derive(0x01));
  if (!r) return fail("this counter has no blinding factor");
  return OutputSecret{to_hex(derive(0x00)), *r};
}

}  // namespace

WalletSeed::~WalletSeed() { OPENSSL_cleanse(bytes.data(), bytes.size()); }

std::string mnemonic_from_key(std::string_view config_key) {
  const crypto::Digest digest = crypto::sha256({as_bytes(kEntropyDomain), as_bytes(config_key)});
  return crypto::mnemonic_from_entropy(ByteView(digest).first(16));
}

WalletSeed seed_from_key(std::string_view config_key) {
  const auto seed = seed_from_mnemonic(mnemonic_from_key(config_key));
  PG_CHECK(seed.has_value());
  return *seed;
}

WalletSeed legacy_seed_from_key(std::string_view config_key) {
  const crypto::Digest first = crypto::sha256({as_bytes(kLegacyFirst), as_bytes(config_key)});
  const crypto::Digest second = crypto::sha256({as_bytes(kLegacySecond), as_bytes(config_key)});
  WalletSeed seed;
  std::copy(first.begin(), first.end(), seed.bytes.begin());
  std::copy(second.begin(), second.end(), seed.bytes.begin() + 32);
  return seed;
}

Result<WalletSeed> seed_from_mnemonic(std::string_view mnemonic) {
  const auto seed = crypto::seed_from_mnemonic(mnemonic);
  if (!seed) return std::unexpected(seed.error());
  return WalletSeed(*seed);
}

Result<OutputDeriver> OutputDeriver::make(const WalletSeed& seed, std::string_view keyset) {
  const auto version = keyset_version(keyset);
  if (!version) return std::unexpected(version.error());
  OutputDeriver deriver;
  if (*version == KeysetVersion::V2) {
    const auto id = from_hex(keyset);
    PG_CHECK(id.has_value() && id->size() == 33);
    deriver.seed_ = seed;
    deriver.keyset_id_ = *id;
    return deriver;
  }
  const auto root = crypto::master_key(seed.bytes);
  if (!root) return std::unexpected(root.error());
  const std::array path = {kPurpose | crypto::kHardened, crypto::kHardened,
                           keyset_int(keyset) | crypto::kHardened};
  const auto node = crypto::derive_key(*root, path);
  if (!node) return std::unexpected(node.error());
  deriver.bip32_ = true;
  deriver.keyset_node_ = *node;
  return deriver;
}

Result<OutputSecret> refund_output(const WalletSeed& seed, const ClaimId& claim, uint32_t attempt,
                                   uint32_t index) {
  ByteArray<8> numbers{};
  for (size_t i = 0; i < 4; ++i) {
    numbers[i] = static_cast<uint8_t>(attempt >> (24 - 8 * i));
    numbers[4 + i] = static_cast<uint8_t>(index >> (24 - 8 * i));
  }
  const auto derive = [&](uint8_t kind) {
    const ByteArray<1> last = {kind};
    return crypto::hmac_sha256(seed.bytes, {as_bytes(kRefundDomain), claim.bytes, numbers, last});
  };
  const auto r = crypto::reduce_scalar(derive(0x01));
  if (!r) return fail("this output has no blinding factor");
  return OutputSecret{to_hex(derive(0x00)), *r};
}

Result<OutputSecret> OutputDeriver::at(uint32_t counter) const {
  if (counter >= crypto::kHardened) return fail("NUT-13 counters end at 2^31");
  return bip32_ ? from_bip32(keyset_node_, counter) : from_hmac(seed_, keyset_id_, counter);
}

}  // namespace paygress::cashu
