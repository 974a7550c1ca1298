#include "core/cashu/token_quote.h"

#include <limits>
#include <set>

#include "core/cashu/condition.h"
#include "core/cashu/keyset.h"
#include "core/cashu/mint_url.h"
#include "core/cashu/token.h"

namespace paygress::cashu {
namespace {

std::unexpected<Refusal> refuse(RefusalReason reason, std::string message) {
  return std::unexpected(Refusal{reason, std::move(message), std::nullopt});
}

std::expected<std::string, Refusal> find_mint(const MintBook& book, const std::string& asked) {
  std::string mint = asked;
  if (!book.accepts(mint)) {
    auto normal = normalise_mint_url(asked);
    if (!normal || !book.accepts(*normal))
      return refuse(RefusalReason::MintNotAccepted, "this mint is not accepted here");
    mint = std::move(*normal);
  }
  if (!book.ready(mint))
    return refuse(RefusalReason::MintNotReady, "the mint cannot be reached yet");
  if (!book.suitable(mint))
    return refuse(RefusalReason::MintUnsuitable, "the mint lacks NUT-07, NUT-09 or NUT-12");
  return mint;
}

std::expected<void, Refusal> check_shape(const Token& token) {
  if (token.proofs.empty()) return refuse(RefusalReason::Malformed, "the token is empty");
  if (token.proofs.size() > kProofsMax)
    return refuse(RefusalReason::Malformed,
                  "more than " + std::to_string(kProofsMax) + " proofs in one token");
  std::set<std::string_view> secrets;
  for (const Proof& proof : token.proofs) {
    if (proof.secret.empty() || proof.secret.size() > kSecretBytesMax)
      return refuse(RefusalReason::Malformed, "a secret is empty or too long");
    if (!secrets.insert(proof.secret).second)
      return refuse(RefusalReason::Malformed, "the token names a proof twice");
  }
  if (auto unlocked = check_unlocked(token); !unlocked)
    return refuse(RefusalReason::SpendingConditions, to_string(unlocked.error()));
  return {};
}

// Full ids, one unit, known amounts. Sets quote.unit.
std::expected<void, Refusal> resolve(const MintBook& book, UnixSeconds now, TokenQuote& quote) {
  const std::vector<std::string> ids = book.keyset_ids(quote.mint);
  for (Proof& proof : quote.proofs) {
    auto id = resolve_keyset_id(proof.keyset, ids);
    if (!id) return refuse(RefusalReason::UnknownKeyset, to_string(id.error()));
    proof.keyset = std::move(*id);
    const Keyset* keyset = book.find(quote.mint, proof.keyset);
    if (keyset->unit != "sat" && keyset->unit != "msat")
      return refuse(RefusalReason::UnitUnsupported, "only sat and msat are accepted");
    if (!quote.unit.empty() && quote.unit != keyset->unit)
      return refuse(RefusalReason::UnitUnsupported, "the token mixes units");
    quote.unit = keyset->unit;
    if (expires_within(*keyset, now, kExpiryHorizon))
      return refuse(RefusalReason::UnknownKeyset, "the token's keyset has expired or soon will");
    if (keyset->keys.empty())
      return refuse(RefusalReason::MintNotReady, "keys of the token's keyset are not known yet");
    if (!keyset->keys.contains(proof.amount))
      return refuse(RefusalReason::Malformed, "the mint has no key for an amount in the token");
  }
  return {};
}

}  // namespace

std::optional<Msat> value_of(Amount amount, const std::string& unit) {
  if (amount > static_cast<Amount>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  const auto whole = static_cast<int64_t>(amount);
  if (unit == "msat") return Msat{whole};
  if (unit != "sat") return std::nullopt;
  const auto msat = checked_mul(whole, 1000);
  return msat ? std::optional(Msat{*msat}) : std::nullopt;
}

std::expected<TokenQuote, Refusal> quote_token(const MintBook& book, const Token& token,
                                               UnixSeconds now) {
  TokenQuote quote;
  auto mint = find_mint(book, token.mint);
  if (!mint) return std::unexpected(mint.error());
  quote.mint = std::move(*mint);
  if (auto shape = check_shape(token); !shape) return std::unexpected(shape.error());
  quote.proofs = token.proofs;
  if (auto known = resolve(book, now, quote); !known) return std::unexpected(known.error());
  const auto face = total(quote.proofs);
  if (!face || !value_of(*face, quote.unit))
    return refuse(RefusalReason::TooLarge, "the token's value is too large");
  quote.face = *face;
  auto plan = book.plan(quote.mint, quote.unit, quote.proofs, now);
  if (!plan) {
    std::map<std::string, uint64_t> fees;
    for (const Proof& proof : quote.proofs)
      fees[proof.keyset] = book.find(quote.mint, proof.keyset)->input_fee_ppk;
    const auto fee = swap_fee(quote.proofs, fees);
    if (fee && *fee >= quote.face)
      return refuse(RefusalReason::TooSmall, "the mint's fee takes all of the token");
    return refuse(RefusalReason::TooLarge, "it cannot be swapped: " + to_string(plan.error()));
  }
  quote.fee = plan->fee;
  quote.net = quote.face - quote.fee;
  quote.value = *value_of(quote.net, quote.unit);
  return quote;
}

}  // namespace paygress::cashu
