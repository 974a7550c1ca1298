#include "core/lease/lease_book.h"

#include <algorithm>

#include "core/crypto/hash.h"

namespace paygress::lease {
namespace {

// Derived, not counted, so that a rolled-back journal makes the same claim again (flaw 15).
ClaimId claim_id(const std::optional<LeaseId>& lease, const OpId& op, std::string_view mint,
                 std::string_view reason) {
  const ByteView owner = lease ? ByteView(lease->bytes) : ByteView(op.bytes);
  const auto digest =
      crypto::sha256({as_bytes("paygress-claim-v1"), owner, as_bytes(mint), as_bytes(reason)});
  ClaimId id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

}  // namespace

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::Reserved: return "reserved";
    case Phase::Creating: return "creating";
    case Phase::Running: return "running";
    case Phase::Down: return "down";
    case Phase::Ending: return "ending";
    case Phase::Ended: return "ended";
    case Phase::Void: return "void";
  }
  return "unknown";
}

LeaseBook::LeaseBook(Resources sold, Ranges ranges) : allocator_(sold, ranges) {}

// --- buying ------------------------------------------------------------------------------------

void LeaseBook::reserve(LeaseReserved terms, LeaseStep& out) {
  const Lease* before = find(terms.lease);
  PG_CHECK(before == nullptr || before->phase == Phase::Void);
  PG_CHECK(terms.tier.rate_per_second.value > 0);
  record(std::move(terms), out);
}

void LeaseBook::stop(Instant now, const LeaseId& lease, LeaseStep& out) {
  Lease* l = find_mutable(lease);
  if (l == nullptr) return;
  if (l->phase == Phase::Reserved && !l->cancelled) record(LeaseCancelled{lease, now.wall}, out);
  if (l->phase == Phase::Running)
    end(now, *l, EndReason::Stopped, used_until(*l, now.mono), out);
  else if (l->phase == Phase::Creating || l->phase == Phase::Down)
    end(now, *l, EndReason::Stopped, l->used, out);
}

void LeaseBook::void_reservation(Now now, const LeaseId& lease, LeaseStep& out) {
  const Lease* l = find(lease);
  if (l != nullptr && l->phase == Phase::Reserved) record(LeaseVoided{lease, now.wall}, out);
}

bool LeaseBook::credit_spawn(Now now, const LeaseId& lease, const OpId& op, const Lot& lot,
                             LeaseStep& out) {
  const Lease* l = find(lease);
  PG_CHECK(l != nullptr && l->terms.op == op);
  const Purchase purchase = buy(lot.msat, l->terms.tier.rate_per_second);
  const bool enough = purchase.bought >= std::max(l->terms.minimum, Seconds{1});
  if (l->phase == Phase::Reserved && !l->cancelled && enough) {
    record(LeasePaid{lease, op, lot, purchase.bought, purchase.credit, now.wall}, out);
    return true;
  }
  const PubKey owner = l->terms.owner;
  const bool late = l->phase != Phase::Reserved;
  const std::string_view reason = l->cancelled ? kClaimStopped : late ? kClaimLate : kClaimLittle;
  void_reservation(now, lease, out);
  credit_nobody(now, op, owner, lot, std::string(reason), out);
  return false;
}

bool LeaseBook::credit_top_up(Now now, const LeaseId& lease, const OpId& op, const Lot& lot,
                              LeaseStep& out) {
  const Lease* l = find(lease);
  PG_CHECK(l != nullptr);
  const bool open =
      l->phase == Phase::Creating || l->phase == Phase::Running || l->phase == Phase::Down;
  if (!open) {
    credit_nobody(now, op, l->terms.owner, lot, std::string(kClaimTopUp), out);
    return false;
  }
  const Purchase purchase = buy(lot.msat + l->credit, l->terms.tier.rate_per_second);
  record(LeaseExtended{lease, op, lot, purchase.bought, purchase.credit, now.wall}, out);
  return true;
}

void LeaseBook::credit_nobody(Now now, const OpId& op, const PubKey& owner, const Lot& lot,
                              std::string reason, LeaseStep& out) {
  if (lot.msat >= kClaimMin)
    owe(now, std::nullopt, op, owner, lot, std::move(reason), out);
  else
    record(DustKept{op, lot, now.wall}, out);
}

void LeaseBook::owe(Now now, const std::optional<LeaseId>& lease, const OpId& op,
                    const PubKey& owner, const Lot& lot, std::string reason, LeaseStep& out) {
  const ClaimId id = claim_id(lease, op, lot.mint, reason);
  record(ClaimOwed{id, lease, op, owner, lot, std::move(reason), now.wall}, out);
}

