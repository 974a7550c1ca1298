// The engines' contract on real virtual machines, under emulation where KVM does not work, and what
// only they promise. Skipped without root, qemu and debootstrap.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>

#include "core/base/bytes.h"
#include "shell/backend/kvm_probe.h"
#include "shell/backend/run_program.h"
#include "shell/backend/sandbox_layout.h"
#include "shell/backend/vm_layout.h"
#include "shell/backend/volume_key.h"
#include "tests/conformance/backend/kvm_guest.h"

namespace paygress::conformance {
namespace {

namespace fs = std::filesystem;

const fs::path& guest_image() {
  static const fs::path image = can_run_kvm() ? engine_image("kvm-guest") : "";
  return image;
}

// A network of this program's own: what listens in it is what was published for a workload.
class OwnNetwork final : public ::testing::Environment {
 public:
  void SetUp() override {
    if (!can_run_kvm()) return;
    guest_image();  // made with the machine's network
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    EXPECT_EQ(output_of("ip link set lo up && echo up"), "up\n");
  }
};
::testing::Environment* const own_network = ::testing::AddGlobalTestEnvironment(new OwnNetwork);

class KvmUnderTest final : public RealClient {
 public:
  KvmUnderTest() {
    std::string pattern = fs::temp_directory_path() / "paygress-kvm-XXXXXX";
    dir_ = mkdtemp(pattern.data());
  }
  ~KvmUnderTest() override {
    remove_all();
    EXPECT_TRUE(fs::is_empty(root())) << "something is left over";
    fs::remove_all(dir_);
    std::error_code error;
    EXPECT_TRUE(!fs::exists(keys()) || fs::is_empty(keys(), error)) << "a key is left over";
    fs::remove_all(keys());
  }
  void call_and_lose_answer(const Call& call) override {
    Call hasty = call;
    hasty.deadline = 0_us;  // the work was handed over; nobody waits for it
    EXPECT_EQ(RealClient::call(Daemon::Ours, hasty).outcome, Outcome::Unknown);
  }
  // The emulator has hung before the guest's kernel was up: once in some three hundred boots. That,
  // and nothing else, is started again, once, as by whoever asks an engine for a start.
  Answer call(Daemon daemon, const Call& call) override {
    const size_t before = kernels_seen(call.name);
    const Answer answer = RealClient::call(daemon, call);
    const bool silent = call.verb == Verb::Start && answer.outcome == Outcome::Failed &&
                        answer.message.starts_with("its SSH server does not answer") &&
                        kernels_seen(call.name) == before;
    if (!silent) return answer;
    std::cerr << call.name << " hung before its kernel was up, and is started again\n";
    return RealClient::call(daemon, call);
  }
  void crash_workload(const std::string& name) override {
    const auto run = backend::read_run(state(name));
    ASSERT_TRUE(run.has_value());
    EXPECT_TRUE(backend::send_signal(run->init, SIGKILL));
  }
  void adapt(Spec& spec) override {
    spec.image = "debian";
    spec.cpu_millicores = 2000;  // emulated ones
  }
  std::string limit_of(Promise promise) const override {
    switch (promise) {
      case Promise::Processor: return "a guest does not see what is withheld from it";
      case Promise::Processes: return "a guest's processes are its own kernel's, none is ours";
      case Promise::Word: return kSaidByTheList;
      default: return {};
    }
  }
  fs::path root() const { return dir_ / "kvm"; }
  fs::path state(const std::string& name) const { return root() / name / "state"; }
  std::string log_of(const std::string& name) const {
    return backend::read_small_file(state(name) / backend::kLogFile);
  }
  fs::path keys() const { return "/dev/shm" / dir_.filename(); }
  backend::BackendConfig config(Daemon daemon) override {
    backend::BackendConfig config;
    config.kind = backend::Kind::Kvm;
    config.install = install_of(daemon);
    config.kvm.root = root();
    config.kvm.images["debian"] = {guest_image(), {}, {}};
    config.kvm.key_directory = keys();
    config.kvm.acceleration = backend::Acceleration::Tcg;
    config.kvm.boot_limit = std::chrono::seconds{45};  // fourfold under emulation
    return config;
  }

