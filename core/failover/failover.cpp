#include "core/failover/failover.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/lookup.h"
#include "core/failover/pulse.h"
#include "core/failover/replica.h"

namespace paygress::failover {

std::string_view to_text(Phase phase) {
  switch (phase) {
    case Phase::Recovering: return "recovering";
    case Phase::Unarmed: return "unarmed";
    case Phase::Armed: return "armed";
    case Phase::Doubting: return "doubting";
    case Phase::Claiming: return "claiming";
    case Phase::Reading: return "reading";
    case Phase::Promoting: return "promoting";
    case Phase::Withdrawing: return "withdrawing";
    case Phase::Holding: return "holding";
    case Phase::Fencing: return "fencing";
    case Phase::Leaving: return "leaving";
  }
  return {};
}

std::string_view state_text(const ReplicaStatus& status) {
  return status.fenced ? "fenced" : to_text(status.phase);
}

struct Failover::State {
  using Ranks = std::vector<std::pair<LeaseId, uint32_t>>;  // of a member; by lease
  struct Entry {
    std::unique_ptr<Replica> replica;
    std::vector<RelayNo> relays;  // in the order of the terms
    std::optional<Micros> wake;   // as it stands in `due`
    std::optional<Phase> phase;   // as it was counted
  };

  Context context;
  Pulse pulse;
  bool running = false;
  std::map<LeaseId, Entry> entries;
  Pulse::HeldBy beating;                   // the same replicas, for the pulse
  LookupMap<PubKey, Ranks, IdHash> ranks;  // other members
  std::map<std::string, LeaseId, std::less<>> workloads;
  std::set<std::pair<Micros, LeaseId>> due;
  std::map<PublishNo, LeaseId> publishes;
  std::map<QueryNo, LeaseId> queries;  // the newest of each lease
  uint64_t phase_changes = 0;
  std::vector<std::string> relay_urls;
  std::map<std::string, RelayNo, std::less<>> relay_numbers;

  State(PubKey self, Micros beat_every, RulePolicy policy)
      : context{self, policy, 1, 1, false, {}, {}, {}}, pulse(context, beat_every) {}

