// Blind Diffie-Hellman key exchange (NUT-00). Names follow the specification:
//   Y = hash_to_curve(secret)   B_ = Y + rG   C_ = kB_   C = C_ - rK   K = kG
#pragma once

#include <string_view>

#include "core/cashu/types.h"
#include "core/crypto/point.h"

namespace paygress::cashu {

// NUT-00 hash_to_curve of the secret's UTF-8 bytes: of the 64 hex CHARACTERS of an ordinary secret,
// not of the 32 bytes they stand for. Error (with probability 2^-65536) when no counter fits.
Result<crypto::CurvePoint> hash_to_curve(std::string_view secret);

// B_. Error when r is not in [1, n) or the sum is the identity.
Result<Point> blind(std::string_view secret, const Scalar& r);
// C from the mint's C_ and its key K for the amount. Error when either is not a point or r is bad.
Result<Point> unblind(const Point& blind_signature, const Scalar& r, const Point& mint_key);

// --- the mint's side -----------------------------------------------------------------------------
// C_ = kB_.
Result<Point> sign_blinded(const Scalar& k, const Point& blinded);
// True when C = kY.
bool verify_unblinded(const Scalar& k, std::string_view secret, const Point& c);

}  // namespace paygress::cashu
