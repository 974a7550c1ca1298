// BIP-340 Schnorr signatures over secp256k1 (libsecp256k1).
#pragma once

#include "core/base/bytes.h"
#include "core/base/ids.h"
#include "core/base/result.h"

namespace paygress::crypto {

// A secret key with its public key worked out once: signing with it costs half of signing with a
// bare SecretKey. Wiped when destroyed. The secret is always valid (1 .. group order - 1).
class Keypair {
 public:
  // Refuses zero and anything not below the group order.
  static Result<Keypair> from(const SecretKey& secret);

  const SecretKey& secret() const { return secret_; }
  const PubKey& public_key() const { return public_key_; }

  // BIP-340 "Default Signing" of a message of any length. `aux` is 32 fresh unpredictable bytes;
  // with repeated ones the signature is still safe, only less protected against side channels.
  Signature sign(ByteView message, const ByteArray<32>& aux) const;

  Keypair(const Keypair&) = default;
  Keypair& operator=(const Keypair&) = default;
  ~Keypair();

 private:
  static constexpr size_t kOpaqueBytes = 96;  // sizeof(secp256k1_keypair)
  Keypair() = default;
  SecretKey secret_;
  PubKey public_key_;
  ByteArray<kOpaqueBytes> opaque_{};
};

// BIP-340 "Verification". False also when `key` is no x coordinate of the curve.
bool verify_schnorr(const PubKey& key, ByteView message, const Signature& signature);

// True when `key` is the x coordinate of a point of the curve (about half of all values are).
bool is_valid(const PubKey& key);

}  // namespace paygress::crypto
