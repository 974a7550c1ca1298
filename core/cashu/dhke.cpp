#include "core/cashu/dhke.h"

#include <algorithm>

#include "core/crypto/hash.h"

namespace paygress::cashu {
namespace {

constexpr std::string_view kDomain = "Secp256k1_HashToCurve_Cashu_";
constexpr uint32_t kCounterEnd = 1U << 16;

}  // namespace

Result<crypto::CurvePoint> hash_to_curve(std::string_view secret) {
  const crypto::Digest message = crypto::sha256({as_bytes(kDomain), as_bytes(secret)});
  for (uint32_t counter = 0; counter < kCounterEnd; ++counter) {
    ByteArray<4> little_endian;
    for (size_t i = 0; i < 4; ++i) little_endian[i] = static_cast<uint8_t>(counter >> (8 * i));
    const crypto::Digest x = crypto::sha256({message, little_endian});
    Point candidate;
    candidate[0] = 0x02;
    std::copy(x.begin(), x.end(), candidate.begin() + 1);
    if (auto point = crypto::CurvePoint::parse(candidate)) return point;
  }
  return fail("no point for this secret");
}

Result<Point> blind(std::string_view secret, const Scalar& r) {
  const auto y = hash_to_curve(secret);
  if (!y) return std::unexpected(y.error());
  const auto mask = crypto::CurvePoint::generator_times(r);
  if (!mask) return std::unexpected(mask.error());
  const auto blinded = y->plus(*mask);
  if (!blinded) return std::unexpected(blinded.error());
  return blinded->compressed();
}

Result<Point> unblind(const Point& blind_signature, const Scalar& r, const Point& mint_key) {
  const auto signature = crypto::CurvePoint::parse(blind_signature);
  if (!signature) return std::unexpected(signature.error());
  const auto key = crypto::CurvePoint::parse(mint_key);
  if (!key) return std::unexpected(key.error());
  const auto mask = key->times(r);
  if (!mask) return std::unexpected(mask.error());
  const auto c = signature->plus(mask->negated());
  if (!c) return std::unexpected(c.error());
  return c->compressed();
}

Result<Point> sign_blinded(const Scalar& k, const Point& blinded) {
  const auto point = crypto::CurvePoint::parse(blinded);
  if (!point) return std::unexpected(point.error());
  const auto signature = point->times(k);
  if (!signature) return std::unexpected(signature.error());
  return signature->compressed();
}

bool verify_unblinded(const Scalar& k, std::string_view secret, const Point& c) {
  const auto y = hash_to_curve(secret);
  if (!y) return false;
  const auto expected = y->times(k);
  return expected && expected->compressed() == c;
}

}  // namespace paygress::cashu
