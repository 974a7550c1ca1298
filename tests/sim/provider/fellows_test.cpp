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
  offer(2, "fast", {0});
  offer(2, std::nullopt, {1, 2}, Seconds{5});
  EXPECT_EQ(guarantee_at(1), "old-standby") << "the primary has learnt it, the other one forgot";
}

// The newest of many would come first, and the others not at all.
TEST_F(FellowsTest, WhatElseAFellowOffersHidesNobody) {
  start({1});
  offer(0, std::nullopt);
  market::Offer other;
  other.provider_npub = cluster.key(2);
  for (int i = 0; i < 600; ++i) {
    nostr::Draft draft = market::offer_draft(other, cluster.now().wall + Seconds{60});
    for (nostr::Tag& tag : draft.tags)
      if (tag[0] == "d") tag[1] += "-" + std::to_string(i);
    cluster.publish(2, draft, {0, 1, 2});
  }
  EXPECT_EQ(guarantee_at(1), "old-primary");
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

TEST_F(FellowsTest, WhatWasReadIsRememberedForAWhile) {
  start({1});
  offer(0, std::nullopt);
  EXPECT_EQ(guarantee_at(1), "old-primary");
  EXPECT_EQ(cluster.core(1).counters().waited, 1u);
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
  cluster.run_for(Seconds{4});
  const auto last = cluster.of_type<market::AccessDetails>(1).back();
  EXPECT_EQ(last.workload_id, "workload-3");
  EXPECT_EQ(last.guarantee, "fenced");
  EXPECT_EQ(cluster.core(1).counters().waited, 2u);
}

TEST_F(FellowsTest, OneRelayThatDoesNotAnswerIsDoneWithout) {
  start({1});
  offer(0, std::nullopt);
  cluster.relay(2).faults().no_eose = true;
  EXPECT_EQ(guarantee_at(1), "old-primary");
}

// One relay of three may be the one that lacks the newest offer: nothing is promised on its word.
TEST_F(FellowsTest, WithoutAReadQuorumItIsRefusedInTheEndAndTheTokenIsUntouched) {
  start({1});
  offer(0, std::nullopt);
  for (const size_t r : {1u, 2u}) cluster.relay(r).faults().no_eose = true;
  const auto request = cluster.request();
  cluster.ask(1, request);
  cluster.run_for(provider::kPatience - Seconds{1});
  EXPECT_THAT(cluster.replies(1), IsEmpty());
  cluster.run_for(Seconds{3});
  ASSERT_EQ(cluster.of_type<market::ErrorReply>(1).size(), 1u);
  const auto error = cluster.of_type<market::ErrorReply>(1)[0];
  EXPECT_EQ(error.error_type, "standby_unavailable");
  EXPECT_EQ(error.token_state, market::TokenState::Untouched);
  EXPECT_EQ(cluster.token_calls(), 0u);
  // And it is tried for as long: a relay that comes back in time is enough.
  cluster.ask(1, cluster.request());
  cluster.run_for(Seconds{12});
  cluster.relay(1).faults().no_eose = false;
  cluster.run_for(Seconds{12});
  EXPECT_EQ(cluster.of_type<market::AccessDetails>(1).size(), 1u);
}

// Its reservation would begin after its end.
TEST_F(FellowsTest, AStopOfARequestThatWaitsComesAfterIt) {
  start({1});
  offer(0, std::nullopt);
  for (const size_t r : {1u, 2u}) cluster.relay(r).faults().no_eose = true;
  cluster.ask(1, cluster.request());
  cluster.run_for(Seconds{1});
  cluster.ask(1, market::StopRequest{cluster.workload, {}});
  cluster.run_for(Seconds{5});
  EXPECT_THAT(cluster.replies(1), IsEmpty());
  cluster.relay(1).faults().no_eose = false;
  cluster.run_for(Seconds{20});
  const auto& leases = cluster.core(1).leases().leases();
  ASSERT_EQ(leases.size(), 1u);
  for (const auto& [id, lease] : leases) EXPECT_EQ(lease.phase, lease::Phase::Void) << "not paid";
  EXPECT_TRUE(cluster.of_type<market::AccessDetails>(1).empty());
  EXPECT_FALSE(cluster.replies(1).empty());
}

// More providers than are remembered.
TEST_F(FellowsTest, ManyStrangersAreReadAndForgotten) {
  start({1});
  offer(0, std::nullopt);
  for (int i = 0; i < 36; ++i) {
    market::SpawnRequest request = cluster.request();
    request.workload_id = "workload-" + std::to_string(i);
    request.replication->standby_providers = {cluster.key(1).hex()};
    for (int s = 0; s < 15; ++s)
      request.replication->standby_providers.push_back(
          Identity(Tier::Fast, static_cast<uint32_t>(2'000 + 15 * i + s)).key.hex());
    cluster.ask(1, request);
    cluster.run_for(Seconds{3});
    cluster.core(1).check_invariants();
  }
  cluster.workload = "workload-last";
  cluster.members = {0, 1};
  cluster.ask(1, cluster.request());
  cluster.run_for(Seconds{4});
  EXPECT_EQ(cluster.of_type<market::AccessDetails>(1).back().guarantee, "old-primary");
}

}  // namespace
}  // namespace paygress::sim
