// The provider as a pure state machine: records + effects = step(now, input).
//
// Its vocabulary stands in inputs.h, records.h and effects.h. This class owns the machines below it
// and routes: which of them sees an input, and in what order. The rules live in them:
//
//   nostr::RelayPool       relays, subscriptions, publishing, each event once
//   RequestBook            who asked for what, and what the answer was
//   quote_spawn, ...       what is refused before a token is touched
//   Payments               from an accepted quote to money on a lease, and its end
//   Refunds                claims: from money that is owed to a token that was given
//   Withdrawals            earnings that the operator takes out
//   cashu::Redeemer        tokens at their mints
//   lease::LeaseBook       money and time
//   workload::Supervisor   objects on the engine
//   failover::Failover     who may run a warm-standby workload; StandbyDesk carries it out
//   Fellows                what other providers' offers say of fail-over
//   Announcer, Outbox      what is said, in public and to one
//   Recovery               instead of most of these, while an older ledger is taken up
//
// Use: construct, fold() every durable record in order, start(), then step() for each input and
// whenever next_deadline() has come. A snapshot may stand for the records up to where it was made.
// Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/failover/failover.h"
#include "core/provider/announcer.h"
#include "core/provider/payments.h"
#include "core/provider/rate_limit.h"
#include "core/provider/settings.h"
#include "core/provider/standby_book.h"
#include "core/provider/step.h"
#include "core/provider/waiting_room.h"

namespace paygress::provider {

// What the program tells the core at its start.
struct Boot {
  InstallId install;             // used when the ledger is new
  lease::BootId machine;         // of the running kernel
  std::string seed_fingerprint;  // of the wallet's seed
};

// Since the start of the process; for the operator.
struct Counters {
  uint64_t requests = 0;    // private messages that were looked at
  uint64_t over_limit = 0;  // more than kRequestsPerMinute from one key: not looked at
  uint64_t waited = 0;      // times that a request waited for what is not read yet
};

// Rules that can be switched off by tests and the simulator, to show that they are missed.
struct Policies {
  cashu::RedeemPolicy redeem;
  failover::RulePolicy failover = {};
  workload::SupervisorPolicy workloads = {};
  DeskPolicy desk = {};
};

class Provider {
 public:
  // `entropy` must outlive the provider; it makes passwords. `jitter_seed` spreads reconnects.
  Provider(Settings settings, Entropy& entropy, uint64_t jitter_seed, Policies policies = {});
  ~Provider();
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  // One durable record, in order, before start().
  void fold(const Record& record);
  // What the records folded so far made, as bytes that hold every secret of the ledger: the same
  // records give the same bytes, whether they were folded or loaded. Before start().
  Bytes snapshot() const;
  // Instead of folding those records, first of all. Error: it is damaged, or was made by another
  // version of this program or for other ranges of numbers and ports. Then fold them all, into
  // another provider.
  Result<void> load(ByteView snapshot);
  // Once. Error, and nothing may be done: the ledger is another provider's, or its wallet has
  // another seed.
  Result<Step> start(Now now, const Boot& boot);
  // Total: every input in every state. Bounded work, but for an engine's list of many objects.
  Step step(Now now, const Input& input);
  // Monotonic. Call step(Tick) then.
  std::optional<Micros> next_deadline() const;

  // What admission may remember (nostr/relay_pool.h).
  bool delivered(const EventId& event) const;

  // --- for status pages, the simulator's auditor and tests ---
  const Settings& settings() const { return settings_; }
  const lease::LeaseBook& leases() const { return leases_; }
  const cashu::Redeemer& wallet() const { return wallet_; }
  const workload::Supervisor& workloads() const { return workloads_; }
  const RequestBook& requests() const { return requests_; }
  const failover::Failover& failover() const { return failover_; }
  const nostr::RelayPool* relays() const;
  bool draining() const { return draining_; }
  // The ledger misses the end of what it has done, and the operator has not released it yet.
  bool recovering() const { return recovery_.has_value(); }
  // What a release waits for; empty when there is nothing to be released.
  std::vector<std::string> recovery_waits_for() const;
  const Counters& counters() const { return counters_; }
  void check_invariants() const;

 private:
  struct Running;  // what exists only between start and the end of the process (running.h)

  lease::Instant instant(Now now) const { return {machine_, now.mono, now.wall}; }
  void subscribe(Now now, Step& out);
  void resume(Now now, Step& out);
  void route(Now now, const Input& input, Step& out);
  void route_relay_said(Now now, const RelaySaid& said, Step& out);
  void run_timers(Now now, Step& out);
  // provider_recovery.cpp: the same while the ledger is being recovered
  void begin_recovery(Now now, Step& out);
  bool route_recovering(Now now, const Input& input, Step& out);
  void take_recovering(Now now, cashu::RedeemStep step, Step& out);
  std::optional<Micros> recovery_deadline() const;
  void run_recovery_timers(Now now, Step& out);
  void answer_recovering(Now now, const PrivateMessage& message, Step& out);
  void release(Now now, const Release& asked, Step& out);
  void housekeeping(Now now, Step& out);
  void drain_pool(Now now, const PrivateMessage* opened, Step& out);
  void handle_message(Now now, const PrivateMessage& message, Step& out);
  // `until`: it may wait so long for what is not read yet; nothing: it is decided now.
  void handle_request(Now now, const PrivateMessage& message, std::optional<Micros> until,
                      Step& out);
  void handle_payment(Now now, const RequestKey& key, const PrivateMessage& message,
                      std::optional<Micros> until, Step& out);
  void refuse_over_limit(Now now, const PrivateMessage& message, Step& out);
  void handle_decidable(Now now, Step& out);
  bool wait(const RequestKey& key, const PrivateMessage& message, std::optional<Micros> until);
  bool can_decide(Now now, const PrivateMessage& message) const;
  bool is_undecided(const PubKey& sender, const std::string& pod) const;
  void handle_status(Now now, const PrivateMessage& message, const std::string& pod,
                     const std::optional<market::RequestId>& id, Step& out);
  void complain(Now now, const PrivateMessage& message, const std::string& problem, Step& out);
  void check_conservation() const;
  bool too_old_or_new(Now now, const PrivateMessage& message) const;
  Vitals vitals() const;
  void record(OwnRecord entry, Step& out);

  Settings settings_;
  DeskPolicy desk_policy_;
  Entropy& entropy_;
  uint64_t jitter_seed_;
  lease::BootId machine_;
  std::optional<Installed> installed_;
  uint64_t boot_count_ = 0;
  std::map<std::string, UnixSeconds> relay_read_;
  bool draining_ = false;
  std::optional<RecoveryBegan> recovery_;
  std::optional<workload::GuardHealth> guard_health_;  // what it was told during a recovery
  Micros housekeeping_due_;

  CallIds calls_{0, CallIds::Range::Provider};
  CallIds workload_calls_{0, CallIds::Range::Workloads};
  RequestBook requests_;
  lease::LeaseBook leases_;
  workload::Supervisor workloads_;
  cashu::Redeemer wallet_;
  failover::Failover failover_;
  failover::RulePolicy failover_policy_;
  StandbyBook standby_book_;
  Announcer announcer_;
  RateLimit limit_;
  WaitingRoom waiting_;
  Counters counters_;
  std::map<CallId, nostr::LinkId> auths_;  // NIP-42 drafts being signed
  std::unique_ptr<Running> running_;
};

}  // namespace paygress::provider
