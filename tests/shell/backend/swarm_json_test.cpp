// The bodies of the Docker Engine API about a swarm, as engine 20.10 gives them, and what they
// prove of an object of ours.
#include "shell/backend/swarm_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shell/backend/labels.h"

namespace paygress::backend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using workload::Running;

const std::string kName = "paygress-a-g1";

workload::Labels ours() {
  workload::Labels labels;
  labels.install.bytes.fill(0x11);
  labels.lease.bytes.fill(0x22);
  labels.generation = 1;
  labels.spec_digest = "abc";
  return labels;
}

std::string labels_text(const std::string& more) {
  std::string text = "{" + more;
  for (const auto& [name, value] : label_texts(ours()))
    text += (text.size() > 1 ? ",\"paygress." : "\"paygress.") + name + "\":\"" + value + "\"";
  return text + "}";
}

std::string service(int replicas, int starts, const std::string& pin = {}) {
  return R"([{"ID":"s1","Version":{"Index":7},"Spec":{"Name":")" + kName + R"(","Labels":)" +
         labels_text(R"("paygress.serves-ssh":"1")") + R"(,"TaskTemplate":{"ContainerSpec":{},)" +
         (pin.empty() ? "" : R"("Placement":{"Constraints":["node.id==)" + pin + R"("]},)") +
         R"("ForceUpdate":)" + std::to_string(starts) + R"(},"Mode":{"Replicated":{"Replicas":)" +
         std::to_string(replicas) + "}}}}]";
}

struct TaskSaid {
  std::string state;
  int start = 1;
  std::string node = "two";
  std::string error = {};
  int exit_code = 0;
};

std::string tasks(const std::vector<TaskSaid>& all) {
  std::string text;
  for (const auto& task : all)
    text += (text.empty() ? "" : ",") + (R"({"ID":"t","ServiceID":"s1","NodeID":")" + task.node) +
            R"(","DesiredState":"shutdown","Spec":{"ContainerSpec":{"Labels":)" +
            labels_text(R"("paygress.object":")" + kName + "\"") + R"(},"ForceUpdate":)" +
            std::to_string(task.start) + R"(},"Status":{"State":")" + task.state + R"(","Err":")" +
            task.error + R"(","Timestamp":"2024-05-06T07:08:09.1Z",)" +
            R"("ContainerStatus":{"ExitCode":)" + std::to_string(task.exit_code) + "}}}";
  return "[" + text + "]";
}

const SwarmNodes kBoth = {{"one", {"n1", true, true, {}}}, {"two", {"n2", true, true, {}}}};
const SwarmNodes kAway = {{"one", {"n1", true, true, {}}}, {"two", {"n2", false, true, {}}}};
const SwarmNodes kRemoved = {{"one", {"n1", true, true, {}}}};

std::optional<SwarmObject> look(const std::string& services, const std::string& all_tasks,
                                const SwarmNodes& nodes = kBoth, const char* secrets = "[]") {
  const auto objects = parse_swarm_objects({services, all_tasks, secrets}, nodes);
  EXPECT_TRUE(objects.has_value());
  if (!objects || objects->empty()) return std::nullopt;
  EXPECT_EQ(objects->size(), 1u);
  EXPECT_EQ(objects->front().object.name, kName);
  EXPECT_EQ(objects->front().object.labels, ours());
  return objects->front();
}

TEST(SwarmNodes, AreReadWithWhatTheyHave) {
  const auto nodes = parse_swarm_nodes(
      R"([{"ID":"one","Spec":{"Availability":"drain"},"Description":{"Hostname":"n1",)"
      R"("Resources":{"NanoCPUs":2000000000,"MemoryBytes":2147483648}},)"
      R"("Status":{"State":"down"}}])");
  ASSERT_TRUE(nodes.has_value());
  const SwarmNode& node = nodes->at("one");
  EXPECT_EQ(node.name, "n1");
  EXPECT_FALSE(node.ready);
  EXPECT_FALSE(node.active);
  EXPECT_EQ(node.capacity.cpu_millicores, 2000u);
  EXPECT_EQ(node.capacity.memory_mb, 2048u);
  for (auto bad : {"", "{}", "[{}]"}) EXPECT_FALSE(parse_swarm_nodes(bad).has_value()) << bad;
}

TEST(SwarmInfo, TellsAManagerFromOthers) {
  const auto manager =
      parse_swarm_info(R"({"Swarm":{"ControlAvailable":true,"Cluster":{"Spec":{"Orchestration":)"
                       R"({"TaskHistoryRetentionLimit":5}}}}})");
  EXPECT_TRUE(manager->manager);
  EXPECT_EQ(manager->history, 5);
  const auto locked = parse_swarm_info(R"({"Swarm":{"ControlAvailable":false,"Error":"locked"}})");
  EXPECT_FALSE(locked->manager);
  EXPECT_EQ(locked->error, "locked");
  EXPECT_FALSE(parse_swarm_info("{}")->manager);
}

