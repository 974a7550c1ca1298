// What the records of a lease do to the book, and the questions it answers. What makes the records
// is in lease_book.cpp.
#include <algorithm>

#include "core/lease/lease_book.h"

namespace paygress::lease {
namespace {

std::vector<uint16_t> host_ports(const std::optional<uint16_t>& ssh,
                                 const std::vector<workload::PublishedPort>& published) {
  std::vector<uint16_t> ports;
  if (ssh) ports.push_back(*ssh);
  for (const auto& p : published) ports.push_back(p.host_port);
  return ports;
}

}  // namespace

const Instant& last_seen(const Lease& lease) {
  const bool later =
      lease.last_sight.boot == lease.anchor.boot && lease.last_sight.mono > lease.anchor.mono;
  return later ? lease.last_sight : lease.anchor;
}

// --- state -------------------------------------------------------------------------------------

void LeaseBook::record(LeaseRecord entry, LeaseStep& out) {
  apply(entry);
  out.records.push_back(std::move(entry));
}

void LeaseBook::apply(const LeaseRecord& entry) {
  std::visit([&](const auto& r) { apply_one(r); }, entry);
}

void LeaseBook::loaded() {
  for (auto [id, lease] : leases_)
    if (lease.phase == Phase::Running) look_at(end_mono(lease), id, lease);
}

void LeaseBook::apply_one(const LeaseReserved& r) {
  if (find(r.lease) != nullptr) apply_one(LeaseForgotten{r.lease});  // void: the same request again
  Lease lease;
  lease.terms = r;
  allocator_.take(r.lease, r.tier, r.number, host_ports(r.ssh_port, r.ports));
  numbers_.add(r.number, r.owner, r.lease);
  ++unpaid_[r.owner];
  if (!r.workload_id.empty()) workload_ids_.add(r.workload_id, r.owner, r.lease);
  leases_.insert(r.lease, std::move(lease));
}

void LeaseBook::apply_one(const LeasePortsMoved& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Creating);
  allocator_.move_ports(r.lease, host_ports(r.ssh_port, r.ports));
  l.terms.ssh_port = r.ssh_port;
  l.terms.ports = r.ports;
}

void LeaseBook::apply_one(const LeasePlaced& r) {
  Lease& l = leases_.at(r.lease);
  l.node = r.node;
  l.address = r.address;
}

void LeaseBook::apply_one(const LeaseVoided& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Reserved);
  leave_reserved(l);
  l.phase = Phase::Void;
  l.over_at = r.at;
  allocator_.release(r.lease);
  forgettable_.emplace(r.at, r.lease);
}

void LeaseBook::apply_one(const LeasePaid& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Reserved);
  leave_reserved(l);
  l.phase = Phase::Creating;
  newest_[l.terms.owner] = r.lease;
  l.bought = r.bought;
  l.paid = r.lot.msat;
  l.credit = r.credit;
  l.lots.push_back(r.lot);
  Totals& t = totals_[{r.lot.mint, r.lot.unit}];
  t.redeemed += r.lot.msat;
  t.open += r.lot.msat;
}

void LeaseBook::apply_one(const LeaseStarted& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Creating);
  l.phase = Phase::Running;
  l.anchor = r.at;
  l.last_sight = r.at;
  l.started_at = r.at.wall;
  l.serves_ssh = r.serves_ssh;
  look_at(end_mono(l), r.lease, l);
}

void LeaseBook::apply_one(const LeasesSighted& r) {
  for (const LeaseId& id : r.leases)
    if (Lease* l = find_mutable(id); l != nullptr && l->phase == Phase::Running)
      l->last_sight = r.at;
}

void LeaseBook::apply_one(const LeaseDown& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Running && r.used >= l.used);
  l.phase = Phase::Down;
  l.used = r.used;
  l.down_since = r.since;
  l.own_exit = r.own_exit;
  look_no_more(r.lease, l);
}

void LeaseBook::apply_one(const LeaseUp& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Down);
  l.phase = Phase::Running;
  l.used += micros(r.charged_backoff);
  l.anchor = r.at;
  l.last_sight = r.at;
  look_at(end_mono(l), r.lease, l);
}

void LeaseBook::apply_one(const LeaseExtended& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Creating || l.phase == Phase::Running || l.phase == Phase::Down);
  l.bought += r.bought;
  l.paid += r.lot.msat;
  l.credit = r.credit;
  l.lots.push_back(r.lot);
  Totals& t = totals_[{r.lot.mint, r.lot.unit}];
  t.redeemed += r.lot.msat;
  t.open += r.lot.msat;
  if (l.phase == Phase::Running) look_at(end_mono(l), r.lease, l);
}

void LeaseBook::apply_one(const LeaseEnding& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Creating || l.phase == Phase::Running || l.phase == Phase::Down);
  l.settle_floor =
      std::min(l.phase == Phase::Running ? used_until(l, last_seen(l).mono) : r.used, r.used);
  l.ending_at = r.at;
  l.phase = Phase::Ending;
  l.end_reason = r.reason;
  l.used = r.used;
  look_no_more(r.lease, l);
}

