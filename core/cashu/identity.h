// Names derived from a token's secrets, the same on every run and every machine.
#pragma once

#include <span>

#include "core/base/ids.h"
#include "core/cashu/types.h"

namespace paygress::cashu {

// First 16 bytes of SHA-256("paygress-op-v1" || the bytewise smallest Y). Precondition: not empty.
OpId op_id(std::span<const Point> ys);
// Of a refund, a withdrawal or a payment, whose inputs are proofs of ours: first 16 bytes of
// SHA-256("paygress-own-op-v1" || claim || the bytewise smallest Y). A proof may be an input of a
// second one, when the first ended without having spent it. Precondition: not empty.
OpId own_op_id(const ClaimId& claim, std::span<const Point> ys);
// First 16 bytes of SHA-256(Y).
YHash y_hash(const Point& y);

}  // namespace paygress::cashu
