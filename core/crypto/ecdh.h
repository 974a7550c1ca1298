// Diffie-Hellman over secp256k1, as NIP-04 and NIP-44 use it.
#pragma once

#include "core/base/ids.h"
#include "core/base/result.h"

namespace paygress::crypto {

// The bare 32-byte x coordinate of secret * lift_x(peer), not hashed. Constant time in the secret
// (unlike a public tweak multiplication, which the NIPs' texts suggest). The result is returned as
// a SecretKey because it wipes itself; it is a key to derive from, not to sign with.
// Errors: the secret is zero or too large, or the peer's key is not on the curve.
Result<SecretKey> shared_x(const SecretKey& secret, const PubKey& peer);

}  // namespace paygress::crypto
