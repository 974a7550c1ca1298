// Warm standby: between core/failover, which decides whether a workload may run here, and all that
// makes it so. Carries out fail-over's outputs, and tells it what relays, engine and guard say.
//
//   standby_desk.cpp    a lease's way: reserved, paid, running, superseded, over; its owner
//   standby_guard.cpp   the guard's groups: deadlines, pauses, kills
//   standby_wire.cpp    events of ours and of others, subscriptions, queries
//
// Plain leases never get here.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/failover/failover.h"
#include "core/nostr/relay_watches.h"
#include "core/provider/announcer.h"
#include "core/provider/payments.h"
#include "core/provider/standby_book.h"

namespace paygress::provider {

// The machines that warm standby touches. All must outlive the desk.
struct StandbyMachines {
  const Settings& settings;
  failover::Failover& failover;
  StandbyBook& book;
  RequestBook& requests;
  lease::LeaseBook& leases;
  workload::Supervisor& workloads;
  Announcer& announcer;
  CallIds& calls;
  nostr::RelayPool& pool;
  Outbox& outbox;
  Payments& payments;
  std::function<Vitals()> vitals;
};

class StandbyDesk : public LeaseHooks {
 public:
  StandbyDesk(StandbyMachines machines, failover::RulePolicy policy)
      : m_(std::move(machines)), policy_(policy), watches_(m_.pool) {}

  // Once, after the fold and before anything else.
  void recover(lease::Instant now, Step& out);

  // Once, when the leases have been recovered.
  void resume_clocks(lease::Instant now, Step& out);

  // --- what the provider routes here; true: it was for the desk ---
  bool on_signed(Now now, const EventSigned& answer, Step& out);
  bool handle(lease::Instant now, const nostr::PoolOutput& output, Step& out);
  void handle(lease::Instant now, const workload::GuardAnswered& answer, Step& out);
  void handle(lease::Instant now, const workload::GuardHealth& health, Step& out);
  // What came of the calls above; to be called before a step ends.
  void drain(lease::Instant now, Step& out);
  // A notice of ours reached its relays.
  bool on_notice_taken(const RequestKey& key, Step& out);
  void handle_timer(lease::Instant now, Step& out);
  std::optional<Micros> next_deadline() const;

  // Why no warm-standby lease may be sold now; nothing: it may.
  std::optional<std::string> refusal(const failover::Terms& terms) const;
  bool guard_works() const { return guard_works_ || !policy_.guard; }
  // What a status reply says of a member's lease; unchanged for a plain one.
  void describe(const lease::Lease& lease, Now now, market::StatusReply& reply) const;
  const nostr::RelayWatches& watches() const { return watches_; }
  void check_invariants() const;

  // --- LeaseHooks ---
  void reserved(const LeaseId& lease, const failover::Terms& terms, Step& out) override;
  bool paid(lease::Instant now, const LeaseId& lease, workload::Spec spec,
            std::optional<market::AccessDetails>& answer, Step& out) override;
  bool on_event(lease::Instant now, const workload::WorkloadEvent& event, Step& out) override;
  bool on_event(lease::Instant now, const lease::LeaseEvent& event, Step& out) override;
  void describe(const LeaseId& lease, market::AccessDetails& details) const override;

 private:
  static constexpr uint64_t kPublishIdBase = uint64_t{1} << 40;  // the outbox's are below
  enum class Ask : uint8_t { Query, Hold, Group, Freeze, Kill, Release };
  struct Asked {  // of the guard
    Ask what = Ask::Query;
    LeaseId lease;
    std::string name;
    Micros deadline;
  };
  struct Guarded {
    std::optional<Micros> deadline;  // the newest that was asked for, since it began anew
    std::string wanted;              // a group that the supervisor waits for
    std::string leaving;             // the lease is over: the group to be released
    size_t freezing = 0;             // answers to Freeze and Kill that are awaited
    bool stopping = false;           // fail-over waits for the word that it does not run
    bool kill = false;
    std::optional<Micros> stands;  // the deadline at which the guard froze it, before we did
    bool by_engine = false;        // the guard could not: the engine was asked
    std::optional<Micros> again;   // ask for the stop again
  };
  using Slot = std::pair<LeaseId, uint16_t>;  // what a newer event replaces; no lease: heartbeats
  struct Signing {
    std::optional<failover::PublishNo> id;  // nothing: nobody waits for what becomes of it
    Slot slot;
    std::vector<RelayIndex> relays;
    std::optional<Micros> not_after;
  };
  struct Watched {
    nostr::WatchId id;
    std::vector<RelayIndex> relays;
    bool mismatched = false;  // a member's numbers do not fit ours: no evidence counts
  };

