// The daemon's end of the guard, with the real guard at the other.
#include "shell/provider/guard_link.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "shell/backend/backend.h"
#include "shell/base/entropy.h"
#include "shell/dev/sweep.h"
#include "shell/store/sqlite_journal.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::daemon {
namespace {

using guard::GuardPlace;
using workload::GuardAnswered;
using workload::GuardHealth;
using workload::Outcome;

constexpr Micros kLimit = micros(Seconds{20});
constexpr const char* kName = "paygress-00112233aabb-g1";

std::string this_boot() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return boot;
}

class GuardLinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root may make cgroups";
  }
  void TearDown() override {
    if (!link_) return;
    if (link_->works()) {
      ask(workload::GuardKill{{900}, kName});
      ask(workload::GuardRelease{{901}, kName});
    }
    link_.reset();
  }
  GuardPlace place() {
    return {directory_.path() + "/guard", "paygress-link-" + std::to_string(getpid()),
            PAYGRESS_GUARD_PROGRAM, directory_.file("guard.log")};
  }
  void connect(GuardPlace where, const std::string& boot = this_boot()) {
    GuardLink::Events events;
    events.answered = [this](const GuardAnswered& answer) { answers_.push_back(answer); };
    events.health = [this](const GuardHealth& health) { healths_.push_back(health); };
    link_ = std::make_unique<GuardLink>(loop_, std::move(where), boot, std::move(events));
  }
  bool works() {
    return loop_.run_until([&] { return !healths_.empty() && healths_.back().works; }, kLimit);
  }
  GuardAnswered ask(const guard::Request& request) {
    const size_t before = answers_.size();
    link_->ask(request);
    EXPECT_EQ(answers_.size(), before) << "answered from inside ask()";
    EXPECT_TRUE(loop_.run_until([&] { return answers_.size() > before; }, kLimit));
    return answers_.back();
  }
  pid_t guard_pid() {
    // The only process that has the guard's directory on its command line.
    FILE* pipe = popen(("pgrep -f -- '--dir " + place().directory + "'").c_str(), "r");
    int pid = 0;
    if (fscanf(pipe, "%d", &pid) != 1) pid = 0;
    pclose(pipe);
    return pid;
  }

  test::TemporaryDirectory directory_;
  net::Loop loop_;
  std::vector<GuardAnswered> answers_;
  std::vector<GuardHealth> healths_;
  std::unique_ptr<GuardLink> link_;
};

TEST_F(GuardLinkTest, StartsAGuardAndAsksIt) {
  connect(place());
  ASSERT_TRUE(works());
  EXPECT_TRUE(link_->group_of(kName).ends_with(std::string("/") + kName));
  const GuardAnswered held =
      ask(workload::GuardHold{{1}, kName, net::Loop::now().mono + micros(Seconds{60})});
  EXPECT_EQ(held.id, CallId{1});
  EXPECT_EQ(held.outcome, Outcome::Done) << held.message;
  EXPECT_EQ(ask(workload::GuardQuery{{2}}).groups.at(0).name, kName);
}

// Longer than a try to connect and the next one: nobody is told that there is none meanwhile.
TEST_F(GuardLinkTest, AGuardThatIsSlowToStartIsWaitedFor) {
  GuardPlace slow = place();
  slow.program = directory_.file("slow");
  std::ofstream(slow.program) << "#!/bin/sh\n/bin/sleep 1\nexec " << place().program << " \"$@\"\n";
  ASSERT_EQ(chmod(slow.program.c_str(), 0700), 0);
  connect(slow);
  ASSERT_TRUE(works());
  EXPECT_EQ(healths_.size(), 1u);
}

TEST_F(GuardLinkTest, WithoutAGuardEveryAnswerIsUnknown) {
  GuardPlace nowhere = place();
  nowhere.program.clear();
  connect(nowhere);
  EXPECT_EQ(ask(workload::GuardFreeze{{1}, kName}).outcome, Outcome::Unknown);
  EXPECT_TRUE(loop_.run_until([&] { return !healths_.empty(); }, kLimit));
  EXPECT_FALSE(healths_.back().works);
  EXPECT_EQ(link_->group_of(kName), "");
}

