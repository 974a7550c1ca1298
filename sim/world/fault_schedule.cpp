#include "sim/world/fault_schedule.h"

#include "sim/world/consumer_node.h"

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
    if (on)
      begin_link(fault);
    else
      world_.weather().end(fault);
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
  on ? begin_mint(fault) : end_mint(fault);
}

// Somebody has given the tokens that are being paid with to a Lightning payment that is held.
void FaultSchedule::hold_pending() {
  for (const auto& consumer : world_.consumers())
    for (const ConsumerNode::Order& order : consumer->orders())
      if (!order.final) world_.mint().hold_pending(order.token.proofs, *pending_until_);
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
    case FaultKind::MintRotate:
      world_.mint().rotate(static_cast<uint64_t>(fault.amount));
      return world_.mark("keyset rotated", fault.node);
    case FaultKind::MintPartial:
      return world_.mint().cut_restores(static_cast<size_t>(fault.amount));
    case FaultKind::MintReorder: return world_.mint().set_restore_reversed(true);
    case FaultKind::MintPending:
      pending_until_ = std::max(pending_until_.value_or(Micros{0}), fault.at + fault.lasts);
      return hold_pending();
    case FaultKind::MintFeeSwing:
      if (mint_swings_++ == 0) fee_before_ = world_.mint().fee_ppk(world_.mint().active_keyset());
      return world_.mint().set_fee(static_cast<uint64_t>(fault.amount));
    case FaultKind::MintRefuse:
      return world_.mint().set_refusing(static_cast<uint32_t>(fault.amount));
    case FaultKind::MintStall: ++mint_stalls_; return world_.mint().set_stalled(true);
    case FaultKind::LightningFails:
    case FaultKind::LightningHangs: lightning_.push_back(fault.kind); return set_lightning();
    default: return mint_faults_.arm(fault);
  }
}

// The one that began last.
void FaultSchedule::set_lightning() {
  world_.mint().set_lightning(lightning_.empty()                               ? Lightning::Pays
                              : lightning_.back() == FaultKind::LightningFails ? Lightning::Fails
                                                                               : Lightning::Hangs);
}

void FaultSchedule::end_mint(const Fault& fault) {
  Mint& mint = world_.mint();
  const Micros now = world_.queue().now();
  switch (fault.kind) {
    case FaultKind::MintUnreachable: --mint_cut_; return;
    case FaultKind::MintRestoreLag: return mint.set_restore_lag({});
    case FaultKind::MintReorder: return mint.set_restore_reversed(false);
    case FaultKind::MintPending:
      if (pending_until_ && *pending_until_ <= now) pending_until_.reset();
      return;
    case FaultKind::MintFeeSwing:
      if (--mint_swings_ == 0) mint.set_fee(fee_before_);
      return;
    case FaultKind::MintRefuse: return mint.set_refusing(0);
    case FaultKind::MintStall:
      if (--mint_stalls_ > 0) return;
      mint.set_stalled(false);
      return mint.carry_out_stalled(now);
    case FaultKind::LightningFails:
    case FaultKind::LightningHangs:
      lightning_.erase(std::ranges::find(lightning_, fault.kind));
      set_lightning();
      if (mint.hanging() == 0 || fault.kind != FaultKind::LightningHangs) return;
      world_.mark("payment settled late", fault.node);
      return mint.settle_lightning(now, fault.at.value / 100'000 % 2 == 0);
    default: return;
  }
}

}  // namespace paygress::sim
