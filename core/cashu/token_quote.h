// What a token is worth here, decided before it is touched: no network, no curve arithmetic.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "core/cashu/mint_book.h"

namespace paygress::cashu {

enum class RefusalReason : uint8_t {
  MintNotAccepted,     // not configured here
  MintNotReady,        // not reachable yet: nothing known about its keysets
  MintUnsuitable,      // without NUT-07, NUT-09 or NUT-12
  UnitUnsupported,     // the keysets' unit is neither sat nor msat, or units are mixed
  UnknownKeyset,       // also: expired, ambiguous short id
  Malformed,           // no proofs, too many, no such amount, duplicate secrets
  SpendingConditions,  // NUT-10 secrets: we cannot sign
  TooSmall,            // nothing is left after the mint's input fee
  TooLarge,            // the value does not fit, or needs too many outputs
  Known,               // one of its secrets belongs to an operation: see `op`
  Busy                 // too many operations are open
};
struct Refusal {
  RefusalReason reason = RefusalReason::Malformed;
  std::string message;     // for a person; holds no secret
  std::optional<OpId> op;  // for Known
};

struct TokenQuote {
  std::string mint;           // as configured
  std::string unit;           // the keysets', not the token's
  std::vector<Proof> proofs;  // keyset ids in full
  Amount face = 0;
  Amount fee = 0;  // of the swap, in `unit`, rounded up once (NUT-02)
  Amount net = 0;  // face - fee
  Msat value;      // of `net`
};

// 1 sat = 1000 msat. Nothing for another unit or when it does not fit.
std::optional<Msat> value_of(Amount amount, const std::string& unit);

std::expected<TokenQuote, Refusal> quote_token(const MintBook& book, const Token& token,
                                               UnixSeconds now);

}  // namespace paygress::cashu
