// A manager of a swarm: what it must be to be used, and what is concluded, and not done, when it or
// one of its machines does not answer.
#include "shell/backend/swarm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "shell/backend/labels.h"
#include "tests/shell/backend/scripted_engine.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::backend {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using workload::Answer;
using workload::Fault;
using workload::Outcome;
using workload::Running;
using workload::Verb;

const std::string kName = "paygress-a-g1";

InstallId install() {
  InstallId id;
  id.bytes.fill(0x11);
  return id;
}

std::string labels(const std::string& more) {
  workload::Labels ours;
  ours.install = install();
  std::string text = "{" + more;
  for (const auto& [name, value] : label_texts(ours))
    text += (text.size() > 1 ? ",\"paygress." : "\"paygress.") + name + "\":\"" + value + "\"";
  return text + "}";
}

// n1 manages; n2 is its worker, and n3 belongs to somebody else.
struct SwarmTest : ::testing::Test {
  using Script = std::function<std::optional<ScriptedEngine::Answer>(const std::string&)>;

  Answer ask(Verb verb, const Script& other = {}) {
    DockerConfig config;
    config.members = members;
    config.socket = dir.file("socket" + std::to_string(++sockets));
    ScriptedEngine engine(config.socket, [&](const std::string& line) {
      const std::lock_guard lock(mutex);
      asked.push_back(line);
      if (auto own = other ? other(line) : std::nullopt) return *own;
      return manager(line);
    });
    EXPECT_TRUE(engine.listens());
    net::Loop loop;
    SwarmBackend client(loop, config, install());
    std::optional<Answer> answer;
    const bool nameless = verb == Verb::Probe || verb == Verb::List || verb == Verb::Capacity;
    client.call({CallId{1}, verb, nameless ? "" : kName, {}, patience},
                [&](Answer got) { answer = std::move(got); });
    EXPECT_TRUE(loop.run_until([&] { return answer.has_value(); }, 60'000'000_us));
    return answer.value_or(Answer{});
  }
  ScriptedEngine::Answer manager(const std::string& line) const {
    if (line == "GET /version") return {200, R"({"ApiVersion":"1.41","Version":"20.10.24"})"};
    if (line.ends_with("/info"))
      return {200, R"({"NCPU":2,"MemTotal":1073741824,"Swarm":{"ControlAvailable":)" +
                       std::string(manages ? "true" : "false") +
                       R"(,"Cluster":{"Spec":{"Orchestration":{"TaskHistoryRetentionLimit":)" +
                       std::to_string(history) + "}}}}}"};
    if (line.ends_with("/nodes"))
      return {200, "[" + node("one", "n1", "ready") + "," + node("two", "n2", state) + "," +
                       node("six", "n3", "ready") + "]"};
    if (line.find("/services?") != line.npos) return {200, service};
    if (line.find("/tasks?") != line.npos) return {200, tasks};
    return {200, "[]"};
  }
  static std::string node(const std::string& id, const std::string& name, const std::string& is) {
    return R"({"ID":")" + id + R"(","Spec":{"Availability":"active"},"Description":{"Hostname":")" +
           name + R"(","Resources":{"NanoCPUs":2000000000,"MemoryBytes":1073741824}},)" +
           R"("Status":{"State":")" + is + R"("}})";
  }
  void has_service(int replicas, int starts) {
    service = R"([{"ID":"s1","Version":{"Index":7},"Spec":{"Name":")" + kName + R"(","Labels":)" +
              labels("") + R"(,"TaskTemplate":{"ForceUpdate":)" + std::to_string(starts) +
              R"(},"Mode":{"Replicated":{"Replicas":)" + std::to_string(replicas) + "}}}}]";
  }
  void has_task(const std::string& is, int start, const std::string& where = "two",
                const std::string& error = "") {
    tasks = R"([{"ID":"t","NodeID":")" + where + R"(","Spec":{"ContainerSpec":{"Labels":)" +
            labels(R"("paygress.object":")" + kName + "\"") + R"(},"ForceUpdate":)" +
            std::to_string(start) + R"(},"Status":{"State":")" + is + R"(","Err":")" + error +
            R"(","Timestamp":"2024-05-06T07:08:09.1Z"}}])";
  }

  const test::TemporaryDirectory dir;
  int sockets = 0;
  std::map<std::string, Member> members = {{"n1", {"203.0.113.1", ""}},
                                           {"n2", {"203.0.113.2", ""}}};
  bool manages = true;
  int history = 5;
  std::string state = "ready";  // of n2
  std::string service = "[]";
  std::string tasks = "[]";
  Micros patience = 20'000'000_us;
  std::mutex mutex;
  std::vector<std::string> asked;
};

