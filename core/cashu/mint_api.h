// The mint's HTTP interface seen from the wallet: bytes of requests, meaning of answers (NUT-01 to
// NUT-07, NUT-09, NUT-23). Pure: whoever moves the bytes decides about time.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/cashu/redeem.h"
#include "core/cashu/types.h"

namespace paygress::cashu {

inline constexpr size_t kAnswerBytesMax = 1024 * 1024;
inline constexpr size_t kKeysetsMax = 1024;  // in one answer
inline constexpr size_t kKeysPerKeysetMax = 256;
inline constexpr size_t kAnswerItemsMax = 1000;  // signatures, states, outputs in one answer
inline constexpr size_t kQuoteBytesMax = 256;    // of a quote's id
inline constexpr size_t kInvoiceBytesMax = 8192;
inline constexpr size_t kDetailBytesMax = 512;  // of an error's text; the rest is cut off

bool is_post(Endpoint endpoint);
// "/v1/swap", "/v1/keys/{argument}", ...; the argument is percent-encoded. Put after the mint's
// normalised URL.
std::string endpoint_path(Endpoint endpoint, std::string_view argument = {});

// Bodies. The bytes are a function of the arguments alone, so a request can be resent unchanged
// (NUT-19). dleq (which holds r) and p2pk_e are never written.
Bytes encode_swap_request(std::span<const Proof> inputs, std::span<const BlindedMessage> outputs);
Bytes encode_check_request(std::span<const Point> ys);
Bytes encode_restore_request(std::span<const BlindedMessage> outputs);
Bytes encode_mint_quote_request(Amount amount, std::string_view unit);
Bytes encode_mint_request(std::string_view quote, std::span<const BlindedMessage> outputs);
Bytes encode_melt_quote_request(std::string_view invoice, std::string_view unit);
// `outputs` are blank: the mint writes the amounts of the change into the first ones (NUT-08).
Bytes encode_melt_request(std::string_view quote, std::span<const Proof> inputs,
                          std::span<const BlindedMessage> outputs);

using MintAnswer = decltype(MintReply::answer);

// What an HTTP answer means.
//   2xx, well formed       the endpoint's answer
//   4xx, 5xx               MintError; `code` and `detail` when the body has them (`detail` may be a
//                          list or object: its JSON text), never a verdict about the inputs
//   anything else          NoReply: it may have happened
// Strict: amounts are JSON integers in [0, 2^64), points are on the curve, ids well-formed; one bad
// element makes the answer NoReply. Exceptions, for mints in the field: keysets with an id version
// that is not ours are left out; a missing `active` is true in Keys and KeysById; a missing or null
// fee is 0; Restore's second array may be called `promises`.
// Swap's and Restore's lists are as long as the mint made them: the caller compares counts.
MintAnswer parse_answer(Endpoint endpoint, uint32_t http_status, std::string_view body);

}  // namespace paygress::cashu
