// The contract of engines (core/workload/backend.h, docs/backends.md) as tests that every backend
// and the simulator's model must pass.
//
// A program includes this, makes a BackendUnderTest of its own, and instantiates
// BackendConformance.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/workload/backend.h"
#include "core/workload/guard.h"

namespace paygress::conformance {

using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::Object;
using workload::Outcome;
using workload::Running;
using workload::Spec;
using workload::Verb;

// Two daemons may share one engine: they have different install ids and must not see each other.
enum class Daemon : uint8_t { Ours, Theirs };

inline InstallId install_of(Daemon daemon) {
  InstallId id;
  id.bytes.fill(daemon == Daemon::Ours ? 0x11 : 0x22);
  return id;
}

using GuardRequest = std::variant<workload::GuardHold, workload::GuardFreeze, workload::GuardKill,
                                  workload::GuardRelease>;
inline std::chrono::microseconds usec(Micros time) { return std::chrono::microseconds(time.value); }

// Looks again every 50 ms, for as long as a slow, busy machine may need; false when it was in vain.
inline bool eventually(const std::function<bool()>& holds) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(180);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

// What not every engine can do. A limit is stated to buyers and tested nowhere else.
enum class Promise : uint8_t {
  Ends,   // it remembers when and how a workload ended
  Word,   // it says by itself that one ended
  Pause,  // it can halt a workload and let it go on
  Memory,
  Processor,  // time of it, as the workload itself sees it
  Processes,  // their number
  Disk,       // disk space
  Network,    // a network of the workload's own, out of its neighbours' reach
  Address,    // its ports are on the spec's address alone
};

// An engine with nothing of the two daemons on it, and clients of it. Destroying it removes all.
class BackendUnderTest {
 public:
  virtual ~BackendUnderTest() = default;
  // Waits for the answer. An answer that never comes is made Outcome::Unknown, as callers do.
  virtual Answer call(Daemon daemon, const Call& call) = 0;
  // The call reaches the engine, which carries it out; its answer does not reach us. Returns when
  // the engine has done it, or soon will have.
  virtual void call_and_lose_answer(const Call& call) = 0;
  // Our daemon's client goes away without a word and is made anew. The engine goes on.
  virtual void restart_client() = 0;
  // The workload ends without anybody having asked the engine for it.
  virtual void crash_workload(const std::string& name) = 0;
  virtual uint16_t unused_port() = 0;
  // The guard beside this engine, and the group's directory; nothing where there is none, and then
  // a guarded Create must fail. The answer comes when the guard has it.
  virtual std::optional<workload::GuardAnswered> ask_guard(const GuardRequest&) { return {}; }
  virtual std::string guard_group(const std::string&) { return {}; }
  // Time passes, for the guard too.
  virtual void pass(Micros time) { std::this_thread::sleep_for(usec(time)); }
  virtual Micros now() { return {}; }
  // Makes the suite's workload one that this engine can run, in a short time: its image.
  virtual void adapt(Spec&) {}
  // Whether crash_workload leaves an exit code: not where the engine's own stop looks the same.
  virtual bool crash_has_code() const { return true; }
  // Why this engine does not promise that, for the table in docs/backends.md; empty: it does.
  virtual std::string limit_of(Promise) const { return {}; }
  // Whether the engine says by itself, within that time, that the lease's object is not as it was.
  virtual bool told_of(const LeaseId&, Micros) { return false; }
  // Everything the engine says of an object to whoever may ask it.
  virtual std::string described(const std::string&) { return {}; }
  // GET of http://127.0.0.1:<port>/, the whole answer; nothing when nothing is served, kUnreal
  // when this is a model.
  virtual std::string fetch(uint16_t port) = 0;
  // What the command printed, run as root over SSH with that password; as fetch() otherwise.
  virtual std::string ssh(uint16_t port, const std::string& password,
                          const std::string& command) = 0;
};

// An engine's stated limit is a skipped check with a reason that begins so: the table reads it.
#define REQUIRE_PROMISE(promise)                                             \
  if (const std::string limit = backend_->limit_of(promise); !limit.empty()) \
  GTEST_SKIP() << "limit: " << limit

// Makes nothing where the engine cannot be had.
using MakeBackend = std::function<std::unique_ptr<BackendUnderTest>()>;
inline constexpr std::string_view kUnreal = "unreal";
// The limit of engines that break no promise but this: Promise::Word.
inline constexpr const char* kSaidByTheList = "an end is seen by the list, once a minute";

class BackendConformance : public ::testing::TestWithParam<MakeBackend> {
 protected:
  void SetUp() override {
    backend_ = GetParam()();
    if (!backend_) GTEST_SKIP() << "this engine cannot be had here";
  }

