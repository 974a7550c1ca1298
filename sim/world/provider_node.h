// A provider of the simulated world: the production core with a simulated disk, engine, clock and
// network. Crashes lose everything but the disk and the engine's objects.
//
//   provider_node.cpp    the loop that the shell has too, and the effects
//   provider_faults.cpp  what goes wrong with the process, its disk, clock and engine
//   provider_operator.cpp  who takes its earnings out
//   provider_audit.cpp   what must hold after every step
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/journal/journal.h"
#include "core/provider/provider.h"
#include "sim/models/backend.h"
#include "sim/models/disk.h"
#include "sim/models/guard.h"
#include "sim/world/armed_faults.h"
#include "sim/world/relay_node.h"
#include "sim/world/world.h"

namespace paygress::sim {

inline constexpr Micros kPureWork{300};            // signing, encrypting, blinding
inline constexpr Micros kRestartDelay{5'000'000};  // until what ended by itself is started again
inline constexpr uint64_t kLivesPerSnapshot = 3;   // so that some are read with batches after them

class ProviderNode {
 public:
  ProviderNode(World& world, const ProviderLine& line);

  void start();
  bool up() const { return provider_ != nullptr; }
  bool answers() const { return up() && !paused_; }
  NodeName name() const { return {Role::Provider, static_cast<uint32_t>(identity_.number)}; }
  const Identity& identity() const { return identity_; }
  const provider::Provider* core() const { return provider_.get(); }
  const BackendModel& engine() const { return engine_; }
  // What executes here of a warm-standby workload; null: nothing does.
  const workload::Spec* executing(const std::string& workload_id) const;
  GuardModel& guard() { return guard_; }
  const provider::Settings& settings() const { return settings_; }
  // As its own clocks show it.
  Now clock() const { return clock_.at(world_.queue().now()); }

  // Its operator asks for a token, again and again until it is settled.
  void withdraw(const WithdrawalLine& line);

  // --- faults; see FaultKind
  void begin(const Fault& fault);
  void end(const Fault& fault);
  // What is down comes back, what is paused goes on, what is armed is forgotten.
  void heal();
  // Says why it has not come to rest: each thing that is still pending, with its reason.
  void audit_rest() const;
  // Refunds, or withdrawals, that wait, and rightly so, for the mint to ask less.
  size_t refunds_beyond_the_fee() const { return beyond_the_fee(false); }
  // Money that this provider's ledger accounts for, of all leases.
  Msat redeemed() const;
  // Outputs of the mint's swaps that were for us: tokens received, refund tokens, our change.
  Msat swapped() const;
  // What its ledger says that invoices cost.
  Msat over_lightning() const;

 private:
  void step(const provider::Input& input);
  void carry_out(provider::Step step);
  // False when the process died on the way.
  bool make_durable(const provider::Step& step, bool dies);
  void perform(const provider::Effect& effect);
  void perform(const provider::OpenLink& e) { links().open(e.link); }
  void perform(const provider::CloseLink& e) { links().close(e.link); }
  void perform(const provider::PingLink& e) { links().ping(e.link); }
  void perform(provider::SendFrame e) { links().send(e.link, std::move(e.message)); }
  void perform(const provider::SignEvent& e);
  void perform(const provider::SealReply& e);
  void perform(const cashu::MintCall& e);
  void perform(const cashu::MakeOutputs& e);
  void perform(const cashu::OpenSignatures& e);
  void perform(const cashu::CheckToken& e);
  void perform(const workload::Call& e);
  void perform(const provider::GuardHold& e) { ask_guard(e); }
  void perform(const provider::GuardFreeze& e) { ask_guard(e); }
  void perform(const provider::GuardKill& e) { ask_guard(e); }
  void perform(const provider::GuardRelease& e) { ask_guard(e); }
  void perform(const provider::GuardQuery& e) { ask_guard(e); }
  template <class Request>
  void ask_guard(const Request& e) {
    const GuardReply reply = guard_.handle(e, clock());
    watch_engine();
    answer(clock_.until(reply.due, world_.queue().now()), reply.answer);
  }
  void perform(const provider::KeepVolumeKey&) {}
  void perform(const provider::Tell& e);
  void perform(const provider::WithdrawalSettled& e);
  void perform(const provider::FetchInvoice&) { PG_CHECK(false); }  // no payout rule
  void perform(const provider::WalletSearched&) {}
  void perform(const provider::ReleaseSettled&) {}
  void answer(Micros after, provider::Input input);
  // Whatever reaches the process: at once, or when it is no longer stopped.
  void reach(std::function<void()> what);
  void hear(nostr::LinkId link, nostr::WireMessage message);
  void schedule_timer();
  void observe(const provider::Input& input, const provider::Step& step);

