// What is said in public, and recovery from every point of the ledger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/market/events.h"
#include "tests/sim/provider/rig.h"

namespace paygress::sim {
namespace {

std::vector<nostr::Event> of_kind(const Rig& rig, uint16_t kind) {
  std::vector<nostr::Event> found;
  for (const nostr::Event& event : rig.published())
    if (event.kind == kind) found.push_back(event);
  return found;
}

TEST(Announcing, TheOfferIsPublishedEveryTenMinutesAndWhenTheOperatorDrains) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{1805});
  auto offers = of_kind(rig, nostr::kind::kOffer);
  ASSERT_EQ(offers.size(), 4u);
  EXPECT_NEAR(elapsed(offers[0].created_at, offers[1].created_at).value, 600, 1);
  EXPECT_EQ(market::parse_offer(offers[3].content).value().specs.size(), 1u);
  rig.step(provider::Drain{true});
  rig.run_for(Seconds{2});
  offers = of_kind(rig, nostr::kind::kOffer);
  ASSERT_EQ(offers.size(), 5u);
  EXPECT_TRUE(market::parse_offer(offers[4].content).value().specs.empty());
}

TEST(Announcing, DrainingSellsNothingNewAndLetsEveryLeaseEndAsItWasPaid) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{2});
  const auto pod = rig.buy(rig.alice, 100).pod_npub;  // 990 s
  rig.step(provider::Drain{true});
  rig.run_for(Seconds{600});
  EXPECT_EQ(rig.engine().running_names(rig.now()).size(), 1u);
  rig.ask(rig.alice, market::TopUpRequest{pod, rig.spawn(50).cashu_token, {}});
  EXPECT_TRUE(std::holds_alternative<market::TopUpReply>(parsed(rig.replies(rig.alice).at(0))));
  rig.run_for(Seconds{700});
  EXPECT_EQ(rig.engine().running_names(rig.now()).size(), 1u) << "paid for until 1 480 s";
  rig.run_for(Seconds{400});
  EXPECT_TRUE(rig.engine().running_names(rig.now()).empty());
  EXPECT_EQ(rig.core().leases().jobs_completed(), 1u);
}

TEST(Announcing, BothHeartbeatsSayTheSameEveryMinute) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{2});
  rig.buy(rig.alice);
  rig.run_for(Seconds{300});
  const auto kept = of_kind(rig, nostr::kind::kHeartbeat);
  const auto passing = of_kind(rig, nostr::kind::kHeartbeatEphemeral);
  ASSERT_EQ(kept.size(), 6u);
  ASSERT_EQ(passing.size(), kept.size());
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i].content, passing[i].content);
  const auto beat = market::parse_heartbeat(kept.back().content).value();
  EXPECT_EQ(beat.active_workloads, 1u);
  // What is unreserved of what is sold.
  EXPECT_EQ(beat.available_capacity, (market::Capacity{9'000, 9'216, 90}));
}

// NIP-01: of two versions with one timestamp a coin flip wins.
TEST(Announcing, TimestampsOfAKindNeverRepeatOrGoBack) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{130});
  rig.step_wall_clock(Seconds{-3600});
  rig.run_for(Seconds{130});
  rig.restart();
  rig.run_for(Seconds{130});
  rig.step_wall_clock(Seconds{-10});
  rig.restart();
  rig.restart();
  rig.run_for(Seconds{700});
  for (const uint16_t kind : {nostr::kind::kOffer, nostr::kind::kHeartbeat,
                              nostr::kind::kHeartbeatEphemeral, nostr::kind::kInboxRelays}) {
    const auto events = of_kind(rig, kind);
    ASSERT_GE(events.size(), 3u) << kind;
    for (size_t i = 1; i < events.size(); ++i)
      EXPECT_LT(events[i - 1].created_at, events[i].created_at) << kind;
  }
}

