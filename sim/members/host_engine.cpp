// The engine and the guard of one member.
#include <algorithm>
#include <utility>

#include "sim/members/host.h"

namespace paygress::sim::members {
namespace {

constexpr Micros kGivesUp = 120'000_ms;

}  // namespace

// --- the engine ----------------------------------------------------------------------------------

void Host::engine_do(Micros takes, std::function<void()> what) {
  queue_.after(takes, [this, boot = machine_boots_, act = std::move(what)] {
    if (boot != machine_boots_) return;
    if (engine_.hangs)
      engine_.stuck.push_back(act);
    else
      act();
  });
}

void Host::set_engine_hangs(bool hangs) {
  engine_.hangs = hangs && machine_up_;
  if (hangs) return;
  for (const auto& act : std::exchange(engine_.stuck, {})) act();
}

void Host::tell_workload(failover::WorkloadNews news, bool unstopped) {
  tell([this, news, unstopped](Now at, failover::Step& out) {
    daemon_->brain->workload(at, news, unstopped, out);
  });
}

// Create may take minutes, and leaves the workload not running; the start is a second call, made by
// a daemon that still wants it.
void Host::engine_run() {
  engine_.wanted = true;
  const uint64_t change = ++engine_.change;
  const uint64_t run = daemon_->run;
  if (engine_.started) return engine_do({20'000}, [this] {
    if (engine_.started) tell_workload(failover::WorkloadNews::Running);
  });
  queue_.after(kGivesUp, [this, change] {  // the supervisor's patience with an engine
    if (engine_.change == change && engine_.hangs && !engine_.started)
      tell_workload(failover::WorkloadNews::CannotRun);
  });
  const Micros takes = engine_.exists ? Micros{200'000} : create_time_;
  engine_do(takes, [this, change, run] {
    if (create_fails_ && !engine_.exists) {
      if (engine_.change == change) tell_workload(failover::WorkloadNews::StartFailed);
      return;
    }
    engine_.exists = true;
    if (!plan_.policy.guarded_start) return engine_start();
    if (!daemon_ || daemon_->run != run) return;
    tell([this, change](Now, failover::Step&) {
      if (engine_.change == change) engine_start();
    });
  });
}

void Host::engine_start() {
  line("workload starts");
  if (!plan_.policy.guarded_start) guard_.frozen = false;
  engine_.started = true;
  engine_.started_at = queue_.now();
  refresh_runs();
  engine_do({50'000}, [this] {
    if (engine_.started) tell_workload(failover::WorkloadNews::Running);
  });
}

void Host::engine_pause(bool kill) {
  engine_.wanted = false;
  ++engine_.change;
  const int64_t stop = plan_.profile.stop.value;
  engine_do({random_.between(10'000, kill ? stop / 4 : stop * 8 / 10)}, [this] {
    if (engine_.wanted) return;
    engine_.started = false;
    refresh_runs();
    tell_workload(failover::WorkloadNews::Stopped);
  });
}

void Host::engine_remove() {
  engine_.wanted = false;
  ++engine_.change;
  engine_do({500'000}, [this] {
    if (engine_.wanted) return;
    engine_.exists = engine_.started = false;
    refresh_runs();
    tell_workload(failover::WorkloadNews::Absent);
  });
}

void Host::exhaust() {
  if (!machine_up_ || !engine_.started) return;
  line("workload dies");
  engine_.started = false;
  refresh_runs();
  engine_do({3'000'000}, [this] {
    if (!engine_.started) tell_workload(failover::WorkloadNews::CannotRun);
  });
}

void Host::lose_engine() {
  if (!machine_up_) return;
  line("engine lost");
  engine_.started = false;
  refresh_runs();
  tell_workload(failover::WorkloadNews::CannotRun);
  engine_.hangs = true;
}

void Host::inventory() {
  engine_do({random_.between(100'000, 500'000)}, [this, run = daemon_->run, at = queue_.now()] {
    if (!daemon_ || daemon_->run != run) return;
    if (engine_.started)
      tell_workload(failover::WorkloadNews::Running, *engine_.started_at < at);
    else if (engine_.exists)
      tell_workload(failover::WorkloadNews::Stopped);
    else
      tell_workload(failover::WorkloadNews::Absent);
  });
}

// --- the guard -----------------------------------------------------------------------------------

void Host::guard_do(const failover::Output& output) {
  if (!plan_.policy.guard || !guard_.up) return;
  if (const auto* hold = std::get_if<failover::GuardHold>(&output)) {
    if (guard_.deadline && mono() >= *guard_.deadline) return;  // too late: it is frozen
    if (hold->deadline <= mono()) return;
    guard_.deadline = hold->deadline;
    guard_.frozen = guard_.freezing = false;
    guard_watch(hold->deadline);
    queue_.after({2'000}, [this, taken = hold->deadline, run = daemon_->run] {
      if (!daemon_ || daemon_->run != run) return;
      tell([this, taken](Now at, failover::Step& out) {
        daemon_->brain->guard_hold(at, taken, out);
      });
    });
  } else if (std::holds_alternative<failover::GuardFreeze>(output)) {
    guard_.deadline.reset();
    freeze();
  } else if (std::holds_alternative<failover::GuardRelease>(output)) {
    guard_.deadline.reset();
    guard_.frozen = guard_.freezing = false;
  }
  refresh_runs();
}

void Host::freeze() {
  if (guard_.frozen || guard_.freezing) return;
  if (plan_.freeze_max == Micros{0} || !engine_.started) {
    guard_.frozen = true;
    return refresh_runs();
  }
  guard_.freezing = true;
  queue_.after({random_.between(0, plan_.freeze_max.value)}, [this, boot = machine_boots_] {
    if (boot != machine_boots_ || !std::exchange(guard_.freezing, false)) return;
    guard_.frozen = true;
    refresh_runs();
  });
}

void Host::guard_watch(Micros deadline) {
  const uint64_t watch = ++guard_.watch;
  if (deadline == Micros::max()) return;
  const Micros late{random_.between(0, 100'000)};
  queue_.at(true_time(deadline) + late, [this, watch, deadline] {
    if (watch != guard_.watch || guard_.deadline != deadline) return;
    line("guard freezes");
    freeze();
  });
}

void Host::crash_guard() {
  if (!machine_up_ || !guard_.up) return;
  guard_.up = false;
  guard_.deadline.reset();
  ++guard_.watch;
  tell([this](Now at, failover::Step& out) { daemon_->brain->guard_lost(at, out); });
}

// A guard that knows of no deadline lets nothing run.
void Host::start_guard() {
  if (!machine_up_ || guard_.up) return;
  guard_.up = true;
  freeze();
  tell([this](Now at, failover::Step& out) { daemon_->brain->guard_state(at, {}, out); });
}

void Host::refresh_runs() {
  const bool frozen = plan_.policy.guard && guard_.frozen;
  const bool runs = machine_up_ && engine_.started && !frozen;
  if (std::exchange(runs_, runs) != runs) watcher_.on_running(member_, runs);
}

}  // namespace paygress::sim::members
