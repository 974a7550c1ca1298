// shell/backend/calls.h: exactly one answer per call, by its deadline.
#include "shell/backend/calls.h"

#include <gtest/gtest.h>

namespace paygress::backend {
namespace {

using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::Outcome;
using workload::Verb;

Call call_with(Micros deadline) { return {CallId{7}, Verb::Start, "paygress-a-g1", {}, deadline}; }

TEST(Calls, TheDeadlineMakesItUnknownAndLaterAnswersAreIgnored) {
  net::Loop loop;
  auto calls = std::make_shared<Calls>(loop);
  std::vector<Answer> answers;
  const Call call = call_with(1_ms);
  auto finish = calls->begin(call, [&](Answer answer) { answers.push_back(std::move(answer)); });
  EXPECT_TRUE(answers.empty());
  ASSERT_TRUE(loop.run_until([&] { return !answers.empty(); }, 5'000'000_us));
  finish(answer_to(call, Outcome::Done));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].outcome, Outcome::Unknown);
  EXPECT_EQ(answers[0].id, CallId{7});
  EXPECT_EQ(answers[0].verb, Verb::Start);
  EXPECT_EQ(answers[0].name, "paygress-a-g1");
}

TEST(Calls, AnAnswerStopsTheDeadline) {
  net::Loop loop;
  auto calls = std::make_shared<Calls>(loop);
  std::vector<Answer> answers;
  const Call call = call_with(20_ms);
  auto finish = calls->begin(call, [&](Answer answer) { answers.push_back(std::move(answer)); });
  finish(answer_to(call, Outcome::Failed, Fault::Busy, "later"));
  loop.run_until([] { return false; }, 60_ms);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].fault, Fault::Busy);
}

TEST(Calls, WhatIsOutstandingWhenTheBackendGoesIsNeverAnswered) {
  net::Loop loop;
  auto calls = std::make_shared<Calls>(loop);
  int answers = 0;
  const Call call = call_with(5_ms);
  auto finish = calls->begin(call, [&](const Answer&) { ++answers; });
  calls.reset();
  finish(answer_to(call, Outcome::Done));
  loop.run_until([] { return false; }, 30_ms);
  EXPECT_EQ(answers, 0);
}

TEST(Calls, OneTooManyIsBusy) {
  net::Loop loop;
  auto calls = std::make_shared<Calls>(loop);
  for (size_t i = 0; i < kCallsOutstandingMax; ++i)
    ASSERT_TRUE(calls->begin(call_with(60'000_ms), [](const Answer&) {}));
  std::optional<Answer> refused;
  EXPECT_FALSE(calls->begin(call_with(60'000_ms), [&](Answer answer) { refused = answer; }));
  EXPECT_FALSE(refused.has_value()) << "answered from inside call()";
  loop.run_until([&] { return refused.has_value(); }, 5'000'000_us);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->fault, Fault::Busy);
}

TEST(ObjectNames, AreSafeInPathsAndUrls) {
  for (auto good : {"paygress-0a1b2c3d-g1", "a", "0"}) EXPECT_TRUE(is_object_name(good)) << good;
  for (auto bad : {"", ".", "..", "a/b", "a.b", "-a", "A", "a b", "a\n", "a%2f"})
    EXPECT_FALSE(is_object_name(bad)) << bad;
  EXPECT_TRUE(is_object_name(std::string(63, 'a')));
  EXPECT_FALSE(is_object_name(std::string(64, 'a')));
}

}  // namespace
}  // namespace paygress::backend
