// The life of a workload (decisions.md "Life of a workload"; money-sagas.md flaws 3, 4 and 10).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>

#include "tests/core/workload/box.h"

namespace paygress::workload {
namespace {

using ::testing::IsEmpty;

TEST(Supervisor, CreatesNotRunningThenStartsThenSees) {
  Box box;
  box.want(1);
  // Flaw 3: the generation is a record of the step that carries the call.
  ASSERT_EQ(box.records.size(), 2u);
  EXPECT_EQ(std::get<WorkloadGeneration>(box.records[1]).generation, 1u);
  ASSERT_EQ(box.calls.size(), 1u);
  EXPECT_EQ(box.calls[0].verb, Verb::Create);
  EXPECT_EQ(box.calls[0].name, name_of(1, 1));
  EXPECT_EQ(box.calls[0].spec->labels.generation, 1u);
  EXPECT_EQ(box.serve_one(), Verb::Create);
  EXPECT_EQ(box.state(1), State::Provisioning);
  EXPECT_EQ(box.serve_one(), Verb::Start);
  EXPECT_EQ(box.state(1), State::Provisioning);
  EXPECT_EQ(box.serve_one(), Verb::Inspect);
  EXPECT_EQ(box.state(1), State::Live);
  EXPECT_EQ(box.seen<Started>().size(), 1u);
  EXPECT_EQ(box.supervisor->running_count(), 1u);
}

// Only the answer to Create tells it (backend.h); what looks on says nothing of it.
TEST(Supervisor, WhatCreateSaidOfSshHoldsAfterALook) {
  Box box;
  box.want(1);
  const Call create = box.call();
  box.engine[name_of(1, 1)] = Running::Stopped;
  Answer without;
  without.outcome = Outcome::Done;
  without.serves_ssh = false;
  box.answer(create, without);
  box.serve();
  ASSERT_EQ(box.seen<Started>().size(), 1u);
  EXPECT_FALSE(box.seen<Started>()[0].serves_ssh);
}

TEST(Supervisor, ALostCreateAnswerIsAdopted) {
  Box box;
  box.want(1);
  const Call create = box.call();
  box.engine[name_of(1, 1)] = Running::Stopped;
  box.answer(create, Outcome::Unknown);
  EXPECT_EQ(box.serve_one(), Verb::Inspect);
  EXPECT_EQ(box.serve_one(), Verb::Start);
  box.serve();
  EXPECT_EQ(box.state(1), State::Live);
  EXPECT_EQ(box.engine.size(), 1u);
}

TEST(Supervisor, AfterAConfirmedAbsenceANewGenerationIsMade) {
  Box box;
  box.want(1);
  box.answer(box.call(), Outcome::Unknown);
  EXPECT_EQ(box.serve_one(), Verb::Inspect);  // absent, but the call may still come
  EXPECT_THAT(box.calls, IsEmpty());
  box.wait_for_call();
  EXPECT_EQ(box.serve_one(), Verb::Inspect);
  ASSERT_EQ(box.calls.size(), 1u);
  EXPECT_EQ(box.calls[0].name, name_of(1, 2));
  // The late one appears after all: it is nobody's and is swept (flaws 3 and 4).
  box.engine[name_of(1, 1)] = Running::Running;
  box.serve();
  EXPECT_EQ(box.state(1), State::Live);
  box.pass(60);
  box.serve();
  EXPECT_EQ(box.engine.size(), 1u);
  EXPECT_TRUE(box.engine.contains(name_of(1, 2)));
}

TEST(Supervisor, CreatesWithoutAnAnswerDoNotGoOnForEver) {
  Box box;
  box.want(1);
  size_t creates = 0;
  for (int i = 0; i < 10'000 && box.state(1) != State::Failed; ++i) {
    if (box.calls.empty()) box.pass(1);
    while (!box.calls.empty()) {
      const Call c = box.call();
      creates += c.verb == Verb::Create;
      Answer a;
      a.outcome = c.verb == Verb::Create ? Outcome::Unknown : Outcome::Done;
      if (c.verb == Verb::Inspect) a.objects = {box.object(c.name)};
      box.answer(c, a);
    }
  }
  EXPECT_EQ(box.state(1), State::Failed);
  EXPECT_EQ(box.seen<GaveUp>().size(), 1u);
  EXPECT_LE(creates, 20u);  // in 1200 s
}

TEST(Supervisor, RestartsThreeTimesWithBackoffThenFails) {
  Box box;
  box.live(1);
  EXPECT_EQ(box.crash_once(1, 1), 5);
  EXPECT_EQ(box.crash_once(1, 1), 30);
  box.exit_code = 0;  // a clean exit counts as stopped
  EXPECT_EQ(box.crash_once(1, 1), 120);
  const auto ups = box.seen<CameUp>();
  ASSERT_EQ(ups.size(), 3u);
  EXPECT_EQ(ups[0].backoff, Seconds{5});
  EXPECT_EQ(ups[1].backoff, Seconds{30});
  EXPECT_EQ(ups[2].backoff, Seconds{120});
  box.engine[name_of(1, 1)] = Running::Stopped;
  box.look(1);
  box.serve();
  EXPECT_EQ(box.state(1), State::Failed);
  EXPECT_EQ(box.seen<WentDown>().size(), 4u);
  EXPECT_EQ(box.seen<GaveUp>().size(), 1u);
}

TEST(Supervisor, TenMinutesLiveGiveTheAttemptsBack) {
  Box box;
  box.live(1);
  box.crash_once(1, 1);
  for (int i = 0; i < 11; ++i) {
    box.pass(60);
    box.serve();
  }
  EXPECT_EQ(box.crash_once(1, 1), 5);
}

TEST(Supervisor, PolicyNeverMeansNever) {
  Box box;
  box.live(1, RestartPolicy{0});
  box.engine[name_of(1, 1)] = Running::Stopped;
  box.look(1);
  box.serve();
  EXPECT_EQ(box.state(1), State::Failed);
}

TEST(Supervisor, WhatTheHostTookIsNotItsOwnExitAndIsMadeAnew) {
  Box box;
  box.live(1);
  box.engine.clear();
  box.look(1);
  box.serve();
  const auto downs = box.seen<WentDown>();
  ASSERT_EQ(downs.size(), 1u);
  EXPECT_FALSE(downs[0].own_exit);
  EXPECT_FALSE(downs[0].since.has_value());  // the engine keeps no time of what is gone
  box.wait_for_call();
  box.serve();
  EXPECT_EQ(box.state(1), State::Live);
  EXPECT_TRUE(box.engine.contains(name_of(1, 2)));
  EXPECT_EQ(box.seen<CameUp>().at(0).backoff, Seconds{0});
}

// A restart of the engine or of the machine leaves exit codes too.
TEST(Supervisor, AnExitThatNobodyWatchedIsNotItsOwn) {
  Box box;
  box.live(1);
  box.look(1);
  box.answer(box.call(), Outcome::Failed, Fault::Unreachable);
  box.engine[name_of(1, 1)] = Running::Stopped;
  box.wait_for_call();
  box.serve();
  ASSERT_EQ(box.seen<WentDown>().size(), 1u);
  EXPECT_FALSE(box.seen<WentDown>()[0].own_exit);
  box.wait_for_call();
  box.serve();
  EXPECT_EQ(box.state(1), State::Live);
  EXPECT_EQ(box.seen<CameUp>().at(0).backoff, Seconds{0});
  EXPECT_EQ(box.crash_once(1, 1), 30);  // seen again since: this one is its own
  EXPECT_TRUE(box.seen<WentDown>().at(1).own_exit);
}

TEST(Supervisor, AnExitFromBeforeOurStartIsNotItsOwn) {
  Box box;
  box.live(1);
  box.engine[name_of(1, 1)] = Running::Stopped;
  const auto log = box.records;
  box.renew();
  for (const auto& r : log) box.supervisor->apply(r);
  box.with([&](Step& s) { box.supervisor->recover(box.now, s); });
  box.pass(0);
  box.serve();
  ASSERT_EQ(box.seen<WentDown>().size(), 1u);
  EXPECT_FALSE(box.seen<WentDown>()[0].own_exit);
}

TEST(Supervisor, CreateThatFailsForGoodEndsInFailed) {
  Box box;
  box.want(1);
  for (int i = 0; i < 50 && box.state(1) != State::Failed; ++i) {
    box.wait_for_call();
    const Call c = box.call();
    if (c.verb == Verb::Create) {
      box.answer(c, Outcome::Failed, Fault::Invalid);
    } else {
      Answer a;
      a.outcome = Outcome::Done;
      if (c.verb == Verb::Inspect) a.objects = {box.object(c.name)};
      box.answer(c, a);
    }
  }
  EXPECT_EQ(box.state(1), State::Failed);
  EXPECT_THAT(box.seen<Started>(), IsEmpty());
  EXPECT_EQ(box.seen<GaveUp>().size(), 1u);
}

TEST(Supervisor, UnknownChangesNoState) {
  Box box;
  box.live(1);
  const size_t records = box.records.size();
  for (int i = 0; i < 40; ++i) {
    box.look(1);
    while (!box.calls.empty()) box.answer(box.call(), Outcome::Unknown);
    box.pass(61);
    while (!box.calls.empty()) box.answer(box.call(), Outcome::Failed, Fault::Unreachable);
  }
  EXPECT_EQ(box.state(1), State::Live);
  EXPECT_EQ(box.records.size(), records);
  EXPECT_THAT(box.events, IsEmpty());
}

// The process was stopped between question and answer: what it is told then is no sight of now.
TEST(Supervisor, AnAnswerToAnOldQuestionIsNoSight) {
  Box box;
  box.live(1);
  box.look(1);
  const Call look = box.call();
  box.pass(60);
  ASSERT_EQ(box.calls.size(), 1u);
  const Call list = box.call();
  ASSERT_EQ(list.verb, Verb::List);
  const size_t sights = box.seen<Sighted>().size();
  box.pass(300);
  Answer runs;
  runs.outcome = Outcome::Done;
  runs.objects = {box.object(name_of(1, 1))};
  ASSERT_EQ(runs.objects[0].running, Running::Running);
  box.answer(look, runs);
  box.answer(list, runs);
  EXPECT_EQ(box.seen<Sighted>().size(), sights);
  box.wait_for_call();
  box.serve();
  EXPECT_GT(box.seen<Sighted>().size(), sights) << "it asks again, and believes that";
}

TEST(Supervisor, RetiresUntilTheListByLabelIsEmpty) {
  Box box;
  box.live(1);
  box.retire(1);
  EXPECT_TRUE(box.supervisor->is_retiring(lease_of(1)));
  // The engine says Done and does nothing: the list shows it.
  for (int i = 0; i < 3; ++i) {
    box.wait_for_call();
    while (!box.calls.empty()) {
      const Call c = box.call();
      Answer a;
      a.outcome = Outcome::Done;
      if (c.verb == Verb::List) a.objects = {box.object(name_of(1, 1))};
      box.answer(c, a);
    }
    EXPECT_THAT(box.seen<Gone>(), IsEmpty());
  }
  box.wait_for_call();
  box.serve();
  for (int i = 0; i < 5 && box.seen<Gone>().empty(); ++i) {
    box.wait_for_call();
    box.serve();
  }
  EXPECT_EQ(box.seen<Gone>().size(), 1u);
  EXPECT_THAT(box.engine, IsEmpty());
  EXPECT_EQ(box.supervisor->size(), 0u);
}

TEST(Supervisor, RemovesForAsLongAsItTakes) {
  Box box;
  box.live(1);
  box.retire(1);
  for (int tries = 0; tries < 500;) {
    if (box.calls.empty()) box.pass(300);  // it never waits longer
    ASSERT_FALSE(box.calls.empty()) << "gave up after " << tries;
    const Call c = box.call();
    tries += c.verb == Verb::Remove;
    Answer refusal;
    refusal.outcome = c.verb == Verb::Remove ? Outcome::Failed : Outcome::Done;
    if (c.verb == Verb::List || c.verb == Verb::Inspect)
      refusal.objects = {box.object(name_of(1, 1))};
    box.answer(c, refusal);
  }
  EXPECT_THAT(box.seen<Gone>(), IsEmpty());
  for (int i = 0; i < 10 && box.seen<Gone>().empty(); ++i) {
    box.pass(300);
    box.serve();
  }
  EXPECT_EQ(box.seen<Gone>().size(), 1u);
}

// What had stopped before it was to be stopped is not charged until then (flaw 11). An engine that
// refuses to say is asked again; when it goes on refusing, nobody knows, and it is stopped.
TEST(Supervisor, ARefusedLookBeforeAStopIsNoSight) {
  Box box;
  box.live(1);
  box.pass(1);
  box.retire(1);
  for (int refusals = 1; refusals <= 4; ++refusals) {
    ASSERT_EQ(box.calls.size(), 1u) << refusals;
    ASSERT_EQ(box.calls.front().verb, Verb::Inspect) << refusals;
    EXPECT_THAT(box.seen<WentDown>(), IsEmpty());
    box.answer(box.call(), Outcome::Failed, Fault::Busy);
    if (refusals < 4) box.wait_for_call();
  }
  ASSERT_EQ(box.seen<WentDown>().size(), 1u);
  EXPECT_FALSE(box.seen<WentDown>()[0].since.has_value());
  ASSERT_EQ(box.calls.size(), 1u);
  EXPECT_EQ(box.calls.front().verb, Verb::Stop);
}

// A list that was asked for before the removal proves nothing about what came after.
TEST(Supervisor, AStaleListConfirmsNothingAndTheNextIsAskedForAtOnce) {
  Box box;
  box.live(1);
  box.pass(60);
  const Call list = box.call();  // the sweep, not answered yet
  ASSERT_EQ(list.verb, Verb::List);
  box.retire(1);
  EXPECT_EQ(box.serve_one(), Verb::Inspect);  // had it stopped before?
  EXPECT_EQ(box.serve_one(), Verb::Stop);
  EXPECT_EQ(box.serve_one(), Verb::Remove);
  EXPECT_THAT(box.calls, IsEmpty());
  Answer a;
  a.outcome = Outcome::Done;
  box.answer(list, a);  // empty, and too old
  EXPECT_THAT(box.seen<Gone>(), IsEmpty());
  box.pass(0);
  ASSERT_EQ(box.calls.size(), 1u) << "not only at the next sweep";
  box.serve();
  EXPECT_EQ(box.seen<Gone>().size(), 1u);
}

TEST(Supervisor, AnyGenerationThatIsLeftKeepsTheLeaseFromBeingGone) {
  Box box;
  box.live(1);
  box.engine[name_of(1, 7)] = Running::Running;  // a create that nobody waited for
  box.retire(1);
  EXPECT_EQ(box.serve_one(), Verb::Stop);
  EXPECT_EQ(box.serve_one(), Verb::Remove);
  EXPECT_EQ(box.serve_one(), Verb::List);
  EXPECT_THAT(box.seen<Gone>(), IsEmpty());
  for (int i = 0; i < 10 && box.seen<Gone>().empty(); ++i) {
    box.serve();
    if (box.seen<Gone>().empty()) box.wait_for_call();
  }
  EXPECT_EQ(box.seen<Gone>().size(), 1u);
  EXPECT_THAT(box.engine, IsEmpty());
}

TEST(Supervisor, StraysAreSweptAndOursAreLeft) {
  Box box;
  box.live(1);
  box.engine[name_of(9, 1)] = Running::Running;
  box.pass(60);
  box.serve();
  EXPECT_EQ(box.engine.at(name_of(9, 1)), Running::Stopped);  // of no lease: quarantined
  for (int minute = 0; minute < 9; ++minute) {
    box.pass(60);
    box.serve();
    EXPECT_TRUE(box.engine.contains(name_of(9, 1)));
  }
  for (int minute = 0; minute < 3; ++minute) {
    box.pass(60);
    box.serve();
  }
  EXPECT_EQ(box.engine.at(name_of(1, 1)), Running::Running);
  EXPECT_FALSE(box.engine.contains(name_of(9, 1)));
}

TEST(Supervisor, ASlowCreateDelaysNobodyUpToTheBound) {
  SupervisorConfig config;
  config.calls_max = 4;
  Box box(config);
  for (uint8_t n = 1; n <= 3; ++n) box.want(n);
  const std::deque<Call> slow = std::exchange(box.calls, {});
  EXPECT_EQ(slow.size(), 3u);
  box.want(4);
  box.serve();
  EXPECT_EQ(box.state(4), State::Live);
  box.want(5);
  box.want(6);  // one too many: it waits for a place
  EXPECT_EQ(box.calls.size(), 1u);
  box.serve();
  box.pass(0);
  box.serve();
  EXPECT_EQ(box.state(6), State::Live);
}

TEST(Supervisor, ALostQuorumOnlyInforms) {
  Box box;
  box.live(1);
  const size_t records = box.records.size();
  box.supervisor->set_quorum_lost(true);
  EXPECT_EQ(box.state(1), State::Suspect);
  box.pass(3600);
  box.serve();
  EXPECT_EQ(box.state(1), State::Suspect);
  box.supervisor->set_quorum_lost(false);
  EXPECT_EQ(box.state(1), State::Live);
  EXPECT_EQ(box.records.size(), records);
}

TEST(Supervisor, TellsWhenItHasSeenTheEnginesInventory) {
  Box box;
  box.renew();
  Step step;
  box.supervisor->recover(box.now, step);
  EXPECT_FALSE(box.supervisor->has_inventory());
  box.take(std::move(step));
  box.answer(box.call(), Outcome::Unknown);
  EXPECT_FALSE(box.supervisor->has_inventory());
  box.wait_for_call();
  box.serve();
  EXPECT_TRUE(box.supervisor->has_inventory());
}

// Against a plain model: whatever the engine does or leaves unanswered, whenever the process dies,
// the fold of the records goes on, and what is wanted and only that runs when all is well again.
TEST(SupervisorProperty, AnyHistoryConverges) {
  EXPECT_TRUE(rc::check([] {
    Box box;
    std::map<uint8_t, bool> wanted;  // lease -> retired
    const int steps = *rc::gen::inRange(10, 80);
    for (int i = 0; i < steps; ++i) {
      const auto n = static_cast<uint8_t>(*rc::gen::inRange(1, 5));
      switch (*rc::gen::inRange(0, 12)) {
        case 0:
          if (!wanted.contains(n)) box.want(n, RestartPolicy{200});
          wanted.emplace(n, false);
          break;
        case 1:
          if (wanted.contains(n)) {
            box.retire(n);
            wanted[n] = true;
          }
          break;
        case 2: box.pass(*rc::gen::inRange(0, 100)); break;
        case 3:
          if (!box.calls.empty()) box.answer(box.call(), Outcome::Unknown);
          break;
        case 4:
          if (!box.engine.empty()) box.engine.begin()->second = Running::Stopped;
          break;
        case 5:
          if (!box.engine.empty()) box.engine.erase(box.engine.begin());
          break;
        case 6: {  // dies; what was not answered may or may not have been done
          const auto log = box.records;
          box.renew();
          for (const auto& r : log) box.supervisor->apply(r);
          Step step;
          box.supervisor->recover(box.now, step);
          box.take(std::move(step));
          break;
        }
        default:
          if (!box.calls.empty()) box.serve_one();
      }
    }
    for (int i = 0; i < 60; ++i) {
      box.serve();
      box.pass(61);
    }
    box.serve();
    for (const auto& [n, retired] : wanted) {
      if (retired)
        RC_ASSERT(!box.state(n).has_value());
      else if (box.state(n) != State::Failed)
        RC_ASSERT(box.state(n) == State::Live);
    }
    std::set<LeaseId> running;
    for (const auto& [name, state] : box.engine)
      if (state == Running::Running)
        RC_ASSERT(running.insert(box.object(name).labels.lease).second);
    RC_ASSERT(running.size() == box.supervisor->running_count());
    // The fold at every boundary is a state that the machine itself accepts.
    Box folded;
    for (const auto& r : box.records) {
      folded.supervisor->apply(r);
      folded.supervisor->check_invariants();
    }
    for (const auto& [n, retired] : wanted) RC_ASSERT(folded.state(n) == box.state(n));
    RC_ASSERT(folded.supervisor->running_count() == box.supervisor->running_count());
  }));
}

}  // namespace
}  // namespace paygress::workload
