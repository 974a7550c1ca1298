#include "sim/members/world.h"

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <utility>

#include "core/base/codec.h"
#include "sim/members/host.h"
#include "sim/world/describe.h"
#include "sim/world/trace_hash.h"

namespace paygress::sim::members {
namespace {

using failover::Phase;

constexpr Micros kGuardRestarts = 2'000_ms;  // its supervisor starts it again
constexpr uint64_t kEpochsLeft = 1'000;      // more than any history takes
constexpr uint64_t kEventsMax = 500'000'000;
constexpr std::array<std::string_view, 24> kMarks{"took over",
                                                  "fenced",
                                                  "guard froze",
                                                  "hold too late",
                                                  "killed",
                                                  "revoked",
                                                  "claim withdrawn",
                                                  "promotion withdrawn",
                                                  "promoted in vain",
                                                  "claims crossed",
                                                  "superseded",
                                                  "copy removed",
                                                  "never started",
                                                  "went on after restart",
                                                  "fenced by restart",
                                                  "crashed in a step",
                                                  "woke as a zombie",
                                                  "start aborted",
                                                  "start failed",
                                                  "cannot run",
                                                  "relay forgot",
                                                  "lease of the holder ended",
                                                  "revoked at the end",
                                                  "lied"};

struct BrokenInvariant {
  std::string what;
};
[[noreturn]] void on_broken(const char* expression, const char* file, int line) {
  throw BrokenInvariant{std::string(expression) + " at " + file + ":" + std::to_string(line)};
}

class World final : public HostWatcher {
 public:
  World(const Plan& plan, const Watching& watching)
      : plan_(plan),
        watching_(watching),
        codec_(make_codec(plan.tier, plan.seed)),
        net_(plan, queue_),
        random_(plan.seed, 0, "world") {
    for (auto& members : plan.all_workloads()) audits_.emplace_back(plan, members, verdict_);
    for (uint32_t m = 0; m < plan.members; ++m)
      hosts_.push_back(std::make_unique<Host>(plan, m, queue_, net_, *codec_, *this));
  }

  Verdict run() {
    set_check_handler(on_broken);
    try {
      run_all();
    } catch (const BrokenInvariant& broken) {
      find("invariant", broken.what);
    }
    set_check_handler(nullptr);
    verdict_.events = queue_.done();
    verdict_.ended = queue_.now();
    verdict_.hash = hash_.digest();
    verdict_.bytes = queue_.bytes();
    for (const auto& host : hosts_) verdict_.bytes += host->bytes();
    for (size_t i = 0; i < kMarks.size(); ++i)
      if (marks_[i] > 0) verdict_.marks.emplace(kMarks[i], marks_[i]);
    for (size_t i = 0; i < kFaultKinds; ++i)
      if (fault_marks_[i] > 0)
        verdict_.marks.emplace("fault " + std::string(word_of(static_cast<FaultKind>(i)).name),
                               fault_marks_[i]);
    return std::move(verdict_);
  }

  // --- what hosts tell ---------------------------------------------------------------------------

  void on_running(uint32_t member, uint32_t workload, bool runs) override {
    say(member, runs ? "RUNS" : "does not run any more");
    audits_[workload].on_running(queue_.now(), member, runs, !hosts_[member]->machine_up(),
                                 active_ > 0 ? Micros::max() : trouble_);
    if (watching_.observer == nullptr) return;
    const std::string name =
        std::to_string(plan_.member_number(audits_[workload].members().front()));
    watching_.observer->on_running(queue_.now(), plan_.member_name(member), "copy of " + name, name,
                                   runs);
  }

  // Not within the step that brought it there.
  void on_phase(uint32_t member, uint32_t workload, Phase before, Phase phase) override {
    if (watching_.log) say_only(member, std::string(failover::to_text(phase)));
    if (watching_.observer != nullptr) tell_mark(member, failover::to_text(phase));
    note_phase(member, workload, before, phase);
    for (Fault& fault : waiting_) {
      if (fault.when != phase || fault.member != member || queue_.now() < fault.from) continue;
      const Micros lasts = fault.until - fault.from;
      fault.from = queue_.now() + Micros{random_.between(0, 2 * plan_.leg_max.value)};
      fault.until = std::min(plan_.heal_at, fault.from + lasts);
      fault.when.reset();
      if (fault.from < fault.until) plan_fault(fault);
    }
  }

  void on_holding(uint32_t, uint32_t workload) override { audits_[workload].on_holding(); }

  void on_epoch(uint32_t member, uint32_t workload, uint64_t epoch) override {
    audits_[workload].on_epoch(queue_.now(), member, epoch, forgot_);
  }

