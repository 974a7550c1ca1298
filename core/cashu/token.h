// Token strings (NUT-00): V3 "cashuA" (JSON) and V4 "cashuB" (CBOR).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/cashu/types.h"

namespace paygress::cashu {

inline constexpr size_t kWitnessBytesMax = 1024;
inline constexpr size_t kMintUrlBytesMax = 512;
inline constexpr size_t kUnitBytesMax = 32;
inline constexpr size_t kMemoBytesMax = 4096;

// Reads a token of one mint. Surrounding white space and a prefix "cashu:", "cashu://",
// "web+cashu:" or "web+cashu://" are ignored; either base64 alphabet, padded or not, is read.
// Unknown keys are ignored. Refused, with the reason: more than one distinct mint, no proof, a cap
// of types.h or above (the cap is in the message), an amount of 0, a sum above 2^64 - 1, two proofs
// with one secret, a point that is not 33 bytes beginning with 02 or 03 (that it is on the curve is
// found by check_token), a malformed keyset id. CBOR: duplicate keys, trailing bytes, tags, nesting
// deeper than 8, and indefinite lengths are refused; no encoder in the field emits the last.
// `unit` is empty when a V3 token has none. Costs no curve operation.
Result<Token> decode_token(std::string_view text);

enum class TokenVersion : uint8_t { V3, V4 };

// Both decode back to the same token (V4: with proofs of one keyset brought together, in the order
// in which keysets first appear). V4 is canonical: definite lengths, shortest integers; without
// padding. DLEQ is written when present. Error when the token is empty or has a malformed member.
Result<std::string> encode_token(const Token& token, TokenVersion version);

// Sum of the amounts; error when above 2^64 - 1.
Result<Amount> total(std::span<const Proof> proofs);

}  // namespace paygress::cashu
