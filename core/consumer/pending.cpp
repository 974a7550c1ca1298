#include "core/consumer/pending.h"

namespace paygress::consumer {
namespace {

PendingToken judge(const WalletState& state, const StoredToken& token, UnixSeconds now) {
  PendingToken pending{token.stored.number, Waiting::GivenAway, false};
  const bool ours = token.stored.origin == TokenOrigin::Made;
  if (!ours && token.fate == TokenFate::Here) {
    pending.waiting = Waiting::Refund;
    pending.may_take_back = true;
    return pending;
  }
  if (!token.stored.request) return pending;
  const auto request = state.requests().find(*token.stored.request);
  const bool answered = request != state.requests().end() && request->second.answered.has_value();
  pending.waiting = answered ? Waiting::NotTaken : Waiting::Sent;
  pending.may_take_back = answered || elapsed(token.changed_at, now) >= kTakeBackAfter;
  return pending;
}

}  // namespace

std::string_view to_text(Waiting waiting) {
  switch (waiting) {
    case Waiting::Sent: return "no answer yet";
    case Waiting::NotTaken: return "not taken";
    case Waiting::GivenAway: return "given away";
    case Waiting::Refund: return "refund to be swapped";
  }
  return "?";
}

std::vector<PendingToken> pending_tokens(const WalletState& state, UnixSeconds now) {
  std::vector<PendingToken> found;
  for (const auto& [number, token] : state.tokens())
    if (token.fate == TokenFate::Here || token.fate == TokenFate::Sent)
      found.push_back(judge(state, token, now));
  return found;
}

bool is_redeemed(const WalletState& state, const PendingToken& pending, cashu::ProofState mint) {
  if (pending.waiting != Waiting::GivenAway || mint != cashu::ProofState::Spent) return false;
  return !state.is_being_received(pending.number);
}

}  // namespace paygress::consumer
