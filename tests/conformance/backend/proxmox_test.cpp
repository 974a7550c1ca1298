// The engines' contract on a strict stand-in for Proxmox VE (proxmox_fake.h), and what only that
// API does to its clients.
#include <filesystem>
#include <fstream>

#include "shell/backend/proxmox_api.h"
#include "tests/conformance/backend/proxmox_fake.h"
#include "tests/conformance/backend/real_client.h"

namespace paygress::conformance {
namespace {

namespace fs = std::filesystem;

class ProxmoxUnderTest final : public RealClient {
 public:
  ProxmoxUnderTest() {
    std::string pattern = fs::temp_directory_path() / "paygress-proxmox-XXXXXX";
    dir_ = mkdtemp(pattern.data());
    std::ofstream(forwarder()) << "#!/bin/sh\necho \"$@\" >> " << log().string() << "\n";
    fs::permissions(forwarder(), fs::perms::owner_all);
    // Somebody else's, in our range and outside of it.
    fake.containers[1000].config = {{"hostname", "mail"}};
    fake.containers[300].config = {{"hostname", "web"}, {"description", "do not touch"}};
  }
  ~ProxmoxUnderTest() override {
    remove_all();
    EXPECT_TRUE(fake.containers.contains(300) && fake.containers.contains(1000))
        << "somebody else's container is gone";
    EXPECT_EQ(fake.containers.size(), 2u + extra) << "something is left over";
    EXPECT_THAT(fake.problems, ::testing::IsEmpty());
    fs::remove_all(dir_);
  }
  void call_and_lose_answer(const Call& call) override {
    ++fake.lost_answers;
    EXPECT_EQ(RealClient::call(Daemon::Ours, call).outcome, Outcome::Unknown);
  }
  void crash_workload(const std::string& name) override {
    for (auto& [vmid, container] : fake.containers)
      if (container.config["hostname"] == name) container.running = false;
  }
  void adapt(Spec& spec) override { spec.image = "debian"; }
  std::string limit_of(Promise promise) const override {
    switch (promise) {
      case Promise::Ends: return "Proxmox reports neither when nor how a container ended";
      case Promise::Pause: return "over the API of Proxmox it would be an experimental checkpoint";
      case Promise::Word: return kSaidByTheList;
      default: return {};
    }
  }
  std::string fetch(uint16_t) override { return std::string(kUnreal); }
  std::string ssh(uint16_t, const std::string&, const std::string&) override {
    return std::string(kUnreal);
  }
  backend::BackendConfig config(Daemon daemon) override {
    backend::BackendConfig config;
    config.kind = backend::Kind::Proxmox;
    config.install = install_of(daemon);
    auto& proxmox = config.proxmox;
    proxmox.url = fake.url();
    proxmox.token_id = ProxmoxFake::kToken;
    proxmox.token_secret = secret;
    proxmox.nodes = nodes;
    proxmox.storage = "local-lvm";
    proxmox.bridge = "vmbr0";
    proxmox.pool = "paygress";
    proxmox.images = {{"debian", ProxmoxFake::kTemplate}};
    if (forwards) proxmox.forwarder = forwarder();
    return config;
  }
  fs::path forwarder() const { return dir_ / "forwarder"; }
  fs::path log() const { return dir_ / "log"; }

  ProxmoxFake fake{loop_};
  std::string secret = ProxmoxFake::kSecret;
  std::vector<std::string> nodes = {ProxmoxFake::kNode};
  bool forwards = true;
  size_t extra = 0;  // containers of others that came during the test

 private:
  fs::path dir_;
};

MakeBackend make_proxmox() {
  return [] { return std::make_unique<ProxmoxUnderTest>(); };
}
INSTANTIATE_TEST_SUITE_P(Proxmox, BackendConformance, ::testing::Values(make_proxmox()));

class Proxmox : public BackendConformance {
 protected:
  ProxmoxUnderTest& proxmox() { return static_cast<ProxmoxUnderTest&>(*backend_); }
  ProxmoxFake& fake() { return proxmox().fake; }
  uint32_t number_of(const std::string& name) {
    for (const auto& [vmid, container] : fake().containers)
      if (const auto it = container.config.find("hostname");
          it != container.config.end() && it->second == name)
        return vmid;
    return 0;
  }
};
INSTANTIATE_TEST_SUITE_P(Proxmox, Proxmox, ::testing::Values(make_proxmox()));

TEST_P(Proxmox, WhatIsAskedForIsWhatTheApiGets) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  const auto config = fake().containers.at(number_of(spec.name)).config;
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{"cores", "1"},
                                          {"cpulimit", "0.500"},
                                          {"memory", "128"},
                                          {"swap", "0"},
                                          {"rootfs", "local-lvm:1"},
                                          {"unprivileged", "1"},
                                          {"onboot", "0"},
                                          {"start", "0"},
                                          {"pool", "paygress"},
                                          {"net0", "name=eth0,bridge=vmbr0,ip=dhcp,firewall=1"}})
    EXPECT_EQ(config.at(key), value) << key;
  for (const auto& [key, value] : config)
    EXPECT_EQ(value.find(spec.root_password), value.npos) << key;
}

