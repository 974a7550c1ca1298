#include "core/crypto/point.h"

#include <secp256k1.h>

#include <cstring>

#include "core/base/check.h"
#include "core/crypto/context.h"

namespace paygress::crypto {
namespace {

// The order of the group, big endian (SEC 2 section 2.4.1).
constexpr Scalar kGroupOrder = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
                                0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};

static_assert(sizeof(secp256k1_pubkey) == 64);

secp256k1_pubkey pack(const ByteArray<64>& unpacked) {
  secp256k1_pubkey key;
  std::memcpy(key.data, unpacked.data(), unpacked.size());
  return key;
}

void unpack(const secp256k1_pubkey& key, ByteArray<64>& unpacked) {
  std::memcpy(unpacked.data(), key.data, unpacked.size());
}

std::unexpected<Error> bad_scalar() { return fail("scalar is not in [1, n)"); }

}  // namespace

Result<CurvePoint> CurvePoint::parse(ByteView compressed) {
  if (compressed.size() != 33)
    return fail("a compressed point has 33 bytes, not " + std::to_string(compressed.size()));
  secp256k1_pubkey key;
  if (secp256k1_ec_pubkey_parse(secp_context(), &key, compressed.data(), compressed.size()) != 1)
    return fail("not a point of the curve");
  CurvePoint point;
  unpack(key, point.unpacked_);
  return point;
}

Result<CurvePoint> CurvePoint::generator_times(const Scalar& scalar) {
  secp256k1_pubkey key;
  if (secp256k1_ec_pubkey_create(secp_context(), &key, scalar.data()) != 1) return bad_scalar();
  CurvePoint point;
  unpack(key, point.unpacked_);
  return point;
}

Point CurvePoint::compressed() const {
  const secp256k1_pubkey key = pack(unpacked_);
  Point out;
  size_t size = out.size();
  PG_CHECK(secp256k1_ec_pubkey_serialize(secp_context(), out.data(), &size, &key,
                                         SECP256K1_EC_COMPRESSED) == 1);
  PG_CHECK(size == out.size());
  return out;
}

ByteArray<65> CurvePoint::uncompressed() const {
  const secp256k1_pubkey key = pack(unpacked_);
  ByteArray<65> out;
  size_t size = out.size();
  PG_CHECK(secp256k1_ec_pubkey_serialize(secp_context(), out.data(), &size, &key,
                                         SECP256K1_EC_UNCOMPRESSED) == 1);
  PG_CHECK(size == out.size());
  return out;
}

CurvePoint CurvePoint::negated() const {
  secp256k1_pubkey key = pack(unpacked_);
  PG_CHECK(secp256k1_ec_pubkey_negate(secp_context(), &key) == 1);
  CurvePoint point;
  unpack(key, point.unpacked_);
  return point;
}

Result<CurvePoint> CurvePoint::times(const Scalar& scalar) const {
  // libsecp256k1 refuses zero and overflow, but leaves an invalid key behind: work on a copy.
  secp256k1_pubkey key = pack(unpacked_);
  if (secp256k1_ec_pubkey_tweak_mul(secp_context(), &key, scalar.data()) != 1) return bad_scalar();
  CurvePoint point;
  unpack(key, point.unpacked_);
  return point;
}

Result<CurvePoint> CurvePoint::plus(const CurvePoint& other) const {
  const secp256k1_pubkey a = pack(unpacked_);
  const secp256k1_pubkey b = pack(other.unpacked_);
  const secp256k1_pubkey* const terms[] = {&a, &b};
  secp256k1_pubkey sum;
  if (secp256k1_ec_pubkey_combine(secp_context(), &sum, terms, 2) != 1)
    return fail("the sum of the points is the identity");
  CurvePoint point;
  unpack(sum, point.unpacked_);
  return point;
}

bool operator==(const CurvePoint& a, const CurvePoint& b) {
  const secp256k1_pubkey left = pack(a.unpacked_);
  const secp256k1_pubkey right = pack(b.unpacked_);
  return secp256k1_ec_pubkey_cmp(secp_context(), &left, &right) == 0;
}

bool is_valid_scalar(const Scalar& scalar) {
  return secp256k1_ec_seckey_verify(secp_context(), scalar.data()) == 1;
}

std::optional<Scalar> reduce_scalar(const Scalar& number) {
  if (is_valid_scalar(number)) return number;
  // n > 2^255, so a number of 256 bits that is not below n becomes so by one subtraction.
  if (number < kGroupOrder) return std::nullopt;
  Scalar reduced;
  int borrow = 0;
  for (size_t i = number.size(); i-- > 0;) {
    const int difference = number[i] - kGroupOrder[i] - borrow;
    borrow = difference < 0 ? 1 : 0;
    reduced[i] = static_cast<uint8_t>(difference & 0xff);
  }
  PG_CHECK(borrow == 0);
  if (!is_valid_scalar(reduced)) return std::nullopt;
  return reduced;
}

std::optional<Scalar> scalar_sum(const Scalar& a, const Scalar& b) {
  if (!is_valid_scalar(b)) return std::nullopt;
  Scalar sum = a;
  if (secp256k1_ec_seckey_tweak_add(secp_context(), sum.data(), b.data()) != 1) return std::nullopt;
  return sum;
}

std::optional<Scalar> scalar_product(const Scalar& a, const Scalar& b) {
  Scalar product = a;
  if (secp256k1_ec_seckey_tweak_mul(secp_context(), product.data(), b.data()) != 1)
    return std::nullopt;
  return product;
}

}  // namespace paygress::crypto
