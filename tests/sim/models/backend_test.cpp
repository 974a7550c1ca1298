// The faults of the simulator's engine (sim/models/backend.h). That it behaves as an engine where
// there is no fault is tests/conformance/backend's business.
#include "sim/models/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paygress::sim {
namespace {

using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::Outcome;
using workload::Running;
using workload::Verb;

class BackendModelTest : public ::testing::Test {
 protected:
  BackendModelTest() { install_.bytes.fill(1); }

  BackendModel make(std::map<BackendFault, uint32_t> ppm = {}, uint64_t seed = 1) const {
    BackendModelConfig config;
    config.install = install_;
    config.fault_ppm = std::move(ppm);
    return BackendModel(config, seed, 1);
  }
  static Now at(int64_t ms) { return {Micros{ms * 1000}, UnixSeconds{1'700'000'000 + ms / 1000}}; }
  Call call(Verb verb, const std::string& name = "a") {
    Call call{CallId{++calls_}, verb, name, std::nullopt, {60'000'000}};
    if (verb != Verb::Create) return call;
    call.spec.emplace();
    call.spec->name = name;
    call.spec->labels.install = install_;
    call.spec->cpu_millicores = 1000;
    call.spec->memory_mb = 1024;
    call.spec->storage_gb = 10;
    return call;
  }
  // Created at 0, started at 1 s, running from 1.2 s.
  BackendModel running() {
    BackendModel model = make();
    model.handle(call(Verb::Create), at(0));
    model.handle(call(Verb::Start), at(1000));
    return model;
  }

  InstallId install_;
  uint64_t calls_ = 0;
};

TEST_F(BackendModelTest, ThingsTakeTheirTime) {
  BackendModel model = make();
  EXPECT_EQ(model.handle(call(Verb::Create), at(0)).due, 400_ms);
  EXPECT_EQ(model.running("a", at(399)), Running::Absent);
  EXPECT_EQ(model.running("a", at(400)), Running::Stopped);
  EXPECT_EQ(model.handle(call(Verb::Start), at(1000)).due, 1200_ms);
  EXPECT_EQ(model.running("a", at(1199)), Running::Stopped);
  EXPECT_EQ(model.running("a", at(1200)), Running::Running);
}

TEST_F(BackendModelTest, ALostAnswerIsCommittedAndAHangIsNot) {
  BackendModel model = make();
  model.plan_fault(Verb::Create, BackendFault::AnswerLost, "a");
  model.plan_fault(Verb::Create, BackendFault::Hang, "b");
  EXPECT_FALSE(model.handle(call(Verb::Create, "a"), at(0)).answer.has_value());
  EXPECT_FALSE(model.handle(call(Verb::Create, "b"), at(0)).answer.has_value());
  EXPECT_EQ(model.running("a", at(1000)), Running::Stopped);
  EXPECT_EQ(model.running("b", at(1000)), Running::Absent);
  // Each was planned once.
  EXPECT_TRUE(model.handle(call(Verb::Create, "b"), at(1000)).answer.has_value());
}

TEST_F(BackendModelTest, FailedCanBeDone) {
  BackendModel model = make();
  model.plan_fault(Verb::Create, BackendFault::FailedButDone);
  EXPECT_EQ(model.handle(call(Verb::Create), at(0)).answer->outcome, Outcome::Failed);
  EXPECT_EQ(model.running("a", at(1000)), Running::Stopped);
}

TEST_F(BackendModelTest, StartedCanDie) {
  BackendModel model = make();
  model.handle(call(Verb::Create), at(0));
  model.plan_fault(Verb::Start, BackendFault::Dies);
  EXPECT_EQ(model.handle(call(Verb::Start), at(1000)).answer->outcome, Outcome::Done);
  EXPECT_EQ(model.running("a", at(1699)), Running::Running);
  EXPECT_EQ(model.running("a", at(1700)), Running::Stopped);
  const auto seen = model.handle(call(Verb::Inspect), at(9000)).answer->objects.at(0);
  EXPECT_EQ(seen.exit_code, 137);
  EXPECT_EQ(seen.stopped_at, UnixSeconds{1'700'000'001}) << "when it died, not when we looked";
}

TEST_F(BackendModelTest, StopCanBeIgnored) {
  BackendModel model = running();
  model.plan_fault(Verb::Stop, BackendFault::Ignored);
  EXPECT_EQ(model.handle(call(Verb::Stop), at(2000)).answer->outcome, Outcome::Done);
  EXPECT_EQ(model.running("a", at(3000)), Running::Running);
}

TEST_F(BackendModelTest, AListCanBeTheOneBefore) {
  BackendModel model = running();
  EXPECT_EQ(model.handle(call(Verb::List, ""), at(2000)).answer->objects.size(), 1u);
  model.handle(call(Verb::Remove), at(3000));
  model.plan_fault(Verb::List, BackendFault::StaleList);
  EXPECT_EQ(model.handle(call(Verb::List, ""), at(4000)).answer->objects.size(), 1u);
  EXPECT_TRUE(model.handle(call(Verb::List, ""), at(5000)).answer->objects.empty());
}

TEST_F(BackendModelTest, ARebootStopsAllAndForgetsWhen) {
  BackendModel model = running();
  model.handle(call(Verb::Create, "b"), at(2000));
  model.reboot_host(at(2100));
  EXPECT_EQ(model.running("a", at(9000)), Running::Stopped);
  EXPECT_EQ(model.running("b", at(9000)), Running::Absent) << "it was still being made";
  const auto seen = model.handle(call(Verb::Inspect), at(9000)).answer->objects.at(0);
  EXPECT_FALSE(seen.stopped_at.has_value());
}

TEST_F(BackendModelTest, UnreachableChangesNothingAndProvesNothing) {
  BackendModel model = running();
  model.set_unreachable(true);
  const auto reply = model.handle(call(Verb::Stop), at(2000));
  EXPECT_EQ(reply.answer->fault, Fault::Unreachable);
  EXPECT_TRUE(model.handle(call(Verb::Inspect), at(2000)).answer->objects.empty());
  EXPECT_EQ(model.running("a", at(2000)), Running::Running);
}

TEST_F(BackendModelTest, TheNodeIsFiniteAndRemovalsGiveBack) {
  BackendModel model = make();
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(model.handle(call(Verb::Create, std::to_string(i)), at(0)).answer->outcome,
              Outcome::Done);
  EXPECT_EQ(model.handle(call(Verb::Create, "more"), at(0)).answer->fault, Fault::Quota);
  model.handle(call(Verb::Remove, "3"), at(1000));
  EXPECT_EQ(model.handle(call(Verb::Capacity, ""), at(1000)).answer->capacity->cpu_millicores,
            1000u);
  EXPECT_EQ(model.handle(call(Verb::Create, "more"), at(1000)).answer->outcome, Outcome::Done);
}

TEST_F(BackendModelTest, RatesAreDrawnFromTheSeedAlone) {
  const auto history = [&](uint64_t seed) {
    BackendModel model =
        make({{BackendFault::Refused, 300'000}, {BackendFault::Hang, 200'000}}, seed);
    std::string outcomes;
    for (int i = 0; i < 64; ++i) {
      const auto reply = model.handle(call(Verb::Probe, ""), at(i));
      outcomes += !reply.answer ? 'h' : reply.answer->outcome == Outcome::Failed ? 'f' : 'd';
    }
    return outcomes;
  };
  EXPECT_EQ(history(1), history(1));
  EXPECT_NE(history(1), history(2));
  EXPECT_THAT(history(1), ::testing::AllOf(::testing::HasSubstr("h"), ::testing::HasSubstr("f"),
                                           ::testing::HasSubstr("d")));
}

}  // namespace
}  // namespace paygress::sim