  static constexpr Micros kDeadline = {600'000'000};  // ends with the answer

  Answer ask(Verb verb, const std::string& name = {}, Daemon daemon = Daemon::Ours) {
    return backend_->call(daemon, {CallId{++calls_}, verb, name, std::nullopt, kDeadline});
  }
  Call create_call(const Spec& spec) {
    return {CallId{++calls_}, Verb::Create, spec.name, spec, kDeadline};
  }
  Answer create(const Spec& spec, Daemon daemon = Daemon::Ours) {
    return backend_->call(daemon, create_call(spec));
  }
  // Of two that publish the same port the second does not start.
  void two_on_one_port(const Spec& first, Spec second) {
    second.ports = first.ports;
    EXPECT_EQ(create(first).outcome, Outcome::Done);
    EXPECT_EQ(create(second).outcome, Outcome::Done);
    EXPECT_EQ(ask(Verb::Start, first.name).outcome, Outcome::Done);
    const Answer refused = ask(Verb::Start, second.name);
    EXPECT_EQ(refused.outcome, Outcome::Failed) << refused.message;
    EXPECT_EQ(refused.fault, Fault::PortTaken) << refused.message;
  }
  // A workload that serves a page on one port, and SSH where the engine offers it.
  Spec hello(const std::string& name, Daemon daemon = Daemon::Ours) {
    Spec spec;
    spec.name = name;
    spec.labels.install = install_of(daemon);
    spec.labels.provider.bytes.fill(0x33);
    spec.labels.lease.bytes.fill(static_cast<uint8_t>(name.back()));
    spec.labels.owner.bytes.fill(0x44);
    spec.labels.generation = 1;
    spec.labels.spec_digest = std::string(64, 'a');
    spec.template_slug = "hello";
    spec.env = {{"GREETING", "it's here"}};
    spec.cpu_millicores = 500;
    spec.memory_mb = 128;
    spec.storage_gb = 1;
    spec.address = "127.0.0.1";
    spec.ports = {{backend_->unused_port(), 80, "http"}};
    spec.ssh_host_port = backend_->unused_port();
    spec.root_password = "correcthorse42";
    backend_->adapt(spec);
    return spec;
  }
  bool promised(Promise promise) const { return backend_->limit_of(promise).empty(); }
  Object inspect(const std::string& name, Daemon daemon = Daemon::Ours) {
    const Answer answer = ask(Verb::Inspect, name, daemon);
    EXPECT_EQ(answer.outcome, Outcome::Done) << answer.message;
    EXPECT_EQ(answer.objects.size(), 1u);
    return answer.objects.empty() ? Object{} : answer.objects.front();
  }
  std::vector<std::string> listed(Daemon daemon = Daemon::Ours) {
    const Answer answer = ask(Verb::List, {}, daemon);
    EXPECT_EQ(answer.outcome, Outcome::Done) << answer.message;
    std::vector<std::string> names;
    for (const auto& object : answer.objects) names.push_back(object.name);
    return names;
  }
  // Polls, because engines notice an end in their own time.
  bool becomes(const std::string& name, Running wanted) {
    return eventually([&] { return inspect(name).running == wanted; });
  }
  void expect_page(const Spec& spec) {
    // A published port may be open a moment before the workload listens behind it.
    std::string page;
    eventually([&] { return !(page = backend_->fetch(spec.ports.at(0).host_port)).empty(); });
    if (page == kUnreal) return;
    EXPECT_THAT(page, ::testing::HasSubstr("Hello from " + spec.name));
  }
  void expect_no_page(const Spec& spec) {
    const std::string page = backend_->fetch(spec.ports.at(0).host_port);
    if (page == kUnreal) return;
    EXPECT_EQ(page, "");
  }

