// What a guarded workload does on every engine that can be guarded: it runs exactly while the guard
// lets it (core/workload/guard.h).
#pragma once

#include "tests/conformance/backend/backend_conformance.h"

namespace paygress::conformance {

class GuardConformance : public BackendConformance {
 protected:
  static constexpr Micros kLong = micros(Seconds{120});

  void SetUp() override {
    BackendConformance::SetUp();
    if (IsSkipped()) return;
    if (!backend_->ask_guard(workload::GuardRelease{{1}, kName}))
      GTEST_SKIP() << "no guard can be had here";
  }
  template <class Request>
  Outcome guard(Request request) {
    return backend_->ask_guard(request)->outcome;
  }
  Outcome hold(Micros time) {
    return guard(workload::GuardHold{{1}, kName, backend_->now() + time});
  }
  Outcome freeze() { return guard(workload::GuardFreeze{{1}, kName}); }
  Outcome kill() { return guard(workload::GuardKill{{1}, kName}); }

  Spec guarded() {
    Spec spec = hello(kName);
    spec.guarded = true;
    return spec;
  }
  Answer create_in_group(const Spec& spec) {
    Call call = create_call(spec);
    call.guard_group = backend_->guard_group(spec.name);
    return backend_->call(Daemon::Ours, call);
  }
  Spec start_held() {
    const Spec spec = guarded();
    EXPECT_EQ(freeze(), Outcome::Done);
    EXPECT_DONE(create_in_group(spec));
    EXPECT_EQ(hold(kLong), Outcome::Done);
    EXPECT_DONE(ask(Verb::Start, kName));
    return spec;
  }
  void end() {
    EXPECT_EQ(kill(), Outcome::Done);
    EXPECT_TRUE(becomes(kName, Running::Stopped));
    EXPECT_DONE(ask(Verb::Remove, kName));
    EXPECT_EQ(inspect(kName).running, Running::Absent);
    EXPECT_EQ(guard(workload::GuardRelease{{1}, kName}), Outcome::Done);
  }

  const std::string kName = "paygress-a-g1";
};

TEST_P(GuardConformance, NothingGuardedIsMadeWithoutAGroup) {
  EXPECT_EQ(create(guarded()).outcome, Outcome::Failed);
  EXPECT_EQ(inspect(kName).running, Running::Absent);
}

TEST_P(GuardConformance, RunsExactlyWhileItIsHeld) {
  const Spec spec = start_held();
  EXPECT_EQ(inspect(kName).running, Running::Running);
  expect_page(spec);
  ASSERT_EQ(freeze(), Outcome::Done);
  EXPECT_EQ(inspect(kName).running, Running::Paused);
  expect_no_page(spec);
  // The engine is not asked for what it could not do before the guard lets it.
  for (const Verb verb : {Verb::Start, Verb::Resume, Verb::Stop, Verb::Remove})
    EXPECT_FAILS(ask(verb, kName), Fault::Busy);
  ASSERT_EQ(hold(kLong), Outcome::Done);
  EXPECT_TRUE(becomes(kName, Running::Running));
  expect_page(spec);
  end();
}

TEST_P(GuardConformance, StandsAfterTheDeadline) {
  const Spec spec = start_held();
  ASSERT_EQ(freeze(), Outcome::Done);
  ASSERT_EQ(hold(300'000_us), Outcome::Done);
  backend_->pass(600'000_us);
  EXPECT_EQ(inspect(kName).running, Running::Paused);
  expect_no_page(spec);
  EXPECT_EQ(hold(kLong), Outcome::Failed) << "a freeze must come first";
  end();
}

TEST_P(GuardConformance, IsNotStartedInAFrozenGroup) {
  const Spec spec = guarded();
  ASSERT_EQ(freeze(), Outcome::Done);
  EXPECT_DONE(create_in_group(spec));
  EXPECT_FAILS(ask(Verb::Start, kName), Fault::Busy);
  EXPECT_EQ(inspect(kName).running, Running::Stopped);
  expect_no_page(spec);
  EXPECT_DONE(ask(Verb::Remove, kName));
}

// The deadline passes while the engine starts it: whatever the engine says, nothing runs.
TEST_P(GuardConformance, AStartThatComesTooLateRunsNothing) {
  const Spec spec = guarded();
  ASSERT_EQ(freeze(), Outcome::Done);
  EXPECT_DONE(create_in_group(spec));
  ASSERT_EQ(hold(30'000_us), Outcome::Done);
  Call start{CallId{++calls_}, Verb::Start, kName, std::nullopt, micros(Seconds{5})};
  backend_->call(Daemon::Ours, start);
  backend_->pass(300'000_us);
  // An engine may be silent on it while its own start of it stands.
  const Answer seen = backend_->call(
      Daemon::Ours, {CallId{++calls_}, Verb::Inspect, kName, std::nullopt, micros(Seconds{2})});
  if (seen.outcome == Outcome::Done) {
    EXPECT_NE(seen.objects.at(0).running, Running::Running);
  } else {
    EXPECT_EQ(seen.outcome, Outcome::Unknown);
  }
  expect_no_page(spec);
  end();
}

TEST_P(GuardConformance, AKilledOneCanBeStartedAgain) {
  const Spec spec = start_held();
  EXPECT_EQ(kill(), Outcome::Done);
  EXPECT_TRUE(becomes(kName, Running::Stopped));
  expect_no_page(spec);
  ASSERT_EQ(hold(kLong), Outcome::Done);
  EXPECT_DONE(ask(Verb::Start, kName));
  expect_page(spec);
  EXPECT_EQ(guard(workload::GuardRelease{{1}, kName}), Outcome::Failed) << "it runs";
  end();
}

}  // namespace paygress::conformance
