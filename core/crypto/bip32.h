// BIP-32: private key derivation. Public derivation and the xprv text form are not needed here.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/crypto/point.h"

namespace paygress::crypto {

inline constexpr uint32_t kHardened = 0x8000'0000U;

// An extended private key. Wiped when destroyed.
struct ExtendedKey {
  Scalar key{};
  ByteArray<32> chain_code{};

  ExtendedKey() = default;
  ExtendedKey(const ExtendedKey&) = default;
  ExtendedKey& operator=(const ExtendedKey&) = default;
  ~ExtendedKey();
};

// BIP-32 "Master key generation". The seed has 16 to 64 bytes. Error for the one seed in 2^127 that
// gives no valid key.
Result<ExtendedKey> master_key(ByteView seed);
// CKDpriv; indices from kHardened are hardened. Error for the one index in 2^127 that has no key.
Result<ExtendedKey> child_key(const ExtendedKey& parent, uint32_t index);
Result<ExtendedKey> derive_key(const ExtendedKey& root, std::span<const uint32_t> path);

}  // namespace paygress::crypto
