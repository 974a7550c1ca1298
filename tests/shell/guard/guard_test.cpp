// The guard as a real process with real cgroups, on every kind of freezer that this machine has.
#include "tests/shell/guard/guard_process.h"

namespace paygress::guard {
namespace {

using workload::GroupState;
using workload::Outcome;

// From the deadline to the last instruction of what is frozen: the guard's look-out, and room for
// a machine that is busy with other tests.
constexpr Micros kBound = 150'000_us;
constexpr const char* kName = "paygress-00112233aabb-g1";

std::vector<std::string> hierarchies() {
  std::vector<std::string> found;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string device, where, type, options;
    fields >> device >> where >> type >> options;
    if (type == "cgroup2" || (type == "cgroup" && options.find("freezer") != options.npos))
      found.push_back(where);
  }
  return found;
}

class GuardTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root may make cgroups";
    guard.emplace(GetParam());
  }
  Micros in(Micros time) const { return boot_time() + time; }

  std::optional<GuardProcess> guard;
};

INSTANTIATE_TEST_SUITE_P(Freezers, GuardTest, ::testing::ValuesIn(hierarchies()),
                         [](const auto& which) {
                           return std::string(
                               which.param.find("freezer") == std::string::npos ? "v2" : "v1");
                         });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GuardTest);