void LeaseBook::apply_one(const LeaseEnded& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Ending);
  PG_CHECK(r.consumed + r.claimed + r.kept == l.paid);
  take_lots(l, r);
  l.phase = Phase::Ended;
  l.credit = Msat{0};
  l.lots.clear();
  l.statement = r;
  l.over_at = r.at;
  ++jobs_completed_;
  if (r.held_until > r.at)
    held_.emplace(r.held_until, r.lease);
  else
    allocator_.release(r.lease);
  forgettable_.emplace(r.at, r.lease);
}

// Books what the lease's lots became. Claims are booked by their own records.
void LeaseBook::take_lots(Lease& lease, const LeaseEnded& ended) {
  Msat to_consume = ended.consumed;
  for (const Lot& lot : lease.lots) {
    Totals& t = totals_[{lot.mint, lot.unit}];
    const Msat part = std::min(to_consume, lot.msat);
    to_consume -= part;
    const Msat rest = lot.msat - part;
    t.open -= lot.msat;
    t.consumed += part;
    if (rest < kClaimMin) t.kept += rest;
  }
}

void LeaseBook::apply_one(const LeaseForgotten& r) {
  const Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Ended || l.phase == Phase::Void);
  PG_CHECK(forgettable_.erase({l.over_at, r.lease}) == 1);
  if (l.statement && held_.erase({l.statement->held_until, r.lease}) == 1)
    allocator_.release(r.lease);
  numbers_.erase(l.terms.number, l.terms.owner, r.lease);
  workload_ids_.erase(l.terms.workload_id, l.terms.owner, r.lease);
  const auto newest = newest_.find(l.terms.owner);
  if (newest != newest_.end() && newest->second == r.lease) newest_.erase(newest);
  leases_.erase(r.lease);
}

void LeaseBook::apply_one(const ClaimOwed& r) {
  claims_.apply(r);
  Totals& t = totals_[{r.lot.mint, r.lot.unit}];
  if (!r.lease) t.redeemed += r.lot.msat;
  t.claims += r.lot.msat;
}

void LeaseBook::apply_one(const DustKept& r) {
  Totals& t = totals_[{r.lot.mint, r.lot.unit}];
  t.redeemed += r.lot.msat;
  t.kept += r.lot.msat;
}

void LeaseBook::apply_one(const LeaseCancelled& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Reserved);
  l.cancelled = true;
}

void LeaseBook::apply_one(const LeaseSettled& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Ending && r.used <= l.used && r.used >= Micros{0});
  l.used = r.used;
}

void LeaseBook::apply_one(const LeaseCleared& r) {
  const Lease& l = leases_.at(r.lease);
  PG_CHECK(l.statement && held_.erase({l.statement->held_until, r.lease}) == 1);
  allocator_.release(r.lease);
}

Totals& LeaseBook::totals_of(const ClaimId& claim) {
  const ClaimEntry* entry = claims_.find(claim);
  PG_CHECK(entry != nullptr);
  return totals_[{entry->owed.lot.mint, entry->owed.lot.unit}];
}

void LeaseBook::apply_one(const ClaimPaid& r) {
  claims_.apply(r);
  Totals& t = totals_of(r.claim);
  t.claims -= r.kept;
  t.kept += r.kept;
  t.paid += r.face + r.fee;
  t.given += r.face;
}

void LeaseBook::apply_one(const ClaimKept& r) {
  claims_.apply(r);
  Totals& t = totals_of(r.claim);
  const Msat all = claims_.find(r.claim)->owed.lot.msat;
  t.claims -= all;
  t.kept += all;
}

void LeaseBook::apply_one(const ClaimRedeemed& r) { claims_.apply(r); }
void LeaseBook::apply_one(const ClaimForgotten& r) { claims_.apply(r); }

void LeaseBook::apply_one(const WithdrawalOpened& r) {
  withdrawals_.apply(r);
  totals_[{r.lot.mint, r.lot.unit}].withdrawing += r.lot.msat;
}

void LeaseBook::apply_one(const WithdrawalPaid& r) {
  withdrawals_.apply(r);
  const Lot& lot = withdrawals_.find(r.withdrawal)->opened.lot;
  Totals& t = totals_[{lot.mint, lot.unit}];
  t.withdrawing -= lot.msat;
  t.withdrawn += r.face;
}

void LeaseBook::apply_one(const InvoiceSettled& r) {
  withdrawals_.apply(r);
  const Lot& lot = withdrawals_.find(r.withdrawal)->opened.lot;
  Totals& t = totals_[{lot.mint, lot.unit}];
  t.withdrawing -= lot.msat;
  t.withdrawn += r.amount;
}

void LeaseBook::apply_one(const WithdrawalDropped& r) {
  withdrawals_.apply(r);
  const Lot& lot = withdrawals_.find(r.withdrawal)->opened.lot;
  totals_[{lot.mint, lot.unit}].withdrawing -= lot.msat;
}