TEST_F(GuardLinkTest, AKilledGuardIsMissedAndReplaced) {
  connect(place());
  ASSERT_TRUE(works());
  const Micros until = net::Loop::now().mono + micros(Seconds{60});
  ASSERT_EQ(ask(workload::GuardHold{{1}, kName, until}).outcome, Outcome::Done);
  const pid_t first = guard_pid();
  ASSERT_GT(first, 0);
  healths_.clear();  // it may not have listened yet when the link first tried
  ASSERT_EQ(kill(first, SIGSTOP), 0);
  link_->ask(workload::GuardQuery{{2}});  // on its way, never answered
  ASSERT_EQ(kill(first, SIGKILL), 0);
  EXPECT_TRUE(loop_.run_until([&] { return answers_.back().id == CallId{2}; }, kLimit));
  EXPECT_EQ(answers_.back().outcome, Outcome::Unknown);
  ASSERT_TRUE(
      loop_.run_until([&] { return healths_.size() >= 2 && healths_.back().works; }, kLimit));
  EXPECT_FALSE(healths_[0].works) << "the core was not told that it was gone";
  EXPECT_EQ(ask(workload::GuardQuery{{3}}).groups.at(0).deadline, until);
}

TEST_F(GuardLinkTest, AGuardThatHangsIsGivenUp) {
  connect(place());
  ASSERT_TRUE(works());
  const pid_t hung = guard_pid();
  ASSERT_EQ(kill(hung, SIGSTOP), 0);
  EXPECT_EQ(ask(workload::GuardQuery{{1}}).outcome, Outcome::Unknown);
  ASSERT_EQ(kill(hung, SIGCONT), 0);
  EXPECT_TRUE(works());
}

TEST_F(GuardLinkTest, AGuardOfAnotherBootIsNone) {
  connect(place(), "another-boot");
  ASSERT_TRUE(loop_.run_until([&] { return !healths_.empty(); }, kLimit));
  EXPECT_FALSE(healths_.back().works);
  EXPECT_NE(healths_.back().reason.find("boot"), std::string::npos);
  EXPECT_FALSE(link_->works());
}

// `paygress dev` ends with a workload that the guard has frozen: nothing of it stays.
TEST_F(GuardLinkTest, TheSweepTakesAFrozenWorkloadAway) {
  if (access("/usr/bin/bwrap", X_OK) != 0) GTEST_SKIP() << "needs the package bubblewrap";
  shell::OsEntropy entropy;
  store::LedgerOptions options;
  options.directory = directory_.path();
  const auto ignore = [](const journal::SealedBatch&) { return Result<void>(); };
  const InstallId install = (*store::Ledger::open(options, entropy, ignore))->header().install;
  const GuardPlace own = guard::guard_place(directory_.path(), install.hex());
  connect(own);
  ASSERT_TRUE(works());
  ASSERT_EQ(ask(workload::GuardFreeze{{1}, kName}).outcome, Outcome::Done);

  backend::BackendConfig config;
  config.install = install;
  config.sandbox.root = directory_.path() + "/sandbox";
  auto engine = *backend::make_backend(loop_, config);
  const auto call = [&](workload::Verb verb, std::optional<workload::Spec> spec = {}) {
    std::optional<workload::Answer> answer;
    engine->call({{1}, verb, kName, std::move(spec), kLimit, link_->group_of(kName)},
                 [&](workload::Answer got) { answer = std::move(got); });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, kLimit + kLimit));
    EXPECT_EQ(answer->outcome, Outcome::Done) << answer->message;
  };
  workload::Spec spec;
  spec.name = kName;
  spec.labels.install = install;
  spec.cpu_millicores = 250;
  spec.memory_mb = 64;
  spec.address = "127.0.0.1";
  spec.root_password = "correcthorse42";
  spec.guarded = true;
  call(workload::Verb::Create, spec);
  const Micros until = net::Loop::now().mono + micros(Seconds{60});
  ASSERT_EQ(ask(workload::GuardHold{{2}, kName, until}).outcome, Outcome::Done);
  call(workload::Verb::Start);
  ASSERT_EQ(ask(workload::GuardFreeze{{3}, kName}).outcome, Outcome::Done);
  EXPECT_TRUE(ask(workload::GuardQuery{{4}}).groups.at(0).populated);
  const std::string group = link_->group_of(kName);
  link_.reset();
  engine.reset();

  const auto swept = dev::sweep_workloads(directory_.path(), provider::BackendType::Sandbox);
  EXPECT_TRUE(swept.has_value()) << to_string(swept.error());
  EXPECT_FALSE(std::filesystem::exists(group));
  const auto guard_gone = [&] { return !std::filesystem::exists(own.directory); };
  EXPECT_TRUE(loop_.run_until(guard_gone, kLimit)) << "the guard has nothing to do and goes";
}

}  // namespace
}  // namespace paygress::daemon
