// Gated workloads: those of warm standby, which run only while they are allowed to.
#include <algorithm>
#include <utility>

#include "core/workload/supervisor.h"

namespace paygress::workload {
namespace {
constexpr Seconds kLookAgain{5};
}  // namespace

Supervisor::Workload* Supervisor::find_gated(const LeaseId& lease) {
  Workload* w = find(lease);
  return w != nullptr && w->gated && !w->retired ? w : nullptr;
}

void Supervisor::allow(Now now, const LeaseId& lease, Step& out) {
  Workload* w = find_gated(lease);
  if (w == nullptr || std::exchange(w->allowed, true)) return;
  w->halting = Halting::No;
  w->may_start = true;
  w->failures = 0;
  w->provisioning_since = now.mono;
  if (w->state == State::Fenced || w->state == State::Failed)
    become(now, lease, State::Provisioning, 0, "", out);
  if (w->pending == Pending::Nothing) advance(now, lease, *w, out);
}

void Supervisor::forbid(const LeaseId& lease) {
  Workload* w = find_gated(lease);
  if (w == nullptr) return;
  w->allowed = w->waits_for_group = false;
  unschedule(lease, *w);
}

void Supervisor::halt(Now now, const LeaseId& lease, bool kill, Step& out) {
  Workload* w = find_gated(lease);
  if (w == nullptr || w->allowed) return;
  w->halting = kill ? Halting::Kill : Halting::Pause;
  if (w->pending == Pending::Nothing) advance(now, lease, *w, out);
}

void Supervisor::set_halted(Now now, const LeaseId& lease, Step& out) {
  Workload* w = find_gated(lease);
  if (w == nullptr || w->allowed) return;
  w->halting = Halting::No;
  fence(now, lease, *w, now.wall, out);
}

void Supervisor::group_made(Now now, const LeaseId& lease, const std::string& name, Step& out) {
  Workload* w = find_gated(lease);
  if (w == nullptr || !w->allowed || name != w->spec.name) return;
  if (!std::exchange(w->waits_for_group, false) || w->pending != Pending::Nothing) return;
  ask(now, lease, *w, Verb::Create, Pending::Create, out);
}

std::string Supervisor::object_of(const LeaseId& lease) const {
  const Workload* w = workloads_.find(lease);
  if (w == nullptr) return {};
  return object_name(lease, std::max(w->generation, 1u));
}

bool Supervisor::is_gated(const LeaseId& lease) const {
  const Workload* w = workloads_.find(lease);
  return w != nullptr && w->gated;
}

bool Supervisor::is_allowed(const LeaseId& lease) const {
  const Workload* w = workloads_.find(lease);
  return w != nullptr && may_run(*w);
}

bool Supervisor::serves_ssh(const LeaseId& lease) const {
  const Workload* w = workloads_.find(lease);
  return w == nullptr || w->serves_ssh;
}

uint32_t Supervisor::generation_of(const LeaseId& lease) const {
  const Workload* w = workloads_.find(lease);
  return w == nullptr ? 0 : w->generation;
}

void Supervisor::on_found(Now now, const LeaseId& lease, Workload& w, const Object& object,
                          Step& out) {
  if (object.running == Running::Unknown) return schedule(lease, w, now.mono + micros(kLookAgain));
  const bool runs = object.running == Running::Running;
  if (!runs) fence(now, lease, w, object.stopped_at, out);
  out.events.push_back(Found{lease, object.running, runs && !w.started_here});
}

void Supervisor::fence(Now now, const LeaseId& lease, Workload& w, std::optional<UnixSeconds> since,
                       Step& out) {
  if (w.state != State::Live && w.state != State::Respawning) return;
  const bool ran = w.state == State::Live;
  become(now, lease, State::Fenced, 0, "", out);
  if (ran) out.events.push_back(WentDown{lease, since, false});
}

}  // namespace paygress::workload
