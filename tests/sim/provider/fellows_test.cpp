// Members of a warm-standby workload that do not know the rules of fail-over: their offers say so.
// An old member is played by its events alone, as the existing network sends them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/market/events.h"
#include "core/provider/fellows.h"
#include "tests/sim/provider/cluster.h"

namespace paygress::sim {
namespace {

using testing::IsEmpty;

provider::Settings with_fast_profile() {
  provider::Settings settings = rig_settings();
  settings.profile = failover::kFastProfile;
  settings.profile_name = "fast";
  return settings;
}

struct FellowsTest : testing::Test {
  explicit FellowsTest(provider::Settings settings = rig_settings())
      : cluster(3, 3, std::move(settings)) {}

  void start(std::vector<size_t> ours) {
    for (const size_t i : ours) cluster.start(i);
    cluster.run_for(Seconds{20});
  }
  void offer(size_t i, std::optional<std::string> profile, std::vector<size_t> relays = {0, 1, 2},
             Seconds later = Seconds{0}) {
    market::Offer m;
    m.provider_npub = cluster.key(i);
    m.hostname = "old";
    m.profile = std::move(profile);
    cluster.publish(i, market::offer_draft(m, cluster.now().wall + later), relays);
  }
  void beat(size_t i) {
    market::Heartbeat m;
    m.provider_npub = cluster.key(i);
    m.timestamp = cluster.now().wall;
    cluster.publish(i, market::heartbeat_draft(m, m.timestamp), {0, 1, 2});
  }
  void live(size_t i, Seconds time) {
    for (Seconds lived{0}; lived < time; lived += Seconds{60}) {
      beat(i);
      cluster.run_for(Seconds{60});
    }
  }
  // What that member confirmed; nothing: it has not in time.
  std::optional<market::AccessDetails> buy(size_t i, Seconds within = Seconds{20}) {
    cluster.ask(i, cluster.request(20'000));
    cluster.run_until([&] { return !cluster.of_type<market::AccessDetails>(i).empty(); }, within);
    const auto said = cluster.of_type<market::AccessDetails>(i);
    return said.empty() ? std::nullopt : std::optional(said.back());
  }
  std::optional<std::string> guarantee_at(size_t i) {
    const auto bought = buy(i);
    return bought ? bought->guarantee : std::nullopt;
  }

  Cluster cluster;
};

struct FastFellowsTest : FellowsTest {
  FastFellowsTest() : FellowsTest(with_fast_profile()) {}
};

// Its heartbeats come once a minute: a fast profile would take that for silence.
TEST_F(FastFellowsTest, AnOldPrimaryIsFollowedAsTheExistingNetworkDoes) {
  start({1, 2});
  offer(0, std::nullopt);
  beat(0);
  EXPECT_EQ(guarantee_at(1), "old-primary");
  EXPECT_EQ(guarantee_at(2), "old-primary");
  live(0, Seconds{900});
  EXPECT_THAT(cluster.running(), IsEmpty());
  const auto lease = cluster.core(1).failover().lease_of(cluster.workload);
  ASSERT_TRUE(lease);
  EXPECT_EQ(cluster.core(1).failover().status(*lease)->epoch, 0u);
  EXPECT_TRUE(
      cluster.run_until([&] { return cluster.running() == std::set<size_t>{1}; }, Seconds{260}));
  cluster.run_for(Seconds{300});
  EXPECT_EQ(cluster.most_at_once(), 1u);
}

TEST_F(FellowsTest, AnOldStandbyIsSaid) {
  start({0, 1});
  offer(2, std::nullopt);
  EXPECT_EQ(guarantee_at(0), "old-standby");
}

TEST_F(FellowsTest, EachRelayKnowsOnlyItsOwnNewestOffer) {
  start({1});
  offer(0, std::nullopt, {0});
  offer(0, "default", {1, 2}, Seconds{5});
  offer(2, "fast", {0, 1});
  offer(2, std::nullopt, {2}, Seconds{5});
  EXPECT_EQ(guarantee_at(1), "old-standby") << "the primary has learnt it, the other one forgot";
}

// Then nobody takes over what that one never said it held.
TEST_F(FellowsTest, WhoseOfferIsNowhereIsTakenToKnowTheRules) {
  start({1, 2});
  beat(0);
  EXPECT_EQ(guarantee_at(1), "fenced");
  EXPECT_EQ(guarantee_at(2), "fenced");
  cluster.run_for(Seconds{900});
  EXPECT_THAT(cluster.running(), IsEmpty());
}

TEST_F(FellowsTest, ARequestWaitsForTheOffersOnceAndNotForever) {
  start({1});
  offer(0, std::nullopt);
  for (size_t r = 0; r < 3; ++r) cluster.relay(r).faults().no_eose = true;
  cluster.ask(1, cluster.request());
  cluster.run_for(Seconds{4});
  EXPECT_THAT(cluster.replies(1), IsEmpty());
  EXPECT_EQ(cluster.core(1).counters().waited, 1u);
  cluster.run_for(Seconds{10});
  ASSERT_EQ(cluster.of_type<market::AccessDetails>(1).size(), 1u);
  EXPECT_EQ(cluster.of_type<market::AccessDetails>(1)[0].guarantee, "old-primary");
  // Another workload of the same members.
  cluster.workload = "workload-2";
  cluster.ask(1, cluster.request());
  cluster.run_for(Seconds{4});
  EXPECT_EQ(cluster.of_type<market::AccessDetails>(1).size(), 2u);
  EXPECT_EQ(cluster.core(1).counters().waited, 1u);
  // Who has learnt the rules is found out later.
  offer(0, "default");
  offer(2, "default");
  cluster.run_for(Seconds{provider::kFellowFresh.value / 1'000'000});
  cluster.workload = "workload-3";
  cluster.ask(1, cluster.request());
  cluster.run_for(Seconds{14});
  ASSERT_EQ(cluster.of_type<market::AccessDetails>(1).size(), 3u);
  EXPECT_EQ(cluster.of_type<market::AccessDetails>(1)[2].guarantee, "fenced");
}

}  // namespace
}  // namespace paygress::sim
