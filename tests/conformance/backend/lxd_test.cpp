// The engines' contract on a real LXD, which the program starts in namespaces of its own and ends
// again. Skipped where there is no LXD or we are not root.
#include "tests/conformance/backend/enclosure.h"

namespace paygress::conformance {
namespace {

constexpr const char* kPool = "pool";
constexpr const char* kNetwork = "pgbr0";
constexpr const char* kBox = "box";
constexpr const char* kDebian = "debian";

class LxdEngine final : public EngineHost {
 public:
  bool can_run() const override { return engine_there("/usr/bin/lxd"); }
  fs::path socket() const override { return dir() / "lxd/unix.socket"; }
  // Asks for something that takes its time, and waits for that.
  bool operate(const std::string& method, const std::string& path, const std::string& body,
               const char* type = "application/json") const {
    std::string reply;
    if (ask(method, path, body, &reply, type) != 202) return false;
    const size_t at = reply.find("/1.0/operations/");
    if (at == reply.npos) return false;
    const std::string operation = reply.substr(at, reply.find('"', at) - at);
    return ask("GET", operation + "/wait?timeout=100", {}, &reply) == 200 &&
           reply.find("\"err\":\"\"") != reply.npos;
  }
  // An image of images.sh under an alias; the server has it from then on.
  void import(const std::string& file, const std::string& alias) {
    if (ask("GET", "/1.0/images/aliases/" + alias) == 200) return;
    const std::string archive = content_of(engine_image(file));
    EXPECT_TRUE(operate("POST", "/1.0/images", archive, "application/octet-stream"));
    std::string images;
    EXPECT_EQ(ask("GET", "/1.0/images?recursion=1", {}, &images), 200);
    const size_t found = images.find("\"description\":\"" + file + "\"");
    const size_t at = images.find("\"fingerprint\":\"", found);
    ASSERT_NE(found, images.npos);
    ASSERT_NE(at, images.npos);
    EXPECT_EQ(ask("POST", "/1.0/images/aliases",
                  R"({"name":")" + alias + R"(","target":")" + images.substr(at + 15, 64) + "\"}"),
              201);
  }

