// The engines' contract on a real dockerd, which the program starts in namespaces of its own and
// ends again. Skipped where there is no dockerd or we are not root.
#include "core/market/template.h"
#include "shell/backend/volume_key.h"
#include "tests/conformance/backend/docker_engine.h"
#include "tests/conformance/backend/guard_conformance.h"

namespace paygress::conformance {
namespace {

DockerEngine* const engine =
    static_cast<DockerEngine*>(::testing::AddGlobalTestEnvironment(new DockerEngine));

class DockerUnderTest final : public RealClient {
 public:
  ~DockerUnderTest() override {
    remove_all();
    fs::remove_all(keys());
  }
  void call_and_lose_answer(const Call& call) override {
    Call hasty = call;
    hasty.deadline = 15_ms;  // cut off somewhere on the way
    EXPECT_NE(RealClient::call(Daemon::Ours, hasty).outcome, Outcome::Failed);
  }
  void crash_workload(const std::string& name) override {
    EXPECT_EQ(engine->ask("POST", "/containers/" + name + "/kill?signal=KILL"), 204);
  }
  bool crash_has_code() const override { return false; }  // a SIGKILL may be the engine's own
  void adapt(Spec& spec) override { spec.image = "test/box:1"; }
  std::string limit_of(Promise promise) const override {
    return promise == Promise::Disk ? "the engine's storage driver does not limit disk space" : "";
  }
  std::string described(const std::string& name) override {
    std::string all;
    engine->ask("GET", "/containers/" + name + "/json", {}, &all);
    return all;
  }
  backend::BackendConfig config(Daemon daemon) override {
    backend::BackendConfig config;
    config.kind = backend::Kind::Docker;
    config.install = install_of(daemon);
    config.docker.socket = engine->socket();
    config.docker.volume_directory = volumes();
    config.docker.key_directory = keys();
    return config;
  }
  static fs::path volumes() { return engine->dir() / "volumes"; }
  static fs::path keys() { return "/dev/shm" / engine->dir().filename(); }
};

class DockerConformance : public BackendConformance {};

// Nothing without an engine: every test is then skipped.
MakeBackend make_docker() {
  return []() -> std::unique_ptr<BackendUnderTest> {
    if (!engine->can_run()) return nullptr;
    return std::make_unique<DockerUnderTest>();
  };
}
INSTANTIATE_TEST_SUITE_P(Docker, BackendConformance, ::testing::Values(make_docker()));
INSTANTIATE_TEST_SUITE_P(Docker, GuardConformance, ::testing::Values(make_docker()));
INSTANTIATE_TEST_SUITE_P(Docker, Enforcement, ::testing::Values(make_docker()));
INSTANTIATE_TEST_SUITE_P(Docker, DockerConformance, ::testing::Values(make_docker()));

// The template of our own needs no registry: its image is made here.
TEST_P(DockerConformance, HelloIsMadeHere) {
  Spec spec = hello("paygress-a-g1");
  spec.image.clear();
  const Answer created = create(spec);
  EXPECT_DONE(created);
  EXPECT_FALSE(created.serves_ssh);
  EXPECT_DONE(ask(Verb::Start, spec.name));
  expect_page(spec);
}

TEST_P(DockerConformance, AnImageThatSaysSoServesSsh) {
  Spec spec = hello("paygress-a-g1");
  spec.template_slug.clear();
  spec.image = "test/box:1";
  const Answer created = create(spec);
  EXPECT_DONE(created);
  EXPECT_TRUE(created.serves_ssh);
  // Whoever made it may have died before it was complete: asking again completes it.
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  std::string said;
  eventually([&] {
    return !(said = backend_->ssh(*spec.ssh_host_port, spec.root_password, "id -u")).empty();
  });
  EXPECT_EQ(said, "0\n");
  EXPECT_EQ(backend_->ssh(*spec.ssh_host_port, "not" + spec.root_password, "id -u"), "");
  std::string inspected;
  EXPECT_EQ(engine->ask("GET", "/containers/" + spec.name + "/json", {}, &inspected), 200);
  EXPECT_EQ(inspected.find(spec.root_password), inspected.npos);
}

// design/backends.md, "What a tenant gets", as the engine itself reports it.
TEST_P(DockerConformance, TheEngineHoldsTheLimits) {
  Spec spec = hello("paygress-a-g1");
  spec.image.clear();  // hello of our own, which serves no SSH
  EXPECT_DONE(create(spec));
  std::string body;
  EXPECT_EQ(engine->ask("GET", "/containers/" + spec.name + "/json", {}, &body), 200);
  for (auto part : {"\"Memory\":134217728", "\"MemorySwap\":134217728", "\"NanoCpus\":500000000",
                    "\"PidsLimit\":512", "\"CapDrop\":[\"ALL\"]", "\"no-new-privileges\"",
                    "\"RestartPolicy\":{\"Name\":\"no\"", "\"Privileged\":false",
                    "\"HostIp\":\"127.0.0.1\"", "\"max-size\":\"10m\""})
    EXPECT_THAT(body, ::testing::HasSubstr(part));
  EXPECT_THAT(body, ::testing::Not(::testing::HasSubstr("22/tcp"))) << "no SSH, so not published";
}

// The network's six, with small images of ours under their names: pulled, started, reached on their
// port, with the registry's variables and the buyer's password.
TEST_P(DockerConformance, EveryTemplateOfTheNetworkIsServed) {
  if (access("/usr/bin/docker-registry", X_OK) != 0) GTEST_SKIP() << "no docker-registry";
  engine->start_registry();
  size_t served = 0;
  for (const auto& [slug, info] : market::TemplateRegistry::built_in().all()) {
    if (slug == "hello") continue;  // is made, not pulled
    SCOPED_TRACE(slug);
    std::string name = *info.image_for("docker");
    name = "localhost:5000/" + name.substr(0, name.rfind(':'));
    const std::string port = std::to_string(info.ports.at(0).container_port);
    engine->import("box-docker", name,
                   {R"(CMD ["/bin/sh","-c","mkdir -p /www; env >/www/index.html; httpd -f -p )" +
                    port + R"( -h /www"])"});
    engine->push_away(name);
    Spec spec = hello("paygress-" + slug + "-g1");
    spec.template_slug = slug;
    spec.image = name + ":1";
    spec.ssh_host_port.reset();
    spec.ports.clear();
    for (const auto& p : info.ports)
      spec.ports.push_back({backend_->unused_port(), p.container_port, p.label});
    const auto variables = market::environment_of(info, {}, spec.root_password);
    ASSERT_TRUE(variables.has_value());
    spec.env = *variables;
    spec.open_files_max = std::min<uint64_t>(info.open_files_max, 4096);
    EXPECT_DONE(create(spec));
    EXPECT_DONE(ask(Verb::Start, spec.name));
    std::string page;
    EXPECT_TRUE(eventually([&] {
      page = backend_->fetch(spec.ports.at(0).host_port);
      return page.find("HOSTNAME=") != page.npos;
    }));
    for (const auto& [key, value] : spec.env)
      EXPECT_THAT(page, ::testing::HasSubstr(key + "=" + value));
    EXPECT_DONE(ask(Verb::Remove, spec.name));
    ++served;
  }
  EXPECT_EQ(served, 6u);
}

// What the registry has under a tag may change; a digest always means the same image.
TEST_P(DockerConformance, ImagesArePulledAndADigestIsKept) {
  if (access("/usr/bin/docker-registry", X_OK) != 0) GTEST_SKIP() << "no docker-registry";
  engine->start_registry();
  const std::string name = "localhost:5000/dockurr/strfry";
  engine->import("box-docker", name, {"ENV VERSION=one", R"(CMD ["/sbin/init"])"});
  engine->push_away(name);
  Spec spec = hello("paygress-a-g1");
  spec.template_slug = "nostr-relay";
  spec.image = name + ":1";
  EXPECT_DONE(create(spec));
  const std::string first = backend_->described(spec.name);
  EXPECT_THAT(first, ::testing::HasSubstr("VERSION=one"));
  const size_t at = first.find(name + "@sha256:");
  ASSERT_NE(at, first.npos) << "the digest is on the container";
  const std::string pinned = first.substr(at, name.size() + 72);
  EXPECT_DONE(ask(Verb::Remove, spec.name));

  engine->import("box-docker", name, {"ENV VERSION=two", R"(CMD ["/sbin/init"])"});
  engine->push_away(name);
  EXPECT_DONE(create(spec));
  EXPECT_THAT(backend_->described(spec.name), ::testing::HasSubstr("VERSION=two"));
  spec = hello("paygress-b-g1");
  spec.image = pinned;
  EXPECT_DONE(create(spec));
  EXPECT_THAT(backend_->described(spec.name), ::testing::HasSubstr("VERSION=one"));
}

TEST_P(DockerConformance, AnImageThatCannotBeFetchedIsRefusedAndLeavesNothing) {
  Spec spec = hello("paygress-a-g1");
  spec.image = "localhost:1/none:1";
  const Answer answer = create(spec);
  EXPECT_EQ(answer.outcome, Outcome::Failed);
  EXPECT_NE(answer.fault, Fault::NotFound) << "only the absence of the object is that";
  EXPECT_THAT(listed(), ::testing::IsEmpty());
}

// Where the kernel has no dm-crypt, and where it has (docker_luks_test.cpp tests that one).
TEST_P(DockerConformance, WhatItSaysItCannotEncryptIsRefusedAndLeavesNothing) {
  Spec spec = hello("paygress-a-g1");
  spec.encrypted = true;
  spec.encrypted_path = "/data";
  EXPECT_FAILS(create(spec), Fault::Refused);  // without a key
  const Answer probed = ask(Verb::Probe);
  EXPECT_DONE(probed);
  const bool can = probed.encrypts == workload::Encrypts::Data;
  EXPECT_EQ(probed.message.contains("no volume is encrypted: "), !can) << probed.message;
  ASSERT_TRUE(backend::open_key_directory(DockerUnderTest::keys()).has_value());
  ASSERT_TRUE(backend::keep_volume_key(DockerUnderTest::keys(), spec.labels.lease, {}).has_value());
  const Answer answer = create(spec);
  EXPECT_EQ(answer.outcome, can ? Outcome::Done : Outcome::Failed) << answer.message;
  EXPECT_EQ(answer.fault, can ? Fault::None : Fault::Refused) << answer.message;
  if (can) {
    EXPECT_DONE(ask(Verb::Remove, spec.name));
  }
  EXPECT_THAT(listed(), ::testing::IsEmpty());
  std::string volumes;
  EXPECT_EQ(engine->ask("GET", "/volumes/" + spec.name, {}, &volumes), 404) << volumes;
  EXPECT_EQ(output_of("find " + DockerUnderTest::volumes().string() + " -type f"), "");
}

TEST_P(DockerConformance, APortInUseIsSaidToBe) {
  two_on_one_port(hello("paygress-a-g1"), hello("paygress-b-g1"));
}

// The data directory of a template's image outlives a stop, and not the workload.
TEST_P(DockerConformance, DataIsKeptOverAStopAndGoesWithTheWorkload) {
  engine->import("box-docker", "test/keeper",
                 {"LABEL paygress.ssh=1", "VOLUME /data", R"(CMD ["/sbin/init"])"});
  const auto volumes = [] {
    std::string all;
    EXPECT_EQ(engine->ask("GET", "/volumes", {}, &all), 200);
    size_t count = 0;
    for (size_t at = 0; (at = all.find("\"Mountpoint\"", at)) != all.npos; ++at) ++count;
    return count;
  };
  Spec spec = hello("paygress-a-g1");
  spec.image = "test/keeper:1";
  const auto in_it = [&](const std::string& command) {
    std::string said;
    eventually([&] {
      return !(said = backend_->ssh(*spec.ssh_host_port, spec.root_password, command)).empty();
    });
    return said;
  };
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_EQ(in_it("echo mine >/data/a; echo mine >/etc/a; echo written"), "written\n");
  EXPECT_EQ(volumes(), 1u);
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_EQ(in_it("cat /data/a /etc/a"), "mine\nmine\n");
  EXPECT_DONE(ask(Verb::Remove, spec.name));
  EXPECT_EQ(volumes(), 0u);
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_EQ(in_it("ls /data; echo empty"), "empty\n");
}

// The engine goes away with its stream of words and comes back without a memory of them: the
// listener is told that some may be missing, and hears the next ones.
TEST_P(DockerConformance, WordsComeAgainAfterTheEngineWasStartedAnew) {
  const Spec spec = hello("paygress-a-g8");  // a lease that no other check has
  EXPECT_DONE(create(spec));
  auto& client = static_cast<DockerUnderTest&>(*backend_);
  engine->stop(SIGTERM);
  engine->start();
  EXPECT_TRUE(client.told_that_words_are_missing(100'000'000_us));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_FALSE(client.told_of(spec.labels.lease, 0_us));
  backend_->crash_workload(spec.name);
  EXPECT_TRUE(client.told_of(spec.labels.lease, 100'000'000_us));
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