  void on_promoting(uint32_t member, uint32_t workload, uint64_t epoch) override {
    Audit& audit = audits_[workload];
    if (!audit.on_promoting(queue_.now(), member, epoch, queue_.now() > settled_at())) return;
    say(member, "promotes, epoch " + std::to_string(epoch));
    for (const uint32_t other : audit.members()) {
      if (other == member || !hosts_[other]->runs(workload) || !hosts_[other]->holds(workload))
        continue;
      say(member, "promotes over a healthy holder");
      audit.on_false_promotion(queue_.now(), member, other);
    }
  }

  void on_line(uint32_t member, const std::string& text) override { say(member, text); }

  void on_mark(uint32_t member, Mark what) override {
    ++marks_[static_cast<size_t>(what)];
    if (watching_.observer != nullptr) tell_mark(member, kMarks[static_cast<size_t>(what)]);
  }

  void on_step(uint32_t member, const failover::Step& step) override {
    if (step.records.empty() && step.outputs.empty()) return;
    encode(hash_, queue_.now());
    encode(hash_, member);
    for (const auto& record : step.records) encode(hash_, record);
    for (const auto& output : step.outputs) encode(hash_, output);
    if (watching_.observer == nullptr) return;
    watching_.observer->on_step(queue_.now(), plan_.member_name(member), hash_.digest(), [&] {
      std::string text;
      for (const auto& record : step.records) text += "record " + describe_text(record) + "\n    ";
      for (const auto& output : step.outputs) text += "output " + describe_text(output) + "\n    ";
      return text;
    });
  }

  // Whoever has heard it may take it for a holder. Where it leaves no epochs to count on with,
  // nobody takes over any more.
  void on_lie(uint32_t member, uint32_t workload, uint64_t epoch) override {
    on_mark(member, Mark::Lied);
    audits_[workload].on_holding();
    if (epoch >= failover::kEpochMax - kEpochsLeft) used_up_.insert(workload);
  }

  void on_refused(uint32_t member, const Sent& event) override {
    if (hosts_[event.author]->stolen()) return;
    find("refused-event", to_text(plan_.member_name(member)) + " refuses what " +
                              to_text(plan_.member_name(event.author)) + " sent: " + event.text);
  }

 private:
  void run_all() {
    for (uint32_t m = 0; m < plan_.members; ++m)
      queue_.at(plan_.boots.at(m), [this, m] {
        disturb();
        hosts_[m]->boot();
      });
    for (const Fault& fault : plan_.faults) plan_fault(fault);
    queue_.at(plan_.heal_at, [this] { heal(); });
    while (queue_.run_one(plan_.end_at, [this](const Frame& frame) { net_.arrive(frame); })) {
      if (watching_.stop_at_first && !verdict_.findings.empty()) return;
      if (queue_.done() > kEventsMax) return find("runaway", "the history does not end");
    }
    for (uint32_t w = 0; w < audits_.size(); ++w) {
      audits_[w].at_end(queue_.now());
      const std::string stall = stall_of(w);
      if (stall.empty()) continue;
      audits_[w].find(queue_.now(), "no-copy", stall);
      if (verdict_.stall.empty()) verdict_.stall = stall;
    }
  }

  Micros settled_at() const { return plan_.heal_at + Micros{8 * plan_.profile.silence.value}; }
  void find(std::string rule, std::string detail) {
    verdict_.findings.push_back({std::move(rule), std::move(detail), queue_.now()});
  }
  // Something went wrong, or came back: a bound that is owed in quiet times begins anew.
  void disturb() { trouble_ = queue_.now(); }

  void tell_mark(uint32_t member, std::string_view what) {
    watching_.observer->on_mark(queue_.now(), plan_.member_name(member), what);
  }
  void say(uint32_t member, const std::string& text) {
    encode(hash_, queue_.now());
    encode(hash_, member);
    encode(hash_, text);
    if (watching_.log) say_only(member, text);
  }
  void say_only(uint32_t member, const std::string& text) {
    watching_.log(queue_.now(), to_text(plan_.member_name(member)) + " " + text);
  }

  void note_phase(uint32_t member, uint32_t workload, Phase before, Phase phase) {
    if (before == Phase::Recovering && phase == Phase::Holding) on_mark(member, Mark::WentOn);
    if (before == Phase::Recovering && phase != Phase::Holding)
      on_mark(member, Mark::RestartFenced);
    if (before == Phase::Promoting && phase != Phase::Holding)
      on_mark(member, Mark::PromotedInVain);
    if (phase != Phase::Claiming) return;
    for (const uint32_t other : audits_[workload].members()) {
      if (other == member || !hosts_[other]->daemon_up()) continue;
      const Phase theirs = hosts_[other]->phase(workload);
      if (theirs == Phase::Claiming || theirs == Phase::Reading)
        on_mark(member, Mark::ClaimsCrossed);
    }
  }

