// The one libsecp256k1 context of the process.
#pragma once

#include <secp256k1.h>

namespace paygress::crypto {

// Made at first use, never changed afterwards, so it may be used from any thread. It is NOT
// randomised: blinding needs entropy, and the core has none of its own. Signing and ECDH are
// constant time without it; blinding would only add protection against power analysis.
const secp256k1_context* secp_context();

}  // namespace paygress::crypto