  std::unique_ptr<BackendUnderTest> backend_;
  uint64_t calls_ = 0;
};

#define EXPECT_DONE(expression)                                     \
  do {                                                              \
    const ::paygress::workload::Answer answer_ = (expression);      \
    EXPECT_EQ(answer_.outcome, ::paygress::workload::Outcome::Done) \
        << #expression << ": " << answer_.message;                  \
  } while (false)
#define EXPECT_FAILS(expression, why)                                 \
  do {                                                                \
    const ::paygress::workload::Answer answer_ = (expression);        \
    EXPECT_EQ(answer_.outcome, ::paygress::workload::Outcome::Failed) \
        << #expression << ": " << answer_.message;                    \
    EXPECT_EQ(answer_.fault, why) << answer_.message;                 \
  } while (false)

TEST_P(BackendConformance, ProbeSaysThatItWorks) { EXPECT_DONE(ask(Verb::Probe)); }

TEST_P(BackendConformance, AnswersRepeatTheirCall) {
  const Answer answer = backend_->call(
      Daemon::Ours, {CallId{77}, Verb::Inspect, "paygress-none-g1", std::nullopt, kDeadline});
  EXPECT_EQ(answer.id, CallId{77});
  EXPECT_EQ(answer.verb, Verb::Inspect);
  EXPECT_EQ(answer.name, "paygress-none-g1");
}

TEST_P(BackendConformance, CapacityIsThatOfAMachine) {
  const Answer answer = ask(Verb::Capacity);
  ASSERT_EQ(answer.outcome, Outcome::Done) << answer.message;
  ASSERT_TRUE(answer.capacity.has_value());
  EXPECT_GE(answer.capacity->cpu_millicores, 500u);
  EXPECT_GE(answer.capacity->memory_mb, 128u);
}

TEST_P(BackendConformance, CreatedIsNotRunning) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_EQ(inspect(spec.name).running, Running::Stopped);
  EXPECT_FALSE(inspect(spec.name).stopped_at.has_value());
  expect_no_page(spec);
}

TEST_P(BackendConformance, CreateTwiceIsOneObject) {
  const Spec spec = hello("paygress-a-g1");
  const Answer first = create(spec);
  const Answer second = create(spec);
  EXPECT_DONE(first);
  EXPECT_DONE(second);
  EXPECT_EQ(first.serves_ssh, second.serves_ssh);
  EXPECT_THAT(listed(), ::testing::ElementsAre(spec.name));
}

TEST_P(BackendConformance, CreateOfAnotherSpecUnderTheNameIsAConflict) {
  Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  spec.labels.spec_digest = std::string(64, 'b');
  EXPECT_FAILS(create(spec), Fault::Conflict);
  EXPECT_EQ(inspect(spec.name).labels.spec_digest, std::string(64, 'a'));
}

TEST_P(BackendConformance, LabelsComeBackAsTheyWere) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_EQ(inspect(spec.name).labels, spec.labels);
  const Answer all = ask(Verb::List);
  ASSERT_EQ(all.objects.size(), 1u);
  EXPECT_EQ(all.objects[0].labels, spec.labels);
}

TEST_P(BackendConformance, StartServesAndStopEnds) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
  expect_page(spec);
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  const Object stopped = inspect(spec.name);
  EXPECT_EQ(stopped.running, Running::Stopped);
  EXPECT_EQ(stopped.stopped_at.has_value(), promised(Promise::Ends));
  expect_no_page(spec);
}

