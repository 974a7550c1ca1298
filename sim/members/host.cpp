#include "sim/members/host.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/codec.h"

namespace paygress::sim::members {

using failover::PublishNo;

namespace {

constexpr int64_t kWallStart = 1'800'000'000;

EventId fresh_id(uint64_t number) {
  EventId id;
  const uint64_t mixed = mix64(number);
  for (size_t i = 0; i < 8; ++i) id.bytes[i] = static_cast<uint8_t>(mixed >> (8 * i));
  return id;
}

}  // namespace

Host::Host(const Plan& plan, uint32_t member, Queue& queue, Net& net, HostWatcher& watcher)
    : plan_(plan),
      member_(member),
      queue_(queue),
      net_(net),
      watcher_(watcher),
      random_(plan.seed, member, "host"),
      create_time_(plan.create) {
  drift_ppm_ = random_.between(-failover::kDriftPpm / 2, failover::kDriftPpm / 2);
  if (plan.lockstep) drift_ppm_ = 0;
  wall_offset_ = {random_.between(-20, 20)};
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

void Host::line(const std::string& text) { watcher_.on_line(member_, text); }

// --- machine and daemon --------------------------------------------------------------------------

void Host::boot() {
  if (machine_up_) return;
  machine_up_ = true;
  ++machine_boots_;
  booted_at_ = queue_.now();
  guard_ = {};
  start_daemon();
}

void Host::start_daemon() {
  if (!machine_up_ || daemon_) return;
  line("daemon starts");
  daemon_ = std::make_unique<Daemon>();
  daemon_->run = ++daemon_runs_;
  daemon_->brain = make_brain(plan_, member_, journal_);
  const uint64_t run = daemon_->run;
  net_.set_running(member_, true);
  step([this](Now at, failover::Step& out) { daemon_->brain->start(at, out); });
  if (!daemon_ || daemon_->run != run) return;
  queue_.after({50'000}, [this, run] {
    if (!daemon_ || daemon_->run != run || !guard_.up || !plan_.policy.guard) return;
    std::vector<failover::GuardDeadline> held;
    if (guard_.deadline) held.push_back({kLease, *guard_.deadline});
    tell([this, held](Now at, failover::Step& out) {
      daemon_->brain->guard_state(at, held, out);
    });
  });
  inventory();
}

void Host::crash_daemon() {
  crash_after_.reset();
  if (!daemon_) return;
  line("daemon crashes");
  daemon_.reset();
  ++timer_;
  net_.set_running(member_, false);
}

void Host::crash_host() {
  if (!machine_up_) return;
  line("host crashes");
  crash_daemon();
  machine_up_ = false;
  ++machine_boots_;
  engine_.started = engine_.wanted = engine_.hangs = false;
  engine_.stuck.clear();
  ++engine_.change;
  ++guard_.watch;
  refresh_runs();
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

void Host::tell(Told told) {
  if (!daemon_) return;
  if (daemon_->paused)
    daemon_->inbox.push_back(std::move(told));
  else
    step(told);
}

void Host::step(const Told& told) {
  if (!daemon_) return;
  failover::Step out;
  told(now(), out);
  daemon_->brain->check_invariants();
  size_t carried_out = out.outputs.size();
  const bool crashes = crash_after_ && (!out.records.empty() || !out.outputs.empty());
  if (crashes) {
    const int after = *std::exchange(crash_after_, std::nullopt);
    if (after < 0) return crash_daemon();
    carried_out = std::min(carried_out, static_cast<size_t>(after));
  }
  journal_.insert(journal_.end(), out.records.begin(), out.records.end());
  for (size_t i = 0; i < carried_out; ++i) do_output(out.outputs[i]);
  if (crashes) return crash_daemon();
  arm_timer();
  const failover::Phase phase = daemon_->brain->phase();
  if (std::exchange(phase_, phase) == phase) return;
  if (const auto epoch = daemon_->brain->epoch()) watcher_.on_epoch(member_, *epoch);
  watcher_.on_phase(member_, phase);
}

void Host::arm_timer() {
  const auto next = daemon_->brain->next_deadline();
  const uint64_t timer = ++timer_;
  if (!next) return;
  queue_.at(true_time(*next), [this, timer] {
    if (timer_ == timer && daemon_ && !daemon_->paused) handle_own_timer();
  });
}

void Host::handle_own_timer() {
  step([this](Now at, failover::Step& out) { daemon_->brain->timer(at, out); });
}

bool Host::holds() const { return daemon_ && daemon_->brain->may_run(now()); }

std::string Host::phase() const {
  if (!machine_up_) return "down";
  if (!daemon_) return "no daemon";
  return std::string(failover::to_text(daemon_->brain->phase()));
}

// --- relays --------------------------------------------------------------------------------------

void Host::on_subscribed(uint32_t relay) {
  tell([this, relay](Now at, failover::Step& out) {
    if (!net_.connected(member_, relay)) return;
    for (auto& [id, sending] : daemon_->sending)
      if (!sending.taken.contains(relay)) send(sending, relay);
    daemon_->brain->unbroken(at, relay, at.mono, out);
  });
}

void Host::on_closed(uint32_t relay) {
  tell([this, relay](Now at, failover::Step& out) {
    daemon_->brain->unbroken(at, relay, std::nullopt, out);
  });
}

void Host::on_event(uint32_t relay, const EventRef& event) {
  tell([this, relay, event](Now at, failover::Step& out) {
    if (event->author != key_of(member_)) {
      if (daemon_->seen.insert(event->event).second)
        daemon_->brain->heard(at, *event, out);
      return;
    }
    for (const auto& [id, sending] : daemon_->sending) {
      if (sending.event->event != event->event) continue;
      daemon_->brain->receipt(at, id, relay, true, out);
      return;
    }
  });
}

void Host::on_ok(uint32_t relay, const EventId& event) {
  tell([this, relay, event](Now at, failover::Step& out) {
    for (auto& [id, sending] : daemon_->sending) {
      if (sending.event->event != event) continue;
      sending.taken.insert(relay);
      daemon_->brain->receipt(at, id, relay, false, out);
      return;
    }
  });
}

void Host::on_answer(uint32_t relay, uint64_t query, bool complete) {
  tell([this, relay, query, complete](Now at, failover::Step& out) {
    const auto known = daemon_->queries.find(query);
    if (known == daemon_->queries.end() || !known->second.insert(relay).second) return;
    daemon_->brain->answered(at, {query}, relay, complete, out);
  });
}

void Host::publish(PublishNo id, failover::Heard heard, std::optional<Micros> not_after) {
  heard.author = key_of(member_);
  heard.created_at = stamp();
  heard.event = fresh_id((uint64_t{member_} << 56) | (daemon_->run << 32) | id.value);
  for (auto& [older, sending] : daemon_->sending)
    if (sending.event->message.index() == heard.message.index()) sending.newest = false;
  Sending sending{std::make_shared<const failover::Heard>(std::move(heard)), not_after, {}, true};
  const auto it = daemon_->sending.emplace(id, std::move(sending)).first;
  for (uint32_t r = 0; r < plan_.relays; ++r) send(it->second, r);
}

void Host::send(Sending& sending, uint32_t relay) {
  if (!sending.newest || (sending.not_after && mono() >= *sending.not_after)) return;
  net_.send_event(member_, relay, sending.event);
}

// --- outputs -------------------------------------------------------------------------------------

void Host::do_output(const failover::Output& output) {
  if (const auto* beat = std::get_if<failover::PublishBeat>(&output)) {
    if (!beat->holds.empty()) watcher_.on_holding(member_);
    market::Heartbeat message;
    message.provider_npub = key_of(member_);
    if (plan_.policy.holds) message.holds = beat->holds;
    if (beat->holds.empty() && plan_.policy.holds) return;  // nobody here learns from it
    publish(beat->id, {{}, {}, {}, message}, std::nullopt);
  } else if (const auto* event = std::get_if<failover::Publish>(&output)) {
    failover::Heard heard;
    std::visit([&](const auto& message) { heard.message = message; }, event->message);
    if (const auto* promotion = std::get_if<market::Promotion>(&event->message))
      if (!promotion->withdrawn) watcher_.on_promoting(member_, *promotion->epoch);
    publish(event->id, std::move(heard), event->not_after);
  } else if (const auto* forget = std::get_if<failover::Forget>(&output)) {
    daemon_->sending.erase(forget->id);
  } else if (const auto* query = std::get_if<failover::Query>(&output)) {
    const uint64_t id = query->id.value;
    daemon_->queries = {{id, {}}};
    for (uint32_t r = 0; r < plan_.relays; ++r) net_.send_query(member_, r, id);
    queue_.after(query->timeout, [this, id, run = daemon_->run] {
      for (uint32_t r = 0; r < plan_.relays && daemon_ && daemon_->run == run; ++r)
        on_answer(r, id, false);
    });
  } else if (const auto* run = std::get_if<failover::Run>(&output)) {
    line("run at epoch " + std::to_string(run->epoch));
    engine_run();
  } else if (std::holds_alternative<failover::Pause>(output)) {
    engine_pause(false);
  } else if (std::holds_alternative<failover::Kill>(output)) {
    engine_pause(true);
  } else if (std::holds_alternative<failover::Remove>(output)) {
    engine_remove();
  } else if (const auto* tells = std::get_if<failover::TellOperator>(&output)) {
    line(tells->text);
  } else {
    guard_do(output);
  }
}

}  // namespace paygress::sim::members
