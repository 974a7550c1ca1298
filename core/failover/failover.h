// Who may run a warm-standby workload (design: docs/failover.md). Decides WHETHER a workload may
// run on this provider; core/workload makes it so. Knows no money, no engine and no socket.
//
// Use: construct, apply() every durable record in order, recover() once, then handle_* for what
// happens and handle_timer whenever next_deadline() has come. Every call appends to the Step given
// to it: make its records durable as one batch, THEN carry out its outputs in order. Calls apply
// their own records themselves.
//
// One Failover has one Replica for each warm-standby lease of this provider, and one Pulse, which
// sends one heartbeat for all of them. It is the provider's ONLY source of heartbeats: one that did
// not name what is held would replace one that does. It beats with no leases too.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/failover/memory.h"
#include "core/failover/outputs.h"
#include "core/failover/policy.h"
#include "core/market/wire_types.h"

namespace paygress::failover {

// A heartbeat names every hold, and no list of a message is longer.
inline constexpr size_t kReplicasMax = market::kListMax;

// Where a replica stands.
//   Recovering   after a restart: may the workload go on? (rule 8)
//   Unarmed      never heard of the holder
//   Armed        behind a holder, or fenced and in line
//   Doubting     the holder is silent; a query is out
//   Claiming     the claim is out, its write quorum is not complete
//   Reading      the claim is published; reading again, or waiting for a rival
//   Promoting    the promotion is out, its write quorum is not complete
//   Withdrawing  a claim or promotion is being withdrawn to a write quorum
//   Holding      may run, and does, or is about to
//   Fencing      must not run; not confirmed yet
//   Leaving      the lease is over: its copy is being removed, or its last epoch being revoked
enum class Phase : uint8_t {
  Recovering,
  Unarmed,
  Armed,
  Doubting,
  Claiming,
  Reading,
  Promoting,
  Withdrawing,
  Holding,
  Fencing,
  Leaving
};
BOOST_DESCRIBE_ENUM(Phase, Recovering, Unarmed, Armed, Doubting, Claiming, Reading, Promoting,
                    Withdrawing, Holding, Fencing, Leaving)
std::string_view to_text(Phase phase);

// For status, doctor, the simulator's auditor and tests.
struct ReplicaStatus {
  Phase phase = Phase::Unarmed;
  uint64_t epoch = 0;               // ours from Promoting to Fencing; else the highest seen
  std::optional<PubKey> holder;     // as far as we know; nothing: nobody, or not known
  bool fenced = false;              // held an epoch that ended, and nobody else promoted since
  bool superseded = false;          // held an epoch that ended, and somebody else promoted since
  std::optional<Micros> fenced_at;  // Holding: may run until then
  Guarantee guarantee = Guarantee::Fenced;
};

// In one word: the phase, or "fenced" for who stopped its copy and is not followed yet.
std::string_view state_text(const ReplicaStatus& status);

class Failover {
 public:
  // `beat_every`: between two heartbeats while nothing is held; the interval of the lease's profile
  // is kept as well.
  explicit Failover(PubKey self, Micros beat_every, RulePolicy policy = {});
  ~Failover();
  Failover(const Failover&) = delete;
  Failover& operator=(const Failover&) = delete;

  // The only function that changes durable state, live and at recovery alike.
  void apply(const FailoverRecord& record);
  // What apply() made of the records since the ledger began, and instead of applying them.
  Memory memory() const;
  void remember(const Memory& memory);
  // Once, after the fold. Until the engine, the guard and the relays have spoken nothing is started
  // and no deadline is extended.
  void recover(Now now, Step& out);

  // A confirmed, paid reservation. Error, and nothing happened: the terms are refused
  // (check_terms), they name another key than ours at our rank, the lease or the workload is known
  // already, or there are kReplicasMax replicas.
  Result<void> join(Now now, const LeaseId& lease, const Terms& terms, Step& out);
  // The lease is over: whoever calls this removes the workload, and says Absent when it is gone.
  // Nothing is started, claimed or said to be held from here on. An epoch of ours is revoked after
  // that word, until a write quorum has it (or for kRevokedFor); only then is the lease forgotten.
  // Ignored for a lease that is unknown, or left already.
  void leave(Now now, const LeaseId& lease, Step& out);

  // Events that concern no replica are ignored, our own too.
  void handle_heard(Now now, const Heard& heard, Step& out);
  // Since when the lease's subscription on that relay has been healthy without interruption: EOSE
  // of a query that also returns stored events, and pings every D answered within D. Nothing: it
  // is not. Told on every change.
  void handle_unbroken(Now now, const LeaseId& lease, RelayNo relay, std::optional<Micros> since,
                       Step& out);
  void handle_ok(Now now, PublishNo id, RelayNo relay, Step& out);
  void handle_echo(Now now, PublishNo id, RelayNo relay, Step& out);
  // Complete: everything stored was read, up to EOSE. Otherwise the relay proves nothing.
  void handle_query_answer(Now now, QueryNo id, RelayNo relay, bool complete, Step& out);
  // `unstopped`: with Running, the engine says that it never stopped since before this process
  // began (rule 8).
  void handle_workload(Now now, const LeaseId& lease, WorkloadNews news, bool unstopped, Step& out);
  // All that the guard holds, of this boot: after recover(), and whenever it is reached again.
  void handle_guard_state(Now now, std::span<const GuardDeadline> held, Step& out);
  void handle_guard_hold(Now now, const GuardDeadline& taken, Step& out);
  void handle_guard_lost(Now now, Step& out);
  void handle_timer(Now now, Step& out);
  // Monotonic; nothing when only an input can change anything.
  std::optional<Micros> next_deadline() const;

  RelayNo relay_no(std::string_view url);
  const std::string& relay_url(RelayNo relay) const;
  // Null for an unknown lease.
  const Terms* terms(const LeaseId& lease) const;
  std::optional<LeaseId> lease_of(std::string_view workload_id) const;
  std::optional<ReplicaStatus> status(const LeaseId& lease) const;
  std::optional<Phase> phase(const LeaseId& lease) const;  // of status(), without the rest
  // Another number whenever phase() says something else than before, of whatever lease.
  uint64_t phase_changes() const;
  // Known, and its lease is not over.
  bool serves(const LeaseId& lease) const;
  std::vector<LeaseId> leases() const;
  // The workload may run at this moment as far as this machine is concerned.
  bool may_run(Now now, const LeaseId& lease) const;
  // All of them. Those of a lease that is told anything are checked at once, always.
  void check_invariants() const;

 private:
  void handle_receipt(Now now, PublishNo id, RelayNo relay, bool echo, Step& out);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace paygress::failover
