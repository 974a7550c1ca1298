// Points and scalars of secp256k1, over libsecp256k1's public functions. The identity and zero can
// not be represented: what would give them is an error, as is anything not well-formed.
// All functions are pure and may be called from several threads.
#pragma once

#include <optional>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace paygress::crypto {

using Point = ByteArray<33>;   // SEC 1 compressed: 02 or 03, then x
using Scalar = ByteArray<32>;  // big endian; valid in [1, n)

// A point that is on the curve, kept in libsecp256k1's unpacked form: reading a compressed point
// costs a square root, so code with several operations on one point reads it once.
class CurvePoint {
 public:
  // Exactly 33 bytes, compressed, on the curve; else an error.
  static Result<CurvePoint> parse(ByteView compressed);
  // scalar * G. In constant time. Error when the scalar is not in [1, n).
  static Result<CurvePoint> generator_times(const Scalar& scalar);

  Point compressed() const;
  ByteArray<65> uncompressed() const;  // 04 || x || y
  CurvePoint negated() const;
  // Variable time. Error when the scalar is not in [1, n).
  Result<CurvePoint> times(const Scalar& scalar) const;
  // Error when the sum is the identity.
  Result<CurvePoint> plus(const CurvePoint& other) const;

  friend bool operator==(const CurvePoint& a, const CurvePoint& b);

 private:
  CurvePoint() = default;
  ByteArray<64> unpacked_{};  // the bytes of a secp256k1_pubkey
};

// True when the bytes are a number in [1, n).
bool is_valid_scalar(const Scalar& scalar);
// The 256-bit number modulo n; nothing when that is zero.
std::optional<Scalar> reduce_scalar(const Scalar& number);
// (a + b) mod n and (a * b) mod n; nothing when an argument is invalid or the sum is zero.
std::optional<Scalar> scalar_sum(const Scalar& a, const Scalar& b);
std::optional<Scalar> scalar_product(const Scalar& a, const Scalar& b);

}  // namespace paygress::crypto