TEST_P(Proxmox, WarningsAreSuccess) {
  fake().warnings = 1;
  const Spec spec = hello("paygress-a-g1");
  const Answer created = create(spec);
  EXPECT_DONE(created);
  EXPECT_THAT(created.message, ::testing::HasSubstr("WARNINGS"));
}

TEST_P(Proxmox, LocksAreWaitedFor) {
  const Spec spec = hello("paygress-a-g1");
  fake().lock_timeouts = 2;
  EXPECT_DONE(create(spec));
  fake().lock_timeouts = 1;
  EXPECT_DONE(ask(Verb::Start, spec.name));
  fake().containers.at(number_of(spec.name)).lock = "backup";
  Call stop{CallId{99}, Verb::Stop, spec.name, std::nullopt, Micros{2'000'000}};
  EXPECT_FAILS(backend_->call(Daemon::Ours, stop), Fault::Busy);
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
  fake().containers.at(number_of(spec.name)).lock.clear();
  EXPECT_DONE(ask(Verb::Stop, spec.name));
}

TEST_P(Proxmox, ANumberThatSomebodyTookIsLeftAlone) {
  fake().stolen_numbers = 2;
  proxmox().extra = 2;
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  EXPECT_EQ(number_of(spec.name), 1003u);  // 1000 was taken before, 1001 and 1002 meanwhile
  EXPECT_DONE(ask(Verb::Remove, spec.name));
  EXPECT_TRUE(fake().containers.contains(1001) && fake().containers.contains(1002));
}

// The number was given to another container between the look and the deletion.
TEST_P(Proxmox, OnlyWhatSaysThatItIsOursIsDestroyed) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_DONE(create(spec));
  auto& container = fake().containers.at(number_of(spec.name));
  const std::string description = container.config["description"];
  container.config["description"] = "";
  EXPECT_DONE(ask(Verb::Remove, spec.name));  // absent, as far as we are concerned
  EXPECT_NE(number_of(spec.name), 0u);
  EXPECT_THAT(fake().requests,
              ::testing::Not(::testing::Contains(::testing::StartsWith("DELETE"))));
  container.config["description"] = description;
}

TEST_P(Proxmox, ACreationThatFailsLeavesNothingAndSaysWhy) {
  fake().failing_creates = 1;
  const Answer answer = create(hello("paygress-a-g1"));
  EXPECT_EQ(answer.outcome, Outcome::Failed);
  EXPECT_THAT(answer.message, ::testing::HasSubstr("no space left"));
  EXPECT_THAT(listed(), ::testing::IsEmpty());
}

// One that is being made says neither its name nor whose it is: it is not absent, and none is made
// beside it.
TEST_P(Proxmox, WhatIsBeingMadeIsNotAbsent) {
  fake().containers[1500].lock = "create";
  EXPECT_FAILS(ask(Verb::Inspect, "paygress-a-g1"), Fault::Busy);
  EXPECT_FAILS(ask(Verb::Remove, "paygress-a-g1"), Fault::Busy);
  Call call = create_call(hello("paygress-a-g1"));
  call.deadline = Micros{2'000'000};
  EXPECT_NE(backend_->call(Daemon::Ours, call).outcome, Outcome::Done);
  EXPECT_THAT(fake().requests, ::testing::Not(::testing::Contains(::testing::StartsWith("POST"))));
  fake().containers.erase(1500);
}

