#include <gtest/gtest.h>

#include "core/nostr/backoff.h"
#include "core/nostr/seen_set.h"
#include "tests/core/nostr/relay_fixture.h"

namespace paygress::nostr {
namespace {

TEST(Backoff, DoublesUpToTheLongestWithFullJitter) {
  RandomStream jitter(1, 2, "test");
  Backoff backoff({1'000_ms, 60'000_ms});
  for (int64_t ceiling : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    const Micros delay = backoff.next(jitter);
    EXPECT_GE(delay, 100_ms);
    EXPECT_LE(delay, micros(Seconds{ceiling}));
  }
  backoff.reset();
  EXPECT_LE(backoff.next(jitter), 1'000_ms);
}

TEST(Backoff, SpreadsClientsOverTheWholeInterval) {
  int early = 0;
  int late = 0;
  for (uint64_t client = 0; client < 200; ++client) {
    RandomStream jitter(7, client, "test");
    Backoff backoff({1'000_ms, 60'000_ms});
    const Micros delay = backoff.next(jitter);
    early += delay < 400_ms;
    late += delay > 700_ms;
  }
  EXPECT_GT(early, 40);
  EXPECT_GT(late, 40);
}

TEST(SeenSet, ForgetsTheOldestAndNothingElse) {
  SeenSet seen(3);
  for (uint64_t n = 0; n < 3; ++n)
    EXPECT_TRUE(seen.insert(numbered<EventId>(n), UnixSeconds{static_cast<int64_t>(n)}));
  EXPECT_FALSE(seen.insert(numbered<EventId>(0), UnixSeconds{9}));
  EXPECT_TRUE(seen.insert(numbered<EventId>(3), std::nullopt));
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_FALSE(seen.contains(numbered<EventId>(0)));
  EXPECT_EQ(seen.created_at(numbered<EventId>(1)), UnixSeconds{1});
  EXPECT_TRUE(seen.contains(numbered<EventId>(3)));
  EXPECT_EQ(seen.created_at(numbered<EventId>(3)), std::nullopt);
}

TEST(SeenSet, LearnsTheTimeOfALoadedId) {
  SeenSet seen(2);
  seen.insert(numbered<EventId>(1), std::nullopt);
  EXPECT_FALSE(seen.insert(numbered<EventId>(1), UnixSeconds{5}));
  EXPECT_EQ(seen.created_at(numbered<EventId>(1)), UnixSeconds{5});
  EXPECT_FALSE(seen.insert(numbered<EventId>(1), UnixSeconds{6}));
  EXPECT_EQ(seen.created_at(numbered<EventId>(1)), UnixSeconds{5});
}

}  // namespace
}  // namespace paygress::nostr