 private:
  // kvm_image.sh has each of them say so on the serial line.
  size_t kernels_seen(const std::string& name) const {
    const std::string log = log_of(name);
    size_t count = 0;
    for (size_t at = 0; (at = log.find("ramdisk: the kernel is up", at)) != log.npos; ++at) ++count;
    return count;
  }

  fs::path dir_;
};

MakeBackend make_kvm() {
  return []() -> std::unique_ptr<BackendUnderTest> {
    if (!can_run_kvm()) return nullptr;
    if (guest_image().empty()) throw std::runtime_error("the guest's image cannot be made");
    return std::make_unique<KvmUnderTest>();
  };
}
INSTANTIATE_TEST_SUITE_P(Kvm, BackendConformance, ::testing::Values(make_kvm()));
INSTANTIATE_TEST_SUITE_P(Kvm, Enforcement, ::testing::Values(make_kvm()));

class Kvm : public BackendConformance {
 protected:
  KvmUnderTest& kvm() { return static_cast<KvmUnderTest&>(*backend_); }
  Spec debian(const std::string& name = "paygress-a-g1") {
    Spec spec = hello(name);
    spec.template_slug.clear();
    spec.image = "debian";
    return spec;
  }
  Spec start_guest() {
    const Spec spec = debian();
    EXPECT_DONE(create(spec));
    EXPECT_DONE(ask(Verb::Start, spec.name));
    return spec;
  }
  std::string in_guest(const Spec& spec, const std::string& command) {
    const std::string said = backend_->ssh(*spec.ssh_host_port, spec.root_password, command);
    if (said.empty()) std::cerr << spec.name << ": " << kvm().log_of(spec.name) << "\n";
    return said;
  }
  backend::ProcessId qemu_of(const Spec& spec) {
    const auto run = backend::read_run(kvm().state(spec.name));
    EXPECT_TRUE(run.has_value());
    return run.value_or(backend::Run{}).init;
  }
};
INSTANTIATE_TEST_SUITE_P(Kvm, Kvm, ::testing::Values(make_kvm()));

// The command lines that name the test's directory. A helper of a provider that was killed may
// still come to its own end, so they are waited for.
std::string processes_of(const fs::path& dir) {
  std::string found;
  eventually([&] {
    found.clear();
    for (const auto& process : fs::directory_iterator("/proc")) {
      std::ifstream file(process.path() / "cmdline");
      std::string line(std::istreambuf_iterator<char>(file), {});
      std::ranges::replace(line, '\0', ' ');
      if (line.find(dir.string()) != line.npos) found += line + "\n";
    }
    return found.empty();
  });
  return found;
}

TEST_P(Kvm, TheTenantGetsWhatItPaidForAndNoMore) {
  const Spec spec = start_guest();
  EXPECT_EQ(in_guest(spec, "hostname"), spec.name + "\n");
  EXPECT_EQ(in_guest(spec, ". /etc/profile; echo $GREETING"), "it's here\n");
  // Memory: all of what was bought, less what its kernel takes.
  const int total_kb = atoi(in_guest(spec, "grep MemTotal /proc/meminfo | tr -dc 0-9").c_str());
  EXPECT_GT(total_kb, 80 * 1024);
  EXPECT_LE(total_kb, 128 * 1024);
  // Disk: the size that was bought.
  EXPECT_EQ(in_guest(spec, "cat /sys/block/vda/size"), std::to_string((1 << 30) / 512) + "\n");
  // Neither this machine's loopback nor anything else is in reach; only forwards lead in.
  EXPECT_EQ(in_guest(spec, "busybox nc -w 2 10.0.2.2 " + std::to_string(*spec.ssh_host_port) +
                               " </dev/null 2>/dev/null | head -c 4"),
            "");
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
}

TEST_P(Kvm, QemuHasNoRightsAndNoSecrets) {
  const Spec spec = start_guest();
  const std::string proc = "/proc/" + std::to_string(qemu_of(spec).pid);
  std::ifstream status(proc + "/status");
  const std::string text(std::istreambuf_iterator<char>(status), {});
  EXPECT_THAT(text, ::testing::ContainsRegex("Uid:\t19[0-9]+\t19[0-9]+\t19[0-9]+"));
  for (auto line : {"CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"})
    EXPECT_THAT(text, ::testing::HasSubstr(line));
  for (const auto& process : fs::directory_iterator("/proc")) {
    std::ifstream file(process.path() / "cmdline");
    const std::string line(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(line.find(spec.env.at("GREETING")), line.npos) << process.path();
    EXPECT_EQ(line.find(spec.root_password), line.npos) << process.path();
  }
  EXPECT_EQ(output_of("grep -rl " + spec.root_password + " " + (kvm().root() / spec.name).string()),
            "");
  // The control groups hold the limits, qemu's own needs on top.
  const std::string groups = backend::read_small_file(kvm().state(spec.name) / "groups");
  EXPECT_THAT(backend::read_small_file(proc + "/cgroup"), ::testing::HasSubstr(spec.name));
  EXPECT_THAT(groups, ::testing::HasSubstr(spec.name));
  std::string quota;
  std::istringstream lines(groups);
  for (std::string group; std::getline(lines, group);)
    for (auto file : {"cpu.max", "cpu.cfs_quota_us"})
      quota += backend::read_small_file(fs::path(group) / file);
  EXPECT_THAT(quota, ::testing::StartsWith(std::to_string(spec.cpu_millicores * 100)));
}

TEST_P(Kvm, StopIsAShutdownAndWhatWasWrittenStays) {
  const Spec spec = start_guest();
  EXPECT_EQ(in_guest(spec, "echo this-is-kept > ~/note; echo done"), "done\n");
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  // The guest turned itself off: qemu was neither told to quit nor killed.
  EXPECT_EQ(inspect(spec.name).exit_code, 0);
  // In the clear, as encryption was not asked for: what the test of that relies on.
  EXPECT_NE(output_of("grep -la this-is-kept " + (kvm().root() / spec.name).string() + "/*"), "");
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_EQ(in_guest(spec, "cat ~/note"), "this-is-kept\n");
}

// The consumer's key opens the disk, is nowhere but in memory, and the disk dies with its header.
TEST_P(Kvm, AnEncryptedDiskHoldsNothingInTheClear) {
  Spec spec = debian();
  spec.encrypted = true;
  EXPECT_FAILS(create(spec), Fault::Refused);  // without a key
  EXPECT_TRUE(fs::is_empty(kvm().root()));
  ByteArray<32> key{};
  key.fill(0x5a);
  ASSERT_TRUE(backend::keep_volume_key(kvm().keys(), spec.labels.lease, key).has_value());
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_EQ(in_guest(spec,
                     "for i in $(seq 64); do echo a-secret-of-the-tenant; done > ~/note;"
                     " sync; echo done"),
            "done\n");
  const std::string secret = to_hex(key);
  for (const auto& process : fs::directory_iterator("/proc")) {
    std::ifstream file(process.path() / "cmdline");
    const std::string line(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(line.find(secret), line.npos) << process.path();
  }
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  EXPECT_EQ(
      output_of("grep -rla -e " + secret + " -e a-secret-of-the-tenant " + kvm().root().string()),
      "");
  // What the test relies on: the disk is LUKS, and the key is what opens it.
  const fs::path copy = kvm().root().parent_path() / "copy.qcow2";
  const fs::path key_file = kvm().root().parent_path() / "key";
  std::ofstream(key_file) << secret;
  fs::create_hard_link(kvm().root() / spec.name / "disk.qcow2", copy);
  const std::string check =
      "qemu-img check --object secret,id=k,file=" + key_file.string() +
      " --image-opts driver=qcow2,encrypt.key-secret=k,file.filename=" + copy.string() +
      " >/dev/null 2>&1 && echo opened";
  EXPECT_THAT(output_of("qemu-img info " + copy.string()), ::testing::HasSubstr("luks"));
  EXPECT_EQ(output_of(check), "opened\n");
  EXPECT_DONE(ask(Verb::Remove, spec.name));
  EXPECT_EQ(output_of(check), "") << "the key still opens the disk";
  EXPECT_TRUE(fs::is_empty(kvm().keys()));
  fs::remove(copy);
  fs::remove(key_file);
}

// qemu-img measures the processor before it encrypts, and sometimes fails at it.
TEST_P(Kvm, AMeasurementThatFailedIsMadeAgain) {
  const fs::path tools = kvm().root().parent_path() / "tools";
  fs::create_directory(tools);
  std::ofstream(tools / "qemu-img") << "#!/bin/sh\n"
                                       "echo >> \"$0.runs\"\n"
                                       "[ $(wc -l < \"$0.runs\") -gt 2 ] && exec qemu-img \"$@\"\n"
                                       "echo 'Unable to get accurate CPU usage' >&2\n"
                                       "exit 1\n";
  fs::permissions(tools / "qemu-img", fs::perms::owner_all);
  const std::string path = getenv("PATH");
  setenv("PATH", (tools.string() + ":" + path).c_str(), 1);
  const Answer made = create(debian());
  setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(made.outcome, Outcome::Done) << made.message;
  EXPECT_EQ(output_of("wc -l < " + (tools / "qemu-img.runs").string()), "3\n");
}

// A key is in memory only: when this is lost, the workload cannot be started, and says so.
TEST_P(Kvm, WithoutItsKeyAnEncryptedDiskIsNotStarted) {
  Spec spec = debian();
  spec.encrypted = true;
  ASSERT_TRUE(backend::open_key_directory(kvm().keys()).has_value());
  ASSERT_TRUE(backend::keep_volume_key(kvm().keys(), spec.labels.lease, {}).has_value());
  EXPECT_DONE(create(spec));
  backend::forget_volume_key(kvm().keys(), spec.labels.lease);
  EXPECT_FAILS(ask(Verb::Start, spec.name), Fault::Refused);
  EXPECT_EQ(ask(Verb::Probe).encrypts, workload::Encrypts::Disk);
  EXPECT_FALSE(backend::open_key_directory(kvm().root()).has_value()) << "it is on a disk";
}

TEST_P(Kvm, DiesWithItsSupervisor) {
  const Spec spec = start_guest();
  const auto run = backend::read_run(kvm().state(spec.name));
  ASSERT_TRUE(run.has_value());
  EXPECT_TRUE(backend::send_signal(run->supervisor, SIGKILL));
  EXPECT_TRUE(becomes(spec.name, Running::Stopped));
  EXPECT_FALSE(inspect(spec.name).stopped_at.has_value()) << "nobody saw it end";
  EXPECT_TRUE(eventually([&] { return backend::identify(run->init.pid) != run->init; }));
}

TEST_P(Kvm, APortInUseIsSaidToBe) {
  Spec spec = hello("paygress-b-g1");
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(spec.ports[0].host_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  EXPECT_DONE(create(spec));
  EXPECT_FAILS(ask(Verb::Start, spec.name), Fault::PortTaken);
  EXPECT_EQ(inspect(spec.name).running, Running::Stopped);
  close(fd);
}

TEST_P(Kvm, WhatHasNoImageIsRefusedAndLeavesNothing) {
  Spec spec = debian();
  spec.image = "windows";
  EXPECT_FAILS(create(spec), Fault::Invalid);
  spec = hello("paygress-a-g1");
  spec.image.clear();  // a template without an image of this engine
  EXPECT_FAILS(create(spec), Fault::Invalid);
  EXPECT_THAT(listed(), ::testing::IsEmpty());
  EXPECT_TRUE(fs::is_empty(kvm().root()));
}

TEST_P(Kvm, ABaseImageWithAnotherDigestIsRefused) {
  backend::KvmImages images(kvm().root());
  const auto wrong =
      images.get({guest_image(), {}, std::string(64, 'a')}, std::chrono::seconds(90));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().message, ::testing::HasSubstr("another SHA-256"));
  const std::string digest = output_of("sha256sum " + guest_image().string() + " | head -c 64");
  const auto right = images.get({guest_image(), {}, digest}, std::chrono::seconds(90));
  ASSERT_TRUE(right.has_value());
  EXPECT_TRUE(right->qcow2);
}

// /dev/kvm may be there and not work: then emulation is found, where it is allowed, and otherwise
// the reason is said.
TEST_P(Kvm, TheProbeTakesOnlyWhatSpeaks) {
  fs::create_directories(kvm().root());
  const auto any = backend::find_accelerator(kvm().root(), backend::Acceleration::KvmOrTcg);
  ASSERT_TRUE(any.has_value()) << to_string(any.error());
  const auto kvm_only = backend::find_accelerator(kvm().root(), backend::Acceleration::Kvm);
  EXPECT_EQ(kvm_only.has_value(), any->name == "kvm");
  if (!kvm_only) {
    EXPECT_THAT(kvm_only.error().message, ::testing::HasSubstr("kvm.accelerator"));
  }
  EXPECT_TRUE(fs::is_empty(kvm().root()));
}

// A provider is killed in the middle of a call, at another moment each time. The next one must find
// the truth: no orphan, no double, and every call can be asked again.
class KvmKilled : public Kvm {
 protected:
  Call call_of(Verb verb, const std::string& name) {
    return {CallId{++calls_}, verb, name, std::nullopt, kDeadline};
  }
};
INSTANTIATE_TEST_SUITE_P(Kvm, KvmKilled, ::testing::Values(make_kvm()));

// The probe's machine never ends by itself.
TEST_P(KvmKilled, InTheMiddleOfAProbe) {
  fs::create_directories(kvm().root());
  for (int ms = 4; ms < 200; ms += 7)
    kvm().kill_at(after(std::chrono::milliseconds(ms)), [&] {
      for (;;) backend::find_accelerator(kvm().root(), backend::Acceleration::Tcg);
    });
  EXPECT_EQ(processes_of(kvm().root()), "");
  for (const auto& left : fs::directory_iterator(kvm().root())) {
    EXPECT_TRUE(left.path().filename().string().starts_with(backend::kProbePrefix));
    fs::remove(left.path());
  }
}

// A lease's time begins when its start is Done, so a machine that boots has not been started yet.
TEST_P(KvmKilled, InTheMiddleOfABoot) {
  const Spec spec = debian();
  EXPECT_DONE(create(spec));
  kvm().call_and_die({call_of(Verb::Start, spec.name)}, [&] {
    EXPECT_TRUE(eventually([&] { return backend::read_run(kvm().state(spec.name)).has_value(); }));
  });
  const auto booting = qemu_of(spec);
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_TRUE(backend::ssh_greets(spec.address, *spec.ssh_host_port));
  EXPECT_EQ(in_guest(spec, "kill $(busybox pidof dropbear); id -u"), "");
  EXPECT_FALSE(backend::ssh_greets(spec.address, *spec.ssh_host_port));
  // Its tenant may close what it bought; that is no reason to start it anew.
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_EQ(qemu_of(spec), booting);
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
}

TEST_P(KvmKilled, InTheMiddleOfEveryCall) {
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    const Spec spec = debian();
    const auto moment = [round](int ms) {
      return after(std::chrono::milliseconds(ms * (round + 1)));
    };
    kvm().call_and_die({create_call(spec)}, moment(12));
    EXPECT_DONE(create(spec));
    EXPECT_THAT(listed(), ::testing::ElementsAre(spec.name));
    kvm().call_and_die({call_of(Verb::Start, spec.name)}, moment(40));
    // Asked again at every second round only: the others stop what was half started.
    if (round % 5 == 0) {
      EXPECT_DONE(ask(Verb::Start, spec.name));
      EXPECT_EQ(in_guest(spec, "id -u"), "0\n");
      EXPECT_EQ(output_of("pgrep -cf '^qemu-[^ ]* -name guest=" + spec.name + "'"), "1\n");
      kvm().call_and_die({call_of(Verb::Stop, spec.name)}, moment(30));
      EXPECT_DONE(ask(Verb::Stop, spec.name));
      EXPECT_EQ(inspect(spec.name).running, Running::Stopped);
    }
    kvm().call_and_die({call_of(Verb::Remove, spec.name)}, moment(4));
    EXPECT_DONE(ask(Verb::Remove, spec.name));
    EXPECT_EQ(inspect(spec.name).running, Running::Absent);
    EXPECT_THAT(listed(), ::testing::IsEmpty());
    EXPECT_EQ(processes_of(kvm().root()), "");
    EXPECT_TRUE(fs::is_empty(kvm().root()));
  }
}

}  // namespace
}  // namespace paygress::conformance
