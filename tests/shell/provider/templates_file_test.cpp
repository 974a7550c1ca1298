// What check-config says of templates whose image the engine does not have: before anybody pays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "shell/provider/setup.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::daemon {
namespace {

using provider::BackendType;

// The findings about `path`, in their order.
std::vector<std::string> findings(BackendType backend, const std::string& templates,
                                  const std::string& path = "templates_file",
                                  std::vector<provider::ClusterMember> swarm = {}) {
  const test::TemporaryDirectory dir;
  provider::ProviderConfig config;
  config.backend_type = backend;
  config.docker.members = std::move(swarm);
  config.kvm.images = {{"debian", "/debian.qcow2", "", ""}};
  config.proxmox.images = {{"debian", "local:vztmpl/debian.tar.zst"}};
  config.templates_file = "templates.json";
  std::ofstream(dir.file("templates.json"))
      << R"({"version": 1, "templates": [)" << templates << "]}";
  std::ofstream(dir.file("config.json")) << provider::write_config(config);
  const auto report = read_config(dir.file("config.json"));
  EXPECT_TRUE(report.has_value());
  std::vector<std::string> found;
  if (report)
    for (const auto& finding : report->findings)
      if (finding.path == path) found.push_back(finding.message);
  return found;
}

std::string hello_on(const std::string& engine, const std::string& image) {
  return R"({"slug": "hello", "images": [{"engine": ")" + engine + R"(", "image": ")" + image +
         R"("}]})";
}

TEST(TemplatesFile, NamesImagesThatTheEngineHas) {
  using ::testing::ElementsAre;
  using ::testing::HasSubstr;
  using ::testing::IsEmpty;
  EXPECT_THAT(findings(BackendType::Kvm, hello_on("kvm", "debian")), IsEmpty());
  EXPECT_THAT(findings(BackendType::Kvm, hello_on("kvm", "windows")),
              ElementsAre(HasSubstr("wants the image \"windows\"")));
  EXPECT_THAT(findings(BackendType::Proxmox, hello_on("proxmox", "debian")), IsEmpty());
  EXPECT_THAT(findings(BackendType::Proxmox, hello_on("proxmox", "windows")),
              ElementsAre(HasSubstr("wants the image \"windows\"")));
  // Of another engine, or of one that can be asked for any image.
  EXPECT_THAT(findings(BackendType::Kvm, hello_on("lxd", "windows")), IsEmpty());
  EXPECT_THAT(findings(BackendType::Docker, hello_on("docker", "windows")), IsEmpty());
}

// What is made here is not on the other machines.
TEST(TemplatesFile, HelloOfASwarmNeedsAnImageOfItsOwn) {
  const std::vector<provider::ClusterMember> swarm = {{"n1", "203.0.113.1", ""}};
  EXPECT_THAT(findings(BackendType::Docker, "", "backend_type", swarm),
              ::testing::ElementsAre(::testing::HasSubstr("cannot serve the template hello")));
  EXPECT_THAT(
      findings(BackendType::Docker, hello_on("docker", "me/hello:1"), "backend_type", swarm),
      ::testing::IsEmpty());
}

TEST(TemplatesFile, PromisesNoVariablesOnProxmox) {
  EXPECT_THAT(
      findings(BackendType::Proxmox, R"({"slug": "nostr-relay", "images": [{"engine": "proxmox",)"
                                     R"( "image": "debian"}]})"),
      ::testing::ElementsAre(::testing::HasSubstr("has variables")));
  EXPECT_THAT(findings(BackendType::Proxmox,
                       R"({"slug": "nostr-relay", "images": [{"engine": "proxmox",)"
                       R"( "image": "debian"}], "environment": [], "consumer_environment": []})"),
              ::testing::IsEmpty());
}

}  // namespace
}  // namespace paygress::daemon