 protected:
  std::vector<std::string> command() const override {
    return {"env", "LXD_DIR=" + (dir() / "lxd").string(), "lxd", "--group", "root"};
  }
  bool answers() const override { return fs::exists(socket()) && ask("GET", "/1.0") == 200; }
  std::vector<std::string> groups() const override {
    return {"lxc.payload." + mark(), "lxc.monitor." + mark()};
  }
  void make_images() override {
    engine_image("box-lxd");
    engine_image("debian-lxd");
  }
  void prepare() override {
    EXPECT_EQ(ask("POST", "/1.0/storage-pools",
                  R"({"name":"pool","driver":"btrfs","config":{"size":"8GiB"}})"),
              201);
    EXPECT_EQ(ask("POST", "/1.0/networks",
                  R"({"name":"pgbr0","type":"bridge","config":{"ipv4.address":"10.77.0.1/24",)"
                  R"("ipv4.nat":"true","ipv6.address":"none"}})"),
              201);
    import("box-lxd", kBox);
  }
};

LxdEngine* const engine =
    static_cast<LxdEngine*>(::testing::AddGlobalTestEnvironment(new LxdEngine));

class LxdUnderTest final : public RealClient {
 public:
  ~LxdUnderTest() override { remove_all(); }
  void call_and_lose_answer(const Call& call) override {
    Call hasty = call;
    hasty.deadline = 15_ms;  // cut off somewhere on the way
    EXPECT_NE(RealClient::call(Daemon::Ours, hasty).outcome, Outcome::Failed);
  }
  void crash_workload(const std::string& name) override {
    EXPECT_TRUE(engine->operate("PUT",
                                "/1.0/instances/" + name + "/state?project=" + EngineHost::mark(),
                                R"({"action":"stop","force":true,"timeout":30})"));
  }
  void adapt(Spec& spec) override { spec.image = kBox; }
  std::string limit_of(Promise promise) const override {
    if (promise == Promise::Word) return kSaidByTheList;
    return promise == Promise::Ends ? "LXD keeps neither when nor how a container ended" : "";
  }
  std::string described(const std::string& name) override {
    std::string all;
    engine->ask("GET", "/1.0/instances/" + name + "?recursion=1&project=" + EngineHost::mark(), {},
                &all);
    return all;
  }
  backend::BackendConfig config(Daemon daemon) override {
    backend::BackendConfig config;
    config.kind = backend::Kind::Lxd;
    config.install = install_of(daemon);
    config.lxd.socket = engine->socket();
    config.lxd.project = EngineHost::mark();
    config.lxd.pool = kPool;
    config.lxd.network = kNetwork;
    config.lxd.images = {{"debian:12", kDebian}};
    return config;
  }
};

class LxdConformance : public BackendConformance {};

// Nothing without an engine: every test is then skipped.
MakeBackend make_lxd() {
  return []() -> std::unique_ptr<BackendUnderTest> {
    if (!engine->can_run()) return nullptr;
    return std::make_unique<LxdUnderTest>();
  };
}
INSTANTIATE_TEST_SUITE_P(Lxd, BackendConformance, ::testing::Values(make_lxd()));
INSTANTIATE_TEST_SUITE_P(Lxd, Enforcement, ::testing::Values(make_lxd()));
INSTANTIATE_TEST_SUITE_P(Lxd, LxdConformance, ::testing::Values(make_lxd()));

// What a tenant buys: Debian with systemd, and root's login by OpenSSH with the password.
TEST_P(LxdConformance, ARealDebianLogsRootIn) {
  engine->import("debian-lxd", kDebian);
  Spec spec = hello("paygress-a-g1");
  spec.template_slug.clear();
  spec.image = "debian:12";  // the operator's name for it
  spec.ports.clear();
  spec.memory_mb = 256;
  const Answer created = create(spec);
  EXPECT_DONE(created);
  EXPECT_TRUE(created.serves_ssh);
  EXPECT_DONE(ask(Verb::Start, spec.name));
  std::string said;
  EXPECT_TRUE(eventually([&] {
    said = backend_->ssh(*spec.ssh_host_port, spec.root_password,
                         "id -u; . /etc/paygress/environment; echo $GREETING; cat /proc/1/comm");
    return !said.empty();
  }));
  EXPECT_EQ(said, "0\nit's here\nsystemd\n");
  EXPECT_EQ(backend_->ssh(*spec.ssh_host_port, "not" + spec.root_password, "id -u"), "");
  EXPECT_DONE(ask(Verb::Stop, spec.name));
}

TEST_P(LxdConformance, AnImageThatTheServerLacksIsRefusedAndLeavesNothing) {
  Spec spec = hello("paygress-a-g1");
  spec.image = "none";
  EXPECT_FAILS(create(spec), Fault::Refused);
  EXPECT_THAT(listed(), ::testing::IsEmpty());
}

TEST_P(LxdConformance, APortInUseIsSaidToBe) {
  const Spec second = hello("paygress-b-g1");
  two_on_one_port(hello("paygress-a-g1"), second);
  EXPECT_EQ(inspect(second.name).running, Running::Stopped);
}

// Made at once, the server could give them one range of user ids; then they do not start.
TEST_P(LxdConformance, ThoseMadeAtOnceHaveRangesOfTheirOwn) {
  std::vector<Spec> specs;
  std::vector<Call> creates;
  std::vector<Call> starts;
  for (const char end : {'1', '2', '3', '4', '5', '6'}) {
    specs.push_back(hello(std::string("paygress-at-once-g") + end));
    creates.push_back(create_call(specs.back()));
    starts.push_back({CallId{++calls_}, Verb::Start, specs.back().name, std::nullopt, kDeadline});
  }
  auto& client = static_cast<LxdUnderTest&>(*backend_);
  for (const Answer& answer : client.call_all(creates)) EXPECT_DONE(answer);
  for (const Answer& answer : client.call_all(starts)) EXPECT_DONE(answer);
  std::set<std::string> ranges;
  for (const Spec& spec : specs) {
    static const std::regex base(R"re("volatile.idmap.base":"(\d+)")re");
    const std::string described = backend_->described(spec.name);
    std::smatch found;
    ASSERT_TRUE(std::regex_search(described, found, base)) << described;
    EXPECT_TRUE(ranges.insert(found[1]).second) << found[1] << " was given twice";
    EXPECT_EQ(inspect(spec.name).running, Running::Running);
  }
}

// What died between making the instance and its files is completed when it is asked for again.
TEST_P(LxdConformance, HalfMadeIsCompleted) {
  const Spec spec = hello("paygress-a-g1");
  for (const int ms : {5, 20, 60, 120, 200, 300, 400}) {
    Call hasty = create_call(spec);
    hasty.deadline = Micros{ms * 1000};
    backend_->call(Daemon::Ours, hasty);
    backend_->restart_client();
    const Answer again = create(spec);
    EXPECT_DONE(again);
    EXPECT_TRUE(again.serves_ssh);
    EXPECT_DONE(ask(Verb::Start, spec.name));
    EXPECT_TRUE(eventually(
        [&] { return backend_->ssh(*spec.ssh_host_port, spec.root_password, "id -u") == "0\n"; }));
    EXPECT_DONE(ask(Verb::Remove, spec.name));
  }
}

}  // namespace
}  // namespace paygress::conformance
