#include "sim/members/host.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace paygress::sim::members {

using failover::Phase;
using failover::PublishNo;

namespace {

constexpr int64_t kWallStart = 1'800'000'000;

}  // namespace

Host::Host(const Plan& plan, uint32_t member, Events& queue, Net& net, Codec& codec,
           HostWatcher& watcher)
    : plan_(plan),
      member_(member),
      queue_(queue),
      net_(net),
      codec_(codec),
      watcher_(watcher),
      random_(plan.seed, plan.member_number(member), "host"),
      create_time_(plan.create),
      lies_(plan.seed, plan.member_number(member), "lies") {
  drift_ppm_ = random_.between(-failover::kDriftPpm / 2, failover::kDriftPpm / 2);
  if (plan.lockstep) drift_ppm_ = 0;
  wall_offset_ = {random_.between(-20, 20)};
  const auto workloads = plan.all_workloads();
  for (uint32_t w = 0; w < workloads.size(); ++w) {
    if (std::find(workloads[w].begin(), workloads[w].end(), member) == workloads[w].end()) continue;
    slot_at_[w] = slots_.size();
    slots_.push_back({w, {}, {}, Phase::Unarmed, false});
  }
  net.attach(member, *this);
}

// --- time ----------------------------------------------------------------------------------------

Micros Host::mono() const {
  const int64_t t = (queue_.now() - booted_at_).value;
  return {t + t / 1'000 * drift_ppm_ / 1'000};
}

