// What became of the tokens that left the wallet, as far as the journal knows: nothing is ever only
// in flight.
#pragma once

#include <vector>

#include "core/consumer/wallet_state.h"

namespace paygress::consumer {

// Longer than a provider goes on trying to redeem a token: its hold of 600 s and the 300 s after it
// (docs/money.md). Before, taking a token back would only race with the purchase it pays for.
inline constexpr Seconds kTakeBackAfter{900};

enum class Waiting : uint8_t {
  Sent,       // no final answer yet: asking again is safe
  NotTaken,   // the provider gave it up, or did not say: it may be taken back now
  GivenAway,  // printed, for somebody else: only its owner can know
  Refund      // a provider's refund that is not swapped yet
};
std::string_view to_text(Waiting waiting);

struct PendingToken {
  uint64_t number = 0;
  Waiting waiting = Waiting::Sent;
  bool may_take_back = false;  // without spoiling a purchase: nobody is expected to redeem it
};

// Every token whose end is not known, oldest first.
std::vector<PendingToken> pending_tokens(const WalletState& state, UnixSeconds now);

// Whether this word of the mint is the end of it: it was printed for somebody, who has redeemed it.
// Spent by a swap of ours that is still open, it is not.
bool is_redeemed(const WalletState& state, const PendingToken& pending, cashu::ProofState mint);

}  // namespace paygress::consumer
