// Proofs that a mint signed with the key it published (NUT-12). Without a valid one, a "signature"
// in a token can be made by anybody.
#pragma once

#include <span>
#include <string_view>

#include "core/cashu/types.h"
#include "core/crypto/hash.h"
#include "core/crypto/point.h"

namespace paygress::cashu {

// SHA-256 over the lower-case hex of the UNCOMPRESSED points, one after another (NUT-12 hash_e).
crypto::Digest hash_e(std::span<const crypto::CurvePoint> points);

// A signature on a blinded message of ours: e == hash_e(sG - eA, sB' - eC', A, C'). False also when
// a point or scalar is malformed. `r` of the dleq is not looked at.
bool verify_signature_dleq(const Dleq& dleq, const Point& mint_key, const Point& blinded,
                           const Point& blind_signature);

// A received proof. The dleq must carry r: C' = C + rA and B' = Y + rG, then as above. The second
// form takes Y when it is known already, which saves the hash.
bool verify_proof_dleq(const Dleq& dleq, const Point& mint_key, std::string_view secret,
                       const Point& c);
bool verify_proof_dleq(const Dleq& dleq, const Point& mint_key, const crypto::CurvePoint& y,
                       const Point& c);

// The mint's side, with the deterministic nonce
// HMAC-SHA256(a, "Cashu_DLEQ_R_v1" || A || B' || C' || counter byte), the points uncompressed.
// Error when an argument is malformed.
Result<Dleq> make_dleq(const Scalar& mint_secret, const Point& blinded,
                       const Point& blind_signature);

}  // namespace paygress::cashu
