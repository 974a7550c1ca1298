#include "core/cashu/identity.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/crypto/hash.h"

namespace paygress::cashu {
namespace {

constexpr std::string_view kOpDomain = "paygress-op-v1";
constexpr std::string_view kMeltDomain = "paygress-melt-v1";

}  // namespace

OpId op_id(std::span<const Point> ys) {
  PG_CHECK(!ys.empty());
  const crypto::Digest digest =
      crypto::sha256({as_bytes(kOpDomain), *std::ranges::min_element(ys)});
  OpId id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

OpId melt_op_id(const ClaimId& withdrawal) {
  const crypto::Digest digest = crypto::sha256({as_bytes(kMeltDomain), withdrawal.bytes});
  OpId id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

YHash y_hash(const Point& y) {
  const crypto::Digest digest = crypto::sha256(y);
  YHash hash;
  std::copy_n(digest.begin(), hash.bytes.size(), hash.bytes.begin());
  return hash;
}

}  // namespace paygress::cashu
