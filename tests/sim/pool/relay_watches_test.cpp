// Relays that come and go at run time, and the watches on them.
#include "core/nostr/relay_watches.h"

#include "tests/sim/pool/pool_world.h"

namespace paygress::nostr {
namespace {

constexpr uint16_t kBeat = 38384;
constexpr uint16_t kTakeover = 38386;
constexpr Micros kPing = 15'000_ms;

// Two models; the pool owns the first relay only.
class WatchWorld : public PoolWorld {
 public:
  WatchWorld() : PoolWorld(3, {}, 1, 1) {
    pool().start(now);
    settle_all();
  }

  RelayWatches watches{pool()};
  std::map<std::pair<WatchId, RelayIndex>, std::optional<Micros>> since;
  std::vector<watch::Answered> answers;

  WatchSpec spec(uint64_t author, std::vector<size_t> relays = {0, 1}) {
    WatchSpec s;
    for (const size_t i : relays) s.relays.push_back(relay(i).options().url);
    Filter beats = kind_filter(kBeat);
    beats.authors = {numbered<PubKey>(author)};
    beats.limit = 2;
    Filter takeovers = kind_filter(kTakeover);
    takeovers.authors = beats.authors;
    takeovers.tags["d"] = {"workload-" + std::to_string(author)};
    s.filters = {beats, takeovers};
    s.ping_limit = kPing;
    return s;
  }

