// The engines' contract on real bubblewrap sandboxes, and what only they promise.
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "shell/backend/sandbox_layout.h"
#include "tests/conformance/backend/backend_enforcement.h"
#include "tests/conformance/backend/guard_conformance.h"

namespace paygress::conformance {
namespace {

namespace fs = std::filesystem;

class SandboxUnderTest final : public RealClient {
 public:
  SandboxUnderTest() {
    std::string pattern = fs::temp_directory_path() / "paygress-sandbox-XXXXXX";
    dir_ = mkdtemp(pattern.data());
  }
  ~SandboxUnderTest() override {
    remove_all();
    EXPECT_TRUE(fs::is_empty(root())) << "something is left over";
    fs::remove_all(dir_);
  }
  void call_and_lose_answer(const Call& call) override {
    Call hasty = call;
    hasty.deadline = 0_us;  // the work was handed over; nobody waits for it
    EXPECT_EQ(RealClient::call(Daemon::Ours, hasty).outcome, Outcome::Unknown);
  }
  void crash_workload(const std::string& name) override {
    const auto run = backend::read_run(root() / name / "state");
    ASSERT_TRUE(run.has_value());
    EXPECT_GT(backend::signal_namespace(run->init, SIGKILL), 0u);
  }
  std::string limit_of(Promise promise) const override {
    switch (promise) {
      case Promise::Disk: return "a sandbox shares the host's disk";
      case Promise::Network: return "a sandbox shares the host's network";
      case Promise::Memory:
      case Promise::Processor:
      case Promise::Processes: return geteuid() == 0 ? "" : "limits need root";
      case Promise::Word: return kSaidByTheList;
      case Promise::Address:
      case Promise::Ends:
      case Promise::Pause: break;
    }
    return {};
  }
  fs::path root() const { return dir_ / "sandbox"; }
  backend::BackendConfig config(Daemon daemon) override {
    backend::BackendConfig config;
    config.kind = backend::Kind::Sandbox;
    config.install = install_of(daemon);
    config.sandbox.root = root();
    return config;
  }

 private:
  fs::path dir_;
};

INSTANTIATE_TEST_SUITE_P(Sandbox, BackendConformance, ::testing::Values(MakeBackend([] {
                           return std::make_unique<SandboxUnderTest>();
                         })));

INSTANTIATE_TEST_SUITE_P(Sandbox, Enforcement, ::testing::Values(MakeBackend([] {
                           return std::make_unique<SandboxUnderTest>();
                         })));
INSTANTIATE_TEST_SUITE_P(Sandbox, GuardConformance, ::testing::Values(MakeBackend([] {
                           return std::make_unique<SandboxUnderTest>();
                         })));

class Sandbox : public BackendConformance {
 protected:
  SandboxUnderTest& sandbox() { return static_cast<SandboxUnderTest&>(*backend_); }
  // A box with SSH that runs.
  Spec start_box(const std::string& name = "paygress-a-g1") {
    Spec spec = hello(name);
    spec.template_slug.clear();
    spec.ports.clear();
    EXPECT_DONE(create(spec));
    EXPECT_DONE(ask(Verb::Start, name));
    return spec;
  }
  std::string in_box(const Spec& spec, const std::string& command) {
    return backend_->ssh(*spec.ssh_host_port, spec.root_password, command);
  }
};
INSTANTIATE_TEST_SUITE_P(Sandbox, Sandbox, ::testing::Values(MakeBackend([] {
                           return std::make_unique<SandboxUnderTest>();
                         })));

// docs/backends.md: the workload survives a SIGKILL of the provider, and the next one finds it.
TEST_P(Sandbox, SurvivesSigkillOfTheProvider) {
  const Spec spec = hello("paygress-a-g1");
  sandbox().call_and_die(
      {create_call(spec), {CallId{++calls_}, Verb::Start, spec.name, {}, kDeadline}},
      [&] { expect_page(spec); });
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
  expect_page(spec);
}

// A start that is asked for again is Done when what was bought is there, not before.
TEST_P(Sandbox, AStartThatWasNotSeenToItsEndIsAwaited) {
  const Spec spec = hello("paygress-a-g1");
  const bool ssh = create(spec).serves_ssh;
  for (int ms = 1; ms < 60; ms += 4) {
    SCOPED_TRACE(ms);
    sandbox().call_and_die({{CallId{++calls_}, Verb::Start, spec.name, {}, kDeadline}},
                           after(std::chrono::milliseconds(ms)));
    EXPECT_DONE(ask(Verb::Start, spec.name));
    EXPECT_TRUE(backend::port_listens(spec.address, spec.ports[0].host_port));
    EXPECT_EQ(backend::port_listens(spec.address, *spec.ssh_host_port), ssh);
    EXPECT_DONE(ask(Verb::Stop, spec.name));
  }
}

// The other direction: nothing runs on without the supervisor that would report its end.
TEST_P(Sandbox, DiesWithItsSupervisor) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  const auto run = backend::read_run(sandbox().root() / spec.name / "state");
  ASSERT_TRUE(run.has_value());
  EXPECT_TRUE(backend::send_signal(run->supervisor, SIGKILL));
  EXPECT_TRUE(becomes(spec.name, Running::Stopped));
  EXPECT_FALSE(inspect(spec.name).stopped_at.has_value()) << "nobody saw it end";
  EXPECT_TRUE(eventually([&] { return backend::identify(run->init.pid) != run->init; }));
  expect_no_page(spec);
}

// Many that ignore the stop take the kernel a while to end, long after their first process.
TEST_P(Sandbox, HasStoppedWhenTheLastOfManyProcessesIsGone) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const Spec spec = start_box();
  const auto run = backend::read_run(sandbox().root() / spec.name / "state");
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(in_box(spec,
                   "trap : HUP; trap \"\" TERM; i=0; while [ $i -lt 400 ]; do "
                   "sleep 600 >/dev/null 2>&1 </dev/null & i=$((i+1)); done; echo all"),
            "all\n");
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  EXPECT_NE(backend::identify(run->init.pid), run->init) << "something of it is left";
}

