// Between fail-over and the guard (core/workload/guard.h). A lease's group is that of its newest
// object, or of the first one while there is none.
#include "core/provider/standby_desk.h"

namespace paygress::provider {
namespace {

using failover::WorkloadNews;
using lease::Instant;

constexpr Seconds kAskAgain{1};  // a stop or a question that the guard did not confirm
constexpr Seconds kReleaseAgain{30};

}  // namespace

void StandbyDesk::ask_guard(const LeaseId& lease, Ask what, const std::string& name, Step& out,
                            Micros until) {
  const CallId id = m_.calls.next();
  asked_.emplace(id, Asked{what, lease, name, until});
  switch (what) {
    case Ask::Query: out.effects.push_back(GuardQuery{id}); return;
    case Ask::Hold:
    case Ask::Group: out.effects.push_back(GuardHold{id, name, until}); return;
    case Ask::Freeze: out.effects.push_back(GuardFreeze{id, name}); break;
    case Ask::Kill: out.effects.push_back(GuardKill{id, name}); break;
    case Ask::Release: out.effects.push_back(GuardRelease{id, name}); return;
  }
  ++guarded_[lease].freezing;
}

void StandbyDesk::ask_guard_state(Step& out) {
  query_guard_at_.reset();
  ask_guard({}, Ask::Query, "", out);
}

void StandbyDesk::release_group(Micros at, const std::string& name) {
  if (policy_.guard) releases_.emplace(name, at);
}

// --- what fail-over wants ------------------------------------------------------------------------

void StandbyDesk::perform(Instant, const failover::GuardHold& o, Step& out) {
  if (!m_.workloads.is_gated(o.lease) || removing_.contains(o.lease)) return;
  guarded_[o.lease].deadline = o.deadline;
  ask_guard(o.lease, Ask::Hold, m_.workloads.object_of(o.lease), out, o.deadline);
}

void StandbyDesk::perform(Instant now, const failover::GuardFreeze& o, Step& out) {
  if (!m_.workloads.is_gated(o.lease) || !policy_.guard) return;
  m_.workloads.forbid(o.lease);
  forget_deadline(guarded_[o.lease], now.mono);
  ask_guard(o.lease, Ask::Freeze, m_.workloads.object_of(o.lease), out);
}

void StandbyDesk::perform(Instant now, const failover::GuardRelease& o, Step&) {
  const auto it = guarded_.find(o.lease);
  if (it == guarded_.end() || !it->second.leaving.empty()) return;  // released when it is gone
  release_group(now.mono, m_.workloads.object_of(o.lease));
}

void StandbyDesk::forget_deadline(Guarded& g, Micros now) {
  if (g.deadline && *g.deadline < now) g.stands = *g.deadline;
  g.deadline.reset();
}

// Must not run: no start any more, and what runs is frozen, or ended. The guard's word covers a
// start that is still on its way: whatever enters a frozen group freezes.
void StandbyDesk::stop(Instant now, const LeaseId& lease, Step& out) {
  if (!m_.workloads.is_gated(lease)) return;
  m_.workloads.forbid(lease);
  Guarded& g = guarded_[lease];
  g.stopping = true;
  forget_deadline(g, now.mono);
  g.wanted.clear();
  g.again.reset();
  if (policy_.guard) {
    if (g.freezing == 0 || g.kill)
      ask_guard(lease, g.kill ? Ask::Kill : Ask::Freeze, m_.workloads.object_of(lease), out);
    return;
  }
  g.by_engine = true;
  workload::Step step;
  m_.workloads.halt(plain(now), lease, g.kill, step);
  m_.payments.take(now, std::move(step), out);
}

// --- what the guard says -------------------------------------------------------------------------

void StandbyDesk::handle(Instant now, const workload::GuardHealth& health, Step& out) {
  const bool before = std::exchange(guard_works_, health.works);
  if (before != health.works) m_.announcer.offer_changed(plain(now));
  if (health.works) {
    if (!m_.failover.leases().empty()) ask_guard_state(out);
    return;
  }
  out.tell(m_.failover.leases().empty() ? Level::Info : Level::Alarm,
           "the guard does not work: " + health.reason +
               "; no warm-standby lease is sold, and none is started");
  failover::Step step;
  m_.failover.handle_guard_lost(plain(now), step);
  carry_out(now, std::move(step), out);
}

void StandbyDesk::handle(Instant now, const workload::GuardAnswered& answer, Step& out) {
  const auto it = asked_.find(answer.id);
  if (it == asked_.end()) return;  // of an earlier process
  const Asked asked = std::move(it->second);
  asked_.erase(it);
  const bool done = answer.outcome == workload::Outcome::Done;
  switch (asked.what) {
    case Ask::Query:
      if (done) return on_guard_state(now, answer.groups, out);
      query_guard_at_ = now.mono + micros(kAskAgain);
      return;
    case Ask::Hold:
    case Ask::Group:
      if (done) on_held(now, asked, out);
      return;
    case Ask::Freeze:
    case Ask::Kill: return on_stop_answered(now, asked, answer.outcome, out);
    case Ask::Release:
      if (!done) releases_.emplace(asked.name, now.mono + micros(kReleaseAgain));
      return;
  }
}

void StandbyDesk::on_guard_state(Instant now, const std::vector<workload::GuardGroup>& groups,
                                 Step& out) {
  std::map<std::string, Micros> thawed;
  for (const workload::GuardGroup& group : groups)
    if (group.state == workload::GroupState::Thawed && group.deadline > now.mono)
      thawed.emplace(group.name, group.deadline);
  std::vector<failover::GuardDeadline> held;
  for (const LeaseId& lease : m_.failover.leases()) {
    const auto it = thawed.find(m_.workloads.object_of(lease));
    if (it == thawed.end()) continue;
    held.push_back({lease, it->second});
    guarded_[lease].deadline = it->second;
  }
  failover::Step step;
  m_.failover.handle_guard_state(plain(now), held, step);
  carry_out(now, std::move(step), out);
}

void StandbyDesk::on_held(Instant now, const Asked& asked, Step& out) {
  const auto it = guarded_.find(asked.lease);
  if (it == guarded_.end() || !it->second.deadline) return;  // frozen since
  if (it->second.wanted == asked.name) {
    it->second.wanted.clear();
    workload::Step step;
    m_.workloads.group_made(plain(now), asked.lease, asked.name, step);
    m_.payments.take(now, std::move(step), out);
  }
  if (asked.what != Ask::Hold) return;
  failover::Step step;
  m_.failover.handle_guard_hold(plain(now), {asked.lease, asked.deadline}, step);
  carry_out(now, std::move(step), out);
}

void StandbyDesk::on_stop_answered(Instant now, const Asked& asked, workload::Outcome outcome,
                                   Step& out) {
  const auto it = guarded_.find(asked.lease);
  if (it == guarded_.end()) return;
  Guarded& g = it->second;
  PG_CHECK(g.freezing > 0);
  --g.freezing;
  if (!g.stopping) return;
  if (outcome == workload::Outcome::Done)
    return halted(now, asked.lease, WorkloadNews::Stopped, out);
  // Not the guard, so the engine; and the guard again.
  g.by_engine = true;
  g.again = now.mono + micros(kAskAgain);
  workload::Step step;
  m_.workloads.halt(plain(now), asked.lease, g.kill, step);
  m_.payments.take(now, std::move(step), out);
}

void StandbyDesk::halted(Instant now, const LeaseId& lease, WorkloadNews what, Step& out) {
  Guarded& g = guarded_[lease];
  g.stopping = g.kill = g.by_engine = false;
  g.again.reset();
  workload::Step step;
  m_.workloads.set_halted(plain(now), lease, step);
  m_.payments.take(now, std::move(step), out);
  news(now, lease, what, false, out);
}

}  // namespace paygress::provider