TEST_P(GuardTest, FreezesAtTheDeadlineAndNotBefore) {
  Connection daemon(guard->socket_path());
  ASSERT_EQ(daemon.hold(kName, in(300'000_us)), Outcome::Done);
  const Micros deadline = daemon.groups().at(0).deadline;
  BusyProcess busy(guard->path(kName));
  ASSERT_TRUE(busy.runs());
  EXPECT_TRUE(within(micros(Seconds{3}),
                     [&] { return daemon.groups().at(0).state == GroupState::Frozen; }));
  EXPECT_TRUE(busy.stands());
  EXPECT_LT(busy.last(), deadline + kBound);
  EXPECT_GT(busy.last() + 50'000_us, deadline);
}

// The daemon dies, or hangs, between two holds: nobody is left who could fence but the guard.
TEST_P(GuardTest, FreezesWhenTheDaemonIsKilledOrStopped) {
  for (const int signal : {SIGKILL, SIGSTOP}) {
    Connection watcher(guard->socket_path());
    ASSERT_EQ(watcher.freeze(kName), Outcome::Done);
    const pid_t daemon = fork();
    if (daemon == 0) {
      Connection mine(guard->socket_path());
      for (;;) {
        mine.hold(kName, in(200'000_us));
        pass_time(20'000_us);
      }
    }
    BusyProcess busy(guard->path(kName));
    ASSERT_TRUE(busy.runs());
    pass_time(400'000_us);
    EXPECT_TRUE(busy.runs()) << "the holds keep it going";
    kill(daemon, signal);
    const Micros deadline = in(200'000_us);
    EXPECT_TRUE(within(micros(Seconds{3}), [&] { return busy.stands(); }));
    EXPECT_LT(busy.last(), deadline + kBound);
    if (signal == SIGSTOP) {
      // It wakes and goes on as if nothing had been: refused, for its deadline has passed.
      kill(daemon, SIGCONT);
      EXPECT_TRUE(busy.stands());
      EXPECT_EQ(watcher.groups().at(0).state, GroupState::Frozen);
    }
    kill(daemon, SIGKILL);
    waitpid(daemon, nullptr, 0);
    EXPECT_EQ(watcher.kill_group(kName), Outcome::Done);
  }
}

TEST_P(GuardTest, WhatEntersAFrozenGroupNeverRuns) {
  Connection daemon(guard->socket_path());
  ASSERT_EQ(daemon.freeze(kName), Outcome::Done);
  BusyProcess late(guard->path(kName));
  EXPECT_TRUE(late.stands());
  EXPECT_EQ(late.last(), 0_us);
  EXPECT_TRUE(daemon.groups().at(0).populated);
  EXPECT_EQ(daemon.groups().at(0).state, GroupState::Frozen);
  EXPECT_EQ(daemon.hold(kName, in(micros(Seconds{5}))), Outcome::Done);
  EXPECT_TRUE(late.runs());
}

TEST_P(GuardTest, AFreezeIsConfirmedAndBeatsTheDeadline) {
  Connection daemon(guard->socket_path());
  ASSERT_EQ(daemon.hold(kName, in(micros(Seconds{30}))), Outcome::Done);
  BusyProcess busy(guard->path(kName));
  ASSERT_TRUE(busy.runs());
  ASSERT_EQ(daemon.freeze(kName), Outcome::Done);
  const Micros last = busy.last();
  EXPECT_TRUE(busy.stands());
  EXPECT_EQ(busy.last(), last) << "it stood when the freeze was confirmed";
  EXPECT_EQ(daemon.groups().at(0).deadline, 0_us);
}

TEST_P(GuardTest, ADeadlineNeverMovesBackAndDoesNotReviveItself) {
  Connection daemon(guard->socket_path());
  const Micros far = in(400'000_us);
  ASSERT_EQ(daemon.hold(kName, far), Outcome::Done);
  EXPECT_EQ(daemon.hold(kName, in(100'000_us)), Outcome::Done);
  EXPECT_EQ(daemon.groups().at(0).deadline, far);
  EXPECT_EQ(daemon.hold(kName, boot_time()), Outcome::Failed) << "not in the past";
  EXPECT_EQ(daemon.hold(kName, in(workload::kGuardHoldMax + 10'000'000_us)), Outcome::Failed);
  ASSERT_TRUE(within(micros(Seconds{3}), [&] { return boot_time() > far; }));
  EXPECT_EQ(daemon.hold(kName, in(micros(Seconds{5}))), Outcome::Failed);
  EXPECT_EQ(daemon.freeze(kName), Outcome::Done);
  EXPECT_EQ(daemon.hold(kName, in(micros(Seconds{5}))), Outcome::Done);
}

TEST_P(GuardTest, KillsWithoutLettingItRunAgain) {
  Connection daemon(guard->socket_path());
  ASSERT_EQ(daemon.hold(kName, in(micros(Seconds{30}))), Outcome::Done);
  BusyProcess busy(guard->path(kName));
  ASSERT_TRUE(busy.runs());
  EXPECT_EQ(daemon.release(kName), Outcome::Failed) << "a process is in it";
  ASSERT_EQ(daemon.freeze(kName), Outcome::Done);
  const Micros last = busy.last();
  ASSERT_EQ(daemon.kill_group(kName), Outcome::Done);
  EXPECT_TRUE(within(micros(Seconds{3}), [&] { return busy.dead(); }));
  EXPECT_EQ(busy.last(), last);
  EXPECT_EQ(daemon.groups().at(0).state, GroupState::Frozen);
  EXPECT_EQ(daemon.release(kName), Outcome::Done);
  EXPECT_TRUE(daemon.groups().empty());
  EXPECT_NE(access(guard->path(kName).c_str(), F_OK), 0);
}

TEST_P(GuardTest, ARestartedGuardFreezesWhatItWasNotToldOf) {
  const std::string told = "told";
  const std::string lost = "lost";
  {
    Connection daemon(guard->socket_path());
    ASSERT_EQ(daemon.hold(told, in(micros(Seconds{30}))), Outcome::Done);
  }
  BusyProcess kept(guard->path(told));
  guard->end(SIGKILL);
  // Made while nobody guarded, as by a guard whose file is lost.
  ASSERT_EQ(mkdir(guard->path(lost).c_str(), 0755), 0);
  BusyProcess orphan(guard->path(lost));
  ASSERT_TRUE(orphan.runs());
  guard->start();
  EXPECT_TRUE(kept.runs());
  EXPECT_TRUE(orphan.stands());
  guard->end(SIGKILL);
  std::ofstream(guard->state_file()) << "another-boot\ntold " << in(30'000'000_us).value << "\n";
  guard->start();
  EXPECT_TRUE(kept.stands()) << "a deadline of another boot is none";
}

TEST_P(GuardTest, AnOrdinaryEndLeavesNothingRunning) {
  Connection daemon(guard->socket_path());
  ASSERT_EQ(daemon.hold(kName, in(micros(Seconds{30}))), Outcome::Done);
  BusyProcess busy(guard->path(kName));
  ASSERT_TRUE(busy.runs());
  EXPECT_EQ(guard->end(SIGTERM), 0);
  EXPECT_TRUE(busy.stands());
  guard->start();
  EXPECT_TRUE(busy.runs()) << "the next one knows the deadline";
}

TEST_P(GuardTest, ThereIsOneGuardForTheseGroups) { EXPECT_EQ(guard->second(), 3); }

TEST_P(GuardTest, TheSocketIsPrivate) {
  struct stat info{};
  ASSERT_EQ(stat(guard->socket_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  Connection daemon(guard->socket_path());
  EXPECT_EQ(daemon.hello().root, guard->root());
  EXPECT_FALSE(daemon.hello().boot.empty());
}

TEST_P(GuardTest, WhatIsNoRequestEndsTheConnectionAndNothingElse) {
  for (const std::string line :
       {"", "x", "1 hold", "1 hold ../../system 5", "1 freeze /", "1 freeze a/b", "1 freeze a b",
        "1 hold a 5x", "1 hold a 99999999999999999999", "1 thaw a", "-1 query", "1 query a"}) {
    Connection daemon(guard->socket_path());
    daemon.send(line + "\n");
    EXPECT_EQ(daemon.line(), std::nullopt) << line;
  }
  Connection endless(guard->socket_path());
  endless.send(std::string(1000, 'a'));
  EXPECT_EQ(endless.line(), std::nullopt);
  Connection daemon(guard->socket_path());
  EXPECT_TRUE(daemon.groups().empty());
}

TEST(GuardOptions, LeavesWhenNobodyNeedsIt) {
  if (geteuid() != 0 || hierarchies().empty()) GTEST_SKIP() << "only root may make cgroups";
  GuardProcess guard(hierarchies().front(), {"--leave-when-idle"});
  EXPECT_EQ(guard.wait_for_end(), 0) << "the test's first look was a client that went";
  EXPECT_NE(access(guard.root().c_str(), F_OK), 0);
}

}  // namespace
}  // namespace paygress::guard