// --- delivering --------------------------------------------------------------------------------

bool LeaseBook::move_ports(const LeaseId& id, LeaseStep& out) {
  const Lease* lease = find(id);
  if (lease == nullptr || lease->phase != Phase::Creating) return false;
  LeasePortsMoved moved{id, lease->terms.ssh_port, lease->terms.ports};
  const auto block =
      allocator_.find_ports(static_cast<uint16_t>(moved.ports.size() + (moved.ssh_port ? 1 : 0)));
  if (!block) return false;
  uint16_t port = *block;
  if (moved.ssh_port) moved.ssh_port = port++;
  for (auto& published : moved.ports) published.host_port = port++;
  record(std::move(moved), out);
  return true;
}

void LeaseBook::on_started(Instant now, const LeaseId& lease, bool serves_ssh, LeaseStep& out) {
  const Lease* l = find(lease);
  if (l == nullptr || l->phase != Phase::Creating) return;
  record(LeaseStarted{lease, now, serves_ssh}, out);
}

void LeaseBook::on_placed(Instant now, const LeaseId& lease, const std::string& node,
                          const std::string& address, LeaseStep& out) {
  const Lease* l = find(lease);
  if (l == nullptr || (l->node == node && l->address == address)) return;
  record(LeasePlaced{lease, node, address, now.wall}, out);
}

void LeaseBook::on_sighted(Instant now, const LeaseId& lease, LeaseStep& out) {
  Lease* l = find_mutable(lease);
  if (l == nullptr) return;
  if (l->phase == Phase::Down) return on_up(now, lease, Seconds{0}, out);
  if (l->phase != Phase::Running) return;
  Micros end_at = end_mono(*l);
  if (top_ups_.contains(lease)) end_at += micros(kGrace);
  if (now.mono >= end_at) return end(now, *l, EndReason::Expired, micros(l->bought), out);
  sighted_.push_back(lease);
  if (!next_sight_record_) next_sight_record_ = now.mono + micros(kSightEvery);
}

void LeaseBook::on_down(Instant now, const LeaseId& lease, std::optional<UnixSeconds> since,
                        bool own_exit, LeaseStep& out) {
  Lease* l = find_mutable(lease);
  if (l == nullptr) return;
  if (l->phase == Phase::Ending) return settle(now, *l, since, out);
  if (l->phase != Phase::Running) return;
  const Instant& seen = last_seen(*l);
  if (!since) {  // nobody knows: what was not seen is not charged (flaw 10)
    record(LeaseDown{lease, used_until(*l, seen.mono), seen.wall, own_exit}, out);
    return;
  }
  // The engine's stop time, never before the last sight: the meter ran at least until then. A wall
  // clock that was set since may put it anywhere, so it is kept within the time of this process.
  const int64_t up_max = std::max<int64_t>(now.mono.value - seen.mono.value, 0) / 1'000'000 + 1;
  const int64_t ago = std::clamp<int64_t>(now.wall.value - since->value, 0, up_max);
  const Micros stopped = std::max(now.mono - micros(Seconds{ago}), seen.mono);
  const Micros used = used_until(*l, stopped);
  record(LeaseDown{lease, used, std::min(*since, now.wall), own_exit}, out);
  if (used >= micros(l->bought)) end(now, *l, EndReason::Expired, used, out);
}

// Found not running when it was to be stopped: its owner pays until it stopped, not until the
// request (flaw 11). Of the other ends the meter was right already.
void LeaseBook::settle(Instant now, Lease& lease, std::optional<UnixSeconds> since,
                       LeaseStep& out) {
  if (lease.end_reason != EndReason::Stopped) return;
  const int64_t ago = since ? std::max<int64_t>((lease.ending_at - *since).value, 0) : 0;
  const Micros used =
      since ? std::clamp(lease.used - micros(Seconds{ago}), lease.settle_floor, lease.used)
            : lease.settle_floor;
  if (used < lease.used) record(LeaseSettled{lease.terms.lease, used, now.wall}, out);
}

void LeaseBook::on_up(Instant now, const LeaseId& lease, Seconds backoff, LeaseStep& out) {
  const Lease* l = find(lease);
  if (l == nullptr || l->phase != Phase::Down) return;
  record(LeaseUp{lease, now, l->own_exit ? backoff : Seconds{0}}, out);
}

