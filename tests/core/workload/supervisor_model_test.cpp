// The life of a workload against a plain model of it, command by command (rc::state): after each
// one every state, every object of the engine and every charged backoff is as the model says.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/state.h>

#include <array>
#include <map>

#include "tests/core/workload/box.h"

namespace paygress::workload {
namespace {

constexpr std::array<int64_t, 3> kBackoff{5, 30, 120};
constexpr int64_t kAttemptsBackAfter = 600;
constexpr uint8_t kAttemptsMax = 3;
constexpr uint8_t kLeases = 3;

// The rules as a person would say them. The engine does at once what it is told, so a workload is
// live, down until a moment, or given up.
struct Life {
  State state = State::Live;
  uint32_t generation = 1;  // of its object
  uint8_t attempts = 0;     // restarts used
  int64_t live_since = 0;
  int64_t due = 0;     // while Respawning
  bool gone = false;   // while Respawning: the object is not there any more
  int64_t charge = 0;  // seconds that the next start costs its owner
  std::vector<int64_t> charged;
};

struct Model {
  int64_t now = 0;
  std::map<uint8_t, Life> lives;

  bool is(uint8_t n, State state) const { return lives.contains(n) && lives.at(n).state == state; }
  void come_up(Life& life, int64_t at) const {
    life.state = State::Live;
    life.live_since = at;
    life.generation += life.gone;
    life.gone = false;
    life.charged.push_back(life.charge);
    life.charge = 0;
  }
  void pass(int64_t seconds) {
    now += seconds;
    for (auto& [n, life] : lives)
      if (life.state == State::Respawning && life.due <= now) come_up(life, life.due);
    for (auto& [n, life] : lives)
      if (life.state == State::Live && now - life.live_since >= kAttemptsBackAfter)
        life.attempts = 0;
  }
  void go_down(uint8_t n, bool own_exit, bool gone) {
    Life& life = lives.at(n);
    if (now - life.live_since >= kAttemptsBackAfter) life.attempts = 0;
    if (life.attempts >= kAttemptsMax) {
      life.state = State::Failed;
      return;
    }
    const int64_t backoff = kBackoff.at(life.attempts++);
    life.state = State::Respawning;
    life.gone = gone;
    life.due = now + backoff;
    life.charge = own_exit ? backoff : 0;
  }
  // What is down is started at once, and its owner is not charged for a wait that was not. How long
  // it has been live is not remembered.
  void restart() {
    for (auto& [n, life] : lives) {
      life.charge = 0;
      if (life.state == State::Respawning) come_up(life, now);
      if (life.state == State::Live) life.live_since = now;
    }
  }
};

// The real one, with rules that a test can break.
struct System {
  explicit System(SupervisorConfig config = {}) : box(config) {}
  Box box;
  bool forgets_attempts = false;  // planted: a restart of ours gives every attempt back

