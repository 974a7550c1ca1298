// The bodies of the Docker Engine API (1.41 and newer), as shell/backend/docker_json.h reads and
// writes them.
#include "shell/backend/docker_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paygress::backend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using workload::Running;

// Engine 20.10 speaks 1.41; engine 29 refuses whatever is below 1.44.
TEST(DockerVersion, IsTheNewestThatBothKnow) {
  EXPECT_EQ(negotiate_docker_version(R"({"ApiVersion":"1.41","MinAPIVersion":"1.12"})")->minor, 41);
  EXPECT_EQ(negotiate_docker_version(R"({"ApiVersion":"1.44","MinAPIVersion":"1.24"})")->minor, 44);
  EXPECT_EQ(negotiate_docker_version(R"({"ApiVersion":"1.52","MinAPIVersion":"1.44"})")->minor,
            kDockerApiNewest);
  EXPECT_FALSE(negotiate_docker_version(R"({"ApiVersion":"1.40","MinAPIVersion":"1.12"})"));
  EXPECT_FALSE(negotiate_docker_version(R"({"ApiVersion":"1.60","MinAPIVersion":"1.50"})"));
  for (auto bad : {"", "{}", "[]", R"({"ApiVersion":2})", R"({"ApiVersion":"x"})"})
    EXPECT_FALSE(negotiate_docker_version(bad)) << bad;
}

std::string container(const std::string& state, const std::string& labels = "{}") {
  return R"({"Name":"/paygress-a-g1","Config":{"Labels":)" + labels + R"(},"State":)" + state + "}";
}

TEST(DockerContainer, StatesAreFourValued) {
  const auto state = [](const std::string& status) {
    return parse_docker_container(container(
        R"({"Status":")" + status + R"(","ExitCode":3,"FinishedAt":"2024-05-06T07:08:09.1Z"})"));
  };
  EXPECT_EQ(state("running")->object.running, Running::Running);
  EXPECT_EQ(state("paused")->object.running, Running::Paused);
  EXPECT_FALSE(state("running")->object.stopped_at.has_value()) << "of the run before";
  for (auto status : {"exited", "dead", "removing"}) {
    EXPECT_EQ(state(status)->object.running, Running::Stopped);
    EXPECT_EQ(state(status)->object.exit_code, 3);
    EXPECT_EQ(state(status)->object.stopped_at, UnixSeconds{1714979289});
  }
  EXPECT_EQ(state("created")->object.running, Running::Stopped);
  EXPECT_FALSE(state("created")->object.exit_code.has_value()) << "it never ran";
  EXPECT_TRUE(state("created")->object.unfinished) << "who made it may have died before its files";
  EXPECT_FALSE(state("exited")->object.unfinished);
}

// Only an exit of its own has a code: what was killed from outside costs its owner nothing.
TEST(DockerContainer, KilledFromOutsideIsNoExitOfItsOwn) {
  const auto code = [](const std::string& end) {
    return parse_docker_container(container(R"({"Status":"exited",)" + end + "}"))
        ->object.exit_code;
  };
  EXPECT_EQ(code(R"("ExitCode":137,"OOMKilled":false)"), std::nullopt);
  EXPECT_EQ(code(R"("ExitCode":137)"), std::nullopt);
  EXPECT_EQ(code(R"("ExitCode":255,"OOMKilled":false)"), std::nullopt);
  EXPECT_EQ(code(R"("ExitCode":137,"OOMKilled":true)"), 137);
  EXPECT_EQ(code(R"("ExitCode":0,"OOMKilled":false)"), 0);
}

TEST(DockerContainer, WithoutOurLabelsIsNobodys) {
  for (auto labels : {"{}", "null", R"({"paygress.install":"zz"})"}) {
    const auto seen =
        parse_docker_container(container(R"({"Status":"running","ExitCode":0})", labels));
    ASSERT_TRUE(seen.has_value());
    EXPECT_TRUE(seen->object.labels.install.is_zero());
  }
  for (auto bad : {"", "{}", "null", R"({"Name":"/a","State":{}})"})
    EXPECT_FALSE(parse_docker_container(bad)) << bad;
}

TEST(DockerTime, TheZeroTimeIsNone) {
  EXPECT_FALSE(parse_docker_time("0001-01-01T00:00:00Z").has_value());
  EXPECT_FALSE(parse_docker_time("").has_value());
  EXPECT_FALSE(parse_docker_time("yesterdayZ").has_value());
  EXPECT_EQ(parse_docker_time("1970-01-02T00:00:00Z"), UnixSeconds{86400});
}