  Result<std::unique_ptr<provider::Provider>> read_ledger(
      std::unique_ptr<journal::Storage> storage);
  void open_links();
  std::unique_ptr<provider::Provider> take_up(std::unique_ptr<provider::Provider> shortcut);
  void start_after(Micros down);
  struct Withdrawing {  // by the operator
    provider::Withdraw asked;
    bool settled = false;
    std::string token;  // as it was shown; empty: nothing was
    bool paid = false;  // he was told that the invoice is
  };
  void ask_again(size_t withdrawal);
  void note_payment(Withdrawing& withdrawal, const provider::WithdrawalSettled& e);
  void audit_payment(const Withdrawing& withdrawal) const;
  size_t beyond_the_fee(bool withdrawals) const;

  // --- faults
  void crash(Micros down, CrashKeeps keeps);
  void die(std::string_view how);
  void resume();
  void say_guard_health();
  MintFault mint_fault(const cashu::MintCall& call, Micros& delay);
  void plan_engine_fault(const workload::Call& call);
  void exit_workloads(int64_t count);
  bool is_frozen_by_guard() const;

  // --- audits
  void audit(bool changed);
  void audit_money();
  void watch_engine();
  void audit_unpaid();
  void audit_orphans() const;
  void audit_reservations() const;
  void audit_charges();
  void note_restart(const provider::Record& record);
  void note_member(const provider::Record& record);
  void mark_failover(const provider::Record& record);
  std::string workload_key(const LeaseId& lease) const;
  void note_intent(const cashu::RedeemRecord& record);
  void note_states(const cashu::MintReply& reply);
  void audit_verdict(const cashu::RedeemRecord& record);
  void audit_refund(const cashu::RedeemRecord& record);
  void audit_reply(const provider::SealReply& reply);
  void audit_swap(const cashu::MintCall& call);
  void audit_withdrawals() const;
  ClientLinks& links() { return *lives_links_.back(); }

  World& world_;
  Identity identity_;
  provider::Settings settings_;
  NodeClock clock_;
  Disk disk_;
  BackendModel engine_;
  GuardModel guard_{{}, engine_};
  SeededEntropy entropy_;
  std::unique_ptr<journal::Journal> journal_;
  std::optional<journal::Tip> mark_;
  struct {
    journal::Tip tip;  // sequence 0: there is none
    Bytes state;
  } snapshot_;
  std::unique_ptr<provider::Provider> provider_;
  std::vector<std::unique_ptr<ClientLinks>> lives_links_;  // of every life: events refer to them
  uint64_t life_ = 0;  // answers to an earlier life are not delivered
  uint8_t host_losses_ = 0;
  std::optional<Micros> timer_;
  std::map<std::string, Micros> unpaid_since_;  // objects that run for no lease
  std::set<LeaseId> charged_;                   // leases whose statement was looked at
  struct Membership {
    std::string workload_id;
    Micros since;
  };
  std::map<LeaseId, Membership> memberships_;  // in warm-standby workloads, over all lives
  std::set<LeaseId> executing_;                // since executing_since_
  Micros executing_since_;
  std::map<LeaseId, Micros> delivered_;  // what really ran
  std::map<LeaseId, Seconds> restarts_;  // charged for exits of its own

  struct Intent {  // an operation, as the ledger has it
    UnixSeconds hold_until;
    bool refund = false;
    std::vector<cashu::Point> points;             // of a token
    std::set<std::vector<std::string>> attempts;  // keyset and amounts of each
  };
  std::map<OpId, Intent> intents_;
  std::map<Bytes, OpId> bodies_;    // what may be posted
  std::set<cashu::Point> outputs_;  // of every attempt
  struct Said {                     // by the mint, of one proof
    CallId call;
    cashu::ProofState state = cashu::ProofState::Unspent;
  };
  std::map<cashu::Point, Said> said_;  // asked last

  std::vector<Withdrawing> withdrawals_;

  std::optional<Fault> doom_;      // the next step with records dies
  uint32_t recovery_crashes_ = 0;  // and so do this many recoveries
  bool starting_ = false;
  int paused_ = 0;
  std::vector<std::function<void()>> backlog_;
  ArmedFaults armed_;
  int engine_cut_ = 0;
  int mint_cut_ = 0;
  int guard_cut_ = 0;
  Micros engine_lied_at_ = Micros{-1'000'000'000'000};  // an old list, as a new one
  int64_t engine_lies_ = 0;
  uint64_t engine_seen_ = 0;  // version of the engine that watch_engine() saw
  std::optional<Micros> engine_watch_;
};

}  // namespace paygress::sim