  // standby_desk.cpp
  void carry_out(lease::Instant now, failover::Step step, Step& out);
  void perform(lease::Instant now, const failover::PublishBeat& o, Step& out);
  void perform(lease::Instant now, const failover::Publish& o, Step& out);
  void perform(lease::Instant now, const failover::Forget& o, Step& out);
  void perform(lease::Instant now, const failover::Watch& o, Step& out);
  void perform(lease::Instant now, const failover::Unwatch& o, Step& out);
  void perform(lease::Instant now, const failover::Query& o, Step& out);
  void perform(lease::Instant now, const failover::Run& o, Step& out);
  void perform(lease::Instant now, const failover::Pause& o, Step& out);
  void perform(lease::Instant now, const failover::Kill& o, Step& out);
  void perform(lease::Instant now, const failover::Remove& o, Step& out);
  void perform(lease::Instant now, const failover::GuardHold& o, Step& out);
  void perform(lease::Instant now, const failover::GuardFreeze& o, Step& out);
  void perform(lease::Instant now, const failover::GuardRelease& o, Step& out);
  void perform(lease::Instant now, const failover::TellOwner& o, Step& out);
  void perform(lease::Instant now, const failover::TellOperator& o, Step& out);
  void news(lease::Instant now, const LeaseId& lease, failover::WorkloadNews what, bool unstopped,
            Step& out);
  void on_found(lease::Instant now, const workload::Found& found, Step& out);
  void resume_clock(lease::Instant now, const LeaseId& lease, Step& out);
  void on_runs(lease::Instant now, const LeaseId& lease, Step& out);
  bool on_down(lease::Instant now, const workload::WentDown& down, Step& out);
  void on_gave_up(lease::Instant now, const LeaseId& lease, Step& out);
  bool on_gone(lease::Instant now, const LeaseId& lease, Step& out);
  void send_notice(Now now, const NoticeOwed& notice, Step& out);
  void record(OwnRecord entry, Step& out);
  std::string notice_text(const lease::Lease& lease, const failover::TellOwner& news,
                          Now now) const;

  // standby_guard.cpp
  void ask_guard(const LeaseId& lease, Ask what, const std::string& name, Step& out,
                 Micros until = {});
  void ask_guard_state(Step& out);
  void release_group(Micros at, const std::string& name);
  void on_guard_state(lease::Instant now, const std::vector<workload::GuardGroup>& groups,
                      Step& out);
  static void forget_deadline(Guarded& g, Micros now);
  void stop(lease::Instant now, const LeaseId& lease, Step& out);
  void on_stop_answered(lease::Instant now, const Asked& asked, workload::Outcome outcome,
                        Step& out);
  void on_held(lease::Instant now, const Asked& asked, Step& out);
  void halted(lease::Instant now, const LeaseId& lease, failover::WorkloadNews what, Step& out);

  // standby_wire.cpp
  void sign(Signing signing, nostr::Draft draft, Step& out);
  void hear(lease::Instant now, const nostr::VerifiedEvent& event, Step& out);
  void note_mismatch(lease::Instant now, const PubKey& author, const market::Heartbeat& beat,
                     Step& out);
  std::vector<nostr::Filter> filters_of(const failover::Terms& terms) const;

  StandbyMachines m_;
  failover::RulePolicy policy_;
  nostr::RelayWatches watches_;
  bool guard_works_ = false;
  std::optional<Micros> query_guard_at_;
  std::map<CallId, Asked> asked_;
  std::map<LeaseId, Guarded> guarded_;
  std::map<LeaseId, uint32_t> removing_;    // superseded copies being deleted -> their generation
  std::map<std::string, Micros> releases_;  // groups to be released -> when to ask (again)
  std::map<CallId, Signing> signing_;
  std::map<Slot, nostr::PublishId> newest_;
  std::map<nostr::PublishId, failover::PublishNo> published_;
  std::map<failover::PublishNo, nostr::PublishId> publish_of_;
  std::set<nostr::PublishId> beats_;
  uint64_t next_publish_ = kPublishIdBase;
  std::map<LeaseId, Watched> watched_;
  std::map<nostr::WatchId, LeaseId> watch_of_;
  std::map<LeaseId, Micros> watch_again_;  // whose watch was refused -> when to try again
  uint64_t next_watch_ = 1;
};

}  // namespace paygress::provider