TEST_P(BackendConformance, StartTwiceAndStopTwiceAreFine) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  EXPECT_DONE(ask(Verb::Stop, spec.name));
}

TEST_P(BackendConformance, StoppedStartsAgain) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  const Object again = inspect(spec.name);
  EXPECT_EQ(again.running, Running::Running);
  EXPECT_FALSE(again.stopped_at.has_value());
  expect_page(spec);
}

TEST_P(BackendConformance, WhatIsAbsentIsSaidToBeAbsent) {
  const std::string name = "paygress-none-g1";
  EXPECT_EQ(inspect(name).running, Running::Absent);
  EXPECT_EQ(inspect(name).name, name);
  EXPECT_DONE(ask(Verb::Stop, name));
  EXPECT_DONE(ask(Verb::Remove, name));
  EXPECT_FAILS(ask(Verb::Start, name), Fault::NotFound);
  EXPECT_FAILS(ask(Verb::Pause, name), Fault::NotFound);
  EXPECT_FAILS(ask(Verb::Resume, name), Fault::NotFound);
}

TEST_P(BackendConformance, PauseAndResume) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  if (!promised(Promise::Pause)) {
    EXPECT_FAILS(ask(Verb::Pause, spec.name), Fault::Refused);
  }
  REQUIRE_PROMISE(Promise::Pause);
  EXPECT_FAILS(ask(Verb::Pause, spec.name), Fault::Conflict);
  EXPECT_FAILS(ask(Verb::Resume, spec.name), Fault::Conflict);
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_DONE(ask(Verb::Pause, spec.name));
  EXPECT_DONE(ask(Verb::Pause, spec.name));
  EXPECT_EQ(inspect(spec.name).running, Running::Paused);
  EXPECT_FAILS(ask(Verb::Start, spec.name), Fault::Conflict);
  expect_no_page(spec);
  EXPECT_DONE(ask(Verb::Resume, spec.name));
  EXPECT_DONE(ask(Verb::Resume, spec.name));
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
  expect_page(spec);
}

TEST_P(BackendConformance, PausedCanBeStopped) {
  REQUIRE_PROMISE(Promise::Pause);
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_DONE(ask(Verb::Pause, spec.name));
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  EXPECT_EQ(inspect(spec.name).running, Running::Stopped);
}

TEST_P(BackendConformance, RemoveEndsInConfirmedAbsence) {
  for (const bool paused : {false, true}) {
    if (paused && !promised(Promise::Pause)) break;
    const Spec spec = hello("paygress-a-g1");
    EXPECT_DONE(create(spec));
    EXPECT_DONE(ask(Verb::Start, spec.name));
    if (paused) {
      EXPECT_DONE(ask(Verb::Pause, spec.name));
    }
    EXPECT_DONE(ask(Verb::Remove, spec.name));
    EXPECT_EQ(inspect(spec.name).running, Running::Absent);
    EXPECT_THAT(listed(), ::testing::IsEmpty());
    expect_no_page(spec);
    EXPECT_DONE(ask(Verb::Remove, spec.name));
  }
}

TEST_P(BackendConformance, AnEndOfItsOwnIsNoticed) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  backend_->crash_workload(spec.name);
  ASSERT_TRUE(becomes(spec.name, Running::Stopped));
  const Object ended = inspect(spec.name);
  if (!promised(Promise::Ends)) return;
  EXPECT_TRUE(ended.stopped_at.has_value());
  EXPECT_EQ(ended.exit_code.has_value(), backend_->crash_has_code());
  EXPECT_NE(ended.exit_code, 0);
}

// Lists, which say it too, are a minute apart.
TEST_P(BackendConformance, AnEndIsToldAtOnce) {
  REQUIRE_PROMISE(Promise::Word);
  const Spec spec = hello("paygress-a-g7");  // a lease that no other check has
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_FALSE(backend_->told_of(spec.labels.lease, 0_us));
  backend_->crash_workload(spec.name);
  EXPECT_TRUE(backend_->told_of(spec.labels.lease, 20'000'000_us));
  EXPECT_EQ(inspect(spec.name).running, Running::Stopped);
}

