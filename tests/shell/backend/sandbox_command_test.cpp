// What a sandbox runs and sees, and the small formats around it.
#include "shell/backend/sandbox_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "shell/backend/sandbox_proc.h"
#include "shell/backend/shadow.h"
#include "shell/backend/tar.h"

namespace paygress::backend {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

SandboxHost full_host() {
  SandboxHost host;
  host.root = true;
  host.bwrap = "/usr/bin/bwrap";
  host.dropbear = "/usr/sbin/dropbear";
  host.dropbearkey = "/usr/bin/dropbearkey";
  host.busybox = "/usr/bin/busybox";
  return host;
}

workload::Spec hello_spec() {
  workload::Spec spec;
  spec.name = "paygress-a-g1";
  spec.template_slug = "hello";
  spec.address = "::1";
  spec.ssh_host_port = 30000;
  spec.ports = {{30001, 80, "http"}};
  spec.env = {{"QUOTED", "it's"}, {"not a name", "x"}, {"1ST", "x"}};
  return spec;
}

TEST(SandboxCommand, ServesExactlyWhatItPromises) {
  const auto spec = hello_spec();
  SandboxHost host = full_host();
  EXPECT_TRUE(sandbox_serves_ssh(spec, host));
  EXPECT_THAT(sandbox_ports(spec, host), ::testing::ElementsAre(30000, 30001));
  EXPECT_THAT(start_script(spec, host), HasSubstr("-p [::1]:30000"));
  EXPECT_THAT(start_script(spec, host), HasSubstr("-p [::1]:30001"));
  host.root = false;
  EXPECT_FALSE(sandbox_serves_ssh(spec, host));
  EXPECT_THAT(sandbox_ports(spec, host), ::testing::ElementsAre(30001));
  EXPECT_THAT(start_script(spec, host), Not(HasSubstr("dropbear")));
  EXPECT_THAT(bwrap_options(spec, host, "/x"), Contains("--unshare-user"));
}

TEST(SandboxCommand, SpecsThatCannotBeServedAreRefused) {
  auto spec = hello_spec();
  EXPECT_TRUE(check_sandbox_spec(spec, full_host()));
  spec.ports.clear();
  EXPECT_FALSE(check_sandbox_spec(spec, full_host()));
  spec = hello_spec();
  spec.template_slug = "nostr-relay";
  EXPECT_FALSE(check_sandbox_spec(spec, full_host()));
  SandboxHost bare = full_host();
  bare.busybox.clear();
  EXPECT_FALSE(check_sandbox_spec(hello_spec(), bare));
}

TEST(SandboxCommand, VariablesAreQuotedForTheShell) {
  const std::string profile = profile_script(hello_spec());
  EXPECT_THAT(profile, HasSubstr("export QUOTED='it'\\''s'\n"));
  EXPECT_THAT(profile, Not(HasSubstr("not a name")));
  EXPECT_THAT(profile, Not(HasSubstr("1ST")));
}

TEST(Shadow, ReplacesRootAndKeepsTheOthers) {
  EXPECT_EQ(with_root_hash("root:*:1::::::\ndaemon:*:1::::::\n", "$6$x"),
            "root:$6$x:19000::::::\ndaemon:*:1::::::\n");
  EXPECT_EQ(with_root_hash("", "h"), "root:h:19000::::::\n");
  const std::string hash = shadow_hash("correcthorse42");
  EXPECT_THAT(hash, ::testing::StartsWith("$6$"));
  EXPECT_NE(hash, shadow_hash("correcthorse42")) << "a salt of its own each time";
}

TEST(Tar, ComesBackAsItWent) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{511}, size_t{512}, size_t{513}}) {
    TarWriter tar;
    tar.add_directory("etc/");
    tar.add_symlink("bin", "usr/bin");
    tar.add_file("etc/x", std::string(size, 'x'), 0600);
    const std::string archive = tar.finish();
    EXPECT_EQ(archive.size() % 512, 0u);
    EXPECT_EQ(first_file(archive), std::string(size, 'x'));
    // Cut anywhere, it is damaged and not half a file.
    if (size == 0) continue;
    EXPECT_FALSE(first_file(archive.substr(0, 3 * 512 + size - 1)).has_value());
  }
  EXPECT_FALSE(first_file("").has_value());
  EXPECT_FALSE(first_file(std::string(512, 'z')).has_value());
}

// A number that is used again is another process: signals must not reach it.
TEST(ProcessId, NamesOneProcessForEver) {
  const auto self = identify(getpid());
  ASSERT_TRUE(self.has_value());
  EXPECT_TRUE(send_signal(*self, 0));
  ProcessId earlier = *self;
  --earlier.start_ticks;
  EXPECT_FALSE(send_signal(earlier, 0));
  EXPECT_FALSE(identify(0).has_value());
  EXPECT_FALSE(identify(-1).has_value());
}

}  // namespace
}  // namespace paygress::backend
