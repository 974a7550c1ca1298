// The bodies of the LXD REST API, as shell/backend/lxd_json.h reads and writes them. The answers
// are those of LXD 5.0.2, shortened.
#include "shell/backend/lxd_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paygress::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using workload::Running;

std::string answer(const std::string& metadata) {
  return R"({"type":"sync","status":"Success","status_code":200,"error":"","metadata":)" +
         metadata + "}";
}

TEST(LxdServer, SaysWhetherItTrustsUs) {
  const auto server =
      parse_lxd_server(answer(R"({"auth":"trusted","environment":{"server_version":"5.0.2"}})"));
  ASSERT_TRUE(server.has_value());
  EXPECT_TRUE(server->trusted);
  EXPECT_EQ(server->version, "5.0.2");
  EXPECT_FALSE(parse_lxd_server(answer(R"({"auth":"untrusted"})"))->trusted);
  for (auto bad : {"", "[]", "{}", R"({"metadata":[]})"}) EXPECT_FALSE(parse_lxd_server(bad));
  EXPECT_FALSE(server->clustered);
  EXPECT_TRUE(
      parse_lxd_server(answer(R"({"auth":"trusted","environment":{"server_clustered":true}})"))
          ->clustered);
}

TEST(LxdCluster, SaysWhoAnswersAndWhereItPlaces) {
  const auto members = parse_lxd_members(
      answer(R"([{"server_name":"n2","status":"Offline","config":{"scheduler.instance":"manual"}},)"
             R"({"server_name":"n1","status":"Online","config":{}}])"));
  ASSERT_TRUE(members.has_value());
  ASSERT_EQ(members->size(), 2u);
  EXPECT_EQ(members->at(0).name, "n1");
  EXPECT_TRUE(members->at(0).online);
  EXPECT_TRUE(members->at(0).placed_on);
  EXPECT_FALSE(members->at(1).online);
  EXPECT_FALSE(members->at(1).placed_on);
}

// As a member of a real cluster said it of another one that was cut off.
TEST(LxdCluster, AMemberThatDoesNotAnswerIsToldFromOneThatRefuses) {
  for (const auto* away :
       {R"(Get "https://10.78.0.2:8443/1.0/instances/a?project=p": Unable to connect to: )"
        R"(10.78.0.2:8443 ([dial tcp 10.78.0.2:8443: connect: no route to host]))",
        "Missing event connection with target cluster member",
        R"(Post "https://10.78.0.2:8443/1.0/instances": EOF)"})
    EXPECT_TRUE(is_lxd_member_away(away)) << away;
  for (const auto* here : {"Instance not found", "No space left on device", ""})
    EXPECT_FALSE(is_lxd_member_away(here)) << here;
}

std::string operation(int code, const std::string& error = {}) {
  return R"({"id":"4695972a","status":"?","status_code":)" + std::to_string(code) +
         R"(,"resources":{"instances":["/1.0/instances/paygress-a-g1?project=p"]},"err":")" +
         error + "\"}";
}

TEST(LxdOperation, EndsByItsNumberAndNotByItsWord) {
  using State = LxdOperation::State;
  const auto state = [](int code) { return parse_lxd_operation(answer(operation(code)))->state; };
  EXPECT_EQ(state(103), State::UnderWay);
  EXPECT_EQ(state(105), State::UnderWay);
  EXPECT_EQ(state(104), State::UnderWay) << "cancelling is not cancelled";
  EXPECT_EQ(state(200), State::Success);
  EXPECT_EQ(state(400), State::Failure);
  EXPECT_EQ(state(401), State::Failure);
  const auto failed = parse_lxd_operation(answer(operation(400, "no space left on device")));
  EXPECT_EQ(failed->error, "no space left on device");
  EXPECT_EQ(failed->path, "/1.0/operations/4695972a");
  EXPECT_THAT(failed->instances, ElementsAre("paygress-a-g1"));
}

TEST(LxdOperation, OnlyThoseUnderWayAreListed) {
  const auto list = parse_lxd_operations(
      answer(R"({"running":[)" + operation(103) + R"(],"success":[)" + operation(200) + "]}"));
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ(list->size(), 1u);
  EXPECT_TRUE(parse_lxd_operations(answer("{}"))->empty());
}

std::string instance(int code, const std::string& config = "{}") {
  return R"({"name":"paygress-a-g1","status":"?","status_code":)" + std::to_string(code) +
         R"(,"config":)" + config + "}";
}

TEST(LxdInstance, StatesAreFourValued) {
  const auto state = [](int code) {
    return parse_lxd_instance(answer(instance(code)))->object.running;
  };
  EXPECT_EQ(state(103), Running::Running);
  EXPECT_EQ(state(102), Running::Stopped);
  EXPECT_EQ(state(110), Running::Paused);
  for (const int between : {106, 107, 109, 112, 0}) EXPECT_EQ(state(between), Running::Unknown);
}

workload::Spec spec() {
  workload::Spec spec;
  spec.name = "paygress-a-g1";
  spec.labels.install.bytes.fill(0x11);
  spec.labels.lease.bytes.fill(0x22);
  spec.labels.generation = 3;
  spec.labels.spec_digest = std::string(64, 'd');
  spec.env = {{"TOKEN", "it's secret"}, {"LINES", "a\nb"}};
  spec.cpu_millicores = 1500;
  spec.memory_mb = 128;
  spec.storage_gb = 7;
  spec.address = "127.0.0.1";
  spec.ssh_host_port = 30000;
  spec.ports = {{30001, 80, "http"}};
  spec.root_password = "correcthorse42";
  return spec;
}

TEST(LxdInstance, LabelsComeBackFromWhatIsSent) {
  const std::string body = lxd_instance_body(spec(), {{"f00d", {}, {}}, "pool", "net"});
  const size_t config = body.find("\"config\":") + 9;
  const auto made = parse_lxd_instance(
      answer(instance(102, body.substr(config, body.find('}', config) - config + 1))));
  ASSERT_TRUE(made.has_value()) << body;
  EXPECT_EQ(made->object.labels, spec().labels);
  EXPECT_FALSE(made->prepared);
  EXPECT_TRUE(made->object.unfinished);
  EXPECT_FALSE(parse_lxd_instance(answer(instance(102)))->object.labels.install ==
               spec().labels.install);
}

TEST(LxdInstance, HoldsTheLimitsAndNoSecret) {
  const std::string body = lxd_instance_body(spec(), {{"f00d", {}, {}}, "pool", "net"});
  for (auto part : {R"("limits.cpu.allowance":"150ms/100ms")", R"("limits.memory":"128MiB")",
                    R"("limits.memory.swap":"false")", R"("limits.processes":"512")",
                    R"("size":"7GiB")", R"("security.privileged":"false")",
                    R"("security.nesting":"false")", R"("security.port_isolation":"true")",
                    R"("boot.autostart":"false")", R"("fingerprint":"f00d")"})
    EXPECT_THAT(body, HasSubstr(part));
  EXPECT_THAT(body, Not(HasSubstr("correcthorse42")));
  EXPECT_THAT(body, Not(HasSubstr("secret")));
  EXPECT_THAT(body, Not(HasSubstr("proxy"))) << "published when it is known where it stands";
  const std::string prepared = lxd_prepared_body(spec(), true, "10.0.0.7");
  for (auto part : {R"("listen":"tcp:10.0.0.7:30000")", R"("listen":"tcp:10.0.0.7:30001")",
                    R"("connect":"tcp:127.0.0.1:80")", R"("connect":"tcp:127.0.0.1:22")"})
    EXPECT_THAT(prepared, HasSubstr(part));
  EXPECT_THAT(lxd_prepared_body(spec(), false, "10.0.0.7"), Not(HasSubstr("30000")));
}

// As a member of a real cluster lists what is on another one that was cut off.
TEST(LxdInstance, OfAMemberThatDoesNotAnswerIsANameOnly) {
  const auto list = parse_lxd_instances(answer(
      R"([{"architecture":"","config":null,"devices":null,"name":"paygress-a-g1",)"
      R"("status":"Error","status_code":112,"location":"n2","type":"","project":"paygress"}])"));
  ASSERT_TRUE(list.has_value());
  ASSERT_EQ(list->size(), 1u);
  EXPECT_EQ(list->at(0).object.name, "paygress-a-g1");
  EXPECT_EQ(list->at(0).object.running, Running::Unknown);
  EXPECT_FALSE(list->at(0).seen);
  EXPECT_FALSE(list->at(0).object.unfinished);
}

TEST(LxdInstance, SaysOnWhichMemberItIs) {
  const auto at = [](const std::string& location) {
    return parse_lxd_instance(answer(R"({"name":"a","status_code":103,"config":{},"location":")" +
                                     location + "\"}"))
        ->object.node;
  };
  EXPECT_EQ(at("n2"), "n2");
  EXPECT_EQ(at("none"), "") << "a server that is in no cluster";
  EXPECT_EQ(parse_lxd_instance(answer(instance(103)))->object.node, "");
}

