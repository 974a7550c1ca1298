// The engine and the guard of one member.
#include <algorithm>
#include <utility>

#include "sim/members/host.h"

namespace paygress::sim::members {
namespace {

constexpr Micros kGivesUp = 120'000_ms;

}  // namespace

using failover::WorkloadNews;

// Slots are made once: what is done later may name them.

// --- the engine ----------------------------------------------------------------------------------

void Host::engine_do(Micros takes, std::function<void()> what) {
  queue_.after(takes, [this, boot = machine_boots_, act = std::move(what)] {
    if (boot != machine_boots_) return;
    if (engine_hangs_)
      stuck_.push_back(act);
    else
      act();
  });
}

void Host::set_engine_hangs(bool hangs) {
  engine_hangs_ = hangs && machine_up_;
  if (hangs) return;
  for (const auto& act : std::exchange(stuck_, {})) act();
}

void Host::tell_workload(const Slot& slot, WorkloadNews news, bool unstopped) {
  if (news == WorkloadNews::StartFailed) mark(Mark::StartFailed);
  if (news == WorkloadNews::CannotRun) mark(Mark::CannotRun);
  const uint32_t workload = slot.workload;
  tell([this, workload, news, unstopped](Now at, failover::Step& out) {
    daemon_->brain->workload(at, workload, news, unstopped, out);
  });
}

// Create may take minutes, and leaves the workload not running; the start is a second call, made by
// a daemon that still wants it.
void Host::engine_run(Slot& slot) {
  Engine& engine = slot.engine;
  engine.wanted = true;
  const uint64_t change = ++engine.change;
  const uint64_t run = daemon_->run;
  if (engine.started)
    return engine_do({20'000}, [this, &slot] {
      if (slot.engine.started) tell_workload(slot, WorkloadNews::Running);
    });
  queue_.after(kGivesUp, [this, &slot, change] {  // the supervisor's patience with an engine
    if (slot.engine.change == change && engine_hangs_ && !slot.engine.started)
      tell_workload(slot, WorkloadNews::CannotRun);
  });
  const Micros takes = engine.exists ? Micros{200'000} : create_time_;
  engine_do(takes, [this, &slot, change, run] {
    if (create_fails_ && !slot.engine.exists) {
      if (slot.engine.change == change) tell_workload(slot, WorkloadNews::StartFailed);
      return;
    }
    slot.engine.exists = true;
    if (!plan_.policy.guarded_start) return engine_start(slot);
    if (slot.engine.change != change) mark(Mark::StartAborted);
    if (!daemon_ || daemon_->run != run) return;
    tell([this, &slot, change](Now, failover::Step&) {
      if (slot.engine.change == change) engine_start(slot);
    });
  });
}

void Host::engine_start(Slot& slot) {
  line("workload starts");
  if (!plan_.policy.guarded_start) slot.cage.frozen = false;
  slot.engine.started = true;
  slot.engine.started_at = queue_.now();
  refresh_runs(slot);
  engine_do({50'000}, [this, &slot] {
    if (!slot.engine.started) return;
    tell_workload(slot, WorkloadNews::Running);
    if (leases_over_) engine_remove(slot);  // of no lease
  });
}

void Host::engine_pause(Slot& slot, bool kill) {
  slot.engine.wanted = false;
  ++slot.engine.change;
  const int64_t stop = plan_.profile.stop.value;
  engine_do({random_.between(10'000, kill ? stop / 4 : stop * 8 / 10)}, [this, &slot] {
    if (slot.engine.wanted) return;
    slot.engine.started = false;
    refresh_runs(slot);
    tell_workload(slot, WorkloadNews::Stopped);
  });
}

void Host::engine_remove(Slot& slot) {
  slot.engine.wanted = false;
  ++slot.engine.change;
  engine_do({500'000}, [this, &slot] {
    if (slot.engine.wanted) return;
    slot.engine.exists = slot.engine.started = false;
    refresh_runs(slot);
    tell_workload(slot, WorkloadNews::Absent);
  });
}

void Host::exhaust() {
  for (Slot& slot : slots_) {
    if (!machine_up_ || !slot.engine.started) continue;
    line("workload dies");
    slot.engine.started = false;
    refresh_runs(slot);
    engine_do({3'000'000}, [this, &slot] {
      if (!slot.engine.started) tell_workload(slot, WorkloadNews::CannotRun);
    });
  }
}

void Host::lose_engine() {
  if (!machine_up_) return;
  line("engine lost");
  for (Slot& slot : slots_) {
    slot.engine.started = false;
    refresh_runs(slot);
    tell_workload(slot, WorkloadNews::CannotRun);
  }
  engine_hangs_ = true;
}

void Host::inventory(Slot& slot) {
  const Micros takes{random_.between(100'000, 500'000)};
  engine_do(takes, [this, &slot, run = daemon_->run, at = queue_.now()] {
    if (!daemon_ || daemon_->run != run) return;
    if (slot.engine.started)
      tell_workload(slot, WorkloadNews::Running, *slot.engine.started_at < at);
    else if (slot.engine.exists)
      tell_workload(slot, WorkloadNews::Stopped);
    else
      tell_workload(slot, WorkloadNews::Absent);
  });
}

// --- the guard -----------------------------------------------------------------------------------

void Host::guard_do(const failover::Output& output) {
  if (!plan_.policy.guard || !guard_up_) return;
  if (const auto* hold = std::get_if<failover::GuardHold>(&output)) {
    guard_hold(slot_of(hold->lease), hold->deadline);
  } else if (const auto* now = std::get_if<failover::GuardFreeze>(&output)) {
    Slot& slot = slot_of(now->lease);
    slot.cage.deadline.reset();
    freeze(slot);
    refresh_runs(slot);
  } else if (const auto* release = std::get_if<failover::GuardRelease>(&output)) {
    Slot& slot = slot_of(release->lease);
    slot.cage.deadline.reset();
    slot.cage.frozen = slot.cage.freezing = false;
    refresh_runs(slot);
  }
}

void Host::guard_hold(Slot& slot, Micros deadline) {
  const bool late = (slot.cage.deadline && mono() >= *slot.cage.deadline) || deadline <= mono();
  if (late) return mark(Mark::HoldTooLate);  // it is frozen, and stays so
  slot.cage.deadline = deadline;
  slot.cage.frozen = slot.cage.freezing = false;
  guard_watch(slot, deadline);
  queue_.after({2'000}, [this, lease = lease_of(slot.workload), deadline, run = daemon_->run] {
    if (!daemon_ || daemon_->run != run) return;
    tell([this, lease, deadline](Now at, failover::Step& out) {
      daemon_->brain->guard_hold(at, {lease, deadline}, out);
    });
  });
  refresh_runs(slot);
}

void Host::freeze(Slot& slot) {
  if (slot.cage.frozen || slot.cage.freezing) return;
  if (plan_.freeze_max == Micros{0} || !slot.engine.started) {
    slot.cage.frozen = true;
    return refresh_runs(slot);
  }
  slot.cage.freezing = true;
  queue_.after({random_.between(0, plan_.freeze_max.value)}, [this, &slot, boot = machine_boots_] {
    if (boot != machine_boots_ || !std::exchange(slot.cage.freezing, false)) return;
    slot.cage.frozen = true;
    refresh_runs(slot);
  });
}

void Host::guard_watch(Slot& slot, Micros deadline) {
  const uint64_t watch = ++slot.cage.watch;
  if (deadline == Micros::max()) return;
  const Micros late{random_.between(0, 100'000)};
  queue_.at(true_time(deadline) + late, [this, &slot, watch, deadline] {
    if (watch != slot.cage.watch || slot.cage.deadline != deadline) return;
    line("guard freezes");
    mark(Mark::GuardFroze);
    freeze(slot);
  });
}

void Host::crash_guard() {
  if (!machine_up_ || !guard_up_) return;
  guard_up_ = false;
  for (Slot& slot : slots_) {
    slot.cage.deadline.reset();
    ++slot.cage.watch;
  }
  tell([this](Now at, failover::Step& out) { daemon_->brain->guard_lost(at, out); });
}

// A guard that knows of no deadline lets nothing run.
void Host::start_guard() {
  if (!machine_up_ || guard_up_) return;
  guard_up_ = true;
  for (Slot& slot : slots_) freeze(slot);
  tell([this](Now at, failover::Step& out) { daemon_->brain->guard_state(at, {}, out); });
}

void Host::refresh_runs(Slot& slot) {
  const bool frozen = plan_.policy.guard && slot.cage.frozen;
  const bool runs = machine_up_ && slot.engine.started && !frozen;
  if (std::exchange(slot.runs, runs) != runs) watcher_.on_running(member_, slot.workload, runs);
}

}  // namespace paygress::sim::members
