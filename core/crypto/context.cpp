#include "core/crypto/context.h"

#include "core/base/check.h"

namespace paygress::crypto {

const secp256k1_context* secp_context() {
  static const secp256k1_context* const context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
  PG_CHECK(context != nullptr);
  return context;
}

}  // namespace paygress::crypto
