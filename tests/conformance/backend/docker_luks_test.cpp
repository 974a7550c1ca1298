// Encrypted volumes of the docker backend, on a real dockerd and a kernel's dm-crypt. Whether this
// machine's kernel has it or not, the checks run in a guest whose kernel does (guest.h): here the
// program only starts that, there it is the guest's one program. Skipped without root, qemu,
// dockerd and cryptsetup.
#include <linux/capability.h>
#include <sys/syscall.h>

#include <boost/json.hpp>

#include <fstream>

#include "core/base/bytes.h"
#include "shell/backend/luks_volume.h"
#include "shell/backend/volume_key.h"
#include "tests/conformance/backend/docker_engine.h"
#include "tests/conformance/backend/guest.h"

namespace paygress::conformance {
namespace {

constexpr size_t kChecks = 5;  // that are to run in the guest

class GuestEngine final : public DockerEngine {
 public:
  bool can_run() const override { return in_guest() && DockerEngine::can_run(); }

 protected:
  // Without networks, which have nothing to do with it and take an emulated machine its time.
  std::vector<std::string> command() const override {
    auto command = DockerEngine::command();
    command.insert(command.end(), {"--iptables=false", "--bridge=none"});
    return command;
  }
};
GuestEngine* const engine =
    static_cast<GuestEngine*>(::testing::AddGlobalTestEnvironment(new GuestEngine));

ByteArray<32> key_of(uint8_t fill) {
  ByteArray<32> key{};
  key.fill(fill);
  return key;
}

class LuksUnderTest final : public RealClient {
 public:
  LuksUnderTest() {
    std::string pattern = fs::temp_directory_path() / "paygress-luks-XXXXXX";
    dir_ = mkdtemp(pattern.data());
  }
  ~LuksUnderTest() override {
    remove_all();
    EXPECT_EQ(left_over(), "");
    fs::remove_all(dir_);
    for (Daemon daemon : {Daemon::Ours, Daemon::Theirs}) fs::remove_all(keys(daemon));
  }
  void call_and_lose_answer(const Call&) override {}  // call_and_die_when() is asked here
  void crash_workload(const std::string&) override {}
  void adapt(Spec& spec) override {
    spec.image = "test/box:1";
    spec.encrypted = true;
    spec.encrypted_path = "/data";
  }
  std::string described(const std::string& name) override {
    std::string container;
    std::string volume;
    engine->ask("GET", "/containers/" + name + "/json", {}, &container);
    engine->ask("GET", "/volumes/" + name, {}, &volume);
    return container + volume;
  }
  backend::BackendConfig config(Daemon daemon) override {
    backend::BackendConfig config;
    config.kind = backend::Kind::Docker;
    config.install = install_of(daemon);
    config.docker.socket = engine->socket();
    config.docker.network = "none";
    config.docker.volume_directory = volumes(daemon);
    config.docker.key_directory = keys(daemon);
    return config;
  }
  fs::path volumes(Daemon daemon = Daemon::Ours) const { return dir_ / side(daemon) / "volumes"; }
  fs::path keys(Daemon daemon = Daemon::Ours) const {
    return fs::path("/dev/shm") / dir_.filename() / side(daemon);
  }
  fs::path image(const std::string& name) const { return volumes() / (name + ".luks"); }
  // Everything that encrypted volumes can leave behind, on this machine and in the engine.
  std::string left_over() const {
    std::string volumes;
    EXPECT_EQ(engine->ask("GET", "/volumes", {}, &volumes), 200);
    if (!volumes.contains("\"Mountpoint\"")) volumes.clear();
    return volumes + output_of("find " + dir_.string() +
                               " -type f; ls /dev/mapper | grep -v control;"
                               " cat /sys/block/loop*/loop/backing_file 2>/dev/null;"
                               " grep -h /dev/mapper /proc/[0-9]*/mounts 2>/dev/null");
  }
  void give_key(const Spec& spec, uint8_t fill, Daemon daemon = Daemon::Ours) const {
    ASSERT_TRUE(backend::open_key_directory(keys(daemon)).has_value());
    ASSERT_TRUE(
        backend::keep_volume_key(keys(daemon), spec.labels.lease, key_of(fill)).has_value());
  }
  void call_and_die_when(const Call& call, const std::function<bool()>& moment) {
    call_and_die({call}, [&] { EXPECT_TRUE(eventually(moment)); });
  }