void LeaseBook::on_gave_up(Instant now, const LeaseId& lease, LeaseStep& out) {
  Lease* l = find_mutable(lease);
  if (l == nullptr) return;
  if (l->phase == Phase::Creating || l->phase == Phase::Down)
    end(now, *l, EndReason::Failed, l->used, out);
  else if (l->phase == Phase::Running)
    end(now, *l, EndReason::Failed, used_until(*l, now.mono), out);
}

void LeaseBook::end(Instant now, Lease& lease, EndReason reason, Micros used, LeaseStep& out) {
  const LeaseId id = lease.terms.lease;
  record(LeaseEnding{id, reason, std::min(used, micros(lease.bought)), now.wall}, out);
  out.events.push_back(Retire{id});
}

void LeaseBook::on_gone(Instant now, const LeaseId& lease, std::optional<UnixSeconds> unanswered,
                        LeaseStep& out) {
  Lease* l = find_mutable(lease);
  if (l == nullptr || l->phase != Phase::Ending) return;
  const Seconds used = std::min(charged(l->used), l->bought);
  const auto consumed = price_of(used, l->terms.tier.rate_per_second);
  PG_CHECK(consumed && *consumed <= l->paid);
  // Consumed comes from the oldest lots; what is left of each is a claim at its own mint.
  Msat to_consume = *consumed;
  LeaseEnded ended{
      lease, used, *consumed, Msat{0}, Msat{0}, now.wall, unanswered.value_or(UnixSeconds{})};
  std::vector<Lot> claims;
  for (Lot lot : l->lots) {
    const Msat part = std::min(to_consume, lot.msat);
    to_consume -= part;
    lot.msat -= part;
    if (lot.msat >= kClaimMin) {
      ended.claimed += lot.msat;
      const auto same = [&](const Lot& c) { return c.mint == lot.mint && c.unit == lot.unit; };
      const auto it = std::find_if(claims.begin(), claims.end(), same);
      if (it == claims.end())
        claims.push_back(lot);
      else
        it->msat += lot.msat;
    } else {
      ended.kept += lot.msat;
    }
  }
  PG_CHECK(to_consume == Msat{0});
  const OpId op = l->terms.op;
  const PubKey owner = l->terms.owner;
  record(ended, out);
  for (const Lot& lot : claims)
    owe(plain(now), lease, op, owner, lot, std::string(kClaimUnused), out);
  out.events.push_back(Finished{lease});
}

// --- time --------------------------------------------------------------------------------------

void LeaseBook::expect_top_up(const LeaseId& lease, const OpId& op) { top_ups_[lease].insert(op); }

void LeaseBook::top_up_settled(const LeaseId& lease, const OpId& op) {
  const auto it = top_ups_.find(lease);
  if (it == top_ups_.end()) return;
  it->second.erase(op);
  if (it->second.empty()) top_ups_.erase(it);
}

void LeaseBook::handle_timer(Instant now, LeaseStep& out) {
  while (!looks_.empty() && looks_.begin()->first <= now.mono) {
    const LeaseId lease = looks_.begin()->second;
    look_at(now.mono + micros(kLookAgain), lease, leases_.at(lease));
    out.events.push_back(Look{lease});
  }
  if (next_sight_record_ && now.mono >= *next_sight_record_) {
    // As of the first of them: what was not seen, be it that this process was stopped, is not
    // charged.
    Instant seen = now;
    seen.mono = *next_sight_record_ - micros(kSightEvery);
    seen.wall = now.wall - Seconds{(now.mono - seen.mono).value / 1'000'000};
    next_sight_record_.reset();
    std::erase_if(sighted_, [&](const LeaseId& id) {
      const Lease* l = find(id);
      return l == nullptr || l->phase != Phase::Running;
    });
    for (size_t at = 0; at < sighted_.size(); at += kSightsPerRecordMax) {
      const size_t end = std::min(sighted_.size(), at + kSightsPerRecordMax);
      record(LeasesSighted{{sighted_.begin() + static_cast<ptrdiff_t>(at),
                            sighted_.begin() + static_cast<ptrdiff_t>(end)},
                           seen},
             out);
    }
    sighted_.clear();
  }
}

void LeaseBook::housekeep(Now now, LeaseStep& out) {
  while (!held_.empty() && held_.begin()->first <= now.wall)
    record(LeaseCleared{held_.begin()->second, now.wall}, out);
  while (!forgettable_.empty() && forgettable_.begin()->first + kForgetAfter <= now.wall)
    record(LeaseForgotten{forgettable_.begin()->second}, out);
  for (const ClaimId& claim : claims_.due(now.wall)) record(ClaimForgotten{claim}, out);
  for (const ClaimId& id : withdrawals_.due(now.wall)) record(WithdrawalForgotten{id}, out);
}

