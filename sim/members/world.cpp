#include "sim/members/world.h"

#include <algorithm>
#include <utility>

#include "core/base/codec.h"
#include "sim/members/host.h"

namespace paygress::sim::members {
namespace {

constexpr Micros kGuardRestarts = 2'000_ms;  // its supervisor starts it again

class World final : public HostWatcher {
 public:
  World(const Plan& plan, const std::function<void(Micros, const std::string&)>& log)
      : plan_(plan),
        log_(log),
        net_(plan, queue_),
        random_(plan.seed, 0, "world"),
        promoted_(plan.members) {
    for (uint32_t m = 0; m < plan.members; ++m)
      hosts_.push_back(std::make_unique<Host>(plan, m, queue_, net_, *this));
  }

  Verdict run() {
    for (uint32_t m = 0; m < plan_.members; ++m)
      queue_.at(plan_.boots.at(m), [this, m] { hosts_[m]->boot(); });
    for (const Fault& fault : plan_.faults) plan_fault(fault);
    queue_.at(plan_.heal_at, [this] { heal(); });
    while (queue_.run_one(plan_.end_at)) {
    }
    note_overlap();
    verdict_.events = queue_.done();
    verdict_.hash = hash_.digest();
    verdict_.stall = stall();
    return verdict_;
  }

  void on_running(uint32_t member, bool runs) override {
    say(member, runs ? "RUNS" : "does not run any more");
    note_overlap();
    running_ += runs ? 1 : -1;
    since_ = queue_.now();
    if (runs && running_ > 1) ++verdict_.overlaps;
    if (running_ == 0) none_since_ = queue_.now();
    if (runs && none_since_) {
      verdict_.gaps.push_back(queue_.now() - *none_since_);
      none_since_.reset();
    }
  }

  // Not within the step that brought it there.
  void on_phase(uint32_t member, failover::Phase phase) override {
    if (log_) log_(queue_.now(), "m" + std::to_string(member) + " " +
                                     std::string(failover::to_text(phase)));
    for (Fault& fault : waiting_) {
      if (fault.when != phase || fault.member != member || queue_.now() < fault.from) continue;
      const Micros lasts = fault.until - fault.from;
      fault.from = queue_.now() + Micros{random_.between(0, 2 * plan_.leg_max.value)};
      fault.until = std::min(plan_.heal_at, fault.from + lasts);
      fault.when.reset();
      if (fault.from < fault.until) plan_fault(fault);
    }
  }

  void on_holding(uint32_t) override { held_once_ = true; }

  void on_epoch(uint32_t member, uint64_t epoch) override {
    const auto [held, first] = holders_.emplace(epoch, member);
    if (first || held->second == member || forgot_) return;
    ++verdict_.shared_epochs;
    say(member, "holds an epoch that another member held");
  }

  void on_promoting(uint32_t member, uint64_t epoch) override {
    if (epoch <= promoted_[member]) return;
    promoted_[member] = epoch;
    say(member, "promotes, epoch " + std::to_string(epoch));
    ++verdict_.promotions;
    if (!held_once_ && member != 0) ++verdict_.unheard_promotions;
    held_once_ = true;
    if (queue_.now() > settled_at()) ++verdict_.late_promotions;
    for (uint32_t other = 0; other < plan_.members; ++other) {
      if (other == member || !hosts_[other]->runs() || !hosts_[other]->holds()) continue;
      ++verdict_.false_promotions;
      say(member, "promotes over a healthy holder");
    }
  }

  void on_line(uint32_t member, const std::string& text) override { say(member, text); }

 private:
  Micros settled_at() const {
    return plan_.heal_at + Micros{8 * plan_.profile.silence.value};
  }

  void say(uint32_t member, const std::string& text) {
    encode(hash_, queue_.now());
    encode(hash_, member);
    encode(hash_, text);
    if (log_) log_(queue_.now(), "m" + std::to_string(member) + " " + text);
  }

  void note_overlap() {
    if (running_ > 1) verdict_.overlapping += queue_.now() - since_;
    since_ = queue_.now();
  }

  std::string stall() const {
    if (running_ == 1) return {};
    std::string phases;
    bool armed = false;            // somebody whose engine works could take over
    for (uint32_t m = 0; m < plan_.members; ++m) {
      const std::string phase = hosts_[m]->phase();
      phases += (phases.empty() ? "" : ", ") + phase;
      const bool works = std::find(plan_.lost_engines.begin(), plan_.lost_engines.end(), m) ==
                         plan_.lost_engines.end();
      armed = armed || (works && phase != "unarmed" && phase != "down");
    }
    // Nobody who is left ever heard a holder: rule 10 says that nobody runs it.
    if (running_ == 0 && !armed) return {};
    return std::to_string(running_) + " copies run at the end: " + phases;
  }

