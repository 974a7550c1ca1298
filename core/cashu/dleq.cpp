#include "core/cashu/dleq.h"

#include <array>

#include "core/base/check.h"
#include "core/cashu/dhke.h"

namespace paygress::cashu {
namespace {

using crypto::CurvePoint;

constexpr std::string_view kNonceDomain = "Cashu_DLEQ_R_v1";
constexpr size_t kNonceTries = 256;

// x - e*y, where x is sG or sB'.
Result<CurvePoint> minus_times(const CurvePoint& x, const CurvePoint& y, const Scalar& e) {
  const auto product = y.times(e);
  if (!product) return product;
  return x.plus(product->negated());
}

bool verify(const Dleq& dleq, const CurvePoint& key, const CurvePoint& blinded,
            const CurvePoint& signature) {
  const auto s_g = CurvePoint::generator_times(dleq.s);
  if (!s_g) return false;
  const auto r1 = minus_times(*s_g, key, dleq.e);
  if (!r1) return false;
  const auto s_b = blinded.times(dleq.s);
  if (!s_b) return false;
  const auto r2 = minus_times(*s_b, signature, dleq.e);
  if (!r2) return false;
  const std::array points = {*r1, *r2, key, signature};
  return hash_e(points) == dleq.e;
}

}  // namespace

crypto::Digest hash_e(std::span<const CurvePoint> points) {
  std::string text;
  text.reserve(points.size() * 130);
  for (const CurvePoint& point : points) text += to_hex(point.uncompressed());
  return crypto::sha256(as_bytes(text));
}

bool verify_signature_dleq(const Dleq& dleq, const Point& mint_key, const Point& blinded,
                           const Point& blind_signature) {
  const auto key = CurvePoint::parse(mint_key);
  const auto b = CurvePoint::parse(blinded);
  const auto c = CurvePoint::parse(blind_signature);
  return key && b && c && verify(dleq, *key, *b, *c);
}

bool verify_proof_dleq(const Dleq& dleq, const Point& mint_key, std::string_view secret,
                       const Point& c) {
  const auto y = hash_to_curve(secret);
  return y && verify_proof_dleq(dleq, mint_key, *y, c);
}

bool verify_proof_dleq(const Dleq& dleq, const Point& mint_key, const CurvePoint& y,
                       const Point& c) {
  if (!dleq.r) return false;
  const auto key = CurvePoint::parse(mint_key);
  const auto unblinded = CurvePoint::parse(c);
  const auto r_g = CurvePoint::generator_times(*dleq.r);
  if (!key || !unblinded || !r_g) return false;
  const auto r_a = key->times(*dleq.r);
  PG_CHECK(r_a.has_value());
  const auto signature = unblinded->plus(*r_a);
  const auto blinded = y.plus(*r_g);
  return signature && blinded && verify(dleq, *key, *blinded, *signature);
}

Result<Dleq> make_dleq(const Scalar& mint_secret, const Point& blinded,
                       const Point& blind_signature) {
  const auto key = CurvePoint::generator_times(mint_secret);
  if (!key) return std::unexpected(key.error());
  const auto b = CurvePoint::parse(blinded);
  if (!b) return std::unexpected(b.error());
  const auto c = CurvePoint::parse(blind_signature);
  if (!c) return std::unexpected(c.error());
  const ByteArray<65> key_bytes = key->uncompressed();
  const ByteArray<65> b_bytes = b->uncompressed();
  const ByteArray<65> c_bytes = c->uncompressed();
  for (size_t counter = 0; counter < kNonceTries; ++counter) {
    const ByteArray<1> counter_byte = {static_cast<uint8_t>(counter)};
    const Scalar nonce = crypto::hmac_sha256(
        mint_secret, {as_bytes(kNonceDomain), key_bytes, b_bytes, c_bytes, counter_byte});
    const auto r1 = CurvePoint::generator_times(nonce);
    if (!r1) continue;
    const auto r2 = b->times(nonce);
    PG_CHECK(r2.has_value());
    Dleq dleq;
    const std::array points = {*r1, *r2, *key, *c};
    dleq.e = hash_e(points);
    const auto e_a = crypto::scalar_product(dleq.e, mint_secret);
    if (!e_a) continue;
    const auto s = crypto::scalar_sum(nonce, *e_a);
    if (!s) continue;
    dleq.s = *s;
    return dleq;
  }
  return fail("no nonce for this signature");
}

}  // namespace paygress::cashu