 private:
  static const char* side(Daemon daemon) { return daemon == Daemon::Ours ? "ours" : "theirs"; }

  fs::path dir_;
};

MakeBackend make_luks() {
  return []() -> std::unique_ptr<BackendUnderTest> {
    if (!engine->can_run()) return nullptr;
    return std::make_unique<LuksUnderTest>();
  };
}

// What a sparse file holds, without its holes.
std::string data_of(const fs::path& file) {
  std::string data;
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  for (off_t from = 0; (from = lseek(fd, from, SEEK_DATA)) >= 0;) {
    const off_t end = lseek(fd, from, SEEK_HOLE);
    const size_t before = data.size();
    data.resize(before + static_cast<size_t>(end - from));
    EXPECT_EQ(pread(fd, data.data() + before, data.size() - before, from), end - from);
    from = end;
  }
  close(fd);
  return data;
}

bool open(const std::string& name) { return fs::exists(backend::luks_device(name)); }
// As a machine that was started anew has it.
void close_volume(const std::string& name) {
  EXPECT_EQ(output_of("cryptsetup close " + name + " && echo closed"), "closed\n");
}

class DockerLuks : public BackendConformance {
 protected:
  LuksUnderTest& luks() { return static_cast<LuksUnderTest&>(*backend_); }
  Spec encrypted(const std::string& name = "paygress-a-g1") {
    Spec spec = hello(name);
    luks().give_key(spec, 0x5a);
    return spec;
  }
  Call remove_call(const Spec& spec) {
    return {CallId{++calls_}, Verb::Remove, spec.name, std::nullopt, kDeadline};
  }
  // Standard output of a command in the container.
  static std::string in_it(const Spec& spec, const std::string& command) {
    namespace json = boost::json;
    const json::object exec{{"AttachStdout", true},
                            {"AttachStderr", true},
                            {"Tty", true},
                            {"Cmd", json::array{"/bin/sh", "-c", command}}};
    std::string reply;
    EXPECT_EQ(
        engine->ask("POST", "/containers/" + spec.name + "/exec", json::serialize(exec), &reply),
        201)
        << reply;
    const auto id = backend::parse_docker_id(reply);
    EXPECT_EQ(engine->ask("POST", "/exec/" + id.value_or("") + "/start",
                          R"({"Detach":false,"Tty":true})", &reply),
              200)
        << reply;
    std::erase(reply, '\r');
    return reply;
  }
  static void expect_mounted(const Spec& spec) {
    EXPECT_THAT(in_it(spec, "grep /usr/share /proc/mounts"),
                ::testing::AllOf(::testing::HasSubstr("ext4"), ::testing::HasSubstr("nodev"),
                                 ::testing::HasSubstr("nosuid")));
    const std::string megabytes = in_it(
        spec, "echo $(($(stat -f -c %b /usr/share) * $(stat -f -c %S /usr/share) / 1048576))");
    EXPECT_GT(std::atol(megabytes.c_str()), 900);  // of the one gigabyte that was bought
    EXPECT_LE(std::atol(megabytes.c_str()), 1024);
  }
  void expect_nothing_in_the_clear(const Spec& spec) {
    // What this relies on: it was written to where the key opened the volume.
    const std::string written =
        output_of("debugfs -R 'cat a' " + backend::luks_device(spec.name).string() + " 2>&1");
    EXPECT_THAT(written, ::testing::HasSubstr("tenants-secret"));
    const std::string held = data_of(luks().image(spec.name));
    EXPECT_GT(held.size(), size_t{1} << 20);
    EXPECT_FALSE(held.contains("tenants-secret"));
    const std::string key = content_of(backend::volume_key_file(luks().keys(), spec.labels.lease));
    EXPECT_EQ(key.size(), 64u);
    EXPECT_FALSE(held.contains(key));
    EXPECT_FALSE(luks().described(spec.name).contains(key));
    EXPECT_FALSE(content_of(engine->dir() / "log").contains(key));
  }
  // The key that encrypted() gives.
  static bool key_opens(const fs::path& file) {
    const std::string key = to_hex(key_of(0x5a));
    return output_of("echo -n " + key + " | cryptsetup open --test-passphrase --type luks2" +
                     " --key-file - " + file.string() + " 2>/dev/null && echo yes") == "yes\n";
  }
  void removed_without_a_trace(const Spec& spec) {
    EXPECT_DONE(ask(Verb::Remove, spec.name));
    EXPECT_EQ(inspect(spec.name).running, Running::Absent);
    EXPECT_THAT(listed(), ::testing::IsEmpty());
    EXPECT_EQ(luks().left_over(), "");
    EXPECT_DONE(ask(Verb::Remove, spec.name));
  }
};
INSTANTIATE_TEST_SUITE_P(Docker, DockerLuks,
                         ::testing::ValuesIn(in_guest() ? std::vector<MakeBackend>{make_luks()}
                                                        : std::vector<MakeBackend>{}));
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DockerLuks);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendConformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Enforcement);