constexpr const char* kUpdate = "POST /v1.41/services/s1/update";

TEST_F(SwarmTest, IsRefusedWhereItCannotBeUsed) {
  const Answer good = ask(Verb::Probe);
  EXPECT_EQ(good.outcome, Outcome::Done) << good.message;
  EXPECT_THAT(good.message, HasSubstr("a swarm of n1, n2;"));
  EXPECT_THAT(good.message, HasSubstr("not used, because docker.members does not say where they "
                                      "are reached: n3"));
  state = "down";
  EXPECT_THAT(ask(Verb::Probe).message, HasSubstr("n2 (does not answer)"));
  history = 0;
  EXPECT_THAT(ask(Verb::Probe).message, HasSubstr("--task-history-limit"));
  manages = false;
  const Answer worker = ask(Verb::Probe);
  EXPECT_EQ(worker.fault, Fault::Refused);
  EXPECT_THAT(worker.message, HasSubstr("manages no swarm"));
}

TEST_F(SwarmTest, IsRefusedWithoutAMachineThatHasAnAddress) {
  members = {{"n9", {"203.0.113.9", ""}}};
  const Answer none = ask(Verb::Probe);
  EXPECT_EQ(none.fault, Fault::Refused);
  EXPECT_THAT(none.message, HasSubstr("names no machine of the swarm; there is: n1 n3 n2"));
  members = {{"n1", {"203.0.113.1", ""}}, {"n3", {"203.0.113.3", ""}}};
  const auto twins = [](const std::string& line) -> std::optional<ScriptedEngine::Answer> {
    if (!line.ends_with("/nodes")) return std::nullopt;
    return {{200, "[" + node("one", "n1", "ready") + "," + node("two", "n1", "ready") + "]"}};
  };
  EXPECT_THAT(ask(Verb::Probe, twins).message, HasSubstr("call themselves n1"));
}

// Their warm standbys would be refused by the engine only after they were paid for.
TEST(CanBeGuarded, IsNeitherASwarmNorWhatHasNoGroup) {
  BackendConfig config;
  for (const Kind kind : {Kind::Lxd, Kind::Proxmox, Kind::Kvm}) {
    config.kind = kind;
    EXPECT_FALSE(can_be_guarded(config));
  }
  config.kind = Kind::Sandbox;
  EXPECT_TRUE(can_be_guarded(config));
  config.kind = Kind::Docker;
  EXPECT_TRUE(can_be_guarded(config));
  config.docker.members["n1"] = {"203.0.113.1", ""};
  EXPECT_FALSE(can_be_guarded(config));
}

TEST_F(SwarmTest, CapacityIsThatOfTheMembersThatAnswer) {
  EXPECT_EQ(ask(Verb::Capacity).capacity->memory_mb, 2048u);
  state = "down";
  EXPECT_EQ(ask(Verb::Capacity).capacity->memory_mb, 1024u);
}

