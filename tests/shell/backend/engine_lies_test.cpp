// Engines that say what is not so, and what real ones do only now and then: a stop that is
// acknowledged and does not happen, and instances that must not be made at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "shell/backend/docker.h"
#include "shell/backend/labels.h"
#include "shell/backend/lxd.h"
#include "tests/shell/backend/scripted_engine.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::backend {
namespace {

using workload::Answer;
using workload::Call;
using workload::Outcome;
using workload::Running;
using workload::Verb;

constexpr Micros kDeadline = 20'000'000_us;
const std::string kName = "paygress-a-g1";

workload::Labels labels() {
  workload::Labels labels;
  labels.install.bytes.fill(0x11);
  labels.lease.bytes.fill(0x22);
  labels.generation = 1;
  labels.spec_digest = std::string(64, 'd');
  return labels;
}

std::string labels_json(const std::string& prefix) {
  std::string text;
  for (const auto& [label, value] : label_texts(labels()))
    text += (text.empty() ? "{\"" : ",\"") + prefix + label + "\":\"" + value + "\"";
  return text + "}";
}

Answer ask(net::Loop& loop, Backend& backend, Verb verb, Micros deadline = kDeadline) {
  std::optional<Answer> answer;
  backend.call({CallId{1}, verb, kName, {}, deadline},
               [&](Answer got) { answer = std::move(got); });
  EXPECT_TRUE(loop.run_until([&] { return answer.has_value(); }, 60'000'000_us));
  return answer.value_or(Answer{});
}

// One container or instance that runs; its stop is acknowledged, and only a kill ends it.
struct Stubborn {
  std::atomic<bool> runs{true};
  std::atomic<int> stops{0};
  std::atomic<int> kills{0};
  std::atomic<bool> immortal{false};

  void stop() { ++stops; }
  void kill() {
    ++kills;
    if (!immortal) runs = false;
  }
};

ScriptedEngine::Answer docker(Stubborn& it, const std::string& line) {
  if (line == "GET /version")
    return {200, R"({"ApiVersion":"1.41","MinAPIVersion":"1.12","Version":"20.10.24"})"};
  if (line.starts_with("POST")) {
    line.find("/stop?") != line.npos ? it.stop() : it.kill();
    return {204, ""};
  }
  const std::string state =
      it.runs ? R"({"Status":"running","ExitCode":0})" : R"({"Status":"exited","ExitCode":137})";
  return {200, R"({"Name":"/)" + kName + R"(","Config":{"Labels":)" + labels_json("paygress.") +
                   R"(},"State":)" + state + "}"};
}

std::string synchronous(const std::string& metadata) {
  return R"({"type":"sync","status_code":200,"error":"","metadata":)" + metadata + "}";
}
std::string operation(int code) {
  return synchronous(R"({"id":"1","err":"","status_code":)" + std::to_string(code) + "}");
}
constexpr const char* kServer = R"({"auth":"trusted","environment":{"server_version":"5.0.2"}})";

ScriptedEngine::Answer lxd(Stubborn& it, const std::string& line) {
  if (line == "GET /1.0") return {200, synchronous(kServer)};
  if (line.starts_with("GET /1.0/operations?")) return {200, synchronous("{}")};
  if (line.starts_with("GET /1.0/operations/")) return {200, operation(200)};
  if (line.starts_with("GET /1.0/instances/"))
    return {200,
            synchronous(R"({"name":")" + kName + R"(","status_code":)" + (it.runs ? "103" : "102") +
                        R"(,"config":)" + labels_json("user.paygress.") + "}")};
  if (!line.starts_with("PUT /1.0/instances/")) return {200, synchronous("{}")};
  it.stops == 0 ? it.stop() : it.kill();  // the first is the request, the next is by force
  return {202, operation(103)};
}

template <class Client, class Config, class Script>
void expect_escalation(Config config, const Script& script) {
  const test::TemporaryDirectory dir;
  config.socket = dir.file("socket");
  for (const bool immortal : {false, true}) {
    Stubborn it;
    it.immortal = immortal;
    std::filesystem::remove(config.socket);
    ScriptedEngine engine(config.socket, [&](const std::string& line) { return script(it, line); });
    ASSERT_TRUE(engine.listens());
    net::Loop loop;
    Client client(loop, config, labels().install);
    const Answer stopped = ask(loop, client, Verb::Stop, immortal ? 1'500'000_us : kDeadline);
    EXPECT_EQ(stopped.outcome, immortal ? Outcome::Unknown : Outcome::Done) << stopped.message;
    EXPECT_EQ(it.stops, 1);
    EXPECT_GE(it.kills, 1);
    EXPECT_EQ(ask(loop, client, Verb::Inspect).objects.at(0).running,
              immortal ? Running::Running : Running::Stopped);
  }
}

TEST(EngineThatIgnoresAStop, IsNotBelievedOnDocker) {
  expect_escalation<DockerBackend>(DockerConfig{}, docker);
}

TEST(EngineThatIgnoresAStop, IsNotBelievedOnLxd) {
  LxdConfig config;
  config.project = "p";
  expect_escalation<LxdBackend>(config, lxd);
}

// LXD gives instances that are made at once one range of user ids.
TEST(LxdInstances, AreMadeOneAfterTheOther) {
  const test::TemporaryDirectory dir;
  std::atomic<int> under_way{0};
  std::atomic<int> at_once{0};
  ScriptedEngine engine(dir.file("socket"), [&](const std::string& line) -> ScriptedEngine::Answer {
    if (line == "GET /1.0") return {200, synchronous(kServer)};
    if (line.starts_with("POST /1.0/instances?")) {
      at_once = std::max(at_once.load(), ++under_way);
      return {202, operation(103)};
    }
    if (line.starts_with("GET /1.0/operations/")) {
      --under_way;
      return {200, operation(200)};
    }
    if (line.starts_with("GET /1.0/images/")) return {200, synchronous(R"({"target":"f00d"})")};
    if (line.starts_with("GET /1.0/instances/")) return {404, "{}"};
    return {200, synchronous("{}")};
  });
  ASSERT_TRUE(engine.listens());
  net::Loop loop;
  LxdConfig config;
  config.socket = dir.file("socket");
  config.project = "p";
  config.pool = "pool";
  LxdBackend client(loop, config, labels().install);
  size_t made = 0;
  constexpr size_t kWanted = 4;
  for (size_t i = 0; i < kWanted; ++i) {
    workload::Spec spec;
    spec.name = "paygress-" + std::to_string(i) + "-g1";
    spec.labels = labels();
    spec.image = "box";
    spec.cpu_millicores = 100;
    spec.memory_mb = 64;
    spec.storage_gb = 1;
    spec.address = "127.0.0.1";
    client.call({CallId{i + 1}, Verb::Create, spec.name, spec, kDeadline}, [&](Answer answer) {
      EXPECT_EQ(answer.outcome, Outcome::Done) << answer.message;
      ++made;
    });
  }
  EXPECT_TRUE(loop.run_until([&] { return made == kWanted; }, 60'000'000_us));
  EXPECT_EQ(at_once, 1);
}

}  // namespace
}  // namespace paygress::backend