Micros Host::true_time(Micros local) const {
  const int64_t guess = local.value - local.value / 1'000 * drift_ppm_ / 1'000;
  Micros at = booted_at_ + Micros{guess};
  const auto local_at = [&](Micros t) {
    const int64_t since = (t - booted_at_).value;
    return since + since / 1'000 * drift_ppm_ / 1'000;
  };
  while (local_at(at) < local.value) at += Micros{1'000};
  return at;
}

Now Host::now() const {
  const int64_t wall = kWallStart + queue_.now().value / 1'000'000 + wall_offset_.value;
  return {mono(), UnixSeconds{wall}};
}

UnixSeconds Host::stamp() {
  const UnixSeconds wall = now().wall;
  if (!plan_.policy.increasing_timestamps) return wall;
  return last_stamp_ = std::max(wall, last_stamp_ + Seconds{1});
}

// --- machine and daemon --------------------------------------------------------------------------

void Host::boot() {
  if (machine_up_ || stolen_) return;
  machine_up_ = true;
  ++machine_boots_;
  booted_at_ = queue_.now();
  guard_up_ = true;
  for (Slot& slot : slots_) slot.cage = {false, false, {}, slot.cage.watch};
  start_daemon();
}

void Host::start_daemon() {
  if (!machine_up_ || daemon_) return;
  line("daemon starts");
  daemon_ = std::make_unique<Daemon>();
  daemon_->run = ++daemon_runs_;
  daemon_->seen.resize(plan_.members);
  daemon_->brain = make_brain(plan_, member_, journal_);
  const uint64_t run = daemon_->run;
  net_.set_running(member_, true);
  step([this](Now at, failover::Step& out) { daemon_->brain->start(at, out); });
  if (!daemon_ || daemon_->run != run) return;
  queue_.after({50'000}, [this, run] {
    if (!daemon_ || daemon_->run != run || !guard_up_ || !plan_.policy.guard) return;
    std::vector<failover::GuardDeadline> held;
    for (const Slot& slot : slots_)
      if (slot.cage.deadline) held.push_back({lease_of(slot.workload), *slot.cage.deadline});
    tell([this, held](Now at, failover::Step& out) { daemon_->brain->guard_state(at, held, out); });
  });
  for (Slot& slot : slots_) inventory(slot);
  if (leases_over_) go_on_ending();
}

void Host::end_leases() {
  if (std::exchange(leases_over_, true)) return;
  line("its leases are over");
  for (const Slot& slot : slots_)
    if (slot.phase == Phase::Holding) mark(Mark::HolderEnded);
  if (daemon_) go_on_ending();
}

void Host::go_on_ending() {
  for (Slot& slot : slots_) {
    tell([this, &slot](Now at, failover::Step& out) {
      daemon_->brain->leave(at, slot.workload, out);
      engine_remove(slot);
    });
  }
}

void Host::crash_daemon() {
  crash_after_.reset();
  if (!daemon_) return;
  line("daemon crashes");
  daemon_.reset();
  ++timer_;
  timer_at_.reset();
  net_.set_running(member_, false);
}

void Host::crash_host() {
  if (!machine_up_) return;
  line("host crashes");
  crash_daemon();
  machine_up_ = false;
  ++machine_boots_;
  engine_hangs_ = false;
  stuck_.clear();
  for (Slot& slot : slots_) {
    slot.engine.started = slot.engine.wanted = false;
    ++slot.engine.change;
    ++slot.cage.watch;
    refresh_runs(slot);
  }
}

void Host::pause_daemon() {
  if (!daemon_ || daemon_->paused) return;
  line("daemon paused");
  daemon_->paused = true;
}

void Host::continue_daemon(bool timers_first) {
  if (!daemon_ || !daemon_->paused) return;
  line("daemon continued");
  daemon_->paused = false;
  for (const Slot& slot : slots_)
    if (slot.phase == Phase::Holding && slot.cage.frozen) mark(Mark::Zombie);
  const uint64_t run = daemon_->run;
  const auto alive = [&] { return daemon_ && daemon_->run == run && !daemon_->paused; };
  if (timers_first) handle_own_timer();
  while (alive() && !daemon_->inbox.empty()) {
    const Told told = std::move(daemon_->inbox.front());
    daemon_->inbox.pop_front();
    step(told);
  }
  if (alive()) handle_own_timer();
}

void Host::finish_step() {
  const failover::Step& out = daemon_->step;
  size_t carried_out = out.outputs.size();
  const bool crashes = crash_after_ && (!out.records.empty() || !out.outputs.empty());
  watcher_.on_step(member_, out);
  if (crashes) {
    mark(Mark::CrashedInStep);
    const int after = *std::exchange(crash_after_, std::nullopt);
    if (after < 0) return crash_daemon();
    carried_out = std::min(carried_out, static_cast<size_t>(after));
  }
  journal_.insert(journal_.end(), out.records.begin(), out.records.end());
  for (size_t i = 0; i < carried_out; ++i) do_output(out.outputs[i]);
  if (crashes) return crash_daemon();
  arm_timer();
  look_at_phases();
}

void Host::look_at_phases() {
  const uint64_t changes = daemon_->brain->phase_changes();
  if (daemon_->phase_changes == changes) return;
  daemon_->phase_changes = changes;
  for (Slot& slot : slots_) {
    const Phase phase = daemon_->brain->phase(slot.workload);
    const Phase before = std::exchange(slot.phase, phase);
    if (before == phase) continue;
    if (const auto epoch = daemon_->brain->epoch(slot.workload))
      watcher_.on_epoch(member_, slot.workload, *epoch);
    watcher_.on_phase(member_, slot.workload, before, phase);
  }
}

// One timer is armed; when it comes too early it is armed again.
void Host::arm_timer() {
  const auto next = daemon_->brain->next_deadline();
  if (!next || (timer_at_ && next == daemon_->timer_for)) return;
  daemon_->timer_for = next;
  const Micros at = std::max(true_time(*next), queue_.now());
  if (timer_at_ && *timer_at_ <= at) return;
  timer_at_ = at;
  queue_.at(at, [this, timer = ++timer_] { on_timer(timer); });
}

void Host::on_timer(uint64_t timer) {
  if (timer_ != timer) return;
  timer_at_.reset();
  if (!daemon_ || daemon_->paused) return;
  const auto next = daemon_->brain->next_deadline();
  if (next && *next > mono()) return arm_timer();
  handle_own_timer();
}

void Host::handle_own_timer() {
  step([this](Now at, failover::Step& out) {
    daemon_->brain->timer(at, out);
    daemon_->brain->check_invariants();
  });
}

bool Host::holds(uint32_t workload) const {
  return daemon_ && daemon_->brain->may_run(now(), workload);
}

std::string Host::phase_text(uint32_t workload) const {
  if (!machine_up_) return "down";
  if (!daemon_) return "no daemon";
  return std::string(failover::to_text(daemon_->brain->phase(workload)));
}

size_t Host::bytes() const {
  size_t sum = sizeof *this + slots_.capacity() * sizeof(Slot) +
               journal_.capacity() * sizeof(failover::FailoverRecord);
  if (!daemon_) return sum;
  for (const auto& seen : daemon_->seen) sum += seen.capacity() / 8;
  return sum + daemon_->sending.size() * (sizeof(Sending) + sizeof(Sent) + 64);
}

// --- relays --------------------------------------------------------------------------------------

void Host::on_subscribed(uint32_t relay) {
  tell([this, relay](Now at, failover::Step& out) {
    if (!net_.connected(member_, relay)) return;
    for (auto& [id, sending] : daemon_->sending)
      if ((sending.taken & failover::bit_of(relay)) == 0) send(sending, relay);
    daemon_->brain->unbroken(at, relay, at.mono, out);
  });
}

void Host::on_closed(uint32_t relay) {
  tell([this, relay](Now at, failover::Step& out) {
    daemon_->brain->unbroken(at, relay, std::nullopt, out);
  });
}

void Host::on_event(uint32_t relay, const EventRef& event) {
  if (stolen_) return overhear(*event);
  if (!daemon_) return;
  if (!daemon_->paused && event->author != member_) {  // most are heard already: no step
    const auto& seen = daemon_->seen[event->author];
    if (event->number < seen.size() && seen[event->number]) return;
  }
  tell([this, relay, event](Now at, failover::Step& out) {
    if (event->author == member_) {
      if (sending_of(*event) != nullptr)
        daemon_->brain->receipt(at, event->publish, relay, true, out);
      return;
    }
    auto& seen = daemon_->seen[event->author];
    if (event->number >= seen.size()) seen.resize(event->number + 64);  // in steps
    if (seen[event->number]) return;
    seen[event->number] = true;
    if (const auto* heard = codec_.open(*event))
      daemon_->brain->heard(at, *heard, out);
    else
      watcher_.on_refused(member_, *event);
  });
}

void Host::on_ok(uint32_t relay, const EventRef& event) {
  tell([this, relay, event](Now at, failover::Step& out) {
    Sending* sending = sending_of(*event);
    if (sending == nullptr) return;
    sending->taken |= failover::bit_of(relay);
    daemon_->brain->receipt(at, event->publish, relay, false, out);
  });
}

Host::Sending* Host::sending_of(const Sent& event) {
  if (event.run != daemon_->run) return nullptr;
  const auto it = daemon_->sending.find(event.publish);
  return it == daemon_->sending.end() ? nullptr : &it->second;
}

void Host::on_answer(uint32_t relay, uint64_t query, bool complete) {
  tell([this, relay, query, complete](Now at, failover::Step& out) {
    const auto known = daemon_->queries.find(query);
    if (known == daemon_->queries.end()) return;
    failover::RelayMask& answered = known->second.answered;
    if ((answered & failover::bit_of(relay)) != 0) return;
    answered |= failover::bit_of(relay);
    daemon_->brain->answered(at, {query}, relay, complete, out);
  });
}

void Host::publish(PublishNo id, uint32_t workload, failover::Heard heard,
                   std::optional<Micros> not_after) {
  boost::intrusive_ptr<Sent> event(new Sent);
  heard.author = key_of(plan_.member_number(member_));
  heard.created_at = stamp();
  event->heard = std::move(heard);
  event->author = member_;
  event->workload = workload;
  event->run = daemon_->run;
  event->publish = id;
  event->number = events_made_++;
  codec_.seal(*event, plan_.member_number(member_));
  for (auto& [older, sending] : daemon_->sending)
    if (sending.event->heard.message.index() == event->heard.message.index() &&
        sending.event->workload == workload)
      sending.newest = false;
  const auto it = daemon_->sending.emplace(id, Sending{std::move(event), not_after, 0, true}).first;
  for (uint32_t r = 0; r < plan_.relays; ++r) send(it->second, r);
}

void Host::send(Sending& sending, uint32_t relay) {
  if (!sending.newest || (sending.not_after && mono() >= *sending.not_after)) return;
  net_.send_event(member_, relay, sending.event);
}

// A query replaces the earlier one of the same workload.
void Host::ask(const failover::Query& query) {
  const uint64_t id = query.id.value;
  const uint32_t workload = workload_of(query.lease);
  std::erase_if(daemon_->queries, [&](const auto& q) { return q.second.slot == workload; });
  daemon_->queries[id] = {workload, 0};
  for (uint32_t r = 0; r < plan_.relays; ++r) net_.send_query(member_, r, id, workload);
  queue_.after(query.timeout, [this, id, run = daemon_->run] {
    for (uint32_t r = 0; r < plan_.relays && daemon_ && daemon_->run == run; ++r)
      on_answer(r, id, false);
  });
}

// --- outputs -------------------------------------------------------------------------------------

void Host::do_output(const failover::Output& output) {
  if (const auto* beat = std::get_if<failover::PublishBeat>(&output)) {
    if (!beat->holds.empty())
      for (const Slot& slot : slots_)
        if (daemon_->brain->phase(slot.workload) == Phase::Holding)
          watcher_.on_holding(member_, slot.workload);
    market::Heartbeat message;
    message.provider_npub = key_of(plan_.member_number(member_));
    if (plan_.policy.holds) message.holds = beat->holds;
    if (beat->holds.empty() && plan_.policy.holds) return;  // nobody here learns from it
    publish(beat->id, kEveryWorkload, {{}, {}, {}, std::move(message)}, std::nullopt);
  } else if (const auto* event = std::get_if<failover::Publish>(&output)) {
    const uint32_t workload = workload_of(event->lease);
    failover::Heard heard;
    std::visit([&](const auto& message) { heard.message = message; }, event->message);
    if (const auto* promotion = std::get_if<market::Promotion>(&event->message)) {
      if (!promotion->withdrawn.value_or(false))
        watcher_.on_promoting(member_, workload, *promotion->epoch);
      else
        mark(Mark::PromotionWithdrawn);
    } else if (const auto* claim = std::get_if<market::Claim>(&event->message)) {
      if (claim->withdrawn) mark(Mark::ClaimWithdrawn);
    } else {
      const bool at_end = daemon_->brain->phase(workload) == Phase::Leaving;
      mark(at_end ? Mark::RevokedAtEnd : Mark::Revoked);
    }
    publish(event->id, workload, std::move(heard), event->not_after);
  } else if (const auto* forget = std::get_if<failover::Forget>(&output)) {
    daemon_->sending.erase(forget->id);
  } else if (const auto* query = std::get_if<failover::Query>(&output)) {
    ask(*query);
  } else if (const auto* tells = std::get_if<failover::TellOperator>(&output)) {
    line(tells->text);
  } else if (const auto* told = std::get_if<failover::TellOwner>(&output)) {
    if (told->news == failover::News::TookOver) mark(Mark::TookOver);
    if (told->news == failover::News::Superseded) mark(Mark::Superseded);
    if (told->news == failover::News::Fenced) mark(Mark::Fenced);
    if (told->news == failover::News::NeverStarted) mark(Mark::NeverStarted);
  } else {
    do_workload(output);
  }
}

void Host::do_workload(const failover::Output& output) {
  if (const auto* run = std::get_if<failover::Run>(&output)) {
    line("run at epoch " + std::to_string(run->epoch));
    engine_run(slot_of(run->lease));
  } else if (const auto* pause = std::get_if<failover::Pause>(&output)) {
    engine_pause(slot_of(pause->lease), false);
  } else if (const auto* kill = std::get_if<failover::Kill>(&output)) {
    mark(Mark::Killed);
    engine_pause(slot_of(kill->lease), true);
  } else if (const auto* remove = std::get_if<failover::Remove>(&output)) {
    mark(Mark::CopyRemoved);
    engine_remove(slot_of(remove->lease));
  } else {
    guard_do(output);
  }
}

}  // namespace paygress::sim::members
