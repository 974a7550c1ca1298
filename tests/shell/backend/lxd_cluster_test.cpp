// A server of LXD that is a member of a cluster: what the configuration must say of the others, and
// what is concluded from one that does not answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "shell/backend/labels.h"
#include "shell/backend/lxd.h"
#include "tests/shell/backend/scripted_engine.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::backend {
namespace {

using ::testing::HasSubstr;
using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::Outcome;
using workload::Running;
using workload::Verb;

const std::string kName = "paygress-a-g1";
constexpr const char* kAway =
    R"({"type":"error","error_code":500,"error":"Get \"https://10.0.0.2:8443/1.0\": Unable to )"
    R"(connect to: 10.0.0.2:8443"})";

std::string synchronous(const std::string& metadata) {
  return R"({"type":"sync","status_code":200,"error":"","metadata":)" + metadata + "}";
}

InstallId install() {
  InstallId id;
  id.bytes.fill(0x11);
  return id;
}

// n1 answers for itself and n2; `other` has the last word of what it is asked.
struct LxdClusterTest : ::testing::Test {
  using Script = std::function<std::optional<ScriptedEngine::Answer>(const std::string&)>;

  Answer ask(Verb verb, LxdConfig config, const Script& other = {}) {
    config.socket = dir.file("socket" + std::to_string(++sockets));
    ScriptedEngine engine(config.socket, [&](const std::string& line) {
      if (auto own = other ? other(line) : std::nullopt) return *own;
      return n1(line);
    });
    EXPECT_TRUE(engine.listens());
    net::Loop loop;
    LxdBackend client(loop, config, install());
    std::optional<Answer> answer;
    client.call({CallId{1},
                 verb,
                 verb == Verb::Probe || verb == Verb::List ? "" : kName,
                 {},
                 20'000'000_us},
                [&](Answer got) { answer = std::move(got); });
    EXPECT_TRUE(loop.run_until([&] { return answer.has_value(); }, 60'000'000_us));
    return answer.value_or(Answer{});
  }
  ScriptedEngine::Answer n1(const std::string& line) const {
    if (line == "GET /1.0")
      return {200, synchronous(R"({"auth":"trusted","environment":{"server_version":"5.0.2",)"
                               R"("server_clustered":)" +
                               std::string(clustered ? "true" : "false") + "}}")};
    if (line.starts_with("GET /1.0/cluster/members"))
      return {200,
              synchronous(R"([{"server_name":"n1","status":"Online","config":{}},)"
                          R"({"server_name":"n2","status":"Offline","config":{)" +
                          std::string(manual ? R"("scheduler.instance":"manual")" : "") + "}}]")};
    if (line.starts_with("GET /1.0/storage-pools?"))
      return {200, synchronous(R"(["/1.0/storage-pools/pool"])")};
    if (line.starts_with("GET /1.0/storage-pools/"))
      return {200, synchronous(R"({"driver":"zfs"})")};
    return {200, synchronous("{}")};
  }
  static LxdConfig of(std::map<std::string, Member> members) {
    LxdConfig config;
    config.project = "p";
    config.members = std::move(members);
    return config;
  }

  const test::TemporaryDirectory dir;
  int sockets = 0;
  bool clustered = true;
  bool manual = false;
};

TEST_F(LxdClusterTest, IsRefusedUntilEveryMemberHasAnAddress) {
  const Answer none = ask(Verb::Probe, of({}));
  EXPECT_EQ(none.fault, Fault::Refused);
  EXPECT_THAT(none.message, HasSubstr("lxd.members"));
  const LxdConfig one = of({{"n1", {"203.0.113.1", ""}}});
  const Answer half = ask(Verb::Probe, one);
  EXPECT_EQ(half.fault, Fault::Refused);
  EXPECT_THAT(half.message, HasSubstr("where n2 is reached"));
  const Answer both =
      ask(Verb::Probe, of({{"n1", {"203.0.113.1", ""}}, {"n2", {"203.0.113.2", ""}}}));
  EXPECT_EQ(both.outcome, Outcome::Done) << both.message;
  EXPECT_THAT(both.message, HasSubstr("n1, n2 (does not answer)"));
  manual = true;
  EXPECT_EQ(ask(Verb::Probe, one).outcome, Outcome::Done) << "nothing lands on n2";
  clustered = false;
  EXPECT_EQ(ask(Verb::Probe, one).fault, Fault::Refused) << "no cluster at all";
}

TEST_F(LxdClusterTest, AMemberThatDoesNotAnswerProvesNothing) {
  const LxdConfig config = of({{"n1", {"203.0.113.1", ""}}, {"n2", {"203.0.113.2", ""}}});
  const auto away = [](const std::string& line) -> std::optional<ScriptedEngine::Answer> {
    if (line.starts_with("GET /1.0/instances/")) return {{500, kAway}};
    if (line.starts_with("GET /1.0/instances?"))
      return {{200, synchronous(R"([{"name":")" + kName +
                                R"(","config":null,"status_code":112,"location":"n2"}])")}};
    return std::nullopt;
  };
  for (const Verb verb : {Verb::Inspect, Verb::Start, Verb::Stop, Verb::Remove}) {
    const Answer answer = ask(verb, config, away);
    EXPECT_EQ(answer.outcome, Outcome::Failed) << answer.message;
    EXPECT_EQ(answer.fault, Fault::Unreachable) << answer.message;
  }
  const Answer list = ask(Verb::List, config, away);
  ASSERT_EQ(list.objects.size(), 1u) << list.message;
  EXPECT_EQ(list.objects[0].name, kName);
  EXPECT_EQ(list.objects[0].running, Running::Unknown);
  EXPECT_TRUE(list.objects[0].labels.lease.is_zero());
}

// It was passed on, and the cable broke: it may have happened.
TEST_F(LxdClusterTest, WhatWasPassedOnIsUnknown) {
  workload::Labels labels;
  labels.install = install();
  std::string config = R"({"user.paygress.prepared":"1")";
  for (const auto& [label, text] : label_texts(labels))
    config += ",\"user.paygress." + label + "\":\"" + text + "\"";
  const auto broken = [&](const std::string& line) -> std::optional<ScriptedEngine::Answer> {
    if (line.starts_with("PUT /1.0/instances/")) return {{500, kAway}};
    if (line.starts_with("GET /1.0/instances/"))
      return {{200, synchronous(R"({"name":")" + kName + R"(","status_code":102,"config":)" +
                                config + R"(},"location":"n2"})")}};
    return std::nullopt;
  };
  const Answer answer =
      ask(Verb::Start, of({{"n1", {"203.0.113.1", ""}}, {"n2", {"203.0.113.2", ""}}}), broken);
  EXPECT_EQ(answer.outcome, Outcome::Unknown) << answer.message;
}

}  // namespace
}  // namespace paygress::backend