TEST_F(SwarmTest, AMachineThatDoesNotAnswerProvesNothing) {
  has_service(1, 1);
  has_task("running", 1);
  const Answer seen = ask(Verb::Inspect);
  EXPECT_EQ(seen.objects.at(0).running, Running::Running);
  EXPECT_EQ(seen.objects.at(0).node, "n2");
  EXPECT_EQ(seen.objects.at(0).address, "203.0.113.2");
  state = "down";
  for (auto is : {"running", "starting", "orphaned"}) {
    has_task(is, 1);
    EXPECT_EQ(ask(Verb::Inspect).objects.at(0).running, Running::Unknown) << is;
    EXPECT_EQ(ask(Verb::List).objects.at(0).running, Running::Unknown) << is;
    for (const Verb verb : {Verb::Start, Verb::Stop, Verb::Remove}) {
      const Answer answer = ask(verb);
      EXPECT_EQ(answer.outcome, Outcome::Failed) << answer.message;
      EXPECT_EQ(answer.fault, Fault::Unreachable) << answer.message;
    }
  }
  EXPECT_THAT(asked, Not(Contains(StartsWith("POST")))) << "nothing is changed meanwhile";
  EXPECT_THAT(asked, Not(Contains(StartsWith("DELETE"))));
}

// Another copy is asked for only when the last one has come to its end.
TEST_F(SwarmTest, IsStartedAgainOnlyAfterTheEndOfTheLast) {
  patience = 1'000'000_us;
  has_service(1, 2);
  has_task("failed", 1);  // the task of the second start is not there yet
  EXPECT_EQ(ask(Verb::Start).outcome, Outcome::Unknown);
  EXPECT_THAT(asked, Not(Contains(StartsWith(kUpdate))));
  has_task("preparing", 2);
  EXPECT_EQ(ask(Verb::Start).outcome, Outcome::Unknown);
  EXPECT_THAT(asked, Not(Contains(StartsWith(kUpdate))));
  has_task("failed", 2);
  patience = 20'000'000_us;
  const auto starts = [&](const std::string& line) -> std::optional<ScriptedEngine::Answer> {
    if (!line.starts_with(kUpdate)) return std::nullopt;
    has_service(1, 3);
    has_task("running", 3);
    return {{200, "{}"}};
  };
  EXPECT_EQ(ask(Verb::Start, starts).outcome, Outcome::Done);
}

// It would come to life some time later, when nobody expects it any more.
TEST_F(SwarmTest, WhatFitsNowhereIsWithdrawn) {
  has_service(1, 1);
  has_task("pending", 1, "", "no suitable node (insufficient resources on 2 nodes)");
  const Answer answer = ask(Verb::Start);
  EXPECT_EQ(answer.fault, Fault::Quota) << answer.message;
  EXPECT_THAT(asked, Contains(StartsWith(kUpdate)));
}

// A machine that joined a moment ago, and whose address nobody could be told.
TEST_F(SwarmTest, WhatLandedOnAStrangeMachineIsWithdrawn) {
  has_service(0, 0);
  const auto starts = [&](const std::string& line) -> std::optional<ScriptedEngine::Answer> {
    if (!line.starts_with(kUpdate)) return std::nullopt;
    has_service(1, 1);
    has_task("running", 1, "six");
    return {{200, "{}"}};
  };
  const Answer answer = ask(Verb::Start, starts);
  EXPECT_EQ(answer.fault, Fault::Quota) << answer.message;
  EXPECT_EQ(std::ranges::count_if(asked, [](auto& line) { return line.starts_with(kUpdate); }), 2);
}

TEST_F(SwarmTest, WhatAManagerWithoutAMajorityWasAskedIsUnknown) {
  has_service(0, 1);
  const auto broken = [](const std::string& line) -> std::optional<ScriptedEngine::Answer> {
    if (line.starts_with("POST")) return {{500, R"({"message":"context deadline exceeded"})"}};
    return std::nullopt;
  };
  EXPECT_EQ(ask(Verb::Start, broken).outcome, Outcome::Unknown);
  const auto headless = [](const std::string& line) -> std::optional<ScriptedEngine::Answer> {
    if (line == "GET /version") return std::nullopt;
    return {{503, R"({"message":"The swarm does not have a leader."})"}};
  };
  EXPECT_EQ(ask(Verb::List, headless).fault, Fault::Unreachable);
  EXPECT_EQ(ask(Verb::Inspect, headless).fault, Fault::Unreachable);
  EXPECT_EQ(ask(Verb::Stop, headless).outcome, Outcome::Unknown);
}

}  // namespace
}  // namespace paygress::backend
