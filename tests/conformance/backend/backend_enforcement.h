// The part of the contract that only a real engine can keep or break: limits that hold, tenants
// that are kept apart, secrets that nobody sees. Looked at as a tenant would, over SSH.
#pragma once

#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "tests/conformance/backend/real_client.h"

namespace paygress::conformance {

class Enforcement : public BackendConformance {
 protected:
  // The suite's workload, running, once root can log in.
  Spec start_box(const std::string& name = "paygress-a-g1") {
    const Spec spec = hello(name);
    const Answer created = create(spec);
    EXPECT_DONE(created);
    EXPECT_TRUE(created.serves_ssh) << "nothing can be looked at from the inside";
    EXPECT_DONE(ask(Verb::Start, name));
    EXPECT_TRUE(is_well(spec)) << "root cannot log in";
    return spec;
  }
  // As root. The command may hold no single quotes.
  std::string inside(const Spec& spec, const std::string& command) {
    return backend_->ssh(*spec.ssh_host_port, spec.root_password, command);
  }
  bool is_well(const Spec& spec) {
    return eventually([&] { return inside(spec, "echo well") == "well\n"; });
  }
  // Of this network namespace.
  static std::set<uint16_t> listening() {
    std::set<uint16_t> ports;
    for (const char* table : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
      std::ifstream file(table);
      for (std::string line; std::getline(file, line);) {
        static const std::regex row(R"(^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F:]+ 0A )");
        if (std::smatch found; std::regex_search(line, found, row))
          ports.insert(static_cast<uint16_t>(std::stoul(found[1], nullptr, 16)));
      }
    }
    return ports;
  }
};

TEST_P(Enforcement, AMemoryHogDiesAlone) {
  REQUIRE_PROMISE(Promise::Memory);
  const Spec spec = start_box();
  EXPECT_NE(inside(spec, "head -c 300000000 /dev/zero | tail -c 290000000 | wc -c"), "290000000\n");
  EXPECT_TRUE(is_well(spec));
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
}

TEST_P(Enforcement, AForkBombStaysInside) {
  REQUIRE_PROMISE(Promise::Processes);
  const Spec spec = start_box();
  EXPECT_EQ(inside(spec,
                   "i=0; while [ $i -lt 700 ]; do sleep 5 & i=$((i+1)); done 2>&1 | "
                   "grep -c -m1 -i \"fork\""),
            "1\n");
  EXPECT_TRUE(is_well(spec));
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
}

// Half a processor for two loops of three seconds: one and a half seconds, not six.
TEST_P(Enforcement, ProcessorTimeIsLimited) {
  REQUIRE_PROMISE(Promise::Processor);
  const Spec spec = start_box();
  const std::string loop = "timeout 3 sh -c \"while :; do :; done\"";
  const std::string times = inside(spec, loop + " & " + loop + "; wait; times | tail -n 1");
  static const std::regex pattern(R"(0m([0-9]+)[.,]([0-9]+)s 0m([0-9]+)[.,]([0-9]+)s)");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(times, found, pattern)) << times;
  EXPECT_LE(std::stoi(found[1]) + std::stoi(found[3]), 2) << times;
}

TEST_P(Enforcement, DiskSpaceIsLimited) {
  REQUIRE_PROMISE(Promise::Disk);
  const Spec spec = start_box();
  ASSERT_EQ(spec.storage_gb, 1u);
  EXPECT_EQ(inside(spec,
                   "dd if=/dev/zero of=small bs=1M count=100 2>/dev/null; "
                   "sync; wc -c <small; rm small"),
            "104857600\n");
  EXPECT_EQ(inside(spec,
                   "dd if=/dev/zero of=large bs=1M count=1500 2>/dev/null && "
                   "sync && echo fits"),
            "");
  EXPECT_TRUE(is_well(spec));
}

TEST_P(Enforcement, PortsAreExactlyWhereTheyWereSaidToBe) {
  const auto before = listening();
  const Spec spec = start_box();
  expect_page(spec);
  if (promised(Promise::Address)) {
    EXPECT_EQ(http_get(spec.ports[0].host_port, "127.0.0.2"), "") << "on another address";
  }
  if (promised(Promise::Network)) {
    std::set<uint16_t> more;
    for (const uint16_t port : listening())
      if (!before.contains(port)) more.insert(port);
    EXPECT_THAT(more,
                ::testing::UnorderedElementsAre(spec.ports[0].host_port, *spec.ssh_host_port));
  }
  EXPECT_DONE(ask(Verb::Remove, spec.name));
  EXPECT_FALSE(listening().contains(spec.ports[0].host_port));
  EXPECT_FALSE(listening().contains(*spec.ssh_host_port));
  REQUIRE_PROMISE(Promise::Address);
}

TEST_P(Enforcement, ANeighbourIsOutOfReach) {
  REQUIRE_PROMISE(Promise::Network);
  const Spec one = start_box("paygress-a-g1");
  const Spec other = start_box("paygress-b-g1");
  std::string address;
  eventually([&] {
    address = inside(other, "ip -4 -o addr show eth0 | grep -o \"inet [0-9.]*\" | cut -c6-");
    return !address.empty();
  });
  ASSERT_NE(address, "") << "the other has no address to be reached at";
  address.pop_back();
  const std::string fetch = "printf \"GET / HTTP/1.0\\r\\n\\r\\n\" | nc -w 3 " + address + " 80";
  EXPECT_THAT(inside(other, fetch), ::testing::HasSubstr("Hello from " + other.name));
  // Its own page, where all of them have one address; never the other's.
  EXPECT_THAT(inside(one, fetch), ::testing::Not(::testing::HasSubstr(other.name)));
}

TEST_P(Enforcement, SecretsAreNowhereToBeSeen) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to look at every process";
  const Spec spec = start_box();
  for (const auto& process : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(process.path() / "cmdline");
    const std::string line(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(line.find(spec.root_password), line.npos) << process.path();
  }
  EXPECT_EQ(backend_->described(spec.name).find(spec.root_password), std::string::npos);
}

TEST_P(Enforcement, WhoeverIgnoresAStopIsKilled) {
  const Spec spec = start_box();
  // The first process of the images that the tests make stays when this file is there.
  inside(spec,
         "touch stubborn; (trap \"\" TERM; while :; do sleep 1; done) "
         ">/dev/null 2>&1 </dev/null &");
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  EXPECT_EQ(inspect(spec.name).running, Running::Stopped);
  expect_no_page(spec);
}

}  // namespace paygress::conformance