// This process and what it starts have no other privilege from here on.
bool give_up_capabilities_but(const std::vector<int>& kept) {
  std::array<__user_cap_data_struct, 2> sets{};
  for (const int capability : kept) {
    auto& set = sets.at(static_cast<size_t>(capability) / 32);
    set.effective = set.permitted |= 1u << (capability % 32);
  }
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; ++capability)
    if (std::ranges::find(kept, capability) == kept.end()) prctl(PR_CAPBSET_DROP, capability);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_capset, &header, sets.data()) == 0;
}

// docs/backends.md, "Volumes of Docker": what the provider's unit is given for them. Two of the
// four are wanted only where, as here, no udev makes the devices' nodes.
TEST_P(DockerLuks, ProbeTriesItWithFourCapabilitiesAndLeavesNothing) {
  const pid_t provider = fork();
  ASSERT_GE(provider, 0);
  if (provider == 0) {
    if (!give_up_capabilities_but({CAP_SYS_ADMIN, CAP_DAC_OVERRIDE, CAP_MKNOD, CAP_CHOWN}))
      _exit(2);
    net::Loop loop;
    auto ours = backend::make_backend(loop, luks().config(Daemon::Ours));
    std::optional<Answer> answer;
    (*ours)->call({CallId{1}, Verb::Probe, {}, {}, kDeadline},
                  [&answer](Answer got) { answer = std::move(got); });
    loop.run_until([&answer] { return answer.has_value(); }, kDeadline);
    std::cerr << answer->message << std::endl;
    const bool said = answer->message.contains("no volume is encrypted");
    _exit(answer->encrypts == workload::Encrypts::Data && !said ? 0 : 3);
  }
  int status = -1;
  ASSERT_EQ(waitpid(provider, &status, 0), provider);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(luks().left_over(), "");
  EXPECT_TRUE(fs::is_empty(luks().keys()));
}

TEST_P(DockerLuks, WithoutAKeyNothingIsMade) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_FAILS(create(spec), Fault::Refused);
  EXPECT_THAT(listed(), ::testing::IsEmpty());
  EXPECT_EQ(luks().left_over(), "");
}

// The consumer's key opens the volume and is nowhere but in memory. Without it the workload is not
// started, nor can anybody start it onto an unencrypted directory. The volume dies with its header.
TEST_P(DockerLuks, DataOutlivesAStopAndIsNowhereInTheClear) {
  Spec spec = encrypted();
  spec.encrypted_path = "/usr/share";  // where the image has something
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_EQ(
      in_it(spec,
            "cd /usr/share; find . | sort; for i in $(seq 64); do echo tenants-secret; done >a"),
      ".\n./udhcpc\n./udhcpc/default.script\n");
  expect_mounted(spec);
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  expect_nothing_in_the_clear(spec);

  close_volume(spec.name);  // as a machine that was started anew has it
  luks().restart_client();
  EXPECT_DONE(create(spec));  // it is there, and stays what it is
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_EQ(in_it(spec, "sort -u /usr/share/a"), "tenants-secret\n");
  EXPECT_DONE(ask(Verb::Stop, spec.name));

  close_volume(spec.name);
  const fs::path copy = luks().image(spec.name).string() + ".copy";
  fs::create_hard_link(luks().image(spec.name), copy);
  EXPECT_TRUE(key_opens(copy));
  backend::forget_volume_key(luks().keys(), spec.labels.lease);
  const Answer refused = ask(Verb::Start, spec.name);
  EXPECT_EQ(refused.fault, Fault::Refused);
  EXPECT_THAT(refused.message, ::testing::HasSubstr("its key is gone"));
  EXPECT_EQ(engine->ask("POST", "/containers/" + spec.name + "/start"), 500);
  EXPECT_EQ(inspect(spec.name).running, Running::Stopped);

  EXPECT_DONE(ask(Verb::Remove, spec.name));
  EXPECT_FALSE(key_opens(copy));
  const std::string header = data_of(copy).substr(0, size_t{16} << 20);
  EXPECT_EQ(header.find_first_not_of('\0'), header.npos);
  fs::remove(copy);
  removed_without_a_trace(spec);
}