TEST_P(Sandbox, SshGivesATerminalAndTheVariables) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const Spec spec = start_box();
  EXPECT_THAT(ssh_run(*spec.ssh_host_port, spec.root_password, "tty", "-tt"),
              ::testing::StartsWith("/dev/pts/"));
  EXPECT_EQ(in_box(spec, "sh -lc \"echo \\$GREETING\""), "it's here\n");
  EXPECT_EQ(in_box(spec, "hostname"), spec.name + "\n");
}

// The tenant is uid 0 of the host's user namespace: what keeps it in is checked one by one.
TEST_P(Sandbox, TheTenantCannotReachTheHost) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const Spec spec = start_box();
  EXPECT_EQ(in_box(spec,
                   "grep -E \"^(CapEff|NoNewPrivs)\" /proc/self/status | tr -s \"[:space:]\" "
                   "\" \""),
            "CapEff: 00000000000000c3 NoNewPrivs: 1 ");
  const std::string before = output_of("cat /proc/sys/kernel/core_pattern");
  EXPECT_EQ(in_box(spec,
                   "cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern "
                   "2>/dev/null || echo refused"),
            "refused\n");
  EXPECT_EQ(output_of("cat /proc/sys/kernel/core_pattern"), before);
  EXPECT_EQ(in_box(spec, "touch /usr/x 2>/dev/null || echo refused"), "refused\n");
  EXPECT_EQ(in_box(spec, "touch /run/paygress/start 2>/dev/null || echo refused"), "refused\n");
  EXPECT_EQ(in_box(spec, "ls -d /home /sys /mnt /var/lib " + sandbox().root().string() +
                             " 2>/dev/null; echo end"),
            "end\n");
  EXPECT_EQ(in_box(spec, "mount -t tmpfs none /mnt 2>/dev/null || echo refused"), "refused\n");
  // Nothing of ours is visible: its own processes only.
  EXPECT_THAT(in_box(spec, "ls /proc | grep -c \"^[0-9]\""), ::testing::MatchesRegex("[0-9]\n"));
}

TEST_P(Sandbox, SecretsAreInNoCommandLine) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const Spec spec = start_box();
  for (const auto& process : fs::directory_iterator("/proc")) {
    std::ifstream file(process.path() / "cmdline");
    const std::string line(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(line.find(spec.env.at("GREETING")), line.npos) << process.path();
    EXPECT_EQ(line.find(spec.root_password), line.npos) << process.path();
  }
  EXPECT_EQ(
      output_of("grep -rl " + spec.root_password + " " + (sandbox().root() / spec.name).string()),
      "");
}

TEST_P(Sandbox, APortInUseIsSaidToBeAndNotAnotherPage) {
  const Spec second = hello("paygress-b-g1");
  two_on_one_port(hello("paygress-a-g1"), second);
  EXPECT_EQ(inspect(second.name).running, Running::Stopped);
}

TEST_P(Sandbox, UnknownTemplatesAreRefusedBeforeAnythingIsMade) {
  Spec spec = hello("paygress-a-g1");
  spec.template_slug = "bitcoin-node";
  EXPECT_FAILS(create(spec), Fault::Invalid);
  EXPECT_THAT(listed(), ::testing::IsEmpty());
}

TEST_P(Sandbox, NamesThatAreNoNamesAreRefused) {
  for (auto name : {"", "..", "../x", "a/b", ".new-x", "-x", "A"})
    EXPECT_FAILS(ask(Verb::Remove, name), Fault::Invalid);
}

}  // namespace
}  // namespace paygress::conformance
