// What goes wrong with a provider's process, disk, clock, mint calls and engine.
#include <algorithm>

#include "sim/world/fault_schedule.h"
#include "sim/world/provider_node.h"

namespace paygress::sim {
namespace {

constexpr int32_t kKilled = 137;

CrashLoss loss_of(CrashKeeps keeps) {
  switch (keeps) {
    case CrashKeeps::Nothing: return CrashLoss::Everything;
    case CrashKeeps::Everything: return CrashLoss::Nothing;
    case CrashKeeps::TornTail: return CrashLoss::TornTail;
    case CrashKeeps::GarbageTail: return CrashLoss::GarbageTail;
    case CrashKeeps::RandomPages: return CrashLoss::RandomPages;
  }
  return CrashLoss::Everything;
}

MintFault mint_fault_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::MintDropAnswer: return MintFault::DropAnswer;
    case FaultKind::MintErrorAfter: return MintFault::ErrorAfter;
    case FaultKind::MintDoubleAnswer: return MintFault::DoubleAnswer;
    case FaultKind::MintSlowRequest: return MintFault::SlowRequest;
    case FaultKind::MintSlowAnswer: return MintFault::SlowAnswer;
    case FaultKind::MintGarbage: return MintFault::Garbage;
    default: return MintFault::None;
  }
}

BackendFault engine_fault_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::EngineAnswerLost: return BackendFault::AnswerLost;
    case FaultKind::EngineFailedButDone: return BackendFault::FailedButDone;
    case FaultKind::EngineHang: return BackendFault::Hang;
    case FaultKind::EngineRefused: return BackendFault::Refused;
    case FaultKind::EngineDies: return BackendFault::Dies;
    case FaultKind::EngineIgnored: return BackendFault::Ignored;
    case FaultKind::EngineStaleList: return BackendFault::StaleList;
    case FaultKind::EngineLate: return BackendFault::Late;
    default: return BackendFault::None;
  }
}

}  // namespace

void ProviderNode::begin(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::Crash:
      if (!up()) return;
      recovery_crashes_ = fault.again;
      if (!fault.step) return crash(fault.lasts, fault.keeps);
      doom_ = fault;
      return;
    case FaultKind::HostLoss:
      world_.mark("host lost", name());
      ++host_losses_;
      guard_.reboot_host();
      engine_.reboot_host(clock());
      watch_engine();
      return crash(fault.lasts, fault.keeps);
    case FaultKind::Pause:
    case FaultKind::Hang:
      world_.mark(fault.kind == FaultKind::Hang ? "hang" : "pause", name());
      ++paused_;
      return;
    case FaultKind::ClockStep:
      clock_.step_wall(micros(Seconds{fault.amount}));
      return world_.mark(fault.amount < 0 ? "clock went back" : "clock jumped", name());
    case FaultKind::ClockDrift: return clock_.set_drift(fault.amount, world_.queue().now());
    case FaultKind::FailSync: return disk_.fail_operation(1);  // a batch: a write, then a sync
    case FaultKind::FailWrite: return disk_.fail_operation(0);
    case FaultKind::EngineUnreachable: return engine_.set_unreachable(++engine_cut_ > 0);
    case FaultKind::WorkloadExits: return exit_workloads(fault.amount);
    case FaultKind::MintUnreachable: ++mint_cut_; return;
    case FaultKind::GuardUnreachable:
      guard_.set_unreachable(++guard_cut_ > 0);
      return say_guard_health();
    case FaultKind::GuardForgets:
      guard_.restart_process(true, clock());
      watch_engine();
      if (up()) answer(kPureWork, workload::GuardHealth{false, "started anew"});
      return say_guard_health();
    default: return armed_.arm(fault);
  }
}

