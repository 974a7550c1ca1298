#include "core/lease/lease_book.h"

#include <algorithm>

#include "core/crypto/hash.h"

namespace paygress::lease {
namespace {

Now plain(const Instant& i) { return {i.mono, i.wall}; }

// The last moment at which it surely ran. Precondition: Running.
const Instant& last_seen(const Lease& l) {
  const bool later = l.last_sight.boot == l.anchor.boot && l.last_sight.mono > l.anchor.mono;
  return later ? l.last_sight : l.anchor;
}

// Derived, not counted, so that a rolled-back journal makes the same claim again (flaw 15).
ClaimId claim_id(const std::optional<LeaseId>& lease, const OpId& op, std::string_view mint,
                 std::string_view reason) {
  const ByteView owner = lease ? ByteView(lease->bytes) : ByteView(op.bytes);
  const auto digest = crypto::sha256({as_bytes("paygress-claim-v1"), owner, as_bytes(mint),
                                      as_bytes(reason)});
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

void LeaseBook::void_reservation(Now now, const LeaseId& lease, LeaseStep& out) {
  const Lease* l = find(lease);
  if (l != nullptr && l->phase == Phase::Reserved) record(LeaseVoided{lease, now.wall}, out);
}

bool LeaseBook::credit_spawn(Now now, const LeaseId& lease, const OpId& op, const Lot& lot,
                             LeaseStep& out) {
  const Lease* l = find(lease);
  PG_CHECK(l != nullptr && l->terms.op == op);
  const Purchase purchase = buy(lot.msat, l->terms.tier.rate_per_second);
  if (l->phase == Phase::Reserved && purchase.bought >= std::max(l->terms.minimum, Seconds{1})) {
    record(LeasePaid{lease, op, lot, purchase.bought, purchase.credit, now.wall}, out);
    return true;
  }
  const PubKey owner = l->terms.owner;
  const bool late = l->phase != Phase::Reserved;
  void_reservation(now, lease, out);
  credit_nobody(now, op, owner, lot, late ? "paid too late" : "paid too little", out);
  return false;
}

bool LeaseBook::credit_top_up(Now now, const LeaseId& lease, const OpId& op, const Lot& lot,
                              LeaseStep& out) {
  const Lease* l = find(lease);
  PG_CHECK(l != nullptr);
  const bool open = l->phase == Phase::Creating || l->phase == Phase::Running ||
                    l->phase == Phase::Down;
  if (!open) {
    credit_nobody(now, op, l->terms.owner, lot, "top-up of a lease that ended", out);
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

void LeaseBook::on_started(Instant now, const LeaseId& lease, bool serves_ssh, LeaseStep& out) {
  const Lease* l = find(lease);
  if (l == nullptr || l->phase != Phase::Creating) return;
  record(LeaseStarted{lease, now, serves_ssh}, out);
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
  const Lease* l = find(lease);
  if (l == nullptr || l->phase != Phase::Running) return;
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
  record(LeaseDown{lease, used_until(*l, stopped), std::min(*since, now.wall), own_exit}, out);
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

void LeaseBook::on_gone(Instant now, const LeaseId& lease, LeaseStep& out) {
  Lease* l = find_mutable(lease);
  if (l == nullptr || l->phase != Phase::Ending) return;
  const Seconds used = std::min(charged(l->used), l->bought);
  const auto consumed = price_of(used, l->terms.tier.rate_per_second);
  PG_CHECK(consumed && *consumed <= l->paid);
  // Consumed comes from the oldest lots; what is left of each is a claim at its own mint.
  Msat to_consume = *consumed;
  LeaseEnded ended{lease, used, *consumed, Msat{0}, Msat{0}, now.wall};
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
  for (const Lot& lot : claims) owe(plain(now), lease, op, owner, lot, "unused time", out);
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
    next_sight_record_.reset();
    std::erase_if(sighted_, [&](const LeaseId& id) {
      const Lease* l = find(id);
      return l == nullptr || l->phase != Phase::Running;
    });
    for (size_t at = 0; at < sighted_.size(); at += kSightsPerRecordMax) {
      const size_t end = std::min(sighted_.size(), at + kSightsPerRecordMax);
      record(LeasesSighted{{sighted_.begin() + static_cast<ptrdiff_t>(at),
                            sighted_.begin() + static_cast<ptrdiff_t>(end)},
                           now},
             out);
    }
    sighted_.clear();
    while (!forgettable_.empty() &&
           forgettable_.begin()->first + kForgetAfter <= now.wall)
      record(LeaseForgotten{forgettable_.begin()->second}, out);
  }
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

// --- state -------------------------------------------------------------------------------------

void LeaseBook::record(LeaseRecord entry, LeaseStep& out) {
  apply(entry);
  out.records.push_back(std::move(entry));
}

void LeaseBook::apply(const LeaseRecord& entry) {
  std::visit([&](const auto& r) { apply_one(r); }, entry);
}

namespace {
std::vector<uint16_t> host_ports(const std::optional<uint16_t>& ssh,
                                 const std::vector<workload::PublishedPort>& published) {
  std::vector<uint16_t> ports;
  if (ssh) ports.push_back(*ssh);
  for (const auto& p : published) ports.push_back(p.host_port);
  return ports;
}
}  // namespace

bool LeaseBook::move_ports(const LeaseId& id, LeaseStep& out) {
  const Lease* lease = find(id);
  if (lease == nullptr || lease->phase != Phase::Creating) return false;
  LeasePortsMoved moved{id, lease->terms.ssh_port, lease->terms.ports};
  const auto block = allocator_.find_ports(
      static_cast<uint16_t>(moved.ports.size() + (moved.ssh_port ? 1 : 0)));
  if (!block) return false;
  uint16_t port = *block;
  if (moved.ssh_port) moved.ssh_port = port++;
  for (auto& published : moved.ports) published.host_port = port++;
  record(std::move(moved), out);
  return true;
}

void LeaseBook::apply_one(const LeasePortsMoved& r) {
  Lease& l = leases_.at(r.lease);
  PG_CHECK(l.phase == Phase::Creating);
  allocator_.move_ports(r.lease, host_ports(r.ssh_port, r.ports));
  l.terms.ssh_port = r.ssh_port;
  l.terms.ports = r.ports;
}

void LeaseBook::apply_one(const LeaseReserved& r) {
  if (find(r.lease) != nullptr) apply_one(LeaseForgotten{r.lease});  // void: the same request again
  Lease lease;
  lease.terms = r;
  allocator_.take(r.lease, r.tier, r.number, host_ports(r.ssh_port, r.ports));
  numbers_[r.number] = r.lease;
  ++unpaid_[r.owner];
  if (!r.workload_id.empty()) workload_ids_[r.workload_id] = r.lease;
  leases_.insert(r.lease, std::move(lease));
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
  const auto erase_own = [&](auto& names, const auto& name) {
    const auto at = names.find(name);
    if (at != names.end() && at->second == r.lease) names.erase(at);
  };
  erase_own(numbers_, l.terms.number);
  erase_own(newest_, l.terms.owner);
  erase_own(workload_ids_, l.terms.workload_id);
  leases_.erase(r.lease);
}

void LeaseBook::apply_one(const ClaimOwed& r) {
  PG_CHECK(claims_.emplace(r.claim, r).second);
  Totals& t = totals_[{r.lot.mint, r.lot.unit}];
  if (!r.lease) t.redeemed += r.lot.msat;
  t.claims += r.lot.msat;
}

void LeaseBook::apply_one(const DustKept& r) {
  Totals& t = totals_[{r.lot.mint, r.lot.unit}];
  t.redeemed += r.lot.msat;
  t.kept += r.lot.msat;
}

// --- questions ---------------------------------------------------------------------------------

const Lease* LeaseBook::find(const LeaseId& lease) const { return leases_.find(lease); }

Lease* LeaseBook::find_mutable(const LeaseId& lease) { return leases_.find(lease); }

const Lease* LeaseBook::by_number(uint32_t number) const {
  const auto it = numbers_.find(number);
  return it == numbers_.end() ? nullptr : find(it->second);
}

const Lease* LeaseBook::newest_of(const PubKey& owner) const {
  const auto it = newest_.find(owner);
  return it == newest_.end() ? nullptr : find(it->second);
}

const Lease* LeaseBook::by_workload_id(const std::string& workload_id) const {
  const auto it = workload_ids_.find(workload_id);
  return it == workload_ids_.end() ? nullptr : find(it->second);
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

Msat LeaseBook::claimed_for(const OpId& op) const {
  Msat sum;
  for (const auto& [id, claim] : claims_)
    if (claim.op == op) sum += claim.lot.msat;
  return sum;
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
    PG_CHECK((l.phase == Phase::Running) == l.next_look.has_value());
    running += l.next_look.has_value();
    PG_CHECK(!l.next_look || looks_.contains({*l.next_look, id}));
    Msat lots;
    for (const Lot& lot : l.lots) {
      open[{lot.mint, lot.unit}] += lot.msat;
      lots += lot.msat;
    }
    PG_CHECK(l.phase == Phase::Ended || lots == l.paid);
    if (l.phase == Phase::Creating || l.phase == Phase::Running || l.phase == Phase::Down)
      PG_CHECK(price_of(l.bought, l.terms.tier.rate_per_second).value() + l.credit == l.paid);
  }
  PG_CHECK(running == looks_.size());
  PG_CHECK(holding == allocator_.size());
  PG_CHECK(over == forgettable_.size());
  for (const auto& [owner, count] : unpaid_) unpaid -= count;
  PG_CHECK(unpaid == 0);
  for (const auto& [key, t] : totals_) {
    PG_CHECK(t.redeemed == t.consumed + t.claims + t.kept + t.open);
    PG_CHECK(t.open == (open.contains(key) ? open.at(key) : Msat{0}));
  }
}

}  // namespace paygress::lease
