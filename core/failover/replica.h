// One warm-standby workload on this provider: the machine of failover.md's rules. Private to
// core/failover; see failover.h for the contract and for the meaning of the phases.
//
// Every input ends in settle(), which moves the phase as far as it goes and notes when to look
// again. The rules stand in three files: replica.cpp (what is told), replica_hold.cpp (rules 1 to
// 8, 17, 18: running, fencing, restart), replica_claim.cpp (rules 10, 11, 13 to 16: taking over).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/failover/evidence.h"
#include "core/failover/failover.h"
#include "core/failover/member_book.h"

namespace paygress::failover {

// Promotions and revocations are said again so often, because relays forget. Not with every
// heartbeat: each event of ours has a later timestamp than the one before, and where heartbeats are
// a second apart these would run ahead of the clock.
inline constexpr Micros kSaidAgain = 60'000_ms;
// So long is the revocation of a lease that is over said to relays that do not take it. Standbys
// that cannot read it find the silence instead.
inline constexpr Micros kRevokedFor = 3'600'000_ms;

// What all replicas of one provider share.
struct Context {
  PubKey self;
  RulePolicy policy;
  uint64_t next_publish = 1;
  uint64_t next_query = 1;
  bool beat_now = false;                                 // something new is held: say so soon
  std::vector<std::pair<PublishNo, LeaseId>> published;  // since these were last indexed
  std::vector<PublishNo> forgotten;
  std::vector<std::pair<QueryNo, LeaseId>> queried;
};

class Replica {
 public:
  Replica(Context& context, const LeaseId& lease, Terms terms);
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  void apply(const FailoverRecord& record);
  Remembered remembered() const;
  // Instead of apply(), of one with these terms.
  void remember(const Remembered& memory);

  // Exactly one of these, once, before anything else.
  void begin_joined(Now now, Step& out);
  void begin_recovered(Now now, Step& out);

  void hear(Now now, uint32_t rank, const Heard& heard, Step& out);
  void set_unbroken(Now now, size_t relay, std::optional<Micros> since, Step& out);
  void receipt(Now now, PublishNo id, size_t relay, bool echo, Step& out);
  void query_answer(Now now, QueryNo id, size_t relay, bool complete, Step& out);
  void workload(Now now, WorkloadNews news, bool unstopped, Step& out);
  // Nothing: the guard holds no deadline for this lease.
  void guard_state(Now now, std::optional<Micros> deadline, Step& out);
  void guard_hold(Now now, Micros deadline, Step& out);
  void guard_lost();
  // Of heartbeats that name this workload at `epoch`.
  void beat_sent(Now now, uint64_t epoch, Step& out);
  void beat_counted(Now now, Micros sent, uint64_t epoch, Step& out);
  void timer(Now now, Step& out) { settle(now, out); }
  // The lease is over. Once, and then nothing is left to be done when left() says so: end() takes
  // back what was asked for.
  void leave(Now now, Step& out);
  bool leaving() const { return leaving_; }
  bool left() const { return left_; }
  void end(Step& out);

  std::optional<Micros> wake() const { return wake_; }
  const LeaseId& lease() const { return lease_; }
  const Terms& terms() const { return terms_; }
  // What heartbeats have to name: held and not fenced.
  std::optional<market::Hold> named() const;
  std::optional<uint64_t> named_epoch() const {
    return phase_ == Phase::Holding ? hold_ : std::nullopt;
  }
  bool may_run(Now now) const;
  Phase phase() const { return phase_; }
  ReplicaStatus status() const;
  void check_invariants() const;

 private:
  // Why the workload must stop.
  enum class Reason : uint8_t {
    Fence,
    Restart,
    CannotRun,
    StartFailed,
    LatePromotion,
    Superseded,
    LeaseOver
  };
  struct Slot {  // the newest event of ours of one kind
    std::optional<PublishNo> id;
    Receipts receipts;
  };
  struct Read {  // the newest query
    QueryNo id;
    Micros sent;
    RelayMask complete = 0;
  };

  // replica.cpp
  void settle(Now now, Step& out);
  bool step_phase(Now now, Step& out);
  void record(FailoverRecord entry, Step& out);
  void wake_at(Micros at) {
    if (!wake_ || at < *wake_) wake_ = at;
  }
  void publish(Now now, Slot& slot, decltype(Publish::message) message,
               std::optional<Micros> not_after, Step& out);
  void forget(Slot& slot, Step& out);
  void query(Now now, Step& out);
  bool read_done(Now now) const;
  void tell(Weight weight, std::string text, Step& out) const;
  void hear_promoted(uint32_t rank, uint64_t epoch, Step& out);
  void remove_copy(uint32_t rank, Step& out);