void ProviderNode::end(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::Pause: return resume();
    case FaultKind::Hang:  // the watchdog gives up on it, if there still is one
      if (paused_ == 0) return;
      return up() ? crash(kRestartDelay, CrashKeeps::Nothing) : resume();
    case FaultKind::EngineUnreachable: return engine_.set_unreachable(--engine_cut_ > 0);
    case FaultKind::MintUnreachable: --mint_cut_; return;
    case FaultKind::GuardUnreachable:
      guard_.set_unreachable(--guard_cut_ > 0);
      return say_guard_health();
    default: return;
  }
}

void ProviderNode::say_guard_health() {
  if (up()) answer(kPureWork, workload::GuardHealth{guard_cut_ == 0, "no answer"});
}

void ProviderNode::heal() {
  doom_.reset();
  recovery_crashes_ = 0;
  armed_.clear();
  disk_.heal();
  if (!up()) start();
}

// `down`: until it is started again.
void ProviderNode::crash(Micros down, CrashKeeps keeps) {
  if (!up()) return;
  world_.mark("crash", name());
  ++life_;
  doom_.reset();
  links().close_for_good();
  provider_.reset();
  journal_.reset();
  timer_.reset();
  backlog_.clear();
  paused_ = 0;  // whoever was stopped is gone
  const size_t written = disk_.content().size();
  disk_.crash(loss_of(keeps));
  if (disk_.content().size() != written) world_.mark("torn tail", name());
  start_after(down);
}

// In the middle of a step, as the plan says.
void ProviderNode::die(std::string_view how) {
  world_.mark(how, name());
  const CrashKeeps keeps = doom_ ? doom_->keeps : CrashKeeps::TornTail;
  const Micros down = doom_ ? doom_->lasts : kRestartDelay;
  if (starting_) {
    world_.mark("crash in recovery", name());
    --recovery_crashes_;
  }
  crash(down, keeps);
}

void ProviderNode::resume() {
  if (paused_ == 0 || --paused_ > 0) return;
  if (up()) world_.mark("zombie woke", name());
  if (up() && is_frozen_by_guard()) world_.mark("zombie fenced", name());
  std::vector<std::function<void()>> backlog;
  backlog.swap(backlog_);
  for (const auto& what : backlog) what();
}

MintFault ProviderNode::mint_fault(const cashu::MintCall& call, Micros& delay) {
  if (mint_cut_ > 0 || world_.schedule().mint_unreachable()) return MintFault::Unreachable;
  const auto fits = [](const Fault& f) { return info_of(f.kind).klass == FaultClass::Mint; };
  auto fault = armed_.take(fits);
  if (!fault) fault = world_.schedule().take_mint_fault();
  if (!fault) return MintFault::None;
  if (fault->kind == FaultKind::MintSlowRequest || fault->kind == FaultKind::MintSlowAnswer)
    delay = Micros{fault->amount * 1000};
  const bool lost = fault->kind == FaultKind::MintDropAnswer ||
                    (fault->kind == FaultKind::MintSlowAnswer && delay >= call.deadline);
  if (lost) world_.mark("mint answer lost", name());
  return mint_fault_of(fault->kind);
}

void ProviderNode::plan_engine_fault(const workload::Call& call) {
  const auto fault = armed_.take([&](const Fault& f) {
    return info_of(f.kind).klass == FaultClass::Engine &&
           applies(engine_fault_of(f.kind), call.verb);
  });
  if (!fault) return;
  if (fault->kind == FaultKind::EngineStaleList) {
    engine_lied_at_ = clock().mono;
    ++engine_lies_;
  }
  if (fault->kind == FaultKind::EngineDies) world_.mark("workload died", name());
  engine_.plan_fault(call.verb, engine_fault_of(fault->kind), call.name);
}

void ProviderNode::exit_workloads(int64_t count) {
  for (const std::string& object : engine_.running_names(clock())) {
    if (count-- <= 0) break;
    if (engine_.exit_workload(object, kKilled, clock())) world_.mark("workload died", name());
  }
  watch_engine();
}

}  // namespace paygress::sim
