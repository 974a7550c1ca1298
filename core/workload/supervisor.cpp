#include "core/workload/supervisor.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/planted.h"

namespace paygress::workload {
namespace {

constexpr std::array<Seconds, 3> kRestartBackoff{Seconds{5}, Seconds{30}, Seconds{120}};
constexpr Seconds kHaltAgain{1};  // a pause that the engine did not confirm
constexpr std::array<Seconds, 6> kEngineBackoff{Seconds{5},  Seconds{10},  Seconds{30},
                                                Seconds{60}, Seconds{120}, Seconds{300}};

template <size_t N>
Seconds step_of(const std::array<Seconds, N>& steps, uint32_t n) {
  return steps[std::min<size_t>(n, N - 1)];
}

Object absent_object() {
  Object absent;
  absent.running = Running::Absent;
  return absent;
}

bool engine_is_lost(const Answer& answer) {
  const bool question = answer.verb == Verb::Inspect || answer.verb == Verb::List;
  return answer.fault == Fault::Unreachable || (question && answer.outcome == Outcome::Unknown);
}

// What the names of all of a lease's objects begin with.
std::string stem_of(const std::string& name) { return name.substr(0, name.rfind("-g")); }

bool proves_absence(const Answer& answer) {
  return answer.outcome == Outcome::Failed && answer.fault == Fault::NotFound;
}

}  // namespace

std::string object_name(const LeaseId& lease, uint32_t generation) {
  return "paygress-" + lease.hex().substr(0, 12) + "-g" + std::to_string(generation);
}

std::string_view to_string(State state) {
  switch (state) {
    case State::Provisioning: return "provisioning";
    case State::Live: return "live";
    case State::Suspect: return "suspect";
    case State::Fenced: return "fenced";
    case State::Respawning: return "respawning";
    case State::Failed: return "failed";
  }
  return "unknown";
}

Supervisor::Supervisor(SupervisorConfig config, std::function<CallId()> next_call,
                       SupervisorPolicy policy)
    : config_(config), policy_(policy), next_call_(std::move(next_call)) {
  PG_CHECK(config_.calls_max > 0);
  PG_CHECK(next_call_ != nullptr);
}

// --- told by the owner -------------------------------------------------------------------------

void Supervisor::want(Now now, Spec spec, RestartPolicy restart, bool gated, Step& out) {
  const LeaseId lease = spec.labels.lease;
  PG_CHECK(!workloads_.contains(lease));
  record(WorkloadWanted{std::move(spec), restart, now.wall, gated}, out);
  Workload& w = workloads_.at(lease);
  w.provisioning_since = now.mono;
  advance(now, lease, w, out);
}

void Supervisor::retire(Now now, const LeaseId& lease, Step& out) {
  Workload* w = find(lease);
  if (w == nullptr || w->retired) return;
  record(WorkloadRetired{lease, now.wall}, out);
  w->failures = 0;
  // What may not run is no longer charged as running, whatever a look would show.
  w->settled = w->state != State::Live || !may_run(*w) || w->seen_running == now.mono;
  if (w->waits_for_group) w->creates.erase(w->generation);  // that create was never asked for
  if (w->pending == Pending::Nothing) advance(now, lease, *w, out);
}

void Supervisor::set_ports(Now now, const Spec& spec, Step& out) {
  const LeaseId lease = spec.labels.lease;
  Workload* w = find(lease);
  if (w == nullptr || w->retired || w->gated || w->started_once) return;
  if (w->state != State::Provisioning || w->pending != Pending::Nothing) return;
  record(WorkloadPorts{lease, spec.ssh_host_port, spec.ports, spec.labels.spec_digest, now.wall},
         out);
  make_generation(now, lease, *w, out);
}

void Supervisor::look(Now now, const LeaseId& lease, Step& out) {
  Workload* w = find(lease);
  if (w == nullptr || w->retired || w->pending != Pending::Nothing) return;
  if (w->state == State::Live) ask(now, lease, *w, Verb::Inspect, Pending::Look, out);
}

void Supervisor::notice(Now now, const Noticed& noticed, Step& out) {
  if (!noticed.lease) return ask_list(now, out);
  if (Workload* w = find(*noticed.lease); w != nullptr && w->pending == Pending::Look)
    w->noticed = true;
  look(now, *noticed.lease, out);
}

void Supervisor::recover(Now now, Step& out) {
  if (planted(Bug::recovery_forgets)) return ask_list(now, out);
  for (auto [lease, w] : workloads_) {
    w.provisioning_since = now.mono;
    w.live_since = now.mono;
    if (w.state != State::Failed || w.retired || w.gated) schedule(lease, w, now.mono);
  }
  ask_list(now, out);
}

// --- told of the engine ------------------------------------------------------------------------

// What was asked before this process was stopped says how things were, not how they are.
bool Supervisor::is_old(Now now, const Answer& answer) const {
  const Micros oldest = now.mono - micros(config_.call_deadline);
  if (list_call_ == answer.id) return list_asked_at_ < oldest;
  const LeaseId* lease = calls_.find(answer.id.value);
  if (lease == nullptr || answer.verb != Verb::Inspect) return false;
  return workloads_.at(*lease).asked_at < oldest;
}

void Supervisor::handle_answer(Now now, const Answer& told, Step& out) {
  Answer unknown;
  unknown.id = told.id;
  unknown.verb = told.verb;
  unknown.name = told.name;
  const Answer& answer = is_old(now, told) ? unknown : told;
  if (engine_is_lost(answer)) ++engine_losses_;
  if (list_call_ == answer.id) return on_list(now, answer, out);
  if (stray_calls_.contains(answer.id)) {
    const Stray stray = stray_calls_.at(answer.id);
    stray_calls_.erase(answer.id);
    if (answer.verb == Verb::Stop && answer.outcome != Outcome::Unknown && stray.remove) {
      const CallId id = next_call_();
      stray_calls_.emplace(id, stray);
      out.calls.push_back(
          {id, Verb::Remove, stray.name, std::nullopt, micros(config_.call_deadline)});
    }
    return;  // what is still there is met again by the next sweep
  }
  const LeaseId* known = calls_.find(answer.id.value);
  if (known == nullptr) return;  // an answer from before a crash, or of a workload that is gone
  const LeaseId lease = *known;
  calls_.erase(answer.id.value);
  Workload* w = find(lease);
  PG_CHECK(w != nullptr && w->pending != Pending::Nothing);
  const Pending was = w->pending;
  w->pending = Pending::Nothing;
  const bool halts = w->halting != Halting::No && !w->retired;
  if (halts && was != Pending::Halt)
    return ask(now, lease, *w, w->halting == Halting::Kill ? Verb::Stop : Verb::Pause,
               Pending::Halt, out);
  switch (was) {
    case Pending::Create: return on_create(now, lease, *w, answer, out);
    case Pending::Start:
    case Pending::Resume:
      if (w->retired) return advance(now, lease, *w, out);
      if (answer.outcome == Outcome::Failed && !proves_absence(answer))
        return on_trouble(now, lease, *w, answer, out);
      return ask(now, lease, *w, Verb::Inspect, Pending::Look, out);
    case Pending::Halt:
      if (w->retired) return advance(now, lease, *w, out);
      if (halts && answer.outcome != Outcome::Done && !proves_absence(answer))
        return schedule(lease, *w, now.mono + micros(kHaltAgain));
      w->halting = Halting::No;
      return ask(now, lease, *w, Verb::Inspect, Pending::Look, out);
    case Pending::Look:
      on_look(now, lease, *w, answer, out);
      if (std::exchange(w->noticed, false)) look(now, lease, out);
      return;
    case Pending::Stop:
      if (answer.outcome == Outcome::Done || proves_absence(answer))
        return ask(now, lease, *w, Verb::Remove, Pending::Remove, out);
      return on_trouble(now, lease, *w, answer, out);
    case Pending::Remove:
      if (answer.outcome != Outcome::Done && !proves_absence(answer))
        return on_trouble(now, lease, *w, answer, out);
      set_removed(lease, *w, true);
      return ask_list(now, out);
    case Pending::Nothing: break;
  }
}

void Supervisor::on_create(Now now, const LeaseId& lease, Workload& w, const Answer& answer,
                           Step& out) {
  if (answer.outcome != Outcome::Unknown) w.creates.erase(w.generation);
  if (w.retired) return advance(now, lease, w, out);
  if (answer.outcome == Outcome::Failed) return on_trouble(now, lease, w, answer, out);
  if (answer.outcome == Outcome::Unknown) {
    ++w.failures;
    w.create_lost = true;
    if (!policy_.labels) return make_generation(now, lease, w, out);
    return ask(now, lease, w, Verb::Inspect, Pending::Look, out);
  }
  w.serves_ssh = answer.serves_ssh;
  if (!may_run(w)) return ask(now, lease, w, Verb::Inspect, Pending::Look, out);
  w.may_start = false;
  ask(now, lease, w, Verb::Start, Pending::Start, out);
}

void Supervisor::on_look(Now now, const LeaseId& lease, Workload& w, const Answer& answer,
                         Step& out) {
  if (w.retired) return on_retired_look(now, lease, w, answer, out);
  const bool taken_for_absent = planted(Bug::unknown_is_absent) || !policy_.unknown_is_not_absent;
  const bool unknown = answer.outcome == Outcome::Unknown;
  if (proves_absence(answer) || (unknown && taken_for_absent)) {
    Object absent;
    absent.name = w.spec.name;
    absent.running = Running::Absent;
    return on_observed(now, lease, w, absent, out);
  }
  if (answer.outcome != Outcome::Done || answer.objects.size() != 1)
    return on_trouble(now, lease, w, answer, out);
  on_observed(now, lease, w, answer.objects.front(), out);
}

// The last look before it is stopped: when it had stopped already, its owner pays until then.
void Supervisor::on_retired_look(Now now, const LeaseId& lease, Workload& w, const Answer& answer,
                                 Step& out) {
  const bool absent = proves_absence(answer);
  const bool told = answer.outcome == Outcome::Done && answer.objects.size() == 1;
  // An engine that goes on refusing to say so does not keep it: then nobody knows.
  const bool refused = answer.outcome == Outcome::Failed && answer.fault != Fault::Unreachable &&
                       w.failures + 1 >= config_.create_failures_max;
  if (!absent && !told && !refused) return on_trouble(now, lease, w, answer, out);
  if (told && answer.objects.front().running == Running::Unknown)
    return schedule(lease, w, now.mono + micros(step_of(kEngineBackoff, 0)));
  const Running running = told ? answer.objects.front().running : Running::Absent;
  const bool down = running == Running::Absent || running == Running::Stopped;
  if (!std::exchange(w.settled, true) && w.state == State::Live && down)
    out.events.push_back(
        WentDown{lease, told ? answer.objects.front().stopped_at : std::nullopt, false});
  advance(now, lease, w, out);
}

void Supervisor::on_observed(Now now, const LeaseId& lease, Workload& w, const Object& object,
                             Step& out) {
  if (object.running != Running::Absent && object.running != Running::Unknown)
    w.creates.erase(w.generation);
  if (!may_run(w)) return on_found(now, lease, w, object, out);
  switch (object.running) {
    case Running::Running: return on_running(now, lease, w, object, out);
    case Running::Stopped:
    case Running::Absent: return on_not_running(now, lease, w, object, out);
    case Running::Paused: return ask(now, lease, w, Verb::Resume, Pending::Resume, out);
    case Running::Unknown: schedule(lease, w, now.mono + micros(step_of(kEngineBackoff, 0)));
  }
}

void Supervisor::on_running(Now now, const LeaseId& lease, Workload& w, const Object& object,
                            Step& out) {
  if (!object.node.empty() && (object.node != w.node || object.address != w.address)) {
    w.node = object.node;
    w.address = object.address;
    out.events.push_back(Placed{lease, object.node, object.address});
  }
  w.failures = 0;
  w.create_lost = false;
  w.seen_in = engine_losses_;
  w.seen_running = now.mono;
  if (w.state == State::Live) {
    const Micros reset_at = w.live_since + micros(config_.attempts_reset_after);
    if (w.attempts > 0 && now.mono >= reset_at) become(now, lease, State::Live, 0, "", out);
    out.events.push_back(Sighted{lease});
    return;
  }
  const bool first = !w.started_once;
  become(now, lease, State::Live, w.attempts, "", out);
  w.live_since = now.mono;
  if (first)
    out.events.push_back(Started{lease, w.serves_ssh});
  else
    out.events.push_back(CameUp{lease, std::exchange(w.backoff_charged, Seconds{0})});
}

Micros Supervisor::give_up_at(const Workload& w) const {
  const bool down = w.state == State::Respawning;
  return w.provisioning_since + micros(down ? config_.give_up_down_after : config_.give_up_after);
}

// Stopped or absent while it is wanted.
void Supervisor::on_not_running(Now now, const LeaseId& lease, Workload& w, const Object& object,
                                Step& out) {
  if (w.state == State::Live) {
    // An engine or a machine that restarts leaves exit codes too: only one that was watched all the
    // time since the last sight proves anything, and only an exit of its own costs its owner.
    const bool watched = w.seen_in == engine_losses_;
    const bool own_exit =
        watched && object.running == Running::Stopped && object.exit_code.has_value();
    out.events.push_back(WentDown{lease, object.stopped_at, own_exit});
    if (w.attempts >= w.restart.attempts_max)
      return give_up(now, lease, w, "stopped, and its restarts are used up", out);
    const Seconds backoff = step_of(kRestartBackoff, w.attempts);
    w.backoff_charged = own_exit ? backoff : Seconds{0};
    w.may_start = true;
    become(now, lease, State::Respawning, static_cast<uint8_t>(w.attempts + 1),
           own_exit ? "exited" : "stopped by the host", out);
    return schedule(lease, w, now.mono + micros(backoff));
  }
  if (object.running == Running::Absent) {
    if (now.mono >= give_up_at(w))
      return give_up(now, lease, w, "the engine could not make it in time", out);
    if (std::exchange(w.create_lost, false))  // it may be on its way still: look once more
      return schedule(lease, w, now.mono + micros(step_of(kEngineBackoff, w.failures - 1)));
    return make_generation(now, lease, w, out);
  }
  if (std::exchange(w.may_start, false))
    return ask(now, lease, w, object.unfinished ? Verb::Create : Verb::Start,
               object.unfinished ? Pending::Create : Pending::Start, out);
  if (++w.failures >= config_.create_failures_max)  // it was started and is down again
    return give_up(now, lease, w, "does not stay up", out);
  w.may_start = true;
  schedule(lease, w, now.mono + micros(step_of(kRestartBackoff, w.failures - 1)));
}

// The engine refused or did not answer. Nothing is concluded about the object.
void Supervisor::on_trouble(Now now, const LeaseId& lease, Workload& w, const Answer& answer,
                            Step& out) {
  ++w.failures;
  const bool making =
      !w.retired && (w.state == State::Provisioning || w.state == State::Respawning);
  const bool refused = answer.outcome == Outcome::Failed && answer.fault != Fault::Unreachable;
  if (making && refused && w.failures >= config_.create_failures_max)
    return give_up(now, lease, w, answer.message, out);
  if (making && now.mono >= give_up_at(w))
    return give_up(now, lease, w, "the engine did not answer in time", out);
  schedule(lease, w, now.mono + micros(step_of(kEngineBackoff, w.failures - 1)));
  if (making && answer.fault == Fault::PortTaken && !w.started_once)
    out.events.push_back(PortsTaken{lease});
}

void Supervisor::on_list(Now now, const Answer& answer, Step& out) {
  list_call_.reset();
  const bool again = std::exchange(list_again_, false);
  next_sweep_ = again ? now.mono : now.mono + micros(config_.sweep_every);
  const std::set<LeaseId> confirmable = std::exchange(confirmable_, {});
  if (answer.outcome != Outcome::Done) {
    if (!removed_.empty()) next_sweep_ = now.mono + micros(step_of(kEngineBackoff, 0));
    return;
  }
  has_inventory_ = true;
  std::set<LeaseId> present;
  std::set<std::string> names;
  std::set<std::string, std::less<>> unseen;  // stems of what cannot be looked at
  for (const Object& object : answer.objects) {
    const LeaseId& lease = object.labels.lease;
    if (lease.is_zero() && object.running == Running::Unknown) {
      names.insert(object.name);
      unseen.emplace(stem_of(object.name));
      continue;
    }
    Workload* w = find(lease);
    const bool newest = w != nullptr && object.name == w->spec.name && w->generation > 0;
    if (!policy_.labels && !newest) continue;
    present.insert(lease);
    names.insert(object.name);
    if (w != nullptr) w->creates.erase(object.labels.generation);
    if (!newest || (w->retired && w->removed)) {
      sweep_stray(now, object, w != nullptr, out);
    } else if (!may_run(*w)) {
      if (object.running == Running::Running && w->pending == Pending::Nothing)
        schedule(lease, *w, now.mono);
    } else if (w->state == State::Live && !w->retired && w->pending == Pending::Nothing) {
      // Only a look of its own concludes that it is down: this list may be older than a start.
      if (object.running == Running::Running)
        on_running(now, lease, *w, object, out);
      else if (object.running != Running::Unknown)
        schedule(lease, *w, now.mono);
    }
  }
  std::erase_if(quarantined_, [&](const auto& entry) { return !names.contains(entry.first); });
  for (auto [lease, w] : workloads_) {
    if (w.state == State::Live && !w.retired && may_run(w) && w.pending == Pending::Nothing &&
        !present.contains(lease))
      schedule(lease, w, now.mono);
  }
  for (const LeaseId& lease : confirmable) {
    Workload* w = find(lease);
    if (w == nullptr || !w->removed) continue;
    if (present.contains(lease) || unseen.contains(stem_of(object_name(lease, 1)))) {
      schedule(lease, *w, now.mono + micros(step_of(kEngineBackoff, w->failures++)));
    } else {
      confirm_gone(now, lease, *w, out);
    }
  }
}

void Supervisor::confirm_gone(Now now, const LeaseId& lease, Workload& w, Step& out) {
  Gone gone{lease, std::nullopt};
  for (const auto& [generation, at] : w.creates) {
    const UnixSeconds lost_at = at + config_.create_lost_after;
    if (lost_at > now.wall && (!gone.unanswered || lost_at > *gone.unanswered))
      gone.unanswered = lost_at;
  }
  unschedule(lease, w);
  removed_.erase(lease);
  record(WorkloadGone{lease, now.wall}, out);
  out.events.push_back(gone);
}

// --- time --------------------------------------------------------------------------------------

void Supervisor::handle_timer(Now now, Step& out) {
  while (!due_.empty() && due_.begin()->first <= now.mono && calls_.size() < config_.calls_max) {
    const LeaseId lease = due_.begin()->second;
    Workload& w = workloads_.at(lease);
    unschedule(lease, w);
    advance(now, lease, w, out);
  }
  if (!list_call_ && now.mono >= next_sweep_) ask_list(now, out);
}

std::optional<Micros> Supervisor::next_deadline() const {
  std::optional<Micros> next;
  if (!list_call_) next = next_sweep_;
  if (!due_.empty() && calls_.size() < config_.calls_max)
    next = next ? std::min(*next, due_.begin()->first) : due_.begin()->first;
  return next;
}

// The next call for a workload with nothing pending.
void Supervisor::advance(Now now, const LeaseId& lease, Workload& w, Step& out) {
  PG_CHECK(w.pending == Pending::Nothing);
  if (calls_.size() >= config_.calls_max) return schedule(lease, w, now.mono);
  if (!w.retired && !may_run(w)) {
    if (w.generation == 0) return on_found(now, lease, w, absent_object(), out);
    if (w.halting == Halting::No) return ask(now, lease, w, Verb::Inspect, Pending::Look, out);
    const Verb verb = w.halting == Halting::Kill ? Verb::Stop : Verb::Pause;
    return ask(now, lease, w, verb, Pending::Halt, out);
  }
  if (w.retired) {
    if (w.generation == 0) {  // nothing was ever asked for
      set_removed(lease, w, true);
      return ask_list(now, out);
    }
    set_removed(lease, w, false);  // a list showed it still there: stop and remove again
    if (!w.settled) return ask(now, lease, w, Verb::Inspect, Pending::Look, out);
    return ask(now, lease, w, Verb::Stop, Pending::Stop, out);
  }
  if (w.state == State::Failed) return;
  if (w.generation == 0) return make_generation(now, lease, w, out);
  ask(now, lease, w, Verb::Inspect, Pending::Look, out);
}

void Supervisor::make_generation(Now now, const LeaseId& lease, Workload& w, Step& out) {
  record(WorkloadGeneration{lease, w.generation + 1, now.wall}, out);
  if (w.spec.guarded) {
    w.waits_for_group = true;
    out.events.push_back(GroupWanted{lease, w.spec.name});
    return;
  }
  ask(now, lease, w, Verb::Create, Pending::Create, out);
}

void Supervisor::give_up(Now now, const LeaseId& lease, Workload& w, std::string reason,
                         Step& out) {
  become(now, lease, State::Failed, w.attempts, reason, out);
  unschedule(lease, w);
  out.events.push_back(GaveUp{lease, std::move(reason)});
}

// `of_lease`: the ledger knows the lease, and this is not the object that it wants. Otherwise the
// object is somebody's we do not remember: it must not run, but it is not thrown away at once.
void Supervisor::sweep_stray(Now now, const Object& object, bool of_lease, Step& out) {
  const auto same = [&](const auto& entry) { return entry.second.name == object.name; };
  if (std::any_of(stray_calls_.begin(), stray_calls_.end(), same)) return;
  if (stray_calls_.size() >= config_.calls_max) return;  // the next sweep takes the rest
  bool remove = of_lease;
  if (!of_lease && object.running == Running::Stopped) {
    const Micros since = quarantined_.emplace(object.name, now.mono).first->second;
    if (now.mono < since + micros(config_.quarantine)) return;
    remove = true;
  }
  const CallId id = next_call_();
  stray_calls_.emplace(id, Stray{object.name, remove});
  out.calls.push_back({id, Verb::Stop, object.name, std::nullopt, micros(config_.call_deadline)});
}

// --- small parts -------------------------------------------------------------------------------

Supervisor::Workload* Supervisor::find(const LeaseId& lease) { return workloads_.find(lease); }

void Supervisor::schedule(const LeaseId& lease, Workload& w, Micros at) {
  unschedule(lease, w);
  w.due = at;
  due_.emplace(at, lease);
}

void Supervisor::unschedule(const LeaseId& lease, Workload& w) {
  if (w.due) due_.erase({*w.due, lease});
  w.due.reset();
}

void Supervisor::ask(Now now, const LeaseId& lease, Workload& w, Verb verb, Pending pending,
                     Step& out) {
  PG_CHECK(w.pending == Pending::Nothing && w.generation > 0);
  if (calls_.size() >= config_.calls_max) return schedule(lease, w, now.mono);
  unschedule(lease, w);
  w.started_here |= verb == Verb::Start || verb == Verb::Resume;
  w.pending = pending;
  w.asked_at = now.mono;
  w.call = next_call_();
  calls_.insert(w.call.value, lease);
  const bool create = verb == Verb::Create;
  out.calls.push_back({w.call, verb, w.spec.name,
                       create ? std::optional<Spec>(w.spec) : std::nullopt,
                       micros(create ? config_.create_deadline : config_.call_deadline)});
}

void Supervisor::ask_list(Now now, Step& out) {
  if (list_call_) {  // that list may be older than what is to be confirmed: ask again right after
    list_again_ = true;
    return;
  }
  confirmable_ = removed_;
  list_asked_at_ = now.mono;
  list_call_ = next_call_();
  out.calls.push_back({*list_call_, Verb::List, "", std::nullopt, micros(config_.call_deadline)});
}

void Supervisor::set_removed(const LeaseId& lease, Workload& w, bool removed) {
  w.removed = removed;
  removed ? static_cast<void>(removed_.insert(lease)) : static_cast<void>(removed_.erase(lease));
}

void Supervisor::become(Now now, const LeaseId& lease, State state, uint8_t attempts,
                        std::string reason, Step& out) {
  if (state == State::Respawning) workloads_.at(lease).provisioning_since = now.mono;
  record(WorkloadMoved{lease, state, now.wall, attempts, std::move(reason)}, out);
}

void Supervisor::record(WorkloadRecord entry, Step& out) {
  apply(entry);
  out.records.push_back(std::move(entry));
}

std::optional<State> Supervisor::state_of(const LeaseId& lease) const {
  const Workload* w = workloads_.find(lease);
  if (w == nullptr) return std::nullopt;
  return quorum_lost_ && w->state == State::Live ? State::Suspect : w->state;
}

bool Supervisor::is_retiring(const LeaseId& lease) const {
  const Workload* w = workloads_.find(lease);
  return w != nullptr && w->retired;
}

void Supervisor::check_invariants() const {
  size_t running = 0;
  for (const auto [lease, w] : workloads_) {
    running += w.state == State::Live && !w.retired;
    PG_CHECK(w.spec.labels.lease == lease);
    PG_CHECK(w.generation == 0 || w.spec.name == object_name(lease, w.generation));
    PG_CHECK((w.pending == Pending::Nothing) || calls_.contains(w.call.value));
    PG_CHECK(!w.due || due_.contains({*w.due, lease}));
    PG_CHECK(w.attempts <= w.restart.attempts_max);
    PG_CHECK(w.removed == removed_.contains(lease) && (!w.removed || w.retired));
  }
  PG_CHECK(running == running_count_);
  PG_CHECK(calls_.size() <= config_.calls_max);
}

}  // namespace paygress::workload