  // replica_hold.cpp
  void step_recovering(Now now, Step& out);
  void step_holding(Now now, Step& out);
  void step_fencing(Now now, Step& out);
  void run_if_allowed(Now now, Step& out);
  void hold_until(Micros sent, Step& out);
  void stop(Now now, Reason reason, Step& out);
  void demand_stop(Now now, Step& out);
  void stopped(Now now, Step& out);
  void revoke(Now now, Step& out);
  void repeat_revocation(Now now, Step& out);
  void note_superseded(uint32_t rank, uint64_t epoch, Step& out);
  void begin_leaving(Now now, Step& out);
  void copy_gone(Now now, Step& out);
  void step_leaving(Now now, Step& out);
  std::string_view reason_text() const;

  // replica_claim.cpp
  void step_armed(Now now, Step& out);
  void step_doubting(Now now, Step& out);
  void step_claiming(Now now, Step& out);
  void step_reading(Now now, Step& out);
  void step_promoting(Now now, Step& out);
  void step_withdrawing(Now now, Step& out);
  market::Promotion promotion(uint64_t epoch, std::optional<bool> withdrawn) const;
  void claim(Now now, Step& out);
  void promote(Now now, Step& out);
  void withdraw(Now now, bool promotion, Step& out);
  void publish_withdrawals(Now now, Step& out);
  bool stand_down(Now now, Step& out);
  bool counts_as_holder(uint32_t rank) const;
  // From when on every possible holder is dead and reading is possible; nothing: cannot be said.
  std::optional<Micros> holders_dead_at() const;
  // When the last live claim of another member is void. Nothing: there is none.
  std::optional<Micros> rivals_void_at(Now now) const;
  bool better_rival(Now now) const;
  bool epochs_used_up(Step& out);

  Context& context_;
  const LeaseId lease_;
  const Terms terms_;
  const market::HoldTag tag_;  // of the workload, in heartbeats

  // durable: changed by apply() only
  bool armed_ = false;
  uint64_t highest_ = 0;                  // epoch of any promotion
  std::optional<uint64_t> claimed_;       // a claim of ours may be out
  std::optional<uint64_t> hold_;          // the epoch that we may be running
  std::optional<uint64_t> ended_;         // the epoch that we held, fenced and not yet replaced
  std::optional<Superseded> superseded_;  // whose copy of ours is to be deleted
  bool leaving_ = false;                  // the lease is over

  // volatile
  Phase phase_ = Phase::Unarmed;
  std::optional<Micros> wake_;
  Evidence evidence_;
  std::optional<MemberBook> book_;
  Slot claim_;
  Slot promotion_;
  Slot revocation_;
  std::optional<Read> read_;
  RelayMask healthy_ = 0;  // relays whose subscription is unbroken, however short
  Micros began_;
  bool told_never_started_ = false;
  bool told_used_up_ = false;

  // Holding
  bool counted_ = false;               // a heartbeat of this epoch had its write quorum
  Micros wanted_;                      // the deadline to be held by the guard
  std::optional<Micros> asked_;        // the one that it was asked for
  std::optional<Micros> deadline_;     // run until then, at the longest
  std::optional<Micros> first_asked_;  // of this epoch: an earlier answer is of another one
  bool guarded_ = false;               // the guard confirmed a deadline of this epoch
  bool run_sent_ = false;
  bool took_over_told_ = false;
  Micros promotion_again_;
  // Recovering
  std::optional<bool> runs_unstopped_;
  std::optional<std::optional<Micros>> guard_found_;
  // Fencing, and a copy that runs although it must not
  Reason reason_ = Reason::Fence;
  bool stopping_ = false;  // a stop was asked for and is not confirmed
  Micros kill_at_;
  bool killing_ = false;
  bool copy_ = false;  // the engine may have something of ours
  bool removing_ = false;
  Micros revoke_again_;
  // Leaving
  Micros revoked_since_;  // the revocation is said since then
  bool left_ = false;
  // taking over
  std::optional<Micros> ready_since_;
  Micros held_off_until_;
  Micros claim_sent_;
  bool rival_seen_ = false;
  bool withdraw_promotion_ = false;
  std::optional<uint64_t> withdrawn_epoch_;
  Micros withdraw_again_;
};

}  // namespace paygress::failover