TEST(Announcing, UptimeOfANewProviderIsNotHeldAgainstIt) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{7'000});
  const auto offers = of_kind(rig, nostr::kind::kOffer);
  for (const nostr::Event& event : offers)
    EXPECT_GE(market::parse_offer(event.content).value().uptime_percent.thousandths, 95'000u);
}

// A crash after any batch: the fold starts, nothing aborts, and what comes out is the same money.
TEST(Recovery, FromEveryBatchTheHistoryConverges) {
  const auto live = [](Rig& rig) {
    rig.start();
    rig.run_for(Seconds{2});
    // Consumers ask until they are answered, as a crash may have swallowed what they said.
    const auto insist = [&rig](const Identity& who, const market::Request& request) {
      const UnixSeconds dated = rig.now().wall;
      for (int i = 0; i < 4; ++i) {
        rig.ask(who, request, provider::Transport::Nip17, dated);
        rig.run_for(Seconds{20});
      }
    };
    insist(rig.alice, rig.spawn(20));
    rig.ask(rig.bob, rig.spawn(6));  // a refusal
    insist(rig.alice, market::TopUpRequest{"container-1000", rig.spawn(20).cashu_token, {}});
    rig.run_for(Seconds{600});
  };
  Rig whole;
  live(whole);
  ASSERT_EQ(whole.core().leases().jobs_completed(), 1u);
  const size_t batches = whole.ledger().size();
  ASSERT_GT(batches, 10u);
  for (size_t n = 0; n <= batches; ++n) {
    SCOPED_TRACE(n);
    // The world goes on from the moment at which the process died after its n-th batch.
    Rig rig;
    rig.crash_after_batches = n;
    live(rig);
    rig.run_for(Seconds{1'500});
    rig.core().check_invariants();
    EXPECT_EQ(rig.core().wallet().state().open_count(), 0u);
    EXPECT_EQ(rig.core().leases().allocator().size(), 0u);
    int64_t redeemed = 0;
    for (const auto& [key, t] : rig.core().leases().totals()) redeemed += t.redeemed.value;
    int64_t swapped = 0;
    for (const MintSwap& swap : rig.mint().swaps())
      if (!swap.inputs.empty())
        for (const auto& output : swap.outputs)
          swapped += static_cast<int64_t>(output.amount) * 1000;
    EXPECT_EQ(redeemed, swapped);
    EXPECT_TRUE(rig.engine().running_names(rig.now()).empty());
  }
}

// No prefix of the ledger, whole batches or not, makes a start fail by itself.
TEST(Recovery, NoPrefixOfTheLedgerEndsTheProcess) {
  Rig whole;
  whole.start();
  whole.run_for(Seconds{2});
  whole.buy(whole.alice, 20);
  whole.run_for(Seconds{400});
  const auto ledger = whole.ledger();
  for (size_t n = 0; n <= ledger.size(); ++n) {
    Rig rig;
    rig.ledger().assign(ledger.begin(), ledger.begin() + static_cast<ptrdiff_t>(n));
    rig.start();
    rig.run_for(Seconds{30});
    rig.core().check_invariants();
  }
}

// The money of a ledger could not be spent with another seed, and is nobody else's to spend.
TEST(Recovery, ALedgerOfAnotherSeedOrAnotherKeyIsRefused) {
  Rig rig;
  rig.start();
  rig.run_for(Seconds{2});
  rig.buy(rig.alice, 20);
  const auto start = [&](const std::string& seed, const PubKey& self) {
    provider::Settings settings = rig.settings();
    settings.self = self;
    SeededEntropy entropy(1, 1, "another start");
    provider::Provider other(settings, entropy, 1);
    for (const auto& batch : rig.ledger())
      for (const provider::Record& record : batch) other.fold(record);
    return other.start(rig.now(), {{}, {}, seed}).has_value();
  };
  EXPECT_FALSE(start("another seed", rig.settings().self));
  EXPECT_FALSE(start("seed", rig.bob.key));
  EXPECT_TRUE(start("seed", rig.settings().self));
}

}  // namespace
}  // namespace paygress::sim
