// The engines' contract on a swarm of one dockerd, which is all that can be in reach of one test's
// network; tests/e2e/cluster.py has two. Skipped where there is no dockerd or we are not root.
#include <unistd.h>

#include "tests/conformance/backend/docker_engine.h"

namespace paygress::conformance {
namespace {

class SwarmEngine final : public DockerEngine {
 protected:
  // Tenants are kept apart by the bridge of each machine, as docs/backends.md asks for.
  std::vector<std::string> command() const override {
    auto argv = DockerEngine::command();
    argv.push_back("--icc=false");
    return argv;
  }
  void prepare() override {
    DockerEngine::prepare();
    std::string reply;
    EXPECT_EQ(ask("POST", "/swarm/init",
                  R"({"ListenAddr":"127.0.0.1:2377","AdvertiseAddr":"127.0.0.1"})", &reply),
              200)
        << reply;
  }
};

SwarmEngine* const engine =
    static_cast<SwarmEngine*>(::testing::AddGlobalTestEnvironment(new SwarmEngine));

class SwarmUnderTest final : public RealClient {
 public:
  ~SwarmUnderTest() override { remove_all(); }
  void call_and_lose_answer(const Call& call) override {
    Call hasty = call;
    hasty.deadline = 15_ms;  // cut off somewhere on the way
    EXPECT_NE(RealClient::call(Daemon::Ours, hasty).outcome, Outcome::Failed);
  }
  void crash_workload(const std::string& name) override {
    const std::string id = container_of(name);
    EXPECT_EQ(engine->ask("POST", "/containers/" + id + "/kill?signal=KILL"), 204) << id;
  }
  bool crash_has_code() const override { return false; }  // a SIGKILL may be the engine's own
  void adapt(Spec& spec) override { spec.image = "test/box:1"; }
  std::string limit_of(Promise promise) const override {
    switch (promise) {
      case Promise::Word: return kSaidByTheList;
      case Promise::Pause: return "a swarm pauses nothing";
      case Promise::Disk: return "the engine's storage driver does not limit disk space";
      case Promise::Address: return "a swarm opens ports on every address of a machine";
      default: return "";
    }
  }
  std::string described(const std::string& name) override {
    std::string all, container, secret;
    EXPECT_EQ(engine->ask("GET", "/services/" + name, {}, &all), 200);
    EXPECT_EQ(engine->ask("GET", "/secrets/" + name, {}, &secret), 200);
    engine->ask("GET", "/containers/" + container_of(name) + "/json", {}, &container);
    return all + secret + container;
  }
  backend::BackendConfig config(Daemon daemon) override {
    backend::BackendConfig config;
    config.kind = backend::Kind::Docker;
    config.install = install_of(daemon);
    config.docker.socket = engine->socket();
    config.docker.members[host_name()] = {"127.0.0.1", ""};
    return config;
  }

 private:
  static std::string host_name() {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return name.data();
  }
  // Of the task that runs.
  static std::string container_of(const std::string& name) {
    std::string all;
    EXPECT_EQ(engine->ask("GET",
                          "/containers/json?filters=" +
                              backend::url_encode(R"({"name":[")" + name + R"(."]})"),
                          {}, &all),
              200);
    const auto ids = backend::parse_docker_ids(all);
    EXPECT_TRUE(ids.has_value() && ids->size() == 1) << all;
    return ids && !ids->empty() ? ids->front() : "";
  }
};

MakeBackend make_swarm() {
  return []() -> std::unique_ptr<BackendUnderTest> {
    if (!engine->can_run()) return nullptr;
    return std::make_unique<SwarmUnderTest>();
  };
}
class SwarmConformance : public BackendConformance {};
INSTANTIATE_TEST_SUITE_P(Swarm, BackendConformance, ::testing::Values(make_swarm()));
INSTANTIATE_TEST_SUITE_P(Swarm, Enforcement, ::testing::Values(make_swarm()));
INSTANTIATE_TEST_SUITE_P(Swarm, SwarmConformance, ::testing::Values(make_swarm()));

TEST_P(SwarmConformance, TheEngineHoldsTheLimits) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  const std::string body = backend_->described(spec.name);
  for (auto part : {"\"Memory\":134217728", "\"NanoCpus\":500000000", "\"PidsLimit\":512",
                    "\"CapDrop\":[\"ALL\"]", "\"Privileged\":false", "\"Condition\":\"none\"",
                    "\"max-size\":\"10m\""})
    EXPECT_THAT(body, ::testing::HasSubstr(part));
}

TEST_P(SwarmConformance, APortInUseIsSaidToBe) {
  const Spec first = hello("paygress-a-g1");
  const Spec second = hello("paygress-b-g1");
  two_on_one_port(first, second);
  EXPECT_DONE(ask(Verb::Remove, first.name));
  EXPECT_EQ(inspect(second.name).running, Running::Stopped) << "it does not start by itself later";
}

TEST_P(SwarmConformance, WhatNoMachineHoldsIsRefused) {
  Spec spec = hello("paygress-a-g1");
  spec.memory_mb = uint64_t{64} << 20;
  EXPECT_DONE(create(spec));
  EXPECT_FAILS(ask(Verb::Start, spec.name), Fault::Quota);
  EXPECT_EQ(inspect(spec.name).running, Running::Stopped);
}

// Its secret is all there is of a create that died so early.
TEST_P(SwarmConformance, ASecretWithoutItsServiceIsFoundAgain) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_EQ(engine->ask("DELETE", "/services/" + spec.name), 200);
  EXPECT_TRUE(inspect(spec.name).unfinished);
  EXPECT_EQ(listed(), std::vector<std::string>{spec.name});
  EXPECT_FAILS(ask(Verb::Start, spec.name), Fault::Conflict);
  EXPECT_DONE(create(spec));
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_DONE(ask(Verb::Remove, spec.name));
  EXPECT_EQ(engine->ask("GET", "/secrets/" + spec.name), 404);
}

}  // namespace
}  // namespace paygress::conformance
