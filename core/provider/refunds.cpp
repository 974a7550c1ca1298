#include "core/provider/refunds.h"

#include "core/cashu/token.h"

namespace paygress::provider {
namespace {

// In the coins of its mint; what is left over is too small for any.
cashu::Amount worth_of(const lease::Lot& lot) {
  const auto msat = static_cast<uint64_t>(lot.msat.value);
  return lot.unit == "msat" ? msat : msat / 1000;
}

}  // namespace

void Refunds::recover(Now now) {
  for (const auto& [id, claim] : leases_.claims().all()) wallet_.depend_on(claim.owed.lot.mint);
  for (const ClaimId& claim : leases_.claims().owed()) schedule(now.mono, claim);
  for (const ClaimId& claim : leases_.claims().unredeemed())
    schedule(now.mono + micros(kRedeemedFirstLook), claim);
}

void Refunds::schedule(Micros at, const ClaimId& claim) {
  if (const auto known = next_.find(claim); known != next_.end())
    due_.erase({known->second, claim});
  next_[claim] = at;
  due_.emplace(at, claim);
}

std::optional<Micros> Refunds::next_deadline() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

Refunds::Turn Refunds::handle_timer(Now now) {
  Turn turn;
  while (!due_.empty() && due_.begin()->first <= now.mono) {
    const ClaimId claim = due_.begin()->second;
    due_.erase(due_.begin());
    next_.erase(claim);
    const lease::ClaimEntry* entry = leases_.claims().find(claim);
    if (entry == nullptr) continue;  // forgotten
    if (entry->state == lease::ClaimState::Owed) attempt(now, claim, turn);
    if (entry->state == lease::ClaimState::Paid) look(now, claim, turn);
  }
  return turn;
}

void Refunds::attempt(Now now, const ClaimId& claim, Turn& turn) {
  if (wallet_.refund_under_way(claim)) return;
  const lease::Lot lot = leases_.claims().find(claim)->owed.lot;
  const auto keep = [&] {
    leases_.claim_kept(now, claim, turn.leases);
    turn.settled.push_back(claim);
  };
  if (worth_of(lot) == 0) return keep();
  auto begun = wallet_.begin_refund(now, claim, lot.mint, lot.unit, worth_of(lot));
  if (begun) return turn.wallet.push_back(*std::move(begun));
  switch (begun.error()) {
    case cashu::NoRefund::TooSmall: return keep();
    case cashu::NoRefund::Busy: return schedule(now.mono + micros(kRefundBusyRetry), claim);
    case cashu::NoRefund::NoFunds:
      if (told_.insert(claim).second)
        turn.problems.push_back("refund " + claim.hex().substr(0, 12) + " waits: the wallet has " +
                                "too little that is free at " + lot.mint);
      break;
    case cashu::NoRefund::MintNotReady: unread_[lot.mint].insert(claim); break;
  }
  schedule(now.mono + micros(kRefundRetry), claim);
}

void Refunds::on_mint_read(Now now, const std::string& mint) {
  const auto waiting = unread_.find(mint);
  if (waiting == unread_.end()) return;
  for (const ClaimId& claim : waiting->second)
    if (leases_.claims().owed().contains(claim)) schedule(now.mono, claim);
  unread_.erase(waiting);
}

void Refunds::on_made(Now now, const cashu::RefundMade& made, lease::LeaseStep& out) {
  const lease::Lot& lot = leases_.claims().find(made.claim)->owed.lot;
  const Msat face = cashu::value_of(made.face, lot.unit).value();
  const Msat fee = cashu::value_of(made.fee, lot.unit).value();
  PG_CHECK(face <= lot.msat);
  told_.erase(made.claim);
  leases_.claim_paid(now, made.claim, made.text, face, std::min(fee, lot.msat - face), out);
  schedule(now.mono + micros(kRedeemedFirstLook), made.claim);
}

void Refunds::on_not_made(Now now, const ClaimId& claim) {
  schedule(now.mono + micros(kRefundRetry), claim);
}

// --- whether the token was redeemed --------------------------------------------------------------

void Refunds::look(Now now, const ClaimId& claim, Turn& turn) {
  schedule(now.mono + micros(kRedeemedLookEvery), claim);
  const lease::ClaimEntry* entry = leases_.claims().find(claim);
  const auto token = cashu::decode_token(entry->paid->token);
  PG_CHECK(token.has_value());
  cashu::Redeemer::Probing probing = wallet_.probe(entry->owed.lot.mint, token->proofs);
  std::erase_if(probes_, [&](const auto& other) { return other.second == claim; });
  probes_.emplace(probing.id, claim);
  turn.wallet.push_back(std::move(probing.step));
}

void Refunds::on_probed(Now now, const cashu::Probed& probed, lease::LeaseStep& out) {
  const auto known = probes_.find(probed.id);
  if (known == probes_.end()) return;
  const ClaimId claim = known->second;
  probes_.erase(known);
  const lease::ClaimEntry* entry = leases_.claims().find(claim);
  if (!probed.all_spent || entry == nullptr || entry->state != lease::ClaimState::Paid) return;
  leases_.claim_redeemed(now, claim, out);
}

}  // namespace paygress::provider
