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
  const auto list = parse_lxd_operations(answer(
      R"({"running":[)" + operation(103) + R"(],"success":[)" + operation(200) + "]}"));
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
  EXPECT_FALSE(parse_lxd_instance(answer(instance(102)))->object.labels.install ==
               spec().labels.install);
}

TEST(LxdInstance, HoldsTheLimitsAndNoSecret) {
  const std::string body = lxd_instance_body(spec(), {{"f00d", {}, {}}, "pool", "net"});
  for (auto part :
       {R"("limits.cpu.allowance":"150ms/100ms")", R"("limits.memory":"128MiB")",
        R"("limits.memory.swap":"false")", R"("limits.processes":"512")", R"("size":"7GiB")",
        R"("security.privileged":"false")", R"("security.nesting":"false")",
        R"("security.port_isolation":"true")", R"("boot.autostart":"false")",
        R"("listen":"tcp:127.0.0.1:30001")", R"("connect":"tcp:127.0.0.1:80")",
        R"("fingerprint":"f00d")"})
    EXPECT_THAT(body, HasSubstr(part));
  EXPECT_THAT(body, Not(HasSubstr("correcthorse42")));
  EXPECT_THAT(body, Not(HasSubstr("secret")));
  EXPECT_THAT(body, Not(HasSubstr("30000"))) << "SSH is published when it is known to be served";
  EXPECT_THAT(lxd_prepared_body(spec(), true), HasSubstr("30000"));
  EXPECT_THAT(lxd_prepared_body(spec(), false), Not(HasSubstr("30000")));
}

// Exact to the millicore, which 100 ms cannot always say.
TEST(LxdInstance, ProcessorTimeIsExact) {
  workload::Spec odd = spec();
  odd.cpu_millicores = 333;
  EXPECT_THAT(lxd_instance_body(odd, {}), HasSubstr(R"("333ms/1000ms")"));
}

TEST(LxdInstance, Version6AddressesAreBracketed) {
  workload::Spec six = spec();
  six.address = "::1";
  EXPECT_THAT(lxd_instance_body(six, {}), HasSubstr("tcp:[::1]:30001"));
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
  const auto node = parse_lxd_resources(
      answer(R"({"cpu":{"total":2},"memory":{"total":25275031552,"used":1}})"));
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
