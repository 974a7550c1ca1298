#include "sim/world/fault_schedule.h"

#include "sim/world/provider_node.h"
#include "sim/world/relay_node.h"
#include "sim/world/strangers.h"

namespace paygress::sim {

void FaultSchedule::start() {
  for (size_t i = 0; i < active_.size(); ++i) {
    const Fault& fault = world_.plan().faults[i];
    world_.queue().at(fault.at, [this, i] { begin(i); });
    if (info_of(fault.kind).lasts)
      world_.queue().at(fault.at + fault.lasts, [this, i] {
        const Fault& f = world_.plan().faults[i];
        if (active_[i] && !world_.frozen(f.node) && !world_.frozen(f.peer)) end(i);
      });
  }
}

void FaultSchedule::heal() {
  mint_faults_.clear();
  for (size_t i = 0; i < active_.size(); ++i) {
    const Fault& fault = world_.plan().faults[i];
    if (active_[i] && !world_.frozen(fault.node) && !world_.frozen(fault.peer)) end(i);
  }
}

void FaultSchedule::begin(size_t index) {
  const Fault& fault = world_.plan().faults[index];
  if (!world_.troubled()) return;
  active_[index] = info_of(fault.kind).lasts;
  world_.mark("fault " + std::string(info_of(fault.kind).name), fault.node);
  change(fault, true);
}

void FaultSchedule::end(size_t index) {
  active_[index] = false;
  change(world_.plan().faults[index], false);
}

void FaultSchedule::change(const Fault& fault, bool on) {
  if (info_of(fault.kind).klass == FaultClass::Stranger) {
    if (on) world_.strangers().act(fault);
    return;
  }
  if (info_of(fault.kind).klass == FaultClass::Link) {
    if (on) begin_link(fault);
    else world_.weather().end(fault);
    return;
  }
  if (fault.node.role == Role::Relay) {
    for (auto& relay : world_.relays())
      if (relay->name() == fault.node) on ? relay->begin(fault) : relay->end(fault);
    return;
  }
  if (ProviderNode* provider = world_.provider(fault.node.number);
      fault.node.role == Role::Provider && provider != nullptr)
    return on ? provider->begin(fault) : provider->end(fault);
  if (on) return begin_mint(fault);
  if (fault.kind == FaultKind::MintUnreachable) --mint_cut_;
  if (fault.kind == FaultKind::MintRestoreLag) world_.mint().set_restore_lag({});
}

void FaultSchedule::begin_link(const Fault& fault) {
  if (fault.kind == FaultKind::Cut) world_.mark("link half-open", fault.node);
  if (fault.kind == FaultKind::Clog) world_.mark("burst", fault.node);
  if (fault.kind != FaultKind::Break) return world_.weather().begin(fault);
  const NodeName relay = fault.node.role == Role::Relay ? fault.node : fault.peer;
  const NodeName client = fault.node.role == Role::Relay ? fault.peer : fault.node;
  for (auto& one : world_.relays())
    if (relay.role == Role::Anyone || one->name() == relay) one->drop_clients(client);
}

void FaultSchedule::begin_mint(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::MintUnreachable: ++mint_cut_; return;
    case FaultKind::MintFee: return world_.mint().set_fee(static_cast<uint64_t>(fault.amount));
    case FaultKind::MintRestoreLag:
      return world_.mint().set_restore_lag(Micros{fault.amount * 1000});
    default: return mint_faults_.arm(fault);
  }
}

}  // namespace paygress::sim
