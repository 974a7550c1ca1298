// A provider of the simulated world: the production core with a simulated disk, engine, clock and
// network. Crashes lose everything but the disk and the engine's objects.
#pragma once

#include <memory>
#include <optional>

#include "core/journal/journal.h"
#include "core/provider/provider.h"
#include "sim/models/backend.h"
#include "sim/models/disk.h"
#include "sim/models/guard.h"
#include "sim/world/relay_node.h"
#include "sim/world/world.h"

namespace paygress::sim {

class ProviderNode {
 public:
  ProviderNode(World& world, uint64_t number);

  void start();
  void crash();
  bool up() const { return provider_ != nullptr; }
  const Identity& identity() const { return identity_; }
  const provider::Provider* core() const { return provider_.get(); }
  const BackendModel& engine() const { return engine_; }
  GuardModel& guard() { return guard_; }
  // From now on the engine does what it is told.
  void heal() { engine_.set_fault_rates({}); }
  const provider::Settings& settings() const { return settings_; }

 private:
  void step(const provider::Input& input);
  void carry_out(provider::Step step);
  void perform(const provider::Effect& effect);
  void perform(const provider::OpenLink& e) { links().open(e.link); }
  void perform(const provider::CloseLink& e) { links().close(e.link); }
  void perform(const provider::PingLink& e) { links().ping(e.link); }
  void perform(const provider::SendFrame& e) { links().send(e.link, e.message); }
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
    const GuardReply reply = guard_.handle(e, world_.clock());
    answer(reply.due - world_.clock().mono, reply.answer);
  }
  void perform(const provider::Tell& e);
  void answer(Micros after, provider::Input input);
  void hear(nostr::LinkId link, const nostr::WireMessage& message);
  void schedule_timer();
  void schedule_crash();
  void audit();
  void audit_money();
  void audit_engine();
  std::string name() const;
  ClientLinks& links() { return *lives_links_.back(); }

  World& world_;
  Identity identity_;
  provider::Settings settings_;
  Disk disk_;
  BackendModel engine_;
  GuardModel guard_{{}, engine_};
  SeededEntropy entropy_;
  RandomStream chaos_;
  std::unique_ptr<journal::Journal> journal_;
  std::optional<journal::Tip> mark_;
  std::unique_ptr<provider::Provider> provider_;
  std::vector<std::unique_ptr<ClientLinks>> lives_links_;  // of every life: events refer to them
  uint64_t life_ = 0;                 // answers to an earlier life are not delivered
  std::optional<Micros> timer_;
  std::map<std::string, Micros> unpaid_since_;  // objects that run for no lease
};

}  // namespace paygress::sim