  // Empty: one copy runs; or nobody who is left ever heard a holder, and rule 10 says that nobody
  // runs it.
  std::string stall_of(uint32_t workload) const {
    const Audit& audit = audits_[workload];
    if (audit.running() == 1) return {};
    if (audit.running() == 0 && used_up_.contains(workload)) return {};
    std::string phases;
    bool armed = false;  // somebody whose engine works could take over
    for (const uint32_t m : audit.members()) {
      const std::string phase = hosts_[m]->phase_text(workload);
      phases += (phases.empty() ? "" : ", ") + to_text(plan_.member_name(m)) + " " + phase;
      const bool works = std::find(plan_.lost_engines.begin(), plan_.lost_engines.end(), m) ==
                         plan_.lost_engines.end();
      armed =
          armed || (works && phase != "unarmed" && phase != "down" && !hosts_[m]->leases_over());
    }
    if (audit.running() == 0 && !armed) return {};
    return std::to_string(audit.running()) + " copies run at the end: " + phases;
  }

  // Counted, because faults of one kind overlap.
  void count(int what, uint32_t who, bool on, const std::function<void(bool)>& change) {
    int& n = counts_[{what, who}];
    const int before = n;
    n += on ? 1 : -1;
    if ((before == 0) != (n == 0)) change(n != 0);
  }

  void plan_fault(const Fault& fault) {
    if (fault.when) return waiting_.push_back(fault);
    queue_.at(fault.from, [this, fault] { begin(fault); });
    if (word_of(fault.kind).lasts) queue_.at(fault.until, [this, fault] { end(fault); });
  }

  // The loss of a machine is what recovery is measured from: no other trouble of its own.
  void begin(const Fault& fault) {
    ++fault_marks_[static_cast<size_t>(fault.kind)];
    if (fault.kind != FaultKind::HostCrash && word_of(fault.kind).lasts) ++active_;
    set(fault, true);
    disturb();
  }
  void end(const Fault& fault) {
    if (fault.kind != FaultKind::HostCrash) --active_;
    set(fault, false);
    disturb();
  }

  void set(const Fault& fault, bool on) {
    if (watching_.log)
      watching_.log(
          queue_.now(),
          std::string(on ? "begins: " : "ends: ") + std::string(word_of(fault.kind).name) + " m" +
              std::to_string(fault.member) + " r" + std::to_string(fault.relay) + " way " +
              std::to_string(fault.way) + " " + std::to_string(fault.amount.value));
    const uint32_t m = fault.member;
    Host& host = *hosts_[m];
    const auto counted = [&](const std::function<void(bool)>& change) {
      count(static_cast<int>(fault.kind), m, on, change);
    };
    switch (fault.kind) {
      case FaultKind::CutLink: net_.cut(m, fault.relay, fault.way, on); break;
      case FaultKind::CutMember:
        for (uint32_t r = 0; r < plan_.relays; ++r) net_.cut(m, r, fault.way, on);
        break;
      case FaultKind::SlowLink: net_.slow(m, fault.relay, on ? fault.amount : Micros{0}); break;
      case FaultKind::RelayDown:
        forgot_ = forgot_ || (on && fault.amount.value != 0);
        if (on && fault.amount.value != 0) on_mark(m, Mark::RelayForgot);
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
      case FaultKind::LeaseEnd: host.end_leases(); break;
      case FaultKind::Lies: counted([&](bool lies) { host.lie(lies); }); break;
      case FaultKind::Withhold: net_.withhold(m, fault.relay, on, fault.amount.value != 0); break;
      case FaultKind::GuardCrash:
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
    if (watching_.log) watching_.log(queue_.now(), "everything is healed");
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
    disturb();
    if (!plan_.lost_relays.empty() || !plan_.lost_engines.empty()) ++active_;  // for good
  }

  const Plan& plan_;
  const Watching& watching_;
  Events queue_;
  std::unique_ptr<Codec> codec_;
  Net net_;
  RandomStream random_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<Audit> audits_;  // by workload
  std::map<std::pair<int, uint32_t>, int> counts_;
  Verdict verdict_;
  TraceHash hash_;
  std::array<uint64_t, kMarks.size()> marks_{};
  std::array<uint64_t, kFaultKinds> fault_marks_{};
  std::vector<Fault> waiting_;  // for a phase
  std::set<uint32_t> used_up_;  // workloads whose epochs a liar used up
  bool forgot_ = false;         // a relay did: an epoch may be taken again
  int active_ = 0;              // faults that last, but for lost machines
  Micros trouble_;              // when anything last began or ended
};

}  // namespace

std::string_view to_text(Mark mark) { return kMarks.at(static_cast<size_t>(mark)); }

Verdict run(const Plan& plan, const Watching& watching) { return World(plan, watching).run(); }

}  // namespace paygress::sim::members
