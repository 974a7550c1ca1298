// How much of the wallet is the operator's to take out (money-sagas.md flaw 16). Computed here and
// nowhere else: the withdrawals, the payout rule and `wallet balance` all ask this.
//
//   free = wallet - owed - margin - withdrawing, and never more than no operation holds
//
// Nothing here depends on the mint: what is free is the same whether it answers or not.
#pragma once

#include <map>

#include "core/cashu/redeem_state.h"
#include "core/lease/lease_book.h"

namespace paygress::provider {

// Coins kept for each lease that is not settled, each claim that is owed and each payment in doubt:
// a refund that begins before the mint raises its fee, and ends after, may cost the provider some
// of it (docs/money.md).
inline constexpr int64_t kFeeMarginCoins = 4;

struct FreeMoney {   // of one mint and unit, in msat
  Msat wallet;       // every proof that is ours, those in doubt included
  Msat owed;         // what was paid for leases until they are settled, and claims without a token
  Msat margin;       // for fees that grow
  Msat withdrawing;  // what withdrawals under way take, fees included
  Msat in_doubt;     // proofs of ours that a swap under way holds; a part of `wallet`
  Msat receiving;    // tokens of consumers at the mint, of which it is not known yet; not ours
  Msat free;         // never below zero

  bool operator==(const FreeMoney&) const = default;
};

FreeMoney free_money(const lease::LeaseBook& leases, const cashu::RedeemState& wallet,
                     const lease::MintUnit& purse);
// Of every mint and unit that the wallet or the leases know.
std::map<lease::MintUnit, FreeMoney> free_money(const lease::LeaseBook& leases,
                                                const cashu::RedeemState& wallet);
// In coins of the unit, rounded down.
cashu::Amount coins_of(Msat msat, const std::string& unit);

}  // namespace paygress::provider
