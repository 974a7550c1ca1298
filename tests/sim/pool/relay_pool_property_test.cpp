// Random link flaps: whatever happens, every event published is delivered to a subscriber exactly
// once, as long as some path between the two exists in the end.
#include <rapidcheck.h>

#include "tests/sim/pool/pool_world.h"

namespace paygress::nostr {
namespace {

constexpr uint64_t kRelays = 3;

Filter inbox() { return kind_filter(kind::kGiftWrap); }

void subscribe(PoolWorld& world) {
  const SubscribeOptions options{kGiftWrapBackfill, {}};
  RC_ASSERT(world.pool().subscribe(world.now, "inbox", {inbox()}, options).has_value());
  world.pool().start(world.now);
  world.settle();
}

// Events from elsewhere arrive at one relay each; the subscriber flaps and restarts.
void everything_arrives_once(const std::vector<std::pair<int, int>>& actions, bool auth,
                             size_t cap) {
  sim::RelayOptions options;
  options.limits.results = cap;
  options.auth_for_private_reads = auth;
  PoolWorld world(kRelays, options, 7);
  subscribe(world);
  const std::string owner = numbered<PubKey>(PoolWorld::kOwner).hex();
  uint64_t events = 0;
  std::set<int64_t> times;
  for (const auto& [action, argument] : actions) {
    const size_t relay = static_cast<size_t>(argument) % kRelays;
    switch (action) {
      case 0:
      case 1:
      case 2: {
        // No second twice: more events in one than a relay's cap cannot be read by anybody.
        int64_t time = world.now.wall.value - argument * 7919 % 172'800;
        while (!times.insert(time).second) --time;
        const Event event = numbered_event(events++, kind::kGiftWrap, time, {{"p", owner}});
        world.publish_elsewhere(relay, event);
        if (argument % 2 == 0) world.publish_elsewhere((relay + 1) % kRelays, event);
        break;
      }
      case 3: world.cut(relay); break;
      case 4: world.mend(relay); break;
      case 5: world.restart_relay(relay); break;
      case 6: world.pass(Micros{argument * 1'000'000}); break;
      default: {
        std::vector<EventId> processed;
        for (const auto& [id, count] : world.deliveries()) processed.push_back(id);
        world.restart_pool(processed);
        subscribe(world);
      }
    }
  }
  for (size_t i = 0; i < kRelays; ++i) world.mend(i);
  world.pass(1'000'000'000_us);
  RC_ASSERT(world.pool().live_count() == kRelays);
  const auto delivered = world.deliveries();
  RC_ASSERT(delivered.size() == events);
  for (const auto& [id, count] : delivered) RC_ASSERT(count == 1);
}

TEST(RelayPoolProperty, EveryEventIsDeliveredExactlyOnceInTheEnd) {
  const auto actions = rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 8), rc::gen::inRange(0, 400)));
  EXPECT_TRUE(rc::check([&] {
    everything_arrives_once(*actions, *rc::gen::arbitrary<bool>(), *rc::gen::inRange<size_t>(2, 9));
  }));
}

// What is published while links flap reaches its quorum, and is stored where it was accepted.
TEST(RelayPoolProperty, EveryPublishReachesItsQuorumInTheEnd) {
  const auto actions = rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 8), rc::gen::inRange(0, 100)));
  EXPECT_TRUE(rc::check([&] {
    PoolWorld world(kRelays, {}, 11);
    subscribe(world);
    uint64_t published = 0;
    for (const auto& [action, argument] : *actions) {
      const size_t relay = static_cast<size_t>(argument) % kRelays;
      auto& faults = world.relay(relay).faults();
      if (action <= 2) {
        const Event event = numbered_event(published, 1000, world.now.wall.value);
        const PublishOptions options{1 + relay, {}, argument % 2 == 0};
        RC_ASSERT(world.pool().publish(world.now, {++published}, event, options).has_value());
        world.settle();
      } else if (action == 3) {
        world.cut(relay);
      } else if (action == 4) {
        world.mend(relay);
      } else if (action == 5) {
        faults.drop_ok = !faults.drop_ok;
      } else if (action == 6) {
        faults.refuse_events = !faults.refuse_events;
      } else {
        world.pass(Micros{argument * 100'000});
      }
    }
    for (size_t i = 0; i < kRelays; ++i) {
      world.mend(i);
      world.relay(i).faults() = {};
    }
    world.pass(1'000'000'000_us);
    RC_ASSERT(world.reached.size() == published);
    std::map<PublishId, std::set<RelayIndex>> accepted;
    for (const auto& answer : world.answered) {
      if (!answer.accepted) continue;
      accepted[answer.publish].insert(answer.relay);
      RC_ASSERT(world.relay(answer.relay.value).has(numbered<EventId>(answer.publish.value - 1)));
    }
    RC_ASSERT(accepted.size() == published);
  }));
}

}  // namespace
}  // namespace paygress::nostr
