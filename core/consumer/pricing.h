// Seconds to sats, and which proofs pay them: integer arithmetic, rounded so that what reaches the
// provider after the mint's input fee (NUT-02) buys at least what was asked.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/base/result.h"
#include "core/cashu/types.h"

namespace paygress::consumer {

// ceil(rate * seconds / 1000). Error when seconds or rate are not positive, or it does not fit.
Result<cashu::Amount> sats_for(uint64_t rate_msats_per_sec, Seconds seconds);
// What a net payment of whole sats buys.
Seconds seconds_for(cashu::Amount net_sats, uint64_t rate_msats_per_sec);

// Fee of a swap whose inputs are these proofs. Error when a proof's keyset is not among `keysets`.
Result<cashu::Amount> fee_of(std::span<const cashu::Proof> proofs,
                             std::span<const cashu::Keyset> keysets);

// Error in words when the purse holds less, whatever the fee.
Result<void> check_reach(std::span<const cashu::Proof> purse, cashu::Amount amount);

// The smallest amount whose fewest proofs on `keyset` are worth `net` or more after their fee.
Result<cashu::Amount> face_for_net(cashu::Amount net, const cashu::Keyset& keyset);

// Proofs that make exactly `amount`, the largest first; nothing when greedy finds none. (For
// amounts that are powers of two greedy finds one whenever there is one.)
std::optional<std::vector<cashu::Proof>> exact_subset(std::span<const cashu::Proof> proofs,
                                                      cashu::Amount amount);

// How to make a token of `amount`: inputs of ours, and outputs in ascending order (NUT-03), of
// which those at `given` make the token and the rest is change.
struct SplitPlan {
  std::vector<cashu::Proof> inputs;
  std::string keyset;
  std::vector<cashu::Amount> amounts;
  std::vector<uint32_t> given;
  cashu::Amount fee = 0;
};
// `purse`: spendable proofs of one mint and unit. Error in words when they do not reach.
Result<SplitPlan> plan_split(std::span<const cashu::Proof> purse, cashu::Amount amount,
                             std::span<const cashu::Keyset> keysets, const cashu::Keyset& outputs);

}  // namespace paygress::consumer
