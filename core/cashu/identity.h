// Names derived from a token's secrets, the same on every run and every machine.
#pragma once

#include <span>

#include "core/base/ids.h"
#include "core/cashu/types.h"

namespace paygress::cashu {

// First 16 bytes of SHA-256("paygress-op-v1" || the bytewise smallest Y). Precondition: not empty.
OpId op_id(std::span<const Point> ys);
// Of the payment of an invoice: first 16 bytes of SHA-256("paygress-melt-v1" || withdrawal).
OpId melt_op_id(const ClaimId& withdrawal);
// First 16 bytes of SHA-256(Y).
YHash y_hash(const Point& y);

}  // namespace paygress::cashu
