// The key of an encrypted data volume (network.md 1.5, VolumeEncryption).
#pragma once

#include <string_view>

#include "core/base/ids.h"
#include "core/market/messages.h"

namespace paygress::market {

inline constexpr std::string_view kVolumeAlgorithm = "luks2-aes-xts";

using VolumeKey = ByteArray<32>;

// The 32 bytes of `key_b64` (base64 URL-safe without padding). Refuses another version or
// algorithm, which the existing network's providers do not look at. Quotes nothing.
Result<VolumeKey> volume_key_of(const VolumeEncryption& encryption);

// What a consumer derives: SHA-256("paygress-volume-v1" || 00 || secret || 00 || workload_id).
VolumeKey derive_volume_key(const SecretKey& secret, std::string_view workload_id);

}  // namespace paygress::market