TEST_P(Proxmox, PortsAreForwardedByTheConfiguredProgram) {
  const Spec spec = hello("paygress-a-g1");
  EXPECT_TRUE(create(spec).serves_ssh);
  EXPECT_DONE(ask(Verb::Start, spec.name));
  EXPECT_DONE(ask(Verb::Remove, spec.name));
  const std::string ssh = std::to_string(*spec.ssh_host_port);
  const std::string http = std::to_string(spec.ports[0].host_port);
  EXPECT_EQ(output_of("cat " + proxmox().log().string()),
            "add paygress-a-g1 127.0.0.1 " + ssh + " 10.9.0.5 22\n" +
                "add paygress-a-g1 127.0.0.1 " + http + " 10.9.0.5 80\n" +
                "remove paygress-a-g1\n");
}

TEST_P(Proxmox, WithoutAForwarderNoPortIsClaimed) {
  proxmox().forwards = false;
  EXPECT_FALSE(create(hello("paygress-a-g1")).serves_ssh);
  EXPECT_THAT(ask(Verb::Probe).message, ::testing::HasSubstr("no port is published"));
}

TEST_P(Proxmox, AWrongTokenIsRefusedAndAWrongNodeUnreachable) {
  proxmox().secret = "wrong";
  const Answer refused = ask(Verb::Probe);
  EXPECT_EQ(refused.fault, Fault::Refused);
  EXPECT_THAT(refused.message, ::testing::HasSubstr("invalid token value!"));
  EXPECT_EQ(refused.message.find("wrong"), std::string::npos) << "the token";
  proxmox().secret = ProxmoxFake::kSecret;
  proxmox().nodes = {"elsewhere"};
  backend_->restart_client();
  EXPECT_FAILS(ask(Verb::Inspect, "paygress-a-g1"), Fault::Unreachable);
  proxmox().nodes = {ProxmoxFake::kNode};
  backend_->restart_client();
}

// --- a cluster -----------------------------------------------------------------------------------

class ProxmoxCluster : public Proxmox {
 protected:
  void SetUp() override {
    Proxmox::SetUp();
    proxmox().nodes = {ProxmoxFake::kNode, ProxmoxFake::kSecondNode};
    backend_->restart_client();
    fake().free_bytes[ProxmoxFake::kSecondNode] = int64_t{31} << 30;
  }
  // On the second node, which has more memory.
  Spec running(const std::string& name) {
    const Spec spec = hello(name);
    EXPECT_DONE(create(spec));
    EXPECT_DONE(ask(Verb::Start, spec.name));
    EXPECT_EQ(inspect(spec.name).node, ProxmoxFake::kSecondNode);
    return spec;
  }
};
INSTANTIATE_TEST_SUITE_P(Proxmox, ProxmoxCluster, ::testing::Values(make_proxmox()));

TEST_P(ProxmoxCluster, PlacesWhereMostMemoryIsFreeAndFindsItWhereverItIsMoved) {
  const Spec spec = running("paygress-a-g1");
  const uint32_t vmid = number_of(spec.name);
  EXPECT_EQ(fake().containers.at(vmid).node, ProxmoxFake::kSecondNode);
  fake().containers.at(vmid).node = ProxmoxFake::kNode;
  EXPECT_EQ(inspect(spec.name).node, ProxmoxFake::kNode);
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
  EXPECT_DONE(ask(Verb::Stop, spec.name));
  EXPECT_DONE(ask(Verb::Remove, spec.name));
  EXPECT_EQ(inspect(spec.name).running, Running::Absent);
}

