#include "core/market/volume.h"

#include <algorithm>

#include "core/crypto/hash.h"

namespace paygress::market {

Result<VolumeKey> volume_key_of(const VolumeEncryption& encryption) {
  if (encryption.version != 1) return fail("unknown version", "volume_encryption.version");
  if (encryption.algorithm != kVolumeAlgorithm)
    return fail("unknown algorithm, expected " + std::string(kVolumeAlgorithm),
                "volume_encryption.algorithm");
  const auto bytes = from_base64(encryption.key_b64, Base64::UrlSafe, Padding::Forbidden);
  if (!bytes) return fail("invalid base64", "volume_encryption.key_b64");
  VolumeKey key{};
  if (bytes->size() != key.size())
    return fail("decoded to " + std::to_string(bytes->size()) + " bytes, expected 32",
                "volume_encryption.key_b64");
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return key;
}

VolumeKey derive_volume_key(const SecretKey& secret, std::string_view workload_id) {
  constexpr std::string_view kPrefix{"paygress-volume-v1\0", 19};
  constexpr ByteArray<1> kZero{};
  return crypto::sha256({as_bytes(kPrefix), secret.bytes, kZero, as_bytes(workload_id)});
}

}  // namespace paygress::market