// --- questions ---------------------------------------------------------------------------------

const Lease* LeaseBook::find(const LeaseId& lease) const { return leases_.find(lease); }

Lease* LeaseBook::find_mutable(const LeaseId& lease) { return leases_.find(lease); }

const Lease* LeaseBook::find(const std::optional<LeaseId>& lease) const {
  return lease ? find(*lease) : nullptr;
}

const Lease* LeaseBook::by_number(uint32_t number, const PubKey& owner) const {
  return find(numbers_.find(number, owner));
}

const Lease* LeaseBook::newest_of(const PubKey& owner) const {
  const auto it = newest_.find(owner);
  return it == newest_.end() ? nullptr : find(it->second);
}

const Lease* LeaseBook::by_workload_id(const std::string& workload_id, const PubKey& owner) const {
  return find(workload_ids_.find(workload_id, owner));
}

const Lease* LeaseBook::by_workload_id(const std::string& workload_id) const {
  return find(workload_ids_.newest(workload_id));
}

size_t LeaseBook::unpaid_of(const PubKey& owner) const {
  const auto it = unpaid_.find(owner);
  return it == unpaid_.end() ? 0 : it->second;
}

void LeaseBook::leave_reserved(const Lease& lease) {
  const auto it = unpaid_.find(lease.terms.owner);
  PG_CHECK(it != unpaid_.end() && it->second > 0);
  if (--it->second == 0) unpaid_.erase(it);
}

Msat LeaseBook::liabilities(const MintUnit& purse) const {
  const auto it = totals_.find(purse);
  if (it == totals_.end()) return Msat{0};
  return it->second.open + (it->second.claims - it->second.paid);
}

size_t LeaseBook::obligations(const MintUnit& purse) const {
  const auto is_here = [&](const Lot& lot) { return MintUnit{lot.mint, lot.unit} == purse; };
  size_t count = 0;
  for (const auto [id, l] : leases_) count += std::ranges::any_of(l.lots, is_here) ? 1 : 0;
  for (const ClaimId& claim : claims_.owed())
    count += is_here(claims_.find(claim)->owed.lot) ? 1 : 0;
  return count;
}

void LeaseBook::check_invariants() const {
  std::map<MintUnit, Msat> open;
  size_t holding = 0;
  size_t unpaid = 0;
  size_t over = 0;
  size_t running = 0;
  for (const auto [id, l] : leases_) {
    PG_CHECK(l.terms.lease == id);
    PG_CHECK(l.used >= Micros{0});
    unpaid += l.phase == Phase::Reserved;
    over += l.phase == Phase::Ended || l.phase == Phase::Void;
    holding += l.phase != Phase::Ended && l.phase != Phase::Void;
    holding += l.statement && held_.contains({l.statement->held_until, id});
    PG_CHECK((l.phase == Phase::Running) == l.next_look.has_value());
    running += l.next_look.has_value();
    PG_CHECK(!l.next_look || looks_.contains({*l.next_look, id}));
    Msat lots;
    for (const Lot& lot : l.lots) {
      open[{lot.mint, lot.unit}] += lot.msat;
      lots += lot.msat;
    }
    PG_CHECK(l.phase == Phase::Ended || lots == l.paid);
    PG_CHECK(l.settle_floor >= Micros{0});
    if (l.phase == Phase::Creating || l.phase == Phase::Running || l.phase == Phase::Down)
      PG_CHECK(price_of(l.bought, l.terms.tier.rate_per_second).value() + l.credit == l.paid);
  }
  PG_CHECK(running == looks_.size());
  PG_CHECK(holding == allocator_.size());
  PG_CHECK(over == forgettable_.size());
  for (const auto& [owner, count] : unpaid_) unpaid -= count;
  PG_CHECK(unpaid == 0);
  claims_.check_invariants();
  std::map<MintUnit, Msat> owed;
  for (const ClaimId& claim : claims_.owed()) {
    const Lot& lot = claims_.find(claim)->owed.lot;
    owed[{lot.mint, lot.unit}] += lot.msat;
  }
  withdrawals_.check_invariants();
  std::map<MintUnit, Msat> withdrawing;
  for (const ClaimId& id : withdrawals_.open()) {
    const Lot& lot = withdrawals_.find(id)->opened.lot;
    withdrawing[{lot.mint, lot.unit}] += lot.msat;
  }
  for (const auto& [key, t] : totals_) {
    PG_CHECK(t.withdrawing == (withdrawing.contains(key) ? withdrawing.at(key) : Msat{0}));
    PG_CHECK(t.claims == t.paid + (owed.contains(key) ? owed.at(key) : Msat{0}));
    PG_CHECK(t.redeemed == t.consumed + t.claims + t.kept + t.open);
    PG_CHECK(t.open == (open.contains(key) ? open.at(key) : Msat{0}));
  }
}

}  // namespace paygress::lease
