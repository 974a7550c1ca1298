#include "core/cashu/identity.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/crypto/hash.h"

namespace paygress::cashu {
namespace {

constexpr std::string_view kOpDomain = "paygress-op-v1";
constexpr std::string_view kOwnOpDomain = "paygress-own-op-v1";

const Point& smallest(std::span<const Point> ys) {
  PG_CHECK(!ys.empty());
  return *std::ranges::min_element(ys);
}

OpId first_16(const crypto::Digest& digest) {
  OpId id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

}  // namespace

OpId op_id(std::span<const Point> ys) {
  return first_16(crypto::sha256({as_bytes(kOpDomain), smallest(ys)}));
}

OpId own_op_id(const ClaimId& claim, std::span<const Point> ys) {
  return first_16(crypto::sha256({as_bytes(kOwnOpDomain), claim.bytes, smallest(ys)}));
}

YHash y_hash(const Point& y) {
  const crypto::Digest digest = crypto::sha256(y);
  YHash hash;
  std::copy_n(digest.begin(), hash.bytes.size(), hash.bytes.begin());
  return hash;
}

}  // namespace paygress::cashu
