#include "core/provider/standby_desk.h"

#include <algorithm>

#include "core/base/planted.h"
#include "core/market/role.h"

namespace paygress::provider {
namespace {

using failover::WorkloadNews;
using lease::Instant;

Level level_of(failover::Weight weight) {
  switch (weight) {
    case failover::Weight::Info: return Level::Info;
    case failover::Weight::Warning: return Level::Warning;
    case failover::Weight::Alarm: return Level::Alarm;
  }
  return Level::Alarm;
}

}  // namespace

// --- start ---------------------------------------------------------------------------------------

void StandbyDesk::recover(Instant now, Step& out) {
  failover::Step step;
  m_.failover.recover(plain(now), step);
  carry_out(now, std::move(step), out);
  // A copy that was being deleted when the process ended: its supervisor goes on.
  for (const LeaseId& lease : m_.failover.leases())
    if (m_.failover.serves(lease) && m_.workloads.is_retiring(lease))
      removing_.emplace(lease, m_.workloads.generation_of(lease));
  if (!m_.failover.leases().empty() && policy_.guard) ask_guard_state(out);
  std::vector<RequestKey> stale;
  for (const auto& [key, notice] : m_.book.notices()) {
    if (notice.at + kNoticeKept > now.wall)
      send_notice(plain(now), notice, out);
    else
      stale.push_back(key);
  }
  for (const RequestKey& key : stale) record(NoticeTaken{key}, out);
}

// The end of a machine ended what ran on it, and no reservation: that is served again, and paid
// for.
void StandbyDesk::resume_clocks(Instant now, Step& out) {
  if (planted(Bug::reservation_stands)) return;
  for (const LeaseId& lease : m_.failover.leases()) resume_clock(now, lease, out);
}

// Of who is in line behind another holder, which it becomes by what fail-over records; no effect on
// a clock that runs. Who holds it is paid for what runs, and who was fenced, and nobody followed,
// for nothing.
void StandbyDesk::resume_clock(Instant now, const LeaseId& lease, Step& out) {
  const auto status = m_.failover.status(lease);
  if (!status || !m_.failover.serves(lease)) return;
  using enum failover::Phase;
  const bool holds = status->phase == Recovering || status->phase == Promoting ||
                     status->phase == Holding || status->phase == Fencing;
  if (holds || status->fenced) return;
  lease::LeaseStep step;
  m_.leases.on_up(now, lease, Seconds{0}, step);
  m_.payments.take(now, std::move(step), out);
}

void StandbyDesk::carry_out(Instant now, failover::Step step, Step& out) {
  std::vector<LeaseId> changed;  // any of them may be in line now
  for (auto& entry : step.records) {
    changed.push_back(failover::lease_of(entry));
    m_.book.apply(entry);
    out.records.push_back(std::move(entry));
  }
  for (const auto& output : step.outputs)
    std::visit([&](const auto& o) { perform(now, o, out); }, output);
  for (const LeaseId& lease : changed) resume_clock(now, lease, out);
}

// --- reserved and paid ---------------------------------------------------------------------------

std::optional<std::string> StandbyDesk::refusal(const failover::Terms& terms) const {
  if (!guard_works()) return "the guard that fences workloads does not work here now";
  if (m_.failover.leases().size() + m_.book.reserved() >= failover::kReplicasMax)
    return "this provider serves no more warm-standby workloads";
  if (m_.failover.lease_of(terms.workload_id)) return "this workload is served here already";
  if (auto why = watches_.refusal({terms.relays, filters_of(terms), terms.profile.delay}))
    return why;
  size_t down = 0;  // as far as is known: a relay that was never used may be up
  for (const std::string& url : terms.relays) {
    const auto relay = m_.pool.find_relay(url);
    if (!relay) continue;
    const auto health = m_.pool.status(*relay).health;
    down += health == nostr::RelayHealth::Waiting || health == nostr::RelayHealth::Stopped;
  }
  if (terms.relays.size() - down < std::max(terms.quorums.write, terms.quorums.read))
    return "too few of the workload's relays can be reached from here";
  return std::nullopt;
}

void StandbyDesk::reserved(const LeaseId& lease, const failover::Terms& terms, Step& out) {
  record(TermsFrozen{lease, terms}, out);
}

bool StandbyDesk::paid(Instant now, const LeaseId& lease, workload::Spec spec,
                       std::optional<market::AccessDetails>& answer, Step& out) {
  const failover::Terms* frozen = m_.book.terms_of(lease);
  if (frozen == nullptr) return false;
  const failover::Terms terms = *frozen;
  spec.guarded = policy_.guard;
  workload::Step wanted;
  m_.workloads.want_gated(plain(now), std::move(spec), {}, wanted);
  m_.payments.take(now, std::move(wanted), out);
  failover::Step step;
  const auto joined = m_.failover.join(plain(now), lease, terms, step);
  if (!joined) {  // it was quoted while it could be served: the money goes back
    out.tell(Level::Alarm,
             "a warm-standby lease was paid and cannot be served: " + to_string(joined.error()));
    lease::LeaseStep ended;
    m_.leases.on_gave_up(now, lease, ended);
    m_.payments.take(now, std::move(ended), out);
    return true;
  }
  if (terms.rank > 0) {
    lease::LeaseStep started;
    m_.leases.on_started(now, lease, m_.settings.serves_ssh, started);
    m_.payments.take(now, std::move(started), out);
    answer = standby_details(m_.settings, m_.leases, *m_.leases.find(lease), terms, plain(now));
  }
  carry_out(now, std::move(step), out);
  return true;
}

// --- what the supervisor says --------------------------------------------------------------------

void StandbyDesk::news(Instant now, const LeaseId& lease, WorkloadNews what, bool unstopped,
                       Step& out) {
  failover::Step step;
  m_.failover.handle_workload(plain(now), lease, what, unstopped, step);
  carry_out(now, std::move(step), out);
}

bool StandbyDesk::on_event(Instant now, const workload::WorkloadEvent& event, Step& out) {
  const auto member = [&](const LeaseId& lease) { return m_.failover.serves(lease); };
  if (const auto* found = std::get_if<workload::Found>(&event)) {
    on_found(now, *found, out);
    return true;
  }
  if (const auto* wanted = std::get_if<workload::GroupWanted>(&event)) {
    Guarded& g = guarded_[wanted->lease];
    g.wanted = wanted->name;
    const uint32_t generation = m_.workloads.generation_of(wanted->lease);
    if (generation > 1)
      release_group(now.mono, workload::object_name(wanted->lease, generation - 1));
    if (g.deadline) ask_guard(wanted->lease, Ask::Group, wanted->name, out, *g.deadline);
    return true;  // else with the next deadline
  }
  const auto runs = [&](const LeaseId& lease) {
    if (member(lease)) on_runs(now, lease, out);
  };
  if (const auto* started = std::get_if<workload::Started>(&event);
      started != nullptr && member(started->lease)) {
    lease::LeaseStep step;  // of one that stood while its copy was being made
    m_.leases.on_up(now, started->lease, Seconds{0}, step);
    m_.payments.take(now, std::move(step), out);
  }
  if (const auto* started = std::get_if<workload::Started>(&event)) runs(started->lease);
  if (const auto* up = std::get_if<workload::CameUp>(&event)) runs(up->lease);
  if (const auto* down = std::get_if<workload::WentDown>(&event))
    return member(down->lease) && on_down(now, *down, out);
  if (const auto* gone = std::get_if<workload::Gone>(&event)) return on_gone(now, gone->lease, out);
  if (const auto* gave_up = std::get_if<workload::GaveUp>(&event)) {
    if (!member(gave_up->lease)) return false;
    const lease::Lease* lease = m_.leases.find(gave_up->lease);
    if (lease == nullptr || lease->phase == lease::Phase::Creating) return false;
    out.tell(Level::Alarm, "a warm-standby workload cannot run here: lease " +
                               gave_up->lease.hex().substr(0, 12) + ": " + gave_up->reason);
    on_gave_up(now, gave_up->lease, out);
    return true;
  }
  return false;
}

// A process that died between the start and this word has told nobody, and the one that goes on at
// its epoch knows of nothing new.
void StandbyDesk::on_runs(Instant now, const LeaseId& lease, Step& out) {
  news(now, lease, WorkloadNews::Running, false, out);
  const auto status = m_.failover.status(lease);
  if (status->phase != failover::Phase::Holding || status->epoch == 0) return;
  const failover::TellOwner told{lease, failover::News::TookOver, status->epoch};
  if (!m_.book.told(lease, told.epoch, told.news)) perform(now, told, out);
}

// What the guard froze while we slept is not paid for since then. Of who is in line already, the
// reservation is what goes on.
bool StandbyDesk::on_down(Instant now, const workload::WentDown& down, Step& out) {
  std::optional<UnixSeconds> since = down.since;
  if (const auto& stands = guarded_[down.lease].stands)
    since = now.wall - Seconds{(now.mono - *stands).value / 1'000'000};
  lease::LeaseStep step;
  m_.leases.on_down(now, down.lease, since, down.own_exit, step);
  m_.payments.take(now, std::move(step), out);
  resume_clock(now, down.lease, out);
  out.tell(Level::Warning, "a workload went down: lease " + down.lease.hex().substr(0, 12));
  return true;
}

// A healthy heartbeat must not hide a dead workload (rule 4). The lease stays: whoever takes over,
// it is in line again.
void StandbyDesk::on_gave_up(Instant now, const LeaseId& lease, Step& out) {
  m_.workloads.forbid(lease);
  news(now, lease, WorkloadNews::CannotRun, false, out);
}

void StandbyDesk::on_found(Instant now, const workload::Found& found, Step& out) {
  const auto status = m_.failover.status(found.lease);
  if (!status) return;
  Guarded& g = guarded_[found.lease];
  if (found.running == workload::Running::Running)
    return news(now, found.lease, WorkloadNews::Running, found.unstopped, out);
  if (g.stopping && g.by_engine) {
    const bool absent = found.running == workload::Running::Absent;
    return halted(now, found.lease, absent ? WorkloadNews::Absent : WorkloadNews::Stopped, out);
  }
  // After a restart: a call of an earlier process may still be on its way, so the guard is asked.
  if (status->phase == failover::Phase::Recovering && !g.stopping) stop(now, found.lease, out);
}

// Confirmed absent: the end of a lease, or of a superseded holder's copy.
bool StandbyDesk::on_gone(Instant now, const LeaseId& lease, Step& out) {
  const auto removed = removing_.extract(lease);
  if (removed.empty() || !m_.failover.serves(lease)) {
    if (const auto it = guarded_.find(lease); it != guarded_.end()) {
      if (!it->second.leaving.empty()) release_group(now.mono, it->second.leaving);
      guarded_.erase(it);
    }
    news(now, lease, WorkloadNews::Absent, false, out);  // one batch with the end of the lease
    return false;
  }
  const uint32_t generation = removed.mapped();
  const lease::Lease* known = m_.leases.find(lease);
  if (known == nullptr) return false;
  workload::Spec spec = m_.payments.spec_of(*known);
  spec.guarded = policy_.guard;
  spec.labels.generation = generation;
  workload::Step wanted;
  m_.workloads.want_gated(plain(now), std::move(spec), {}, wanted);
  m_.payments.take(now, std::move(wanted), out);
  news(now, lease, WorkloadNews::Absent, false, out);
  return true;
}

// --- what the lease book says --------------------------------------------------------------------

bool StandbyDesk::on_event(Instant now, const lease::LeaseEvent& event, Step& out) {
  if (const auto* look = std::get_if<lease::Look>(&event)) {
    // A reservation is served by being kept: nothing runs that could be looked at.
    if (!m_.workloads.is_gated(look->lease) || m_.workloads.is_allowed(look->lease)) return false;
    lease::LeaseStep step;
    m_.leases.on_sighted(now, look->lease, step);
    m_.payments.take(now, std::move(step), out);
    return true;
  }
  const auto* retire = std::get_if<lease::Retire>(&event);
  if (retire == nullptr || !m_.workloads.is_gated(retire->lease)) return false;
  if (policy_.guard) {  // what is frozen cannot be stopped, only ended
    Guarded& g = guarded_[retire->lease];
    const size_t awaited = g.freezing;  // those answers still come
    g = {};
    g.freezing = awaited;
    g.leaving = m_.workloads.object_of(retire->lease);
    ask_guard(retire->lease, Ask::Kill, g.leaving, out);
  }
  failover::Step step;
  m_.failover.leave(plain(now), retire->lease, step);
  carry_out(now, std::move(step), out);
  return false;
}

// --- fail-over's wishes about the workload -------------------------------------------------------

// Its owner pays for a reservation until here, and for the copy when that runs.
void StandbyDesk::perform(Instant now, const failover::Run& o, Step& out) {
  Guarded& g = guarded_[o.lease];
  g.stopping = g.kill = g.by_engine = false;
  g.again.reset();
  g.stands.reset();
  const auto state = m_.workloads.state_of(o.lease);
  if (state != workload::State::Live && state != workload::State::Suspect) {
    lease::LeaseStep stands;
    m_.leases.on_down(now, o.lease, now.wall, false, stands);
    m_.payments.take(now, std::move(stands), out);
  }
  workload::Step step;
  m_.workloads.allow(plain(now), o.lease, step);
  m_.payments.take(now, std::move(step), out);
}

void StandbyDesk::perform(Instant now, const failover::Pause& o, Step& out) {
  stop(now, o.lease, out);
}

void StandbyDesk::perform(Instant now, const failover::Kill& o, Step& out) {
  guarded_[o.lease].kill = true;
  stop(now, o.lease, out);
}

void StandbyDesk::perform(Instant now, const failover::Remove& o, Step& out) {
  if (!m_.workloads.is_gated(o.lease)) return;
  if (!removing_.emplace(o.lease, m_.workloads.generation_of(o.lease)).second) return;
  m_.workloads.forbid(o.lease);
  if (policy_.guard) ask_guard(o.lease, Ask::Kill, m_.workloads.object_of(o.lease), out);
  workload::Step step;
  m_.workloads.retire(plain(now), o.lease, step);
  m_.payments.take(now, std::move(step), out);
}

// --- people --------------------------------------------------------------------------------------

void StandbyDesk::perform(Instant, const failover::TellOperator& o, Step& out) {
  out.tell(level_of(o.weight), o.text);
}

void StandbyDesk::perform(Instant now, const failover::TellOwner& o, Step& out) {
  const lease::Lease* lease = m_.leases.find(o.lease);
  if (lease == nullptr) return;
  NoticeOwed notice{StandbyBook::notice_key(o.lease, o.epoch, o.news), o.lease,
                    notice_text(*lease, o, plain(now)), now.wall};
  std::vector<RequestKey> older;
  for (const auto& [key, owed] : m_.book.notices())
    if (owed.lease == o.lease) older.push_back(key);
  for (const RequestKey& key : older) m_.outbox.forget(key);
  record(notice, out);
  send_notice(plain(now), notice, out);
}

std::string StandbyDesk::notice_text(const lease::Lease& lease, const failover::TellOwner& news,
                                     Now now) const {
  if (news.news != failover::News::TookOver) {
    auto status =
        status_reply(m_.settings, m_.leases, lease, m_.workloads.state_of(lease.terms.lease), now);
    describe(lease, now, status);
    return to_wire(std::move(status), {});
  }
  lease::Lease seen = lease;
  seen.serves_ssh = m_.workloads.serves_ssh(lease.terms.lease);
  auto details = access_details(m_.settings, m_.leases, seen, now);
  describe(lease.terms.lease, details);
  details.epoch = news.epoch;
  return to_wire(std::move(details), {});
}

void StandbyDesk::describe(const LeaseId& lease, market::AccessDetails& details) const {
  const failover::Terms* terms = m_.failover.terms(lease);
  if (terms != nullptr) details.guarantee = failover::to_text(failover::guarantee_of(*terms));
}

// By the way of the request that bought the lease. As an answer of its own: it is sent until a
// quorum of relays took it.
void StandbyDesk::send_notice(Now now, const NoticeOwed& notice, Step& out) {
  const Request* bought = m_.requests.spawn_of(notice.lease);
  const lease::Lease* lease = m_.leases.find(notice.lease);
  if (lease == nullptr) return;
  Request request;
  if (bought != nullptr) request.opened = bought->opened;
  request.opened.key = notice.key;
  request.opened.requester = lease->terms.owner;
  request.answer = RequestAnswered{notice.key, notice.reply, notice.at};
  m_.outbox.send_answer(now, request, out);
}

bool StandbyDesk::on_notice_taken(const RequestKey& key, Step& out) {
  if (!m_.book.notices().contains(key)) return false;
  record(NoticeTaken{key}, out);
  return true;
}

void StandbyDesk::record(OwnRecord entry, Step& out) {
  m_.book.apply(entry);
  out.records.push_back(std::move(entry));
}

void StandbyDesk::describe(const lease::Lease& lease, Now, market::StatusReply& reply) const {
  const auto status = m_.failover.status(lease.terms.lease);
  const failover::Terms* terms = m_.failover.terms(lease.terms.lease);
  if (!status || !m_.failover.serves(lease.terms.lease)) return;
  reply.role = terms->rank == 0 ? "primary" : "standby";
  reply.epoch = status->epoch;
  reply.holder = status->holder;
  reply.guarantee = failover::to_text(status->guarantee);
  const bool holds = status->phase == failover::Phase::Holding;
  if (!holds) {
    reply.ssh_port = 0;
    reply.template_ports.reset();
    reply.state = failover::state_text(*status);
  }
}

void StandbyDesk::check_invariants() const {
  watches_.check_invariants();
  m_.failover.check_invariants();
  for (const LeaseId& lease : m_.failover.leases()) {
    PG_CHECK(m_.leases.find(lease) != nullptr);
    // Nothing may be started that fail-over has not allowed.
    PG_CHECK(!m_.workloads.is_allowed(lease) || m_.workloads.is_retiring(lease) ||
             m_.failover.phase(lease) == failover::Phase::Holding);
  }
}

}  // namespace paygress::provider