  // Counted, because faults of one kind overlap.
  void count(std::map<std::pair<int, uint32_t>, int>& counts, int what, uint32_t who, bool on,
             const std::function<void(bool)>& change) {
    int& n = counts[{what, who}];
    const int before = n;
    n += on ? 1 : -1;
    if ((before == 0) != (n == 0)) change(n != 0);
  }

  void plan_fault(const Fault& fault) {
    if (fault.when) return waiting_.push_back(fault);
    queue_.at(fault.from, [this, fault] { set(fault, true); });
    if (fault.kind != FaultKind::ClockStep && fault.kind != FaultKind::Exhaust)
      queue_.at(fault.until, [this, fault] { set(fault, false); });
  }

  void set(const Fault& fault, bool on) {
    if (log_)
      log_(queue_.now(), std::string(on ? "begins: " : "ends: ") +
                             boost::describe::enum_to_string(fault.kind, "?") + " m" +
                             std::to_string(fault.member) + " r" + std::to_string(fault.relay) +
                             " way " + std::to_string(fault.way) + " " +
                             std::to_string(fault.amount.value));
    Host& host = *hosts_[fault.member];
    const uint32_t m = fault.member;
    const int kind = static_cast<int>(fault.kind);
    const auto counted = [&](const std::function<void(bool)>& change) {
      count(counts_, kind, m, on, change);
    };
    switch (fault.kind) {
      case FaultKind::CutLink: net_.cut(m, fault.relay, fault.way, on); break;
      case FaultKind::CutMember:
        for (uint32_t r = 0; r < plan_.relays; ++r) net_.cut(m, r, fault.way, on);
        break;
      case FaultKind::SlowLink:
        net_.slow(m, fault.relay, on ? fault.amount : Micros{0});
        break;
      case FaultKind::RelayDown:
        forgot_ = forgot_ || (on && fault.amount.value != 0);
        net_.relay_down(fault.relay, on, fault.amount.value != 0);
        break;
      case FaultKind::RelayDeaf: net_.relay_deaf(fault.relay, on); break;
      case FaultKind::Crash: counted([&](bool down) { crash(m, down); }); break;
      case FaultKind::HostCrash:
        counted([&](bool down) { down ? host.crash_host() : host.boot(); });
        break;
      case FaultKind::Pause:
        counted([&](bool paused) {
          paused ? host.pause_daemon() : host.continue_daemon(random_.chance_ppm(500'000));
        });
        break;
      case FaultKind::ClockStep: host.clock_step({fault.amount.value / 1'000'000}); break;
      case FaultKind::SlowCreate: host.set_create(on ? fault.amount : plan_.create); break;
      case FaultKind::FailCreate: counted([&](bool fails) { host.set_create_fails(fails); }); break;
      case FaultKind::EngineHang: counted([&](bool hangs) { host.set_engine_hangs(hangs); }); break;
      case FaultKind::Exhaust: host.exhaust(); break;
      case FaultKind::Withhold:
        net_.withhold(m, fault.relay, on, fault.amount.value != 0);
        break;
      case FaultKind::GuardCrash:
        if (!on) break;
        host.crash_guard();
        queue_.after(kGuardRestarts, [this, m] { hosts_[m]->start_guard(); });
        break;
    }
  }

  // Half of the crashes strike inside a step; one that does not come soon is a plain crash.
  void crash(uint32_t m, bool down) {
    Host& host = *hosts_[m];
    if (!down) {
      host.crash_daemon();
      return host.start_daemon();
    }
    if (random_.chance_ppm(500'000)) return host.crash_daemon();
    host.crash_in_step(static_cast<int>(random_.between(-1, 3)));
  }

  void heal() {
    if (log_) log_(queue_.now(), "everything is healed");
    for (const uint32_t m : plan_.lost_members) hosts_[m]->crash_host();
    for (const uint32_t r : plan_.lost_relays) net_.relay_down(r, true, false);
    for (uint32_t m = 0; m < plan_.members; ++m) {
      if (std::find(plan_.lost_members.begin(), plan_.lost_members.end(), m) !=
          plan_.lost_members.end())
        continue;
      hosts_[m]->boot();
      hosts_[m]->start_daemon();
    }
    for (const uint32_t m : plan_.lost_engines) hosts_[m]->lose_engine();
  }

  const Plan& plan_;
  const std::function<void(Micros, const std::string&)>& log_;
  Queue queue_;
  Net net_;
  RandomStream random_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::map<std::pair<int, uint32_t>, int> counts_;
  std::vector<uint64_t> promoted_;
  Verdict verdict_;
  HashSink hash_;
  std::map<uint64_t, uint32_t> holders_;  // of each epoch
  std::vector<Fault> waiting_;       // for a phase
  bool held_once_ = false;
  bool forgot_ = false;              // a relay did: an epoch may be taken again
  int running_ = 0;
  Micros since_;
  std::optional<Micros> none_since_;
};

}  // namespace

Verdict run(const Plan& plan, const std::function<void(Micros, const std::string&)>& log) {
  return World(plan, log).run();
}

}  // namespace paygress::sim::members