  void pass(int64_t seconds) {
    for (int64_t i = 0; i < seconds; ++i) {
      box.pass(1);
      box.serve();
    }
    for (uint8_t n = 1; n <= kLeases; ++n) sight(n);
  }
  void sight(uint8_t n) {
    box.look(n);
    box.serve();
  }
  void restart() {
    const auto log = box.records;
    box.renew();
    for (WorkloadRecord record : log) {
      auto* moved = std::get_if<WorkloadMoved>(&record);
      if (forgets_attempts && moved != nullptr) moved->attempts = 0;
      box.supervisor->apply(record);
    }
    box.with([&](Step& step) { box.supervisor->recover(box.now, step); });
    box.pass(0);
    box.serve();
  }
  std::vector<int64_t> charged(uint8_t n) const {
    std::vector<int64_t> seconds;
    for (const CameUp& up : box.seen<CameUp>())
      if (up.lease == lease_of(n)) seconds.push_back(up.backoff.value);
    return seconds;
  }
};

void expect_same(const Model& model, const System& system) {
  std::map<std::string, Running> running;
  for (const auto& [name, state] : system.box.engine)
    if (state == Running::Running) running.emplace(name, state);
  std::map<std::string, Running> wanted;
  for (uint8_t n = 1; n <= kLeases; ++n) {
    const auto life = model.lives.find(n);
    RC_ASSERT(system.box.state(n).has_value() == (life != model.lives.end()));
    if (life == model.lives.end()) continue;
    RC_ASSERT(*system.box.state(n) == life->second.state);
    if (life->second.state == State::Live)
      wanted.emplace(name_of(n, life->second.generation), Running::Running);
    RC_ASSERT(system.charged(n) == life->second.charged);
  }
  RC_ASSERT(running == wanted);
}

struct Command : rc::state::Command<Model, System> {
  virtual void act(System& system) const = 0;
  void run(const Model& before, System& system) const final {
    act(system);
    expect_same(nextState(before), system);
  }
};

struct OfOne : Command {
  uint8_t n = static_cast<uint8_t>(*rc::gen::inRange<int>(1, kLeases + 1));
  void tell(std::ostream& out, std::string_view what) const { out << what << "(" << int{n} << ")"; }
};

struct Want : OfOne {
  explicit Want(const Model&) {}
  void checkPreconditions(const Model& m) const override { RC_PRE(!m.lives.contains(n)); }
  void apply(Model& m) const override { m.lives[n].live_since = m.now; }
  void act(System& s) const override {
    std::erase_if(s.box.events, [&](const WorkloadEvent& e) {  // of an earlier life of this lease
      const auto* up = std::get_if<CameUp>(&e);
      return up != nullptr && up->lease == lease_of(n);
    });
    s.box.want(n);
    s.box.serve();
  }
  void show(std::ostream& out) const override { tell(out, "Want"); }
};

struct Retire : OfOne {
  explicit Retire(const Model&) {}
  void checkPreconditions(const Model& m) const override { RC_PRE(m.lives.contains(n)); }
  void apply(Model& m) const override { m.lives.erase(n); }
  void act(System& s) const override {
    s.box.retire(n);
    s.box.serve();
  }
  void show(std::ostream& out) const override { tell(out, "Retire"); }
};

// It ends by itself, under the supervisor's eyes.
struct Exit : OfOne {
  explicit Exit(const Model&) {}
  void checkPreconditions(const Model& m) const override { RC_PRE(m.is(n, State::Live)); }
  void apply(Model& m) const override { m.go_down(n, true, false); }
  void act(System& s) const override {
    s.sight(n);
    for (auto& [name, running] : s.box.engine)
      if (s.box.object(name).labels.lease == lease_of(n)) running = Running::Stopped;
    s.sight(n);
  }
  void show(std::ostream& out) const override { tell(out, "Exit"); }
};

// Somebody removes it from the engine.
struct Vanish : OfOne {
  explicit Vanish(const Model&) {}
  void checkPreconditions(const Model& m) const override { RC_PRE(m.is(n, State::Live)); }
  void apply(Model& m) const override { m.go_down(n, false, true); }
  void act(System& s) const override {
    s.sight(n);
    std::erase_if(s.box.engine, [&](const auto& entry) {
      return s.box.object(entry.first).labels.lease == lease_of(n);
    });
    s.sight(n);
  }
  void show(std::ostream& out) const override { tell(out, "Vanish"); }
};

// The engine restarts, and the workload with it.
struct EngineRestart : OfOne {
  explicit EngineRestart(const Model&) {}
  void checkPreconditions(const Model& m) const override { RC_PRE(m.is(n, State::Live)); }
  void apply(Model& m) const override { m.go_down(n, false, false); }
  void act(System& s) const override {
    s.sight(n);
    s.box.look(n);
    s.box.answer(s.box.call(), Outcome::Failed, Fault::Unreachable);
    for (auto& [name, running] : s.box.engine)
      if (s.box.object(name).labels.lease == lease_of(n)) running = Running::Stopped;
    s.sight(n);
  }
  void show(std::ostream& out) const override { tell(out, "EngineRestart"); }
};

struct Pass : Command {
  int64_t seconds = *rc::gen::element<int64_t>(1, 4, 5, 29, 30, 31, 119, 120, 599, 600, 700);
  explicit Pass(const Model&) {}
  void apply(Model& m) const override { m.pass(seconds); }
  void act(System& s) const override { s.pass(seconds); }
  void show(std::ostream& out) const override { out << "Pass(" << seconds << ")"; }
};

struct Restart : Command {
  void apply(Model& m) const override { m.restart(); }
  void act(System& s) const override { s.restart(); }
  void show(std::ostream& out) const override { out << "Restart"; }
};

auto property(SupervisorConfig config, bool forgets_attempts) {
  return [=] {
    System system(config);
    system.forgets_attempts = forgets_attempts;
    rc::state::check(Model{}, system,
                     rc::state::gen::execOneOfWithArgs<Want, Want, Retire, Exit, Exit, Vanish,
                                                       EngineRestart, Pass, Restart>());
  };
}

TEST(SupervisorModel, EveryHistoryIsAsThePlainModelSays) {
  EXPECT_TRUE(rc::check(property({}, false)));
}

// For planted defects, to show that such are found: one seed, enough histories.
bool is_found(SupervisorConfig config, bool forgets_attempts) {
  rc::detail::TestParams params;
  params.seed = 1;
  params.maxSuccess = 2000;
  params.disableShrinking = true;
  const auto result = rc::detail::checkTestable(property(config, forgets_attempts),
                                                rc::detail::TestMetadata{}, params);
  return result.is<rc::detail::FailureResult>();
}

TEST(SupervisorModel, FindsRestartsThatAreNeverGivenBack) {
  SupervisorConfig config;
  config.attempts_reset_after = Seconds{1'000'000};
  EXPECT_TRUE(is_found(config, false));
}

TEST(SupervisorModel, FindsAFoldThatForgetsTheAttempts) { EXPECT_TRUE(is_found({}, true)); }

}  // namespace
}  // namespace paygress::workload
