#include "core/crypto/ecdh.h"

#include <secp256k1_ecdh.h>

#include <cstring>

#include "core/crypto/context.h"

namespace paygress::crypto {
namespace {

int copy_x(unsigned char* out, const unsigned char* x, const unsigned char*, void*) {
  std::memcpy(out, x, 32);
  return 1;
}

}  // namespace

Result<SecretKey> shared_x(const SecretKey& secret, const PubKey& peer) {
  ByteArray<33> compressed;
  compressed[0] = 0x02;  // BIP-340 lift_x: the point with even y. The sign does not change x.
  std::memcpy(compressed.data() + 1, peer.bytes.data(), 32);
  secp256k1_pubkey point;
  if (secp256k1_ec_pubkey_parse(secp_context(), &point, compressed.data(), compressed.size()) != 1)
    return fail("public key is not on the curve");
  SecretKey x;
  if (secp256k1_ecdh(secp_context(), x.bytes.data(), &point, secret.bytes.data(), copy_x,
                     nullptr) != 1)
    return fail("not a valid secret key");
  return x;
}

}  // namespace paygress::crypto