// --- claims ------------------------------------------------------------------------------------

void LeaseBook::claim_paid(Now now, const ClaimId& claim, std::string token, Msat face, Msat fee,
                           LeaseStep& out) {
  const ClaimEntry* entry = claims_.find(claim);
  PG_CHECK(entry != nullptr);
  const Msat kept = entry->owed.lot.msat - face - fee;
  record(ClaimPaid{claim, std::move(token), face, fee, kept, now.wall}, out);
}

void LeaseBook::claim_kept(Now now, const ClaimId& claim, LeaseStep& out) {
  record(ClaimKept{claim, now.wall}, out);
}

void LeaseBook::claim_redeemed(Now now, const ClaimId& claim, LeaseStep& out) {
  record(ClaimRedeemed{claim, now.wall}, out);
}

// --- withdrawals ---------------------------------------------------------------------------------

void LeaseBook::withdrawal_opened(Now now, const ClaimId& id, const Lot& lot, std::string purpose,
                                  Payment payment, LeaseStep& out) {
  record(WithdrawalOpened{id, lot, std::move(purpose), now.wall, std::move(payment.invoice),
                          payment.forced},
         out);
}

void LeaseBook::withdrawal_paid(Now now, const ClaimId& id, std::string token, Msat face, Msat fee,
                                LeaseStep& out) {
  record(WithdrawalPaid{id, std::move(token), face, fee, now.wall}, out);
}

void LeaseBook::withdrawal_dropped(Now now, const ClaimId& id, Msat fee, std::string problem,
                                   LeaseStep& out) {
  record(WithdrawalDropped{id, now.wall, fee, std::move(problem)}, out);
}

void LeaseBook::invoice_settled(Now now, const ClaimId& id, Msat amount, Msat fee,
                                std::string preimage, LeaseStep& out) {
  record(InvoiceSettled{id, amount, fee, std::move(preimage), now.wall}, out);
}

void LeaseBook::withdrawal_delivered(Now now, const ClaimId& id, LeaseStep& out) {
  record(WithdrawalDelivered{id, now.wall}, out);
}

std::optional<Micros> LeaseBook::next_deadline() const {
  std::optional<Micros> next = next_sight_record_;
  if (!looks_.empty()) next = next ? std::min(*next, looks_.begin()->first) : looks_.begin()->first;
  return next;
}

void LeaseBook::recover(Instant now, LeaseStep& out) {
  std::vector<LeaseId> other_boot;
  for (const auto [id, l] : leases_)
    if (l.phase == Phase::Running && l.anchor.boot != now.boot) other_boot.push_back(id);
  for (const LeaseId& id : other_boot) {
    const Lease& l = leases_.at(id);
    const Instant seen = last_seen(l);
    record(LeaseDown{id, used_until(l, seen.mono), seen.wall, false}, out);
  }
  for (const auto [id, l] : leases_)
    if (l.phase == Phase::Ending) out.events.push_back(Retire{id});
}

Micros LeaseBook::used_until(const Lease& lease, Micros mono) const {
  if (lease.phase != Phase::Running || mono <= lease.anchor.mono) return lease.used;
  return lease.used + (mono - lease.anchor.mono);
}

Micros LeaseBook::end_mono(const Lease& lease) const {
  return lease.anchor.mono + (micros(lease.bought) - lease.used);
}

Seconds LeaseBook::remaining(const Lease& lease, Now now) const {
  if (lease.phase > Phase::Down) return {0};
  const Micros left = micros(lease.bought) - used_until(lease, now.mono);
  return {std::max<int64_t>(left.value, 0) / 1'000'000};
}

UnixSeconds LeaseBook::expires_at(const Lease& lease, Now now) const {
  if (lease.statement) return lease.statement->at;
  if (lease.phase == Phase::Running)
    return lease.anchor.wall + Seconds{(micros(lease.bought) - lease.used).value / 1'000'000};
  return now.wall + remaining(lease, now);
}

void LeaseBook::look_at(Micros at, const LeaseId& id, Lease& lease) {
  look_no_more(id, lease);
  lease.next_look = at;
  looks_.emplace(at, id);
}

void LeaseBook::look_no_more(const LeaseId& id, Lease& lease) {
  if (lease.next_look) looks_.erase({*lease.next_look, id});
  lease.next_look.reset();
}

}  // namespace paygress::lease
