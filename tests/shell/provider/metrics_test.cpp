// The monitoring pages over real sockets, and what they say in Prometheus' words.
#include "shell/provider/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shell/base/entropy.h"
#include "shell/net/http_client.h"

namespace paygress::daemon {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Micros kPatience = micros(Seconds{20});

class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() {
    MetricsServer::Sources sources;
    sources.metrics = [] { return std::string("paygress_ready 1\n"); };
    sources.waits_for = [this] { return reasons_; };
    server_ = MetricsServer::listen(loop_, "localhost:0", std::move(sources)).value();
  }
  net::Answered ask(const std::string& path, const std::string& method = "GET") {
    net::HttpCall call;
    call.method = method;
    call.url = server_->url() + path;
    std::optional<net::HttpOutcome> outcome;
    client_.start(call, [&](net::HttpOutcome o) { outcome = std::move(o); });
    loop_.run_until([&] { return outcome.has_value(); }, kPatience);
    return std::get<net::Answered>(outcome.value());
  }

  net::Loop loop_;
  net::HttpClient client_{loop_};
  std::vector<std::string> reasons_;
  std::unique_ptr<MetricsServer> server_;
};

TEST_F(MetricsTest, PagesAndNothingElse) {
  EXPECT_EQ(ask("/metrics").status, 200);
  EXPECT_EQ(ask("/metrics?x=1").body, "paygress_ready 1\n");
  EXPECT_EQ(ask("/healthz").body, "ok\n");
  EXPECT_EQ(ask("/").status, 404);
  EXPECT_EQ(ask("/metrics/../etc/passwd").status, 404);
  EXPECT_EQ(ask("/metrics", "POST").status, 405);
}

TEST_F(MetricsTest, ReadinessNamesWhatItWaitsFor) {
  EXPECT_EQ(ask("/readyz").body, "ready\n");
  reasons_ = {"a relay that is live", "the engine's list of workloads"};
  EXPECT_EQ(ask("/readyz").status, 503);
  EXPECT_EQ(ask("/readyz").body, "a relay that is live\nthe engine's list of workloads\n");
  EXPECT_EQ(ask("/healthz").status, 200);
}

TEST(MetricsAddress, MustHaveAPort) {
  net::Loop loop;
  for (const char* address : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "nowhere:1", ""})
    EXPECT_FALSE(MetricsServer::listen(loop, address, {}).has_value()) << address;
  EXPECT_TRUE(MetricsServer::listen(loop, "[::1]:0", {}).has_value());
}

provider::Settings settings() {
  provider::Settings s;
  s.tiers = {{"basic", "Basic", "1 vCPU", 1000, 1024, 10, Msat{100}}};
  s.mints = {"https://mint.example/\"quoted\\path"};
  s.relays = {"wss://relay.example/in?password=hunter2"};
  s.sold = {4000, 4096, 50};
  return s;
}

TEST(MetricsText, SpeaksOfAProviderThatJustStarted) {
  shell::OsEntropy entropy;
  provider::Provider core(settings(), entropy, 1);
  ASSERT_TRUE(core.start({Micros{1}, UnixSeconds{1'800'000'000}}, {{}, {}, "seed"}).has_value());
  const std::string text = metrics_text(core, {}, {UnixSeconds{1'800'000'000}, 3});
  EXPECT_THAT(text, HasSubstr("# TYPE paygress_frames_refused_total counter\n"
                              "paygress_frames_refused_total 3\n"));
  EXPECT_THAT(text, HasSubstr("paygress_start_time_seconds 1800000000\n"));
  EXPECT_THAT(text, HasSubstr("paygress_ready 0\n"));
  EXPECT_THAT(text, HasSubstr("paygress_leases{phase=\"running\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("paygress_unreserved_memory_bytes 4294967296\n"));
  EXPECT_THAT(text, HasSubstr("paygress_relay_up{relay=\"wss://relay.example/in\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(R"({mint="https://mint.example/\"quoted\\path"} 0)"));
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
}

// Who reads `ready` may buy warm standby at once, where the guard works.
TEST(WaitsFor, TheGuardsFirstWord) {
  shell::OsEntropy entropy;
  provider::Provider core(settings(), entropy, 1);
  ASSERT_TRUE(core.start({Micros{1}, UnixSeconds{1'800'000'000}}, {{}, {}, "seed"}).has_value());
  const std::string guard = "a first answer of the guard";
  Readiness readiness;
  EXPECT_THAT(waits_for(core, readiness), Contains(guard));
  readiness.guard_tried = true;
  EXPECT_THAT(waits_for(core, readiness), Not(Contains(guard)));
}

// Every sample stands below its own TYPE line, and no metric comes twice.
TEST(MetricsText, IsWellFormed) {
  shell::OsEntropy entropy;
  provider::Provider core(settings(), entropy, 1);
  ASSERT_TRUE(core.start({Micros{1}, UnixSeconds{1'800'000'000}}, {{}, {}, "seed"}).has_value());
  std::istringstream lines(metrics_text(core, {}, {}));
  std::set<std::string> seen;
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      current = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(seen.insert(current).second) << current;
      EXPECT_EQ(line.ends_with(" counter"), current.ends_with("_total")) << line;
    } else if (!line.starts_with("#")) {
      EXPECT_EQ(line.substr(0, line.find_first_of("{ ")), current);
    }
  }
  EXPECT_GT(seen.size(), 15u);
}

}  // namespace
}  // namespace paygress::daemon