  void settle_all() {
    do {
      settle();
      for (const auto& [key, changes] : continuity)
        for (const auto& change : changes)
          watches.handle(now, pool::Continuity{key.first, key.second, change});
      continuity.clear();
      for (const auto& answer : queries) watches.handle(now, answer);
      queries.clear();
      settle();
      for (const auto& output : watches.take_outputs()) {
        if (const auto* c = std::get_if<watch::Continuity>(&output))
          since[{c->watch, c->relay}] = c->since;
        if (const auto* a = std::get_if<watch::Answered>(&output)) answers.push_back(*a);
      }
    } while (!continuity.empty() || !queries.empty());
    watches.check_invariants();
    pool().check_invariants();
  }
  std::optional<Micros> covered(uint64_t watch, size_t relay) {
    const auto index = pool().find_relay(this->relay(relay).options().url);
    return index ? since[{WatchId{watch}, *index}] : std::nullopt;
  }
  void pass_all(Micros time) {
    for (Micros left = time; left > Micros{0}; left -= Micros{1'000'000}) {
      pass(Micros{1'000'000});
      settle_all();
    }
  }
};

Event beat(uint64_t n, uint64_t author, int64_t at) {
  return numbered_event(n, kBeat, at, {{"d", std::to_string(n)}}, author);
}

TEST(RelayWatches, RelaysComeWithTheirFirstWatchAndGoWithTheirLast) {
  WatchWorld world;
  ASSERT_TRUE(world.watches.add(world.now, {1}, world.spec(7)).has_value());
  ASSERT_TRUE(world.watches.add(world.now, {2}, world.spec(8, {1, 2})).has_value());
  world.settle_all();
  EXPECT_EQ(world.pool().room_for_relays(), kRelaysMax - 3);
  EXPECT_EQ(world.pool().relay_count(), 1u) << "only its own";
  for (const size_t relay : {0u, 1u}) EXPECT_TRUE(world.covered(1, relay)) << relay;
  world.watches.remove(world.now, {1});
  world.settle_all();
  EXPECT_EQ(world.pool().room_for_relays(), kRelaysMax - 3) << "the other one needs it";
  world.watches.remove(world.now, {2});
  world.settle_all();
  EXPECT_EQ(world.pool().room_for_relays(), kRelaysMax - 1);
  EXPECT_FALSE(world.pool().find_relay(world.relay(1).options().url));
}

TEST(RelayWatches, EveryCopyArrivesFromEachRelayAndKnownOnesToo) {
  WatchWorld world;
  world.publish_elsewhere(0, beat(1, 7, PoolWorld::kStart));
  ASSERT_TRUE(world.watches.add(world.now, {1}, world.spec(7)).has_value());
  world.settle_all();
  for (const size_t relay : {0u, 1u})
    world.publish_elsewhere(relay, beat(2, 7, PoolWorld::kStart + 1));
  world.publish_elsewhere(1, beat(3, 9, PoolWorld::kStart));  // somebody else's
  world.settle_all();
  std::vector<EventId> heard;
  for (const auto& d : world.delivered) heard.push_back(d.event->id);
  std::sort(heard.begin(), heard.end());
  std::vector<EventId> expected{numbered<EventId>(1), numbered<EventId>(2), numbered<EventId>(2)};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(heard, expected);
  EXPECT_FALSE(world.pool().delivered(numbered<EventId>(2))) << "admission must not remember it";

  world.delivered.clear();
  const auto relays = world.pool().find_relay(world.relay(0).options().url);
  ASSERT_TRUE(world.watches.ask(world.now, {5}, {*relays}, {kind_filter(kBeat)}).has_value());
  world.settle_all();
  std::set<EventId> found;  // the border of two pages comes twice
  for (const auto& d : world.delivered) found.insert(d.event->id);
  EXPECT_EQ(found, (std::set{numbered<EventId>(1), numbered<EventId>(2)}));
  ASSERT_EQ(world.answers.size(), 1u);
  EXPECT_TRUE(world.answers[0].complete);
}

// An attacker who buys reservations must not keep the evidence of others from growing old.
TEST(RelayWatches, AnotherWatchIsNoInterruption) {
  WatchWorld world;
  ASSERT_TRUE(world.watches.add(world.now, {1}, world.spec(7)).has_value());
  world.settle_all();
  const auto before = world.covered(1, 0);
  ASSERT_TRUE(before.has_value());
  world.pass_all(50'000_ms);
  for (uint64_t n = 2; n < 20; ++n)
    ASSERT_TRUE(world.watches.add(world.now, {n}, world.spec(10 + n)).has_value());
  world.settle_all();
  EXPECT_EQ(world.covered(1, 0), before);
  ASSERT_TRUE(world.covered(19, 0).has_value());
  EXPECT_GT(*world.covered(19, 0), *before);
  for (uint64_t n = 3; n < 20; ++n) world.watches.remove(world.now, {n});
  world.settle_all();
  EXPECT_EQ(world.covered(1, 0), before);
  world.publish_elsewhere(0, beat(1, 7, PoolWorld::kStart));
  world.publish_elsewhere(0, beat(2, 12, PoolWorld::kStart));
  EXPECT_EQ(world.delivered.size(), 2u) << "both are still heard, once";
}

TEST(RelayWatches, ARelayThatRestartedIsBrokenAndBeginsAnew) {
  WatchWorld world;
  ASSERT_TRUE(world.watches.add(world.now, {1}, world.spec(7)).has_value());
  world.settle_all();
  const auto before = world.covered(1, 1);
  world.pass_all(100'000_ms);
  EXPECT_EQ(world.covered(1, 1), before);
  world.restart_relay(1);
  world.settle_all();
  world.pass_all(70'000_ms);
  ASSERT_TRUE(world.covered(1, 1).has_value());
  EXPECT_GT(*world.covered(1, 1), *before + 100'000_ms);
  world.cut(1);
  world.settle_all();
  EXPECT_FALSE(world.covered(1, 1).has_value());
  EXPECT_TRUE(world.covered(1, 0).has_value());
}

TEST(RelayWatches, QueriesWaitTheirTurnAndEachIsAnsweredOncePerRelay) {
  WatchWorld world;
  ASSERT_TRUE(world.watches.add(world.now, {1}, world.spec(7)).has_value());
  world.settle_all();
  const RelayIndex own{0};
  const RelayIndex other = *world.pool().find_relay(world.relay(1).options().url);
  world.cut(1);
  for (uint64_t n = 1; n <= 20; ++n)
    ASSERT_TRUE(world.watches.ask(world.now, {n}, {own, other}, {kind_filter(kBeat)}).has_value());
  world.settle_all();
  world.pass_all(30'000_ms);
  std::map<std::pair<QueryId, RelayIndex>, std::vector<bool>> answers;
  for (const auto& a : world.answers) answers[{a.query, a.relay}].push_back(a.complete);
  EXPECT_EQ(answers.size(), 40u);
  for (const auto& [key, all] : answers) {
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0], key.second == own);
  }
}

TEST(RelayWatches, MoreThanARelayCanHoldIsRefusedAndChangesNothing) {
  WatchWorld world;
  uint64_t n = 1;
  for (; n < 2'000; ++n) {
    WatchSpec spec = world.spec(n, {0});
    for (uint64_t k = 0; k < 100; ++k)
      spec.filters[0].authors.push_back(numbered<PubKey>(n * 1'000 + k));
    if (!world.watches.add(world.now, {n}, std::move(spec))) break;
    if (n % 5 == 0) world.settle_all();
  }
  world.settle_all();
  EXPECT_GT(n, 10u);
  EXPECT_LT(n, 100u);
  EXPECT_TRUE(world.covered(1, 0).has_value());
  EXPECT_FALSE(world.watches.add(world.now, {n}, WatchSpec{}).has_value()) << "no relays";
}

TEST(RelayPool, AnEventIsNotSentAfterItsTimeNorWhenItWasStopped) {
  PoolWorld world(1);
  world.pool().start(world.now);
  world.settle();
  world.cut(0);
  PublishOptions options;
  options.not_after = world.now.mono + 50'000_ms;
  const auto publish = [&](uint64_t n, const PublishOptions& how) {
    return world.pool().publish(world.now, {n}, numbered_event(n, 1, PoolWorld::kStart), how);
  };
  ASSERT_TRUE(publish(1, options));
  ASSERT_TRUE(publish(2, {}));
  ASSERT_TRUE(publish(3, {}));
  world.pool().stop_sending({2});
  world.pass(60'000_ms);
  world.mend(0);
  world.pass(70'000_ms);
  EXPECT_FALSE(world.relay(0).has(numbered<EventId>(1)));
  EXPECT_FALSE(world.relay(0).has(numbered<EventId>(2)));
  EXPECT_TRUE(world.relay(0).has(numbered<EventId>(3)));
}

// failover.md, write quorum: a stored copy that a query brings back says nothing of passing on.
TEST(RelayPool, OnlyALongLivedSubscriptionEchoes) {
  PoolWorld world(1);
  world.pool().start(world.now);
  world.settle();
  ASSERT_TRUE(world.pool().publish(world.now, {1}, numbered_event(1, 1'000, PoolWorld::kStart)));
  world.settle();
  ASSERT_TRUE(world.pool().query(world.now, "ask", {kind_filter(1'000)}));
  world.settle();
  EXPECT_EQ(world.delivered.size(), 1u);
  EXPECT_TRUE(world.echoes.empty());
}

}  // namespace
}  // namespace paygress::nostr