TEST_P(BackendConformance, ListIsOrderedAndInEveryState) {
  const Spec running = hello("paygress-c-g1");
  const Spec stopped = hello("paygress-a-g1");
  const Spec created = hello("paygress-b-g1");
  for (const Spec& spec : {running, stopped, created}) EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, running.name));
  EXPECT_DONE(ask(Verb::Start, stopped.name));
  EXPECT_DONE(ask(Verb::Stop, stopped.name));
  EXPECT_THAT(listed(), ::testing::ElementsAre(stopped.name, created.name, running.name));
}

TEST_P(BackendConformance, AnotherInstallIsInvisible) {
  const Spec theirs = hello("paygress-a-g1", Daemon::Theirs);
  EXPECT_DONE(create(theirs, Daemon::Theirs));
  EXPECT_DONE(ask(Verb::Start, theirs.name, Daemon::Theirs));
  EXPECT_THAT(listed(), ::testing::IsEmpty());
  EXPECT_EQ(inspect(theirs.name).running, Running::Absent);
  EXPECT_DONE(ask(Verb::Stop, theirs.name));
  EXPECT_DONE(ask(Verb::Remove, theirs.name));
  EXPECT_FAILS(create(hello(theirs.name)), Fault::Conflict);
  EXPECT_EQ(inspect(theirs.name, Daemon::Theirs).running, Running::Running);
  expect_page(theirs);
}

TEST_P(BackendConformance, ALostAnswerIsAdopted) {
  const Spec spec = hello("paygress-a-g1");
  backend_->call_and_lose_answer(create_call(spec));
  EXPECT_DONE(create(spec));
  backend_->call_and_lose_answer({CallId{++calls_}, Verb::Start, spec.name, {}, kDeadline});
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_THAT(listed(), ::testing::ElementsAre(spec.name));
  expect_page(spec);
}

TEST_P(BackendConformance, WorkloadsOutliveTheClient) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  backend_->restart_client();
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
  expect_page(spec);
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  backend_->restart_client();
  const Object stopped = inspect(spec.name);
  EXPECT_EQ(stopped.running, Running::Stopped);
  EXPECT_EQ(stopped.stopped_at.has_value(), promised(Promise::Ends));
}

// serves_ssh is a promise: where it is given, root can log in with the password, and no other.
TEST_P(BackendConformance, SshIsServedWhereItIsPromised) {
  const Spec spec = hello("paygress-a-g1");
  const Answer created = create(spec);
  EXPECT_DONE(created);
  EXPECT_DONE(ask(Verb::Start, spec.name));
  if (!created.serves_ssh) GTEST_SKIP() << "no SSH is promised here";
  std::string said;
  eventually([&] {
    return !(said = backend_->ssh(*spec.ssh_host_port, spec.root_password, "id -u")).empty();
  });
  if (said == kUnreal) return;
  EXPECT_EQ(said, "0\n");
  EXPECT_EQ(backend_->ssh(*spec.ssh_host_port, "not" + spec.root_password, "id -u"), "");
}

TEST_P(BackendConformance, SshIsNotPromisedWhereItIsNotAskedFor) {
  Spec spec = hello("paygress-a-g1");
  spec.ssh_host_port.reset();
  const Answer created = create(spec);
  EXPECT_DONE(created);
  EXPECT_FALSE(created.serves_ssh);
}

TEST_P(BackendConformance, ASpecThatContradictsItsCallIsInvalid) {
  Call call = create_call(hello("paygress-a-g1"));
  call.spec->name = "paygress-b-g1";
  EXPECT_FAILS(backend_->call(Daemon::Ours, call), Fault::Invalid);
  call.spec.reset();
  EXPECT_FAILS(backend_->call(Daemon::Ours, call), Fault::Invalid);
  EXPECT_THAT(listed(), ::testing::IsEmpty());
}

}  // namespace paygress::conformance