TEST_P(ProxmoxCluster, SellsTheSumOfTheNodesThatAnswer) {
  const auto both = ask(Verb::Capacity).capacity.value();
  EXPECT_EQ(both.cpu_millicores, 16'000u);
  EXPECT_EQ(both.memory_mb, (30u + 31u) << 10);
  fake().away = {ProxmoxFake::kSecondNode};
  EXPECT_EQ(ask(Verb::Capacity).capacity.value().memory_mb, 30u << 10);
  EXPECT_THAT(ask(Verb::Probe).message, ::testing::HasSubstr("pve2 does not answer"));
  fake().away.insert(ProxmoxFake::kNode);
  EXPECT_FAILS(ask(Verb::Capacity), Fault::Unreachable);
  EXPECT_FAILS(ask(Verb::List), Fault::Unreachable);
  fake().away.clear();
}

TEST_P(ProxmoxCluster, WhatIsOnANodeThatDoesNotAnswerIsUnknownAndTheOthersGoOn) {
  const Spec spec = running("paygress-a-g1");
  fake().away = {ProxmoxFake::kSecondNode};
  const size_t asked = fake().requests.size();
  EXPECT_EQ(inspect(spec.name).running, Running::Unknown);
  for (const Verb verb : {Verb::Start, Verb::Stop, Verb::Remove})
    EXPECT_FAILS(ask(verb, spec.name), Fault::Unreachable);
  EXPECT_FAILS(create(spec), Fault::Unreachable);
  for (size_t i = asked; i < fake().requests.size(); ++i)
    EXPECT_THAT(fake().requests[i], ::testing::StartsWith("GET"));

  const Spec other = hello("paygress-b-g1");
  EXPECT_DONE(create(other));
  EXPECT_EQ(inspect(other.name).node, ProxmoxFake::kNode);
  const Answer all = ask(Verb::List);
  EXPECT_DONE(all);
  ASSERT_EQ(all.objects.size(), 2u);
  EXPECT_EQ(all.objects[0].name, spec.name);
  EXPECT_EQ(all.objects[0].running, Running::Unknown);
  EXPECT_TRUE(all.objects[0].labels.lease.is_zero());
  EXPECT_EQ(all.objects[1].labels.lease, other.labels.lease);

  fake().away.clear();
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
  EXPECT_DONE(ask(Verb::Remove, spec.name));
}

// It was on neither node when that one was asked.
TEST_P(ProxmoxCluster, WhatMovesBetweenTwoListsIsNotAbsent) {
  const Spec spec = running("paygress-a-g1");
  fake().move_after_list = number_of(spec.name);
  EXPECT_EQ(inspect(spec.name).running, Running::Unknown);
  EXPECT_EQ(inspect(spec.name).node, ProxmoxFake::kNode);
  EXPECT_EQ(inspect(spec.name).running, Running::Running);
}

// Nor is what moved between the look and the deletion gone.
TEST_P(ProxmoxCluster, WhatMovesBeforeItsDeletionIsStillThere) {
  const Spec spec = running("paygress-a-g1");
  fake().move_before_delete = number_of(spec.name);
  EXPECT_EQ(ask(Verb::Remove, spec.name).outcome, Outcome::Unknown);
  EXPECT_EQ(inspect(spec.name).node, ProxmoxFake::kNode);
  EXPECT_DONE(ask(Verb::Remove, spec.name));
}

// Not told apart from others while it is made: nothing is made beside it.
TEST_P(ProxmoxCluster, WhatIsBeingMadeOnANodeThatDoesNotAnswerIsNotAbsent) {
  fake().containers[1500].lock = "create";
  fake().containers[1500].node = ProxmoxFake::kSecondNode;
  fake().away = {ProxmoxFake::kSecondNode};
  EXPECT_FAILS(ask(Verb::Inspect, "paygress-a-g1"), Fault::Busy);
  fake().containers.erase(1500);
  EXPECT_EQ(inspect("paygress-a-g1").running, Running::Absent);
}

TEST(ProxmoxWords, AreReadAsTheyAreMeant) {
  using backend::proxmox_fault;
  EXPECT_EQ(backend::reason_phrase("HTTP/1.1 500 CT is locked (disk)"), "CT is locked (disk)");
  EXPECT_EQ(backend::reason_phrase("HTTP/1.1 500"), "");
  EXPECT_EQ(proxmox_fault(500, "CT is locked (disk)"), Fault::Busy);
  EXPECT_EQ(proxmox_fault(500, "can't lock file 'x' - got timeout"), Fault::Busy);
  EXPECT_EQ(proxmox_fault(500, "Configuration file 'x' does not exist"), Fault::NotFound);
  EXPECT_EQ(proxmox_fault(400, "Parameter verification failed."), Fault::Invalid);
  EXPECT_EQ(proxmox_fault(403, "Permission check failed (/vms/100, VM.Allocate)"), Fault::Refused);
  EXPECT_EQ(proxmox_fault(596, "no route"), Fault::Unreachable);
  EXPECT_EQ(proxmox_fault(501, "not implemented"), Fault::Internal);
  EXPECT_EQ(backend::form_encoded({{"a b", "c&d"}, {"e", "1;2"}}), "a%20b=c%26d&e=1%3B2");
}

}  // namespace
}  // namespace paygress::conformance