TEST(SwarmObject, IsAbsentOnlyWhenNothingOfItIsLeft) {
  EXPECT_FALSE(look("[]", "[]").has_value());
  EXPECT_FALSE(look("[]", tasks({{"shutdown"}})).has_value()) << "history";
  // The service was deleted, and the machine has not said that its task has ended.
  const auto ending = look("[]", tasks({{"running"}}));
  EXPECT_EQ(ending->object.running, Running::Running);
  EXPECT_FALSE(ending->object.unfinished);
  EXPECT_EQ(look("[]", tasks({{"running"}}), kAway)->object.running, Running::Unknown);
  EXPECT_FALSE(look("[]", tasks({{"running"}}), kRemoved).has_value());
}

TEST(SwarmObject, WithoutItsServiceIsUnfinished) {
  const std::string secret =
      R"([{"ID":"x","Spec":{"Name":")" + kName + R"(","Labels":)" + labels_text("") + "}}]";
  const auto half = look("[]", "[]", kBoth, secret.c_str());
  EXPECT_TRUE(half->object.unfinished);
  EXPECT_EQ(half->object.running, Running::Stopped);
  EXPECT_EQ(half->secret, "x");
  EXPECT_FALSE(look(service(0, 0), "[]", kBoth, secret.c_str())->object.unfinished);
}

TEST(SwarmObject, RunsWhereItsMachineSaysSo) {
  const auto created = look(service(0, 0), "[]");
  EXPECT_EQ(created->object.running, Running::Stopped);
  EXPECT_TRUE(created->serves_ssh);
  EXPECT_FALSE(created->active);
  const auto runs = look(service(1, 1), tasks({{"running"}}));
  EXPECT_EQ(runs->object.running, Running::Running);
  EXPECT_EQ(runs->object.node, "n2");
  EXPECT_EQ(runs->node, "two");
  for (auto state : {"assigned", "accepted", "preparing", "ready", "starting"})
    EXPECT_EQ(look(service(1, 1), tasks({{state}}))->object.running, Running::Unknown) << state;
  const auto waits = look(service(1, 1), tasks({{"pending", 1, "", "no suitable node"}}));
  EXPECT_EQ(waits->object.running, Running::Stopped);
  EXPECT_TRUE(waits->active);
  EXPECT_EQ(waits->problem, "no suitable node");
}

TEST(SwarmObject, HasTheEndOfItsLastTask) {
  const auto exited =
      look(service(1, 2), tasks({{"failed", 1, "one", "", 9}, {"failed", 2, "two", "x", 3}}));
  EXPECT_EQ(exited->object.running, Running::Stopped);
  EXPECT_EQ(exited->object.exit_code, 3);
  EXPECT_EQ(exited->object.stopped_at, UnixSeconds{1714979289});
  EXPECT_EQ(exited->problem, "x");
  EXPECT_EQ(exited->node, "two");
  EXPECT_FALSE(exited->active);
  // Ended by the swarm, or killed: no exit of its own.
  EXPECT_EQ(look(service(1, 1), tasks({{"shutdown"}}))->object.exit_code, std::nullopt);
  EXPECT_EQ(look(service(1, 1), tasks({{"failed", 1, "two", "", 137}}))->object.exit_code,
            std::nullopt);
  const auto again = look(service(1, 2), tasks({{"failed"}, {"running", 2}}));
  EXPECT_EQ(again->object.running, Running::Running);
  EXPECT_EQ(again->object.exit_code, std::nullopt) << "of the run before";
}

// The task of the last start is not there yet: to ask for another could make two.
TEST(SwarmObject, KnowsWhetherItsLastStartWasHeard) {
  EXPECT_FALSE(look(service(1, 2), tasks({{"failed", 1}}))->started);
  EXPECT_TRUE(look(service(1, 2), tasks({{"failed", 1}, {"failed", 2}}))->started);
}