// Exact to the millicore, which 100 ms cannot always say.
TEST(LxdInstance, ProcessorTimeIsExact) {
  workload::Spec odd = spec();
  odd.cpu_millicores = 333;
  EXPECT_THAT(lxd_instance_body(odd, {}), HasSubstr(R"("333ms/1000ms")"));
}

TEST(LxdInstance, Version6AddressesAreBracketed) {
  EXPECT_THAT(lxd_prepared_body(spec(), false, "::1"), HasSubstr("tcp:[::1]:30001"));
}

TEST(LxdInstance, ARemoteImageIsPulled) {
  const std::string body = lxd_instance_body(spec(), {{{}, "https://x", "22.04"}, "pool", {}});
  EXPECT_THAT(body, HasSubstr(R"("mode":"pull")"));
  EXPECT_THAT(body, HasSubstr(R"("alias":"22.04")"));
  EXPECT_THAT(body, Not(HasSubstr("eth0")));
}

TEST(LxdEnvironment, IsQuotedForAShell) {
  EXPECT_EQ(lxd_environment_file(spec()), "TOKEN='it'\\''s secret'\n");
}

TEST(LxdCapacity, CountsWhatIsThere) {
  const auto node =
      parse_lxd_resources(answer(R"({"cpu":{"total":2},"memory":{"total":25275031552,"used":1}})"));
  ASSERT_TRUE(node.has_value());
  EXPECT_EQ(node->cpu_millicores, 2000u);
  EXPECT_EQ(node->memory_mb, 24104u);
  EXPECT_EQ(*parse_lxd_free_gb(answer(R"({"space":{"total":10737418240,"used":1073741824}})")), 9u);
  EXPECT_EQ(*parse_lxd_free_gb(answer(R"({"space":{"total":10737418240}})")), 10u);
  EXPECT_EQ(*parse_lxd_free_gb(answer(R"({"space":{"total":1,"used":5}})")), 0u);
}

TEST(LxdMessage, IsTheServersOwn) {
  EXPECT_EQ(lxd_message(R"({"type":"error","error":"Not Found","error_code":404})"), "Not Found");
  EXPECT_EQ(lxd_message("oops"), "oops");
}

}  // namespace
}  // namespace paygress::backend
