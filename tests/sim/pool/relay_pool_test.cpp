// The pool against relay models.
#include "tests/sim/pool/pool_world.h"

namespace paygress::nostr {
namespace {

constexpr int64_t kStart = PoolWorld::kStart;
constexpr uint16_t kNote = 1000;
const PublishId kFirst{1};

Event wrap(uint64_t n, int64_t created_at) {
  return numbered_event(n, kind::kGiftWrap, created_at,
                        {{"p", numbered<PubKey>(PoolWorld::kOwner).hex()}}, 10'000 + n);
}

Event note(uint64_t n, int64_t created_at = kStart, uint16_t kind = kNote) {
  return numbered_event(n, kind, created_at);
}

Filter inbox_filter() {
  Filter filter = kind_filter(kind::kGiftWrap);
  filter.tags["p"] = {numbered<PubKey>(PoolWorld::kOwner).hex()};
  return filter;
}

void start_inbox(PoolWorld& world) {
  const SubscribeOptions options{kGiftWrapBackfill, {}};
  ASSERT_TRUE(world.pool().subscribe(world.now, "inbox", {inbox_filter()}, options));
  world.pool().start(world.now);
  world.settle();
}

void expect_each_once(const PoolWorld& world, uint64_t from, uint64_t to) {
  const auto count = world.deliveries();
  for (uint64_t n = from; n < to; ++n) {
    const auto it = count.find(numbered<EventId>(n));
    EXPECT_EQ(it == count.end() ? 0 : it->second, 1) << "event " << n;
  }
  EXPECT_EQ(count.size(), to - from);
}

TEST(RelayPool, DeliversOnceOverThreeRelaysAndCountsTheEchoes) {
  PoolWorld world(3);
  start_inbox(world);
  EXPECT_EQ(world.pool().live_count(), 3u);
  for (uint64_t n = 0; n < 20; ++n)
    for (size_t i = 0; i < 3; ++i)
      world.publish_elsewhere(i, wrap(n, kStart - 1000 * static_cast<int64_t>(n)));
  expect_each_once(world, 0, 20);
}

// NIP-59: a wrap's created_at is up to two days in the past, whenever it was sent.
TEST(RelayPool, ReconnectLosesNoBackdatedGiftWraps) {
  PoolWorld world(1);
  start_inbox(world);
  world.publish_elsewhere(0, wrap(0, kStart));
  world.pass(3'600'000_ms);
  world.cut(0);
  world.pass(600'000_ms);
  for (uint64_t n = 1; n < 30; ++n)
    world.publish_elsewhere(0, wrap(n, world.now.wall.value - 172'800 + static_cast<int64_t>(n)));
  world.mend(0);
  world.pass(70'000_ms);
  expect_each_once(world, 0, 30);
}

TEST(RelayPool, DeliversOnceOverRestartsWithTheIdsLoaded) {
  PoolWorld world(2);
  start_inbox(world);
  for (uint64_t n = 0; n < 10; ++n) world.publish_elsewhere(n % 2, wrap(n, kStart - 100'000));
  std::vector<EventId> processed;
  for (const auto& [id, count] : world.deliveries()) processed.push_back(id);
  ASSERT_EQ(processed.size(), 10u);

  world.restart_pool(processed);
  for (uint64_t n = 10; n < 20; ++n) world.publish_elsewhere(n % 2, wrap(n, kStart - 100'000));
  start_inbox(world);
  expect_each_once(world, 0, 20);
}

TEST(RelayPool, PagesThroughASilentCapOfTwentyResults) {
  sim::RelayOptions options;
  options.limits.results = 20;
  PoolWorld world(1, options);
  // Runs of equal seconds of different lengths, one of them as long as the cap.
  uint64_t n = 0;
  int64_t time = kStart - 1000;
  for (int run : {1, 7, 20, 3, 1, 1, 19, 2, 30, 5, 1})
    for (--time; run > 0; --run) world.publish_elsewhere(0, wrap(n++, run > 20 ? time-- : time));
  for (; n < 300; ++n) world.publish_elsewhere(0, wrap(n, --time));
  start_inbox(world);
  expect_each_once(world, 0, 300);

  // And again with everything known, where events come as ids without their times.
  world.cut(0);
  for (; n < 350; ++n) world.publish_elsewhere(0, wrap(n, --time));
  world.mend(0);
  world.pass(70'000_ms);
  expect_each_once(world, 0, 350);
  EXPECT_EQ(world.pool().live_count(), 1u);
}

TEST(RelayPool, PagesEachFilterOfASubscriptionByItself) {
  sim::RelayOptions options;
  options.limits.results = 20;
  PoolWorld world(1, options);
  for (uint64_t n = 0; n < 100; ++n)  // one filter's events are all older than the other's
    world.publish_elsewhere(0, note(n, kStart - static_cast<int64_t>(n), n < 50 ? 1001 : 1000));
  ASSERT_TRUE(world.pool().subscribe(world.now, "two", {kind_filter(1000), kind_filter(1001)}));
  world.pool().start(world.now);
  world.settle();
  expect_each_once(world, 0, 100);
}

TEST(RelayPool, LiveEventsFlowWhilePagesAreRead) {
  sim::RelayOptions options;
  options.limits.results = 2;
  PoolWorld world(1, options);
  for (uint64_t n = 0; n < 40; ++n)
    world.publish_elsewhere(0, wrap(n, kStart - 500 - static_cast<int64_t>(n)));
  ASSERT_TRUE(world.pool().subscribe(world.now, "inbox", {inbox_filter()}));
  world.pool().start(world.now);
  for (uint64_t n = 40; n < 45; ++n) {
    for (int i = 0; i < 3; ++i) world.step();  // in the middle of the paging
    world.inject(0, wrap(n, kStart));
  }
  world.settle();
  expect_each_once(world, 0, 45);
}

TEST(RelayPool, AHostileRelayCannotMakePagingEndless) {
  PoolWorld world(1);
  world.relay(0).faults().duplicate_sends = true;
  for (uint64_t n = 0; n < 50; ++n) world.publish_elsewhere(0, wrap(n, kStart));
  start_inbox(world);
  expect_each_once(world, 0, 50);
  EXPECT_LT(world.sent_messages, 3 * kPagesMax);
  EXPECT_EQ(world.pool().live_count(), 1u);
}

TEST(RelayPool, ClosedSubscriptionsComeBack) {
  PoolWorld world(1);
  world.relay(0).faults().close_requests = true;
  start_inbox(world);
  EXPECT_EQ(world.pool().live_count(), 0u);
  EXPECT_EQ(world.pool().status({0}).health, RelayHealth::Impaired);
  world.pass(3'600'000_ms);
  EXPECT_LT(world.sent_messages, 100u);
  world.publish_elsewhere(0, wrap(0, kStart));
  world.relay(0).faults().close_requests = false;
  world.pass(301'000_ms);
  EXPECT_EQ(world.pool().live_count(), 1u);
  expect_each_once(world, 0, 1);
}

TEST(RelayPool, ReadsAnInboxThatNeedsAuth) {
  sim::RelayOptions options;
  options.auth_for_private_reads = true;
  PoolWorld world(1, options);
  for (uint64_t n = 0; n < 5; ++n) world.publish_elsewhere(0, wrap(n, kStart - 100'000));
  start_inbox(world);
  EXPECT_EQ(world.pool().live_count(), 1u);
  world.restart_relay(0);
  world.pass(70'000_ms);
  world.publish_elsewhere(0, wrap(5, kStart));
  expect_each_once(world, 0, 6);
}

TEST(RelayPool, EventsThatWereNotAskedForGoNowhere) {
  PoolWorld world(2);
  world.relay(0).faults().ignore_filters = true;
  start_inbox(world);
  const Event other = note(7);
  world.publish_elsewhere(0, other);
  EXPECT_TRUE(world.delivered.empty());
  EXPECT_FALSE(world.pool().delivered(other.id));
  EXPECT_EQ(world.pool().stats({0}).strays, 1u);
  // Asked for later, it arrives: a stray must not have made it known.
  ASSERT_TRUE(world.pool().subscribe(world.now, "notes", {kind_filter(kNote)}));
  world.settle();
  expect_each_once(world, 7, 8);
}

TEST(RelayPool, PublishesUntilTheQuorumWhileRelaysFlap) {
  PoolWorld world(3);
  start_inbox(world);
  for (size_t i = 0; i < 3; ++i) world.cut(i);
  ASSERT_TRUE(world.pool().publish(world.now, kFirst, note(1), {2, {}, false}));
  world.pass(60'000_ms);
  EXPECT_TRUE(world.answered.empty());
  world.mend(0);
  world.pass(70'000_ms);
  EXPECT_TRUE(world.relay(0).has(numbered<EventId>(1)));
  EXPECT_TRUE(world.reached.empty());
  world.cut(0);
  world.mend(1);
  world.pass(70'000_ms);
  EXPECT_TRUE(world.reached.contains(kFirst));
  ASSERT_EQ(world.answered.size(), 2u);
  EXPECT_EQ(world.answered[0].relay, RelayIndex{0});
  EXPECT_EQ(world.answered[1].relay, RelayIndex{1});
  world.mend(2);
  world.pass(600'000_ms);
  EXPECT_EQ(world.sent_events, 2u) << "nothing is resent after the quorum";
}

TEST(RelayPool, ResendsTheSameEventToRelaysThatDoNotAnswer) {
  PoolWorld world(2);
  start_inbox(world);
  world.relay(0).faults().drop_ok = true;
  world.relay(1).faults().refuse_events = true;
  ASSERT_TRUE(world.pool().publish(world.now, kFirst, note(1), {2, {}, false}));
  world.pass(3'600'000_ms);
  EXPECT_TRUE(world.reached.empty());
  EXPECT_GT(world.sent_events, 2 * 3600u / 75);
  EXPECT_LT(world.sent_events, 2 * 3600u / 10);
  world.relay(0).faults() = {};
  world.relay(1).faults() = {};
  world.pass(75'000_ms);  // relay 0 now says duplicate, which counts
  EXPECT_TRUE(world.reached.contains(kFirst));
  world.pool().forget(kFirst);
  EXPECT_EQ(world.pool().publish_count(), 0u);
  world.pool().check_invariants();
}

TEST(RelayPool, ForgettingEndsThePublish) {
  PoolWorld world(1);
  start_inbox(world);
  world.relay(0).faults().refuse_events = true;
  ASSERT_TRUE(world.pool().publish(world.now, kFirst, note(1)));
  world.settle();
  const size_t sent = world.sent_events;
  EXPECT_EQ(sent, 1u);
  world.pool().forget(kFirst);
  world.pass(3'600'000_ms);
  EXPECT_EQ(world.sent_events, sent);
}

TEST(RelayPool, OksForOtherEventsProveNothing) {
  PoolWorld world(1);
  start_inbox(world);
  world.lie_about_oks = true;
  world.relay(0).faults().refuse_events = true;
  ASSERT_TRUE(world.pool().publish(world.now, kFirst, note(1)));
  world.pass(100'000_ms);
  EXPECT_TRUE(world.reached.empty());
  EXPECT_GT(world.pool().stats({0}).late_oks, 0u);
}

TEST(RelayPool, AnOlderReplaceableEventIsNotSentForEver) {
  PoolWorld world(1);
  start_inbox(world);
  world.publish_elsewhere(0, numbered_event(2, kind::kOffer, kStart, {{"d", "x"}}));
  ASSERT_TRUE(world.pool().publish(world.now, kFirst,
                                   numbered_event(1, kind::kOffer, kStart - 1, {{"d", "x"}})));
  world.pass(3'600'000_ms);
  EXPECT_EQ(world.sent_events, 1u);
  ASSERT_EQ(world.answered.size(), 1u);
  EXPECT_FALSE(world.answered[0].accepted);
  EXPECT_TRUE(world.answered[0].text.starts_with("replaced:"));
}

// failover.md: a write counts when it came back on our own subscription, not when a relay says OK.
TEST(RelayPool, ReportsWhichRelaysPassedAPublishOn) {
  PoolWorld world(3);
  world.relay(2).faults().accept_and_forget = true;
  ASSERT_TRUE(world.pool().subscribe(world.now, "own", {kind_filter(kind::kHeartbeatEphemeral)}));
  world.pool().start(world.now);
  world.settle();
  const Event heartbeat = note(1, kStart, kind::kHeartbeatEphemeral);
  ASSERT_TRUE(world.pool().publish(world.now, kFirst, heartbeat, {3, {}, true}));
  world.settle();
  EXPECT_TRUE(world.reached.contains(kFirst));
  ASSERT_EQ(world.echoes.size(), 2u);
  EXPECT_EQ(world.echoes[0].relay, RelayIndex{0});
  EXPECT_EQ(world.echoes[1].relay, RelayIndex{1});
  expect_each_once(world, 1, 2);
}

TEST(RelayPool, UrgentEventsOvertakeThoseThatWaitForTheRateLimit) {
  PoolWorld world(1);
  start_inbox(world);
  for (uint64_t n = 0; n < 200; ++n)
    ASSERT_TRUE(world.pool().publish(world.now, {100 + n}, note(n)));
  ASSERT_TRUE(world.pool().publish(world.now, kFirst, note(999), {1, {}, true}));
  world.pass(400_ms);
  EXPECT_TRUE(world.reached.contains(kFirst));
  EXPECT_LT(world.reached.size(), 10u);
  world.pass(80'000_ms);
  EXPECT_EQ(world.reached.size(), 201u);
}

TEST(RelayPool, TrackedPublishesAreBounded) {
  PoolWorld world(1);
  for (uint64_t n = 0; n < kPublishesMax; ++n)
    ASSERT_TRUE(world.pool().publish(world.now, {n}, note(n)));
  EXPECT_FALSE(world.pool().publish(world.now, {9999}, note(9999)));
  world.pool().start(world.now);
  world.pass(1'000_ms);  // some are done: the oldest of them makes room
  EXPECT_FALSE(world.reached.empty());
  EXPECT_TRUE(world.pool().publish(world.now, {9999}, note(9999)));
  EXPECT_EQ(world.pool().publish_count(), kPublishesMax);
}

TEST(RelayPool, RefusesWhatItCannotDo) {
  PoolWorld world(2);
  auto& pool = world.pool();
  const Event event = note(1);
  EXPECT_FALSE(pool.publish(world.now, kFirst, event, {3, {}, false}));
  EXPECT_FALSE(pool.publish(world.now, kFirst, event, {2, {{0}, {0}}, false}));
  EXPECT_FALSE(pool.publish(world.now, kFirst, event, {1, {{7}}, false}));
  EXPECT_FALSE(pool.publish(world.now, kFirst, event, {0, {}, false}));
  ASSERT_TRUE(pool.publish(world.now, kFirst, event));
  EXPECT_FALSE(pool.publish(world.now, kFirst, note(2)));
  EXPECT_FALSE(pool.publish(world.now, {2}, event));
  EXPECT_FALSE(pool.subscribe(world.now, "", {inbox_filter()}));
  const std::string long_name(kSubscriptionNameMax + 1, 'x');
  EXPECT_FALSE(pool.subscribe(world.now, long_name, {inbox_filter()}));
  EXPECT_FALSE(pool.subscribe(world.now, "a.b", {inbox_filter()}));
  EXPECT_FALSE(pool.subscribe(world.now, "none", {}));
}

TEST(RelayPool, AQueryIsAnsweredPerRelayAndDeliversOnlyNews) {
  sim::RelayOptions options;
  options.limits.results = 5;
  PoolWorld world(3, options);
  start_inbox(world);
  for (uint64_t n = 0; n < 12; ++n)
    world.publish_elsewhere(n % 2, note(n, kStart - static_cast<int64_t>(n)));
  world.relay(1).faults().no_eose = true;
  world.cut(2);
  ASSERT_TRUE(world.pool().query(world.now, "ask", {kind_filter(kNote)}));
  EXPECT_FALSE(world.pool().query(world.now, "ask", {kind_filter(kNote)})) << "still open";
  world.pass(10'000_ms);
  ASSERT_EQ(world.queries.size(), 3u);
  std::map<uint32_t, bool> complete;
  for (const auto& answer : world.queries) complete[answer.relay.value] = answer.complete;
  EXPECT_EQ(complete, (std::map<uint32_t, bool>{{0, true}, {1, false}, {2, false}}));
  const size_t before = world.delivered.size();
  ASSERT_TRUE(world.pool().query(world.now, "ask", {kind_filter(kNote)},
                                 {.timeout = 5'000_ms, .relays = {{0}}}));
  world.settle();
  EXPECT_EQ(world.queries.size(), 4u);
  EXPECT_EQ(world.delivered.size(), before);
}

TEST(RelayPool, SaysSinceWhenASubscriptionIsUnbroken) {
  PoolWorld world(2);
  start_inbox(world);
  const Micros first = world.now.mono;
  EXPECT_EQ(world.pool().live_since({0}, "inbox"), first);
  world.pass(100'000_ms);
  world.restart_relay(1);
  EXPECT_EQ(world.pool().live_since({1}, "inbox"), std::nullopt);
  world.pass(70'000_ms);
  EXPECT_EQ(world.pool().live_since({0}, "inbox"), first);
  EXPECT_GT(world.pool().live_since({1}, "inbox"), first + 100'000_ms);
}

}  // namespace
}  // namespace paygress::nostr