TEST(DockerNames, AreOrderedAndOwn) {
  const auto names = parse_docker_names(
      R"([{"Names":["/paygress-b-g1","/other/alias"]},{"Names":["/paygress-a-g1"]}])");
  ASSERT_TRUE(names.has_value());
  EXPECT_THAT(*names, ::testing::ElementsAre("paygress-a-g1", "paygress-b-g1"));
}

TEST(DockerBody, LabelsGoOutAndComeBack) {
  workload::Spec spec;
  spec.name = "paygress-a-g1";
  spec.labels.install.bytes.fill(1);
  spec.labels.provider.bytes.fill(2);
  spec.labels.lease.bytes.fill(3);
  spec.labels.owner.bytes.fill(4);
  spec.labels.generation = 5;
  spec.labels.spec_digest = "abc";
  spec.memory_mb = 256;
  spec.cpu_millicores = 1500;
  spec.address = "192.0.2.1";
  spec.ssh_host_port = 30000;
  spec.ports = {{30001, 8080, "http"}};
  spec.root_password = "correcthorse42";
  const std::string body = container_body(spec, {{"sha256:1", "", false}, false, "", {}});
  const size_t from = body.find("\"Labels\":") + 9;
  const auto seen = parse_docker_container(container(
      R"({"Status":"created","ExitCode":0})", body.substr(from, body.find('}', from) - from + 1)));
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->object.labels, spec.labels);
  EXPECT_THAT(body, HasSubstr("\"8080/tcp\":[{\"HostIp\":\"192.0.2.1\",\"HostPort\":\"30001\"}]"));
  EXPECT_THAT(body, HasSubstr("\"MemorySwap\":268435456")) << "as much as Memory: no swap";
  EXPECT_THAT(body, HasSubstr("\"NanoCpus\":1500000000"));
  EXPECT_THAT(body, HasSubstr("\"max-size\":\"10m\"")) << "its log cannot fill the disk";
  EXPECT_THAT(body, Not(HasSubstr(spec.root_password)));
  EXPECT_THAT(body, Not(HasSubstr("22/tcp"))) << "the image serves no SSH";
  EXPECT_THAT(container_body(spec, {{"sha256:1", "", true}, true, "", {}}),
              HasSubstr("\"22/tcp\":[{\"HostIp\":\"192.0.2.1\",\"HostPort\":\"30000\"}]"));
}

// The engine mounts the encrypted device, and a spec without one asks for no mount at all.
TEST(DockerBody, AnEncryptedVolumeIsMountedAtItsPath) {
  workload::Spec spec;
  spec.name = "paygress-a-g1";
  spec.labels.install.bytes.fill(1);
  spec.labels.lease.bytes.fill(3);
  spec.labels.generation = 1;
  spec.memory_mb = 256;
  const auto body = [&spec] {
    return container_body(spec, {{"sha256:1", "", false}, false, "", {}});
  };
  EXPECT_THAT(body(), Not(HasSubstr("Mounts")));
  spec.encrypted = true;
  spec.encrypted_path = "/var/lib/data";
  EXPECT_THAT(body(), HasSubstr(R"("Mounts":[{"Type":"volume","Source":"paygress-a-g1",)"
                                R"("Target":"/var/lib/data"}])"));
  const std::string volume = volume_body(spec, "/dev/mapper/paygress-a-g1");
  EXPECT_THAT(volume, HasSubstr(R"("DriverOpts":{"type":"ext4",)"
                                R"("device":"/dev/mapper/paygress-a-g1","o":"nodev,nosuid"})"));
  const auto seen = parse_docker_volume(volume);  // the engine repeats what it was told
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->name, spec.name);
  EXPECT_EQ(seen->labels, spec.labels);
  EXPECT_EQ(seen->running, workload::Running::Stopped);
  EXPECT_TRUE(seen->unfinished);
}

TEST(DockerVolumes, AreOrderedAndOwn) {
  InstallId install;
  install.bytes.fill(1);
  const std::string label = R"("Labels":{"paygress.install":")" + install.hex() + R"("}})";
  const auto volumes =
      parse_docker_volumes(R"({"Volumes":[{"Name":"b",)" + label +
                               R"(,{"Name":"c","Labels":null},{"Name":"a",)" + label + "]}",
                           install);
  ASSERT_TRUE(volumes.has_value());
  ASSERT_EQ(volumes->size(), 2u);
  EXPECT_EQ((*volumes)[0].name, "a");
  EXPECT_EQ((*volumes)[1].name, "b");
  const auto none = parse_docker_volumes(R"({"Volumes":null,"Warnings":null})", install);
  ASSERT_TRUE(none.has_value());
  EXPECT_TRUE(none->empty());
}