  RelayNo relay_no(std::string_view url);
  void add(const LeaseId& lease, const Terms& terms);
  void remove(const LeaseId& lease);
  // `lease`'s replica was told something: index what was published, and when it wants to be called.
  // Nothing gets by this, so its invariants are checked here.
  void reindex(const LeaseId& lease, Entry& entry);
  void reindex_all();
  void finish(Now now, Step& out);
  template <class F>
  void with(Now now, LeaseId lease, Step& out, F tell);  // a copy: the indices may lose theirs
  void remove_left(const LeaseId& lease, Step& out);
};

Failover::Failover(PubKey self, Micros beat_every, RulePolicy policy)
    : state_(std::make_unique<State>(self, beat_every, policy)) {}
Failover::~Failover() = default;

// --- the replicas --------------------------------------------------------------------------------

RelayNo Failover::State::relay_no(std::string_view url) {
  if (const auto it = relay_numbers.find(url); it != relay_numbers.end()) return it->second;
  const RelayNo number{static_cast<uint32_t>(relay_urls.size())};
  relay_urls.emplace_back(url);
  relay_numbers.emplace(std::string(url), number);
  return number;
}

void Failover::State::add(const LeaseId& lease, const Terms& terms) {
  Entry entry;
  entry.replica = std::make_unique<Replica>(context, lease, terms);
  for (const std::string& url : terms.relays) entry.relays.push_back(relay_no(url));
  const auto [it, added] = entries.emplace(lease, std::move(entry));
  PG_CHECK(added);
  beating[lease] = {it->second.replica.get(), &it->second.relays};
  workloads.emplace(terms.workload_id, lease);
  for (uint32_t rank = 0; rank < terms.members.size(); ++rank)
    if (rank != terms.rank) {
      Ranks& there = ranks[terms.members[rank].key];
      const std::pair here{lease, rank};
      there.insert(std::ranges::upper_bound(there, here), here);
    }
}

void Failover::State::remove(const LeaseId& lease) {
  const auto it = entries.find(lease);
  PG_CHECK(it != entries.end());
  const Terms& terms = it->second.replica->terms();
  for (const Member& member : terms.members) {
    Ranks* known = ranks.find(member.key);
    if (known == nullptr) continue;
    std::erase_if(*known, [&](const auto& entry) { return entry.first == lease; });
    if (known->empty()) ranks.erase(member.key);
  }
  workloads.erase(terms.workload_id);
  if (it->second.wake) due.erase({*it->second.wake, lease});
  beating.erase(lease);
  std::erase_if(publishes, [&](const auto& publish) { return publish.second == lease; });
  std::erase_if(queries, [&](const auto& query) { return query.second == lease; });
  entries.erase(it);
  ++phase_changes;
}

void Failover::State::reindex(const LeaseId& lease, Entry& entry) {
  for (const auto& [id, publisher] : context.published) publishes.emplace(id, publisher);
  for (const PublishNo id : context.forgotten) publishes.erase(id);
  for (const auto& [id, reader] : context.queried) {
    std::erase_if(queries, [&](const auto& query) { return query.second == reader; });
    queries.emplace(id, reader);
  }
  context.published.clear();
  context.forgotten.clear();
  context.queried.clear();
  entry.replica->check_invariants();
  if (entry.phase != entry.replica->phase()) ++phase_changes;
  entry.phase = entry.replica->phase();
  const std::optional<Micros> wake = entry.replica->wake();
  if (wake == entry.wake) return;
  if (entry.wake) due.erase({*entry.wake, lease});
  if (wake) due.emplace(*wake, lease);
  entry.wake = wake;
}

void Failover::State::reindex_all() {
  for (auto& [lease, entry] : entries) reindex(lease, entry);
}

void Failover::State::finish(Now now, Step& out) {
  if (context.beat_now && pulse.handle_timer(now, beating, out)) reindex_all();
}

template <class F>
void Failover::State::with(Now now, LeaseId lease, Step& out, F tell) {
  PG_CHECK(running);
  const auto it = entries.find(lease);
  if (it == entries.end()) return;
  tell(*it->second.replica);
  reindex(lease, it->second);
  if (it->second.replica->left()) remove_left(lease, out);
  finish(now, out);
}

void Failover::State::remove_left(const LeaseId& lease, Step& out) {
  Entry& entry = entries.at(lease);
  entry.replica->end(out);
  reindex(lease, entry);
  remove(lease);
  out.records.push_back(Left{lease});
}

// --- records -------------------------------------------------------------------------------------

void Failover::apply(const FailoverRecord& record) {
  const LeaseId lease = failover::lease_of(record);
  if (const auto* joined = std::get_if<Joined>(&record)) {
    state_->add(lease, joined->terms);
  } else if (std::holds_alternative<Left>(record)) {
    state_->remove(lease);
  } else {
    const auto it = state_->entries.find(lease);
    PG_CHECK(it != state_->entries.end());
    it->second.replica->apply(record);
  }
}

Memory Failover::memory() const {
  Memory memory;
  memory.relays = state_->relay_urls;
  memory.workloads.insert(state_->workloads.begin(), state_->workloads.end());
  for (const auto& [lease, entry] : state_->entries)
    memory.leases.emplace(lease, entry.replica->remembered());
  return memory;
}

void Failover::remember(const Memory& memory) {
  PG_CHECK(!state_->running && state_->entries.empty());
  for (const std::string& url : memory.relays) state_->relay_no(url);  // the same numbers again
  for (const auto& [lease, remembered] : memory.leases) {
    state_->add(lease, remembered.terms);
    state_->entries.at(lease).replica->remember(remembered);
  }
  state_->workloads.clear();
  state_->workloads.insert(memory.workloads.begin(), memory.workloads.end());
}

void Failover::recover(Now now, Step& out) {
  PG_CHECK(!state_->running);
  state_->running = true;
  state_->pulse.start(now);
  for (auto& [lease, entry] : state_->entries) {
    entry.replica->begin_recovered(now, out);
    state_->reindex(lease, entry);
  }
  for (const LeaseId& lease : leases())
    if (state_->entries.at(lease).replica->left()) state_->remove_left(lease, out);
  handle_timer(now, out);
}

Result<void> Failover::join(Now now, const LeaseId& lease, const Terms& terms, Step& out) {
  PG_CHECK(state_->running);
  if (auto ok = check_terms(terms); !ok) return ok;
  if (terms.members[terms.rank].key != state_->context.self)
    return fail("is another provider's", "rank");
  if (state_->entries.contains(lease)) return fail("the lease is known already");
  if (state_->workloads.contains(terms.workload_id))
    return fail("the workload is known already", "workload_id");
  if (state_->entries.size() >= kReplicasMax)
    return fail("this provider serves no more warm-standby workloads");
  const FailoverRecord record = Joined{lease, terms};
  apply(record);
  out.records.push_back(record);
  state_->with(now, lease, out, [&](Replica& r) { r.begin_joined(now, out); });
  return {};
}

void Failover::leave(Now now, const LeaseId& lease, Step& out) {
  if (serves(lease)) state_->with(now, lease, out, [&](Replica& r) { r.leave(now, out); });
}

// --- inputs --------------------------------------------------------------------------------------

void Failover::handle_heard(Now now, const Heard& heard, Step& out) {
  PG_CHECK(state_->running);
  const State::Ranks* known = state_->ranks.find(heard.author);
  if (known == nullptr) return;
  const auto hear = [&](const LeaseId& lease, uint32_t rank) {
    state_->with(now, lease, out, [&](Replica& r) { r.hear(now, rank, heard, out); });
  };
  if (std::holds_alternative<market::Heartbeat>(heard.message)) {
    const State::Ranks everywhere = *known;  // who is told may leave
    for (const auto& [lease, rank] : everywhere) hear(lease, rank);
    return;
  }
  const std::string* workload = nullptr;
  if (const auto* claim = std::get_if<market::Claim>(&heard.message))
    workload = &claim->workload_id;
  else if (const auto* promotion = std::get_if<market::Promotion>(&heard.message))
    workload = &promotion->workload_id;
  else
    workload = &std::get<market::Revocation>(heard.message).workload_id;
  const auto lease = state_->workloads.find(*workload);
  if (lease == state_->workloads.end()) return;
  const auto rank = std::ranges::find(*known, lease->second, &State::Ranks::value_type::first);
  if (rank != known->end()) hear(rank->first, rank->second);
}

namespace {

std::optional<size_t> place_of(const std::vector<RelayNo>& relays, RelayNo relay) {
  for (size_t i = 0; i < relays.size(); ++i)
    if (relays[i] == relay) return i;
  return std::nullopt;
}

}  // namespace

void Failover::handle_unbroken(Now now, const LeaseId& lease, RelayNo relay,
                               std::optional<Micros> since, Step& out) {
  const auto it = state_->entries.find(lease);
  if (it == state_->entries.end()) return;
  const auto place = place_of(it->second.relays, relay);
  if (!place) return;
  state_->with(now, lease, out, [&](Replica& r) { r.set_unbroken(now, *place, since, out); });
}

void Failover::handle_receipt(Now now, PublishNo id, RelayNo relay, bool echo, Step& out) {
  PG_CHECK(state_->running);
  const auto receipt = state_->pulse.receipt(now, id, relay, echo, state_->beating, out);
  if (receipt == Pulse::Receipt::Counted) state_->reindex_all();
  if (receipt != Pulse::Receipt::Unknown) return state_->finish(now, out);
  const auto it = state_->publishes.find(id);
  if (it == state_->publishes.end()) return;
  const LeaseId lease = it->second;
  const auto place = place_of(state_->entries.at(lease).relays, relay);
  if (!place) return;
  state_->with(now, lease, out, [&](Replica& r) { r.receipt(now, id, *place, echo, out); });
}

void Failover::handle_ok(Now now, PublishNo id, RelayNo relay, Step& out) {
  handle_receipt(now, id, relay, false, out);
}

void Failover::handle_echo(Now now, PublishNo id, RelayNo relay, Step& out) {
  handle_receipt(now, id, relay, true, out);
}

void Failover::handle_query_answer(Now now, QueryNo id, RelayNo relay, bool complete, Step& out) {
  const auto it = state_->queries.find(id);
  if (it == state_->queries.end()) return;
  const LeaseId lease = it->second;
  const auto place = place_of(state_->entries.at(lease).relays, relay);
  if (!place) return;
  state_->with(now, lease, out,
               [&](Replica& r) { r.query_answer(now, id, *place, complete, out); });
}

void Failover::handle_workload(Now now, const LeaseId& lease, WorkloadNews news, bool unstopped,
                               Step& out) {
  state_->with(now, lease, out, [&](Replica& r) { r.workload(now, news, unstopped, out); });
}

void Failover::handle_guard_state(Now now, std::span<const GuardDeadline> held, Step& out) {
  std::map<LeaseId, Micros> deadlines;
  for (const GuardDeadline& entry : held) deadlines[entry.lease] = entry.deadline;
  for (const LeaseId& lease : leases()) {
    const auto it = deadlines.find(lease);
    const auto deadline = it == deadlines.end() ? std::nullopt : std::optional(it->second);
    state_->with(now, lease, out, [&](Replica& r) { r.guard_state(now, deadline, out); });
  }
}

void Failover::handle_guard_hold(Now now, const GuardDeadline& taken, Step& out) {
  state_->with(now, taken.lease, out, [&](Replica& r) { r.guard_hold(now, taken.deadline, out); });
}

void Failover::handle_guard_lost(Now now, Step& out) {
  for (const LeaseId& lease : leases())
    state_->with(now, lease, out, [&](Replica& r) { r.guard_lost(); });
}

void Failover::handle_timer(Now now, Step& out) {
  PG_CHECK(state_->running);
  while (!state_->due.empty() && state_->due.begin()->first <= now.mono) {
    const LeaseId lease = state_->due.begin()->second;
    state_->with(now, lease, out, [&](Replica& r) { r.timer(now, out); });
    const auto entry = state_->entries.find(lease);
    PG_CHECK(entry == state_->entries.end() || !entry->second.wake ||
             *entry->second.wake > now.mono);
  }
  if (state_->pulse.handle_timer(now, state_->beating, out)) state_->reindex_all();
}

std::optional<Micros> Failover::next_deadline() const {
  std::optional<Micros> next = state_->pulse.next_deadline();
  if (!state_->due.empty() && (!next || state_->due.begin()->first < *next))
    next = state_->due.begin()->first;
  return next;
}

// --- to be looked at -----------------------------------------------------------------------------

RelayNo Failover::relay_no(std::string_view url) { return state_->relay_no(url); }

const std::string& Failover::relay_url(RelayNo relay) const {
  return state_->relay_urls.at(relay.value);
}

const Terms* Failover::terms(const LeaseId& lease) const {
  const auto it = state_->entries.find(lease);
  return it == state_->entries.end() ? nullptr : &it->second.replica->terms();
}

std::optional<LeaseId> Failover::lease_of(std::string_view workload_id) const {
  const auto it = state_->workloads.find(workload_id);
  return it == state_->workloads.end() ? std::nullopt : std::optional(it->second);
}

std::optional<ReplicaStatus> Failover::status(const LeaseId& lease) const {
  const auto it = state_->entries.find(lease);
  if (it == state_->entries.end()) return std::nullopt;
  return it->second.replica->status();
}

std::optional<Phase> Failover::phase(const LeaseId& lease) const {
  const auto it = state_->entries.find(lease);
  if (it == state_->entries.end()) return std::nullopt;
  return it->second.replica->phase();
}

uint64_t Failover::phase_changes() const { return state_->phase_changes; }

bool Failover::serves(const LeaseId& lease) const {
  const auto it = state_->entries.find(lease);
  return it != state_->entries.end() && !it->second.replica->leaving();
}

std::vector<LeaseId> Failover::leases() const {
  std::vector<LeaseId> all;
  for (const auto& [lease, entry] : state_->entries) all.push_back(lease);
  return all;
}

bool Failover::may_run(Now now, const LeaseId& lease) const {
  const auto it = state_->entries.find(lease);
  return it != state_->entries.end() && it->second.replica->may_run(now);
}

void Failover::check_invariants() const {
  PG_CHECK(state_->entries.size() == state_->beating.size());
  PG_CHECK(state_->entries.size() == state_->workloads.size());
  for (const auto& [lease, entry] : state_->entries) {
    entry.replica->check_invariants();
    PG_CHECK(!state_->running || entry.replica->wake() == entry.wake);
    PG_CHECK(!state_->running || entry.replica->phase() == entry.phase);
  }
  state_->pulse.check_invariants();
}

}  // namespace paygress::failover