TEST(SwarmObject, IsUnknownWhileItsMachineIsAway) {
  for (auto state : {"running", "preparing", "starting", "orphaned"}) {
    const auto cut = look(service(1, 1), tasks({{state}}), kAway);
    EXPECT_EQ(cut->object.running, Running::Unknown) << state;
    EXPECT_TRUE(cut->away && cut->active) << state;
    EXPECT_EQ(cut->object.stopped_at, std::nullopt);
  }
  const auto shrunk = tasks({{"rejected", 1, "two", "assigned node no longer meets constraints"}});
  EXPECT_EQ(look(service(1, 1), shrunk, kAway)->object.running, Running::Unknown);
  EXPECT_EQ(look(service(1, 1), tasks({{"rejected"}}), kAway)->object.running, Running::Stopped);
  // What it reported before it went away holds.
  EXPECT_EQ(look(service(1, 1), tasks({{"shutdown"}}), kAway)->object.running, Running::Stopped);
  // The manager was told to end it and has forgotten it: the machine has not said that it did.
  EXPECT_EQ(look(service(0, 1, "two"), "[]", kAway)->object.running, Running::Unknown);
  EXPECT_EQ(look(service(0, 1, "two"), "[]")->object.running, Running::Stopped);
  // Removed from the swarm by its operator, who says with it that nothing runs there.
  const auto removed = look(service(1, 1), tasks({{"orphaned"}}), kRemoved);
  EXPECT_EQ(removed->object.running, Running::Stopped);
  EXPECT_FALSE(removed->away || removed->active);
}

workload::Spec spec() {
  workload::Spec spec;
  spec.name = kName;
  spec.labels = ours();
  spec.image = "nginx:1";
  spec.memory_mb = 128;
  spec.cpu_millicores = 500;
  spec.ssh_host_port = 40022;
  spec.root_password = "hunter2";
  spec.ports = {{40080, 80, "web"}};
  spec.env = {{"A", "b"}};
  return spec;
}

TEST(SwarmService, HasTheLimitsAndNoSecret) {
  const std::string body =
      swarm_service_body(spec(), {{"sha256:1", "nginx@sha256:2", true}, "", "x1"});
  for (auto part : {R"("Image":"nginx@sha256:2")", R"("Condition":"none")", R"("Replicas":0)",
                    R"("Limits":{"NanoCPUs":500000000,"MemoryBytes":134217728,"Pids":512})",
                    R"("Reservations":{"NanoCPUs":500000000,"MemoryBytes":134217728})",
                    R"("CapabilityDrop":["ALL"])", R"("NoNewPrivileges":true)",
                    R"("PublishedPort":40022,"PublishMode":"host")", R"("PublishedPort":40080)",
                    R"("max-size":"10m")", R"("SecretID":"x1")", R"("Name":"/etc/shadow")"})
    EXPECT_THAT(body, HasSubstr(part));
  EXPECT_THAT(body, Not(HasSubstr("hunter2")));
  const std::string plain = swarm_service_body(spec(), {{"sha256:1", "", false}, "lan", ""});
  EXPECT_THAT(plain, HasSubstr(R"("Image":"nginx:1")"));
  EXPECT_THAT(plain, HasSubstr(R"("Networks":[{"Target":"lan"}])"));
  EXPECT_THAT(plain, Not(HasSubstr("40022"))) << "what does not serve it is not published";
  EXPECT_THAT(plain, Not(HasSubstr("/etc/shadow")));
}

TEST(SwarmUpdate, StartsOnceMoreAndStaysWhereItWas) {
  SwarmService known = *look(service(0, 4), "[]")->service;
  EXPECT_EQ(swarm_update_path(known), "/services/s1/update?version=7");
  const std::string first = swarm_update_body(known, SwarmStep::Start, "", {"nine"});
  EXPECT_THAT(first, HasSubstr(R"("Replicas":1)"));
  EXPECT_THAT(first, HasSubstr(R"("ForceUpdate":5)"));
  EXPECT_THAT(first, HasSubstr(R"("Constraints":["node.id!=nine"])"));
  const std::string halt = swarm_update_body(known, SwarmStep::Halt, "two");
  EXPECT_THAT(halt, HasSubstr(R"("Replicas":0)"));
  EXPECT_THAT(halt, HasSubstr(R"("ForceUpdate":4)"));
  EXPECT_THAT(halt, HasSubstr(R"("Constraints":["node.id==two"])"));
}

TEST(SwarmQueries, AskForOneInstallAndOneName) {
  const auto all = swarm_queries(ours().install, "");
  ASSERT_EQ(all.size(), 3u);
  for (const auto& query : all) EXPECT_THAT(query, HasSubstr("paygress.install%3D1111"));
  const auto one = swarm_queries(ours().install, kName);
  EXPECT_THAT(one[1], HasSubstr("paygress.object%3Dpaygress-a-g1"));
  EXPECT_THAT(one[0], HasSubstr("%22name%22%3A%5B%22paygress-a-g1"));
}

}  // namespace
}  // namespace paygress::backend