// A registry's port is not a tag, and a digest is passed on as one.
TEST(DockerPull, NamesAreTakenApart) {
  EXPECT_EQ(pull_query("alpine"), "fromImage=alpine&tag=latest");
  EXPECT_EQ(pull_query("alpine:3.19"), "fromImage=alpine&tag=3.19");
  EXPECT_EQ(pull_query("localhost:5000/a/b"), "fromImage=localhost%3A5000%2Fa%2Fb&tag=latest");
  EXPECT_EQ(pull_query("localhost:5000/a:1"), "fromImage=localhost%3A5000%2Fa&tag=1");
  EXPECT_EQ(pull_query("a@sha256:00"), "fromImage=a&tag=sha256%3A00");
}

// The status of a pull is 200 even when it fails later.
TEST(DockerPull, ErrorsStandInTheLines) {
  EXPECT_FALSE(pull_error(R"({"status":"Pulling fs layer","id":"a"})").has_value());
  EXPECT_EQ(pull_error(R"({"errorDetail":{"message":"no"},"error":"no space left"})"),
            "no space left");
  EXPECT_FALSE(pull_error("").has_value());
}

TEST(DockerPull, StepsAreToldAndBytesAreNot) {
  EXPECT_EQ(pull_step(R"({"status":"Pulling from test/box","id":"1"})"),
            "1: Pulling from test/box");
  EXPECT_EQ(pull_step(R"({"status":"Pull complete","id":"f00d"})"), "f00d: Pull complete");
  EXPECT_EQ(pull_step(R"({"status":"Digest: sha256:ab"})"), "Digest: sha256:ab");
  EXPECT_FALSE(pull_step(R"({"status":"Downloading","progressDetail":{"current":1},"id":"f"})"));
  EXPECT_FALSE(pull_step(R"({"error":"denied"})"));
  EXPECT_FALSE(pull_step("not JSON"));
}

TEST(DockerNetwork, KeepsTenantsApartAndIsRecognised) {
  InstallId install;
  install.bytes.fill(0x11);
  const std::string body = own_network_body(install, 7);
  EXPECT_THAT(body, HasSubstr(R"("com.docker.network.bridge.enable_icc":"false")"));
  EXPECT_THAT(body, HasSubstr("\"paygress.install\":\"" + install.hex() + "\""));
  EXPECT_NE(body, own_network_body(install, 8)) << "names are never used twice";
  EXPECT_EQ(*parse_docker_id(R"({"Id":"ab","Warning":""})"), "ab");
  EXPECT_EQ(*parse_docker_id(R"({"ID":"cd"})"), "cd") << "of a swarm";
  EXPECT_THAT(*parse_docker_ids(R"([{"Id":"b"},{"Id":"a"}])"), ::testing::ElementsAre("a", "b"));
  EXPECT_FALSE(parse_docker_ids("{}"));
}

// As dockerd 20.10.24 wrote it, but for the labels.
TEST(DockerEvent, NamesTheLeaseAndTheTime) {
  const std::string lease(32, 'a');
  const auto line = [](const std::string& labels) {
    return R"({"status":"die","id":"8f","from":"box","Type":"container","Action":"die","Actor":{)"
           R"("ID":"8f","Attributes":{"exitCode":"137","name":"paygress-a-g1")" +
           labels + R"(}},"scope":"local","time":1780000000,"timeNano":1780000000123456789})";
  };
  const auto event = parse_docker_event(line(R"(,"paygress.lease":")" + lease + "\""));
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->lease.hex(), lease);
  EXPECT_EQ(event->at, UnixSeconds{1'780'000'000});
  for (const std::string& other :
       {line(""), line(R"(,"paygress.lease":"x")"), std::string("{}"), std::string("")})
    EXPECT_FALSE(parse_docker_event(other)) << other;
}

TEST(DockerEvent, IsAskedForInARangeAndOfOneInstall) {
  InstallId install;
  install.bytes.fill(0x11);
  const std::string query = docker_events_query(install, {100}, {700});
  EXPECT_THAT(query, HasSubstr("since=100&until=700&filters="));
  EXPECT_THAT(query, HasSubstr(install.hex()));
}

}  // namespace
}  // namespace paygress::backend
