// The engines' contract on a real dockerd, which the program starts in a network namespace of its
// own and ends again. Skipped where there is no dockerd or we are not root.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include <filesystem>
#include <fstream>

#include "shell/net/http_client.h"
#include "tests/conformance/backend/real_client.h"

namespace paygress::conformance {
namespace {

namespace fs = std::filesystem;

bool can_run_dockerd() { return geteuid() == 0 && access("/usr/sbin/dockerd", X_OK) == 0; }

// One engine for the whole program: it takes seconds to start.
class DockerEngine final : public ::testing::Environment {
 public:
  void SetUp() override {
    if (!can_run_dockerd()) return;
    std::string pattern = fs::temp_directory_path() / "paygress-docker-XXXXXX";
    dir_ = mkdtemp(pattern.data());
    // Its bridge and its packet filter rules must not touch the host's network. The program enters
    // the namespace itself, so that published ports are in its reach.
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    ASSERT_EQ(system("ip link set lo up"), 0);
    start();
    for (int i = 0; i < 300 && status_of("GET", "/_ping") != 200; ++i) usleep(100'000);
    ASSERT_EQ(status_of("GET", "/_ping"), 200) << output_of("tail -5 " + (dir_ / "log").string());
  }
  void TearDown() override {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    // The storage driver's mount on itself stays when a daemon was killed before.
    output_of("umount " + (dir_ / "data/overlay2").string() + " 2>/dev/null");
    // Its parent groups, empty now; the engine itself leaves them behind.
    output_of("find /sys/fs/cgroup -depth -type d -path '*/" + group() + "*' -exec rmdir {} ';'");
    fs::remove_all(dir_);
  }
  static std::string group() { return "paygress-test-" + std::to_string(getpid()); }
  fs::path socket() const { return dir_ / "docker.sock"; }
  fs::path dir() const { return dir_; }

  // 0 when the engine did not answer.
  int status_of(const std::string& method, const std::string& path, std::string body = {},
                std::string* reply = nullptr) {
    net::Loop loop;
    net::HttpClient http(loop);
    std::optional<int> status;
    net::HttpCall call;
    call.method = method;
    call.url = "http://docker" + path;
    call.unix_socket = socket();
    call.body = std::move(body);
    call.headers = {{"Content-Type", "application/x-tar"}};
    http.start(std::move(call), [&](net::HttpOutcome outcome) {
      const auto* answered = std::get_if<net::Answered>(&outcome);
      status = answered ? answered->status : 0;
      if (answered && reply) *reply = answered->body;
    });
    loop.run_until([&] { return status.has_value(); }, 40'000'000_us);
    return status.value_or(0);
  }

 private:
  void start() {
    const std::string data = dir_ / "data", exec = dir_ / "exec", pid = dir_ / "pid",
                      host = "unix://" + socket().string(), log = dir_ / "log";
    const std::string parent = "/" + group();
    pid_ = fork();
    ASSERT_GE(pid_, 0);
    if (pid_ > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (!freopen(log.c_str(), "w", stdout) || !freopen(log.c_str(), "a", stderr)) _exit(1);
    execl("/usr/sbin/dockerd", "dockerd", "--data-root", data.c_str(), "--exec-root", exec.c_str(),
          "--pidfile", pid.c_str(), "--cgroup-parent", parent.c_str(), "-H", host.c_str(), nullptr);
    _exit(1);
  }
  fs::path dir_;
  pid_t pid_ = -1;
};

DockerEngine* const engine =
    static_cast<DockerEngine*>(::testing::AddGlobalTestEnvironment(new DockerEngine));

class DockerUnderTest final : public RealClient {
 public:
  ~DockerUnderTest() override { remove_all(); }
  void call_and_lose_answer(const Call& call) override {
    Call hasty = call;
    hasty.deadline = 15_ms;  // cut off somewhere on the way
    EXPECT_NE(RealClient::call(Daemon::Ours, hasty).outcome, Outcome::Failed);
  }
  void crash_workload(const std::string& name) override {
    EXPECT_EQ(engine->status_of("POST", "/containers/" + name + "/kill?signal=KILL"), 204);
  }
  backend::BackendConfig config(Daemon daemon) override {
    backend::BackendConfig config;
    config.kind = backend::Kind::Docker;
    config.install = install_of(daemon);
    config.docker.socket = engine->socket();
    return config;
  }
};

class DockerConformance : public BackendConformance {};

// Nothing without an engine: every test is then skipped.
MakeBackend make_docker() {
  return []() -> std::unique_ptr<BackendUnderTest> {
    if (!can_run_dockerd()) return nullptr;
    return std::make_unique<DockerUnderTest>();
  };
}
INSTANTIATE_TEST_SUITE_P(Docker, BackendConformance, ::testing::Values(make_docker()));
INSTANTIATE_TEST_SUITE_P(Docker, DockerConformance, ::testing::Values(make_docker()));

// An image that serves SSH by its own shadow file, made of this machine's dropbear and busybox.
void import_ssh_image() {
  const std::string root = engine->dir() / "ssh-image";
  const std::string archive = output_of(
      "set -e; mkdir -p " + root + "; cd " + root + "; mkdir -p bin etc/dropbear root dev usr/sbin;"
      "cp /bin/busybox bin/; ln -sf busybox bin/sh; ln -sf busybox bin/id;"
      "cp /usr/sbin/dropbear usr/sbin/;"
      "for l in $(ldd /usr/sbin/dropbear | grep -o '/[^ ]*'); do"
      "  mkdir -p .$(dirname $l); cp -L $l .$l; done;"
      "echo root:x:0:0:root:/root:/bin/sh > etc/passwd; echo 'root:*:19000::::::' > etc/shadow;"
      "chmod 600 etc/shadow; echo /bin/sh > etc/shells; tar -c .");
  std::string reply;
  EXPECT_EQ(engine->status_of("POST",
                              "/images/create?fromSrc=-&repo=test%2Fssh&tag=1"
                              "&changes=LABEL%20paygress.ssh%3D1"
                              "&changes=CMD%20%5B%22%2Fusr%2Fsbin%2Fdropbear%22%2C%22-F%22%2C%22-E"
                              "%22%2C%22-R%22%5D",
                              archive, &reply),
            200);
  EXPECT_EQ(reply.find("error"), reply.npos) << reply;
}

TEST_P(DockerConformance, AnImageThatSaysSoServesSsh) {
  import_ssh_image();
  Spec spec = hello("paygress-a-g1");
  spec.template_slug.clear();
  spec.image = "test/ssh:1";
  spec.ports.clear();
  const Answer created = create(spec);
  EXPECT_DONE(created);
  EXPECT_TRUE(created.serves_ssh);
  // Whoever made it may have died before it was complete: asking again completes it.
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  std::string said;
  for (int i = 0; i < 20 && said.empty(); ++i)
    said = backend_->ssh(*spec.ssh_host_port, spec.root_password, "id -u");
  EXPECT_EQ(said, "0\n");
  EXPECT_EQ(backend_->ssh(*spec.ssh_host_port, "not" + spec.root_password, "id -u"), "");
  std::string inspected;
  EXPECT_EQ(engine->status_of("GET", "/containers/" + spec.name + "/json", {}, &inspected), 200);
  EXPECT_EQ(inspected.find(spec.root_password), inspected.npos);
}

// design/backends.md, "What a tenant gets", as the engine itself reports it.
TEST_P(DockerConformance, TheEngineHoldsTheLimits) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  std::string body;
  EXPECT_EQ(engine->status_of("GET", "/containers/" + spec.name + "/json", {}, &body), 200);
  for (auto part : {"\"Memory\":134217728", "\"MemorySwap\":134217728", "\"NanoCpus\":500000000",
                    "\"PidsLimit\":512", "\"CapDrop\":[\"ALL\"]", "\"no-new-privileges\"",
                    "\"RestartPolicy\":{\"Name\":\"no\"", "\"Privileged\":false",
                    "\"HostIp\":\"127.0.0.1\"", "\"max-size\":\"10m\""})
    EXPECT_THAT(body, ::testing::HasSubstr(part));
  EXPECT_THAT(body, ::testing::Not(::testing::HasSubstr("22/tcp"))) << "no SSH, so not published";
}

TEST_P(DockerConformance, AnImageThatCannotBeFetchedIsRefusedAndLeavesNothing) {
  Spec spec = hello("paygress-a-g1");
  spec.image = "localhost:1/none:1";
  const Answer answer = create(spec);
  EXPECT_EQ(answer.outcome, Outcome::Failed);
  EXPECT_NE(answer.fault, Fault::NotFound) << "only the absence of the object is that";
  EXPECT_THAT(listed(), ::testing::IsEmpty());
}

TEST_P(DockerConformance, APortInUseIsBusy) {
  const Spec first = hello("paygress-a-g1");
  Spec second = hello("paygress-b-g1");
  second.ports = first.ports;
  EXPECT_DONE(create(first));
  EXPECT_DONE(create(second));
  EXPECT_DONE(ask(Verb::Start, first.name));
  EXPECT_FAILS(ask(Verb::Start, second.name), Fault::Busy);
}

TEST(DockerUnreachable, IsAFailureAndNeverAbsence) {
  net::Loop loop;
  backend::BackendConfig config;
  config.kind = backend::Kind::Docker;
  config.install = install_of(Daemon::Ours);
  config.docker.socket = "/nonexistent/docker.sock";
  auto client = backend::make_backend(loop, config);
  ASSERT_TRUE(client.has_value());
  std::optional<Answer> answer;
  (*client)->call({CallId{1}, Verb::Inspect, "paygress-a-g1", {}, 5'000'000_us},
                  [&](Answer got) { answer = std::move(got); });
  loop.run_until([&] { return answer.has_value(); }, 10'000'000_us);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->outcome, Outcome::Failed);
  EXPECT_EQ(answer->fault, Fault::Unreachable);
  EXPECT_TRUE(answer->objects.empty());
}

}  // namespace
}  // namespace paygress::conformance
