#include "core/crypto/schnorr.h"

#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>

#include <cstring>

#include "core/base/check.h"
#include "core/crypto/cipher.h"
#include "core/crypto/context.h"

namespace paygress::crypto {
namespace {

// libsecp256k1 refuses a null message even when its length is zero.
const uint8_t* message_pointer(ByteView message) {
  static constexpr uint8_t kEmpty = 0;
  return message.empty() ? &kEmpty : message.data();
}

}  // namespace

Result<Keypair> Keypair::from(const SecretKey& secret) {
  Keypair result;
  secp256k1_keypair pair;
  static_assert(sizeof pair.data == kOpaqueBytes);
  if (secp256k1_keypair_create(secp_context(), &pair, secret.bytes.data()) != 1)
    return fail("not a valid secret key");
  secp256k1_xonly_pubkey point;
  PG_CHECK(secp256k1_keypair_xonly_pub(secp_context(), &point, nullptr, &pair) == 1);
  PG_CHECK(secp256k1_xonly_pubkey_serialize(secp_context(), result.public_key_.bytes.data(),
                                            &point) == 1);
  result.secret_ = secret;
  std::memcpy(result.opaque_.data(), pair.data, kOpaqueBytes);
  wipe(pair.data);
  return result;
}

Keypair::~Keypair() { wipe(opaque_); }

Signature Keypair::sign(ByteView message, const ByteArray<32>& aux) const {
  secp256k1_keypair pair;
  std::memcpy(pair.data, opaque_.data(), kOpaqueBytes);
  secp256k1_schnorrsig_extraparams parameters = SECP256K1_SCHNORRSIG_EXTRAPARAMS_INIT;
  ByteArray<32> entropy = aux;  // the parameter is not const
  parameters.ndata = entropy.data();
  Signature signature;
  const int ok = secp256k1_schnorrsig_sign_custom(secp_context(), signature.bytes.data(),
                                                  message_pointer(message), message.size(), &pair,
                                                  &parameters);
  wipe(pair.data);
  PG_CHECK(ok == 1);  // fails for an invalid keypair only
  return signature;
}

bool verify_schnorr(const PubKey& key, ByteView message, const Signature& signature) {
  secp256k1_xonly_pubkey point;
  if (secp256k1_xonly_pubkey_parse(secp_context(), &point, key.bytes.data()) != 1) return false;
  return secp256k1_schnorrsig_verify(secp_context(), signature.bytes.data(),
                                     message_pointer(message), message.size(), &point) == 1;
}

bool is_valid(const PubKey& key) {
  secp256k1_xonly_pubkey point;
  return secp256k1_xonly_pubkey_parse(secp_context(), &point, key.bytes.data()) == 1;
}

}  // namespace paygress::crypto
