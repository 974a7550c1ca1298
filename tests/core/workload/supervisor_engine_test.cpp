// What an engine says beside its answers: what it tells unasked, what it left unfinished, and on
// which machine of a cluster it runs a workload.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/workload/box.h"

namespace paygress::workload {
namespace {

using ::testing::IsEmpty;

void notice(Box& box, std::optional<LeaseId> lease) {
  box.with([&](Step& step) { box.supervisor->notice(box.now, {lease}, step); });
}

Answer found(Object object) {
  Answer answer;
  answer.outcome = Outcome::Done;
  answer.objects = {std::move(object)};
  return answer;
}

TEST(EngineWord, OfAnEndIsLookedAtAtOnce) {
  Box box;
  box.live(1);
  box.engine[name_of(1, 1)] = Running::Stopped;
  notice(box, lease_of(1));
  ASSERT_EQ(box.calls.size(), 1u);
  EXPECT_EQ(box.calls[0].verb, Verb::Inspect);
  box.serve();
  EXPECT_EQ(box.seen<WentDown>().size(), 1u);
  EXPECT_EQ(box.state(1), State::Respawning);
}

// It is a hint: what runs on is not touched, however often it is said to have ended.
TEST(EngineWord, IsNoProof) {
  Box box;
  box.live(1);
  for (int i = 0; i < 100; ++i) {
    notice(box, lease_of(1));
    EXPECT_LE(box.calls.size(), 1u);
  }
  box.serve();
  EXPECT_EQ(box.state(1), State::Live);
  EXPECT_TRUE(box.seen<WentDown>().empty());
}

TEST(EngineWord, DuringALookIsFollowedByAnother) {
  Box box;
  box.live(1);
  box.look(1);
  const Call early = box.call();
  notice(box, lease_of(1));
  EXPECT_THAT(box.calls, IsEmpty()) << "one at a time";
  // What the engine saw before it stopped.
  box.answer(early, found(box.object(name_of(1, 1))));
  box.engine[name_of(1, 1)] = Running::Stopped;
  ASSERT_EQ(box.calls.size(), 1u);
  box.serve();
  EXPECT_EQ(box.seen<WentDown>().size(), 1u);
}

TEST(EngineWord, OfStrangersAndOfTheRetiredChangesNothing) {
  Box box;
  box.live(1);
  notice(box, lease_of(9));
  EXPECT_THAT(box.calls, IsEmpty());
  box.retire(1);
  const size_t asked = box.calls.size();
  notice(box, lease_of(1));
  EXPECT_EQ(box.calls.size(), asked);
  box.serve();
  EXPECT_EQ(box.seen<Gone>().size(), 1u);
}

TEST(EngineWord, ThatMayBeLostAsksForTheList) {
  Box box;
  box.live(1);
  box.engine[name_of(1, 1)] = Running::Stopped;
  notice(box, std::nullopt);
  notice(box, std::nullopt);
  ASSERT_EQ(box.calls.size(), 1u) << "one list at a time";
  EXPECT_EQ(box.calls[0].verb, Verb::List);
  box.serve();
  box.pass(0);
  box.serve();
  EXPECT_EQ(box.seen<WentDown>().size(), 1u);
}

// What died in the middle of a create has no password or no ports yet: it is never started so.
TEST(Unfinished, IsCompletedBeforeItRuns) {
  Box box;
  box.want(1);
  box.answer(box.call(), Outcome::Unknown);
  box.engine[name_of(1, 1)] = Running::Stopped;
  const Call look = box.call();
  Object half = box.object(name_of(1, 1));
  half.unfinished = true;
  box.answer(look, found(half));
  ASSERT_EQ(box.calls.size(), 1u);
  EXPECT_EQ(box.calls[0].verb, Verb::Create);
  EXPECT_EQ(box.calls[0].name, name_of(1, 1)) << "the same one";
  ASSERT_TRUE(box.calls[0].spec.has_value());
  box.serve();
  EXPECT_EQ(box.state(1), State::Live);
}

TEST(Unfinished, ForEverIsGivenUp) {
  Box box;
  box.want(1);
  box.engine[name_of(1, 1)] = Running::Stopped;
  for (int i = 0; i < 40 && box.state(1) != State::Failed; ++i) {
    box.wait_for_call();
    const Call call = box.call();
    EXPECT_NE(call.verb, Verb::Start);
    Object half = box.object(name_of(1, 1));
    half.unfinished = true;
    if (call.verb == Verb::Inspect)
      box.answer(call, found(half));
    else if (call.verb == Verb::Create)
      box.answer(call, Outcome::Failed, Fault::Internal);
    else
      box.answer(call, Outcome::Unknown);
  }
  EXPECT_EQ(box.state(1), State::Failed);
  EXPECT_EQ(box.seen<GaveUp>().size(), 1u);
}

// A list that knows of an object no more than its name: it is there, whoever's it is.
TEST(NameOnly, IsNeitherGoneNorAStranger) {
  Box box;
  box.live(1);
  box.retire(1);
  while (!box.calls.empty() && box.calls[0].verb != Verb::List) box.serve_one();
  const auto list_of = [](std::vector<std::string> names) {
    Answer list;
    list.outcome = Outcome::Done;
    for (auto& name : names) list.objects.emplace_back().name = std::move(name);
    return list;
  };
  ASSERT_EQ(box.calls.size(), 1u);
  box.answer(box.call(), list_of({name_of(1, 1), name_of(9, 1)}));
  EXPECT_THAT(box.calls, IsEmpty()) << "a stranger's would be stopped";
  EXPECT_TRUE(box.seen<Gone>().empty());
  box.wait_for_call();  // it is stopped and removed again
  while (box.calls[0].verb != Verb::List) box.serve_one();
  box.answer(box.call(), list_of({name_of(9, 1)}));
  EXPECT_EQ(box.seen<Gone>().size(), 1u);
}

TEST(Placed, IsToldBeforeItStartsAndWhenItMoved) {
  Box box;
  box.want(1);
  box.serve_one();  // create
  box.serve_one();  // start
  Object running = box.object(name_of(1, 1));
  running.node = "n2";
  running.address = "203.0.113.2";
  box.answer(box.call(), found(running));
  ASSERT_EQ(box.events.size(), 2u);
  EXPECT_EQ(std::get<Placed>(box.events[0]).node, "n2");
  EXPECT_EQ(std::get<Placed>(box.events[0]).address, "203.0.113.2");
  EXPECT_TRUE(std::holds_alternative<Started>(box.events[1]));
  box.look(1);
  box.answer(box.call(), found(running));
  EXPECT_EQ(box.seen<Placed>().size(), 1u) << "nothing new";
  running.node = "n1";
  box.look(1);
  box.answer(box.call(), found(running));
  EXPECT_EQ(box.seen<Placed>().size(), 2u);
}

}  // namespace
}  // namespace paygress::workload