// A provider that is killed anywhere in a create leaves what the next one lists, completes or
// removes; one that is killed anywhere in a removal, what the next one removes.
TEST_P(DockerLuks, KilledInTheMiddleOfACreateAndOfARemoval) {
  const Spec spec = encrypted();
  const std::string container = "/containers/" + spec.name + "/json";
  const auto has_file = [&] { return fs::exists(luks().image(spec.name)); };
  const auto has_container = [&] { return engine->ask("GET", container) == 200; };
  struct Kills {
    std::function<bool()> create;
    bool complete;
    std::function<bool()> removal;
  };
  const std::vector<Kills> all = {
      {has_file, false, [&] { return !has_file(); }},
      {[&] { return open(spec.name); }, true, [&] { return !has_container(); }},
      {has_container, true, [&] { return !open(spec.name); }}};
  for (const Kills& kills : all) {
    luks().call_and_die_when(create_call(spec), kills.create);
    EXPECT_THAT(listed(), ::testing::ElementsAre(spec.name));
    const Object left = inspect(spec.name);
    EXPECT_EQ(left.running, Running::Stopped);
    EXPECT_TRUE(left.unfinished);
    EXPECT_EQ(left.labels, spec.labels);
    if (kills.complete) {
      EXPECT_DONE(create(spec));
      EXPECT_DONE(ask(Verb::Start, spec.name));
      EXPECT_EQ(in_it(spec, "echo mine >/data/a; cat /data/a"), "mine\n");
      EXPECT_DONE(create(spec));
      EXPECT_EQ(in_it(spec, "cat /data/a"), "mine\n") << "it was made anew";
    }
    luks().call_and_die_when(remove_call(spec), kills.removal);
    removed_without_a_trace(spec);
  }
}

// A name proves nothing: another install's container and volume, and another program's mapping,
// stay as they are.
TEST_P(DockerLuks, WhatHasItsNameAndIsNotOursStaysAsItIs) {
  const Spec theirs = hello("paygress-a-g1", Daemon::Theirs);
  const Spec ours = encrypted();
  luks().give_key(theirs, 0x77, Daemon::Theirs);
  EXPECT_DONE(create(theirs, Daemon::Theirs));
  EXPECT_FAILS(create(ours), Fault::Conflict);
  EXPECT_DONE(ask(Verb::Remove, ours.name));
  EXPECT_EQ(engine->ask("DELETE", "/containers/" + theirs.name), 204);
  EXPECT_FAILS(create(ours), Fault::Conflict);  // the volume is still there
  EXPECT_DONE(ask(Verb::Remove, ours.name));
  EXPECT_EQ(engine->ask("DELETE", "/volumes/" + theirs.name), 204);
  EXPECT_FAILS(create(ours), Fault::Refused);  // and its mapping
  EXPECT_DONE(ask(Verb::Remove, ours.name));
  EXPECT_THAT(listed(), ::testing::IsEmpty());
  EXPECT_TRUE(open(theirs.name)) << "somebody else's mapping was closed";
  EXPECT_DONE(ask(Verb::Remove, theirs.name, Daemon::Theirs));
  EXPECT_EQ(luks().left_over(), "");
}

TEST(EncryptedVolumes, HoldInAGuestWhoseKernelHasDmCrypt) {
  if (in_guest()) return;
  if (!engine_there("/usr/bin/qemu-system-x86_64") || !engine_there("/usr/sbin/dockerd") ||
      !engine_there("/usr/sbin/cryptsetup"))
    GTEST_SKIP() << "needs root, qemu, dockerd and cryptsetup";
  Guest guest({PAYGRESS_TEST_DIR "/enclosure.sh", PAYGRESS_TEST_DIR "/images.sh",
               engine_image("box-docker")});
  const std::string said = guest.run();
  std::cout << said << std::endl;
  EXPECT_EQ(checks_passed(said), kChecks + 1);  // and this one, which does nothing there
}

}  // namespace
}  // namespace paygress::conformance
