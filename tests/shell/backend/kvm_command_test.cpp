#include "shell/backend/kvm_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/bytes.h"

namespace paygress::backend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

workload::Spec spec() {
  workload::Spec spec;
  spec.name = "paygress-a-g1";
  spec.cpu_millicores = 1500;
  spec.memory_mb = 512;
  spec.storage_gb = 7;
  spec.address = "192.0.2.1";
  spec.ssh_host_port = 30'000;
  spec.ports = {{30'001, 80, "http"}};
  spec.root_password = "correcthorse42";
  spec.env = {{"GREETING", "it's here"}};
  return spec;
}

std::string line(const Machine& machine) {
  std::string text;
  for (const auto& argument : machine.arguments) text += argument + " ";
  return text;
}

const MachineFiles kFiles{"/images/base.img", true, "/vm/disk.qcow2", "/vm/seed.iso", {}};

TEST(KvmCommand, PublishesOnTheGivenAddressAndLetsNothingElseOut) {
  const std::string args = line(machine_of(spec(), {"kvm", "host"}, Egress::None, kFiles));
  EXPECT_THAT(args, HasSubstr("restrict=on,hostfwd=tcp:192.0.2.1:30000-:22,"
                              "hostfwd=tcp:192.0.2.1:30001-:80 "));
  EXPECT_THAT(args, HasSubstr("-accel kvm -cpu host -smp 2 -m 512 "));
  EXPECT_THAT(args, HasSubstr("-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
                              "resourcecontrol=deny "));
  EXPECT_THAT(line(machine_of(spec(), {"tcg", "max"}, Egress::Host, kFiles)),
              HasSubstr("restrict=off"));
}

TEST(KvmCommand, FilesGoByDescriptorAndSecretsByNoArgument) {
  MachineFiles files = kFiles;
  files.key = "/run/keys/a.key";
  const Machine machine = machine_of(spec(), {"kvm", "host"}, Egress::None, files);
  const std::string args = line(machine);
  for (auto part : {"/images/", "/vm/", "/run/keys", "correcthorse42", "it's here"})
    EXPECT_THAT(args, Not(HasSubstr(part)));
  EXPECT_THAT(args, HasSubstr("encrypt.format=luks,encrypt.key-secret=key"));
  ASSERT_EQ(machine.files.size(), 4u);
  EXPECT_EQ(machine.files[0].mode, VmFile::Mode::Secret);
  EXPECT_EQ(parse_files(files_text(machine.files)), machine.files);
}

TEST(KvmCommand, TheSeedHoldsTheHashAndNotThePassword) {
  const std::string data = seed_user_data(spec(), "$6$salt$hash");
  EXPECT_TRUE(data.starts_with("#cloud-config\n"));
  EXPECT_THAT(data, HasSubstr("hashed_passwd: \"$6$salt$hash\"\n"));
  EXPECT_THAT(data, Not(HasSubstr("correcthorse42")));
  const std::string environment =
      to_base64(as_bytes("GREETING='it'\\''s here'\n"), Base64::Standard, true);
  EXPECT_THAT(data, HasSubstr("content: \"" + environment + "\"\n"));
  EXPECT_EQ(seed_meta_data(spec()), "instance-id: paygress-a-g1\nlocal-hostname: paygress-a-g1\n");
}

TEST(KvmCommand, RefusesWhatForwardsCannotHave) {
  EXPECT_TRUE(check_machine(spec()).has_value());
  workload::Spec wrong = spec();
  wrong.address = "::1";
  EXPECT_FALSE(check_machine(wrong).has_value());
  wrong = spec();
  wrong.ports.push_back({30'000, 81, "again"});
  EXPECT_FALSE(check_machine(wrong).has_value());
  wrong = spec();
  wrong.storage_gb = 0;
  EXPECT_FALSE(check_machine(wrong).has_value());
}

}  // namespace
}  // namespace paygress::backend
