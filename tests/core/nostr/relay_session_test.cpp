// One session against a relay that is played by hand.
#include <gtest/gtest.h>

#include "core/nostr/relay_session.h"
#include "tests/core/nostr/relay_fixture.h"

namespace paygress::nostr {
namespace {

constexpr int64_t kStart = 1'800'000'000;
constexpr uint16_t kNote = 1000;  // regular

class RelaySessionTest : public ::testing::Test {
 protected:
  RelaySession session{"wss://relay.example", UnixSeconds{kStart - 3600},
                       RandomStream(1, 1, "test")};
  Now now{5'000_ms, UnixSeconds{kStart}};

  // Takes the outputs and looks at the invariants.
  std::vector<SessionOutput> take() {
    session.check_invariants();
    return session.take_outputs();
  }
  template <class T>
  std::vector<T> take_sent() {
    std::vector<ClientMessage> messages;
    for (auto& send : only<session::Send>(take())) messages.push_back(std::move(send.message));
    return only<T>(messages);
  }
  void wall_follows(Micros mono) {
    now.wall += UnixSeconds{mono.value / 1'000'000 - now.mono.value / 1'000'000};
    now.mono = mono;
  }
  // Lets time pass, calling the timer whenever it wants to be called.
  std::vector<SessionOutput> pass(Micros duration) {
    const Micros end = now.mono + duration;
    std::vector<SessionOutput> all;
    for (int steps = 0;; ++steps) {
      EXPECT_LT(steps, 10'000) << "the timer does not come to rest";
      const auto deadline = session.next_deadline();
      if (steps >= 10'000 || !deadline || *deadline > end) break;
      wall_follows(std::max(now.mono, *deadline));
      session.on_timer(now);
      for (auto& output : take()) {
        if (std::holds_alternative<session::Ping>(output) && answer_pings) session.on_pong(now);
        all.push_back(std::move(output));
      }
    }
    wall_follows(end);
    return all;
  }
  bool answer_pings = true;

  void say(RelayMessage message) { session.on_message(now, message); }
  void say_event(const std::string& subscription, Event event) {
    say(EventFor<VerifiedEvent>{subscription, ModelWitness::vouch(std::move(event))});
  }
  void connect() {
    session.start(now);
    ASSERT_EQ(only<session::OpenLink>(take()).size(), 1u);
    session.on_link_up(now);
  }
  // Connected, with "inbox" on kNote Live and nothing stored.
  void go_live(std::optional<Backfill> backfill = {}) {
    ASSERT_TRUE(session.subscribe(now, "inbox", {{kind_filter(kNote)}, backfill, {}}));
    connect();
    ASSERT_EQ(take_sent<Subscribe>().size(), 1u);
    say(EndOfStored{"inbox", {}});
    ASSERT_EQ(session.status().health, RelayHealth::Live);
    take();
  }
  void reconnect() {
    for (int i = 0; i < 20 && session.status().health != RelayHealth::Connecting; ++i)
      pass(10'000_ms);
    ASSERT_EQ(session.status().health, RelayHealth::Connecting);
    session.on_link_up(now);
  }
};

TEST_F(RelaySessionTest, SubscribesUnderAStableIdOnEveryConnection) {
  ASSERT_TRUE(session.subscribe(now, "inbox", {{kind_filter(kNote)}, {}, {}}));
  connect();
  auto requests = take_sent<Subscribe>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].subscription, "inbox");
  EXPECT_EQ(session.status().health, RelayHealth::Syncing);
  say(EndOfStored{"inbox", {}});
  EXPECT_EQ(session.status().health, RelayHealth::Live);

  session.on_link_down(now, LinkDown::Closed, "bye");
  EXPECT_EQ(session.status(), (RelayStatus{RelayHealth::Waiting, "bye"}));
  take();
  for (int i = 0; i < 10 && session.status().health == RelayHealth::Waiting; ++i) pass(100_ms);
  ASSERT_EQ(session.status().health, RelayHealth::Connecting);
  session.on_link_up(now);
  requests = take_sent<Subscribe>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].subscription, "inbox");
}

TEST_F(RelaySessionTest, GivesUpConnectingAfterFifteenSecondsAndBacksOffToAMinute) {
  session.start(now);
  take();
  EXPECT_TRUE(only<session::CloseLink>(pass(14'900_ms)).empty());
  EXPECT_EQ(only<session::CloseLink>(pass(200_ms)).size(), 1u);
  EXPECT_EQ(session.status().text, "connect timeout");
  // Attempts go on for ever, each within a minute of the failure of the one before.
  const size_t attempts = only<session::OpenLink>(pass(3'600'000_ms)).size();
  EXPECT_GE(attempts, 3600u / 75);
  EXPECT_LE(attempts, 3600u / 15);
}

TEST_F(RelaySessionTest, BackoffIsResetOnlyByAMinuteOfHealth) {
  const auto delay_after = [&](Micros healthy) {
    session.on_link_up(now);
    pass(healthy);
    session.on_link_down(now, LinkDown::Closed, "");
    take();
    const Micros lost = now.mono;
    for (int i = 0; i < 1000 && session.status().health == RelayHealth::Waiting; ++i) pass(100_ms);
    return now.mono - lost;
  };
  session.start(now);
  Micros longest{};
  for (int i = 0; i < 12; ++i) longest = std::max(longest, delay_after(59'000_ms));
  EXPECT_GT(longest, 5'000_ms);
  EXPECT_LE(delay_after(61'000_ms), 1'100_ms);
}

TEST_F(RelaySessionTest, RefusedHandshakesBackOffToFiveMinutes) {
  session.start(now);
  take();
  Micros longest{};
  for (int i = 0; i < 14; ++i) {
    session.on_link_down(now, LinkDown::Refused, "429");
    take();
    const Micros lost = now.mono;
    for (int j = 0; j < 400 && session.status().health == RelayHealth::Waiting; ++j) pass(1'000_ms);
    longest = std::max(longest, now.mono - lost);
  }
  EXPECT_GT(longest, 60'000_ms);
  EXPECT_LE(longest, 301'000_ms);
}

TEST_F(RelaySessionTest, HalfOpenSocketsDieForWantOfAPong) {
  go_live();
  EXPECT_TRUE(only<session::CloseLink>(pass(120'000_ms)).empty());
  answer_pings = false;
  const auto outputs = pass(50'000_ms);  // 30 s to the ping, 20 s for the pong
  EXPECT_EQ(only<session::Ping>(outputs).size(), 1u);
  EXPECT_EQ(only<session::CloseLink>(outputs).size(), 1u);
  EXPECT_EQ(session.status().text, "no pong");
}

TEST_F(RelaySessionTest, BackfillGoesBackFromTheLastConnectionNotFromEventTimes) {
  const Backfill wraps = kGiftWrapBackfill;
  ASSERT_TRUE(session.subscribe(now, "inbox", {{kind_filter(1059)}, wraps, {}}));
  connect();
  auto requests = take_sent<Subscribe>();
  ASSERT_EQ(requests.size(), 1u);
  // Resumed from before the restart (NIP-59: wraps are backdated up to two days).
  EXPECT_EQ(requests[0].filters[0].since, UnixSeconds{kStart - 3600 - 172'800 - 900});
  say(EndOfStored{"inbox", {}});
  EXPECT_EQ(session.last_connected(), now.wall);
  say_event("inbox", numbered_event(1, 1059, kStart - 100'000));
  take();

  pass(600'000_ms);
  const UnixSeconds contact = *session.last_connected();
  EXPECT_GT(contact, UnixSeconds{kStart + 560});
  session.on_link_down(now, LinkDown::Closed, "");
  now.wall = UnixSeconds{kStart - 50};  // set back meanwhile
  for (int i = 0; i < 20 && session.status().health != RelayHealth::Connecting; ++i) pass(100_ms);
  take();
  session.on_link_up(now);
  requests = take_sent<Subscribe>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].filters[0].since, now.wall - UnixSeconds{172'800 + 900});
}

TEST_F(RelaySessionTest, ABackfillCutShortIsReadAgain) {
  const UnixSeconds before = *session.last_connected();
  ASSERT_TRUE(session.subscribe(now, "inbox", {{kind_filter(kNote)}, Backfill{60_s, 7200_s}, {}}));
  connect();
  say_event("inbox", numbered_event(1, kNote, kStart - 10));
  say(EndOfStored{"inbox", {}});  // older pages are not read yet
  EXPECT_EQ(session.status().health, RelayHealth::Syncing);
  EXPECT_EQ(session.last_connected(), before);
  session.on_link_down(now, LinkDown::Closed, "");
  take();
  reconnect();
  const auto requests = take_sent<Subscribe>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].filters[0].since, before - UnixSeconds{60});
}

TEST_F(RelaySessionTest, ASubscriptionAddedLaterReadsTheWholeWindow) {
  go_live(Backfill{60_s, 7200_s});
  ASSERT_TRUE(session.subscribe(now, "new", {{kind_filter(4)}, Backfill{60_s, 7200_s}, {}}));
  const auto requests = take_sent<Subscribe>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].filters[0].since, now.wall - UnixSeconds{7200});
}

TEST_F(RelaySessionTest, ClosedIsAnsweredByANewReqForEver) {
  go_live();
  int requests = 0;
  Micros longest{};
  Micros closed = now.mono;
  say(Closed{"inbox", "error: shutting down idle subscription"});
  EXPECT_EQ(session.status().health, RelayHealth::Impaired);
  take();
  for (int i = 0; i < 4000; ++i) {
    for (const auto& output : pass(1'000_ms)) {
      const auto* send = std::get_if<session::Send>(&output);
      if (send == nullptr || !std::holds_alternative<Subscribe>(send->message)) continue;
      ++requests;
      longest = std::max(longest, now.mono - closed);
      closed = now.mono;
      say(Closed{"inbox", "blocked: not you"});
    }
    take();
  }
  EXPECT_GT(requests, 4000 / 301);  // never dropped...
  EXPECT_LT(requests, 200);         // ...and never hammered
  EXPECT_LE(longest, 301'000_ms);
}

TEST_F(RelaySessionTest, WithoutEoseASubscriptionIsUnprovenButStillHeard) {
  ASSERT_TRUE(session.subscribe(now, "inbox", {{kind_filter(kNote)}, {}, {}}));
  connect();
  take();
  const auto outputs = pass(10'000_ms);
  EXPECT_EQ(session.status().health, RelayHealth::Impaired);
  EXPECT_TRUE(only<session::CloseLink>(outputs).empty());
  EXPECT_EQ(session.find("inbox")->live_since(), std::nullopt);
  say_event("inbox", numbered_event(1, kNote, kStart));
  EXPECT_EQ(only<session::Arrived>(take()).size(), 1u);
  pass(6'000_ms);  // asked again under the same id
  say(EndOfStored{"inbox", {}});
  EXPECT_EQ(session.status().health, RelayHealth::Live);
}

TEST_F(RelaySessionTest, EventsNobodyAskedForAreDroppedAndCounted) {
  go_live();
  say_event("other", numbered_event(1, kNote, kStart));
  say_event("inbox", numbered_event(2, 4, kStart));
  say(KnownEvent{"other", numbered<EventId>(1)});
  EXPECT_TRUE(only<session::Arrived>(take()).empty());
  EXPECT_EQ(session.stats().strays, 3u);
  for (size_t i = 0; i <= kStrayMessagesMax; ++i) say_event("inbox", numbered_event(i, 4, kStart));
  EXPECT_EQ(session.status().health, RelayHealth::Waiting);
  EXPECT_EQ(session.status().text, "too many stray events");
}

TEST_F(RelaySessionTest, OksCountOnceAndOnlyForWhatWasSent) {
  go_live();
  const Event event = numbered_event(1, kNote, kStart);
  session.publish(now, event);
  say(Ok{numbered<EventId>(9), true, ""});
  say(Ok{event.id, false, "duplicate: have this event"});
  say(Ok{event.id, false, "error: late"});
  const auto answers = only<session::Answered>(take());
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].id, event.id);
  EXPECT_TRUE(answers[0].accepted);
  EXPECT_EQ(session.stats().late_oks, 2u);
}

TEST_F(RelaySessionTest, PublishingIsPacedAndARateLimitPausesIt) {
  go_live();
  const auto publish_for = [&](Micros duration) {
    size_t sent = 0;
    const Micros end = now.mono + duration;
    for (uint64_t n = 100;; ++n) {
      const Micros at = std::max(now.mono, *session.publish_ready_at());
      if (at >= end) break;
      wall_follows(at);
      session.publish(now, numbered_event(n, kNote, kStart));
      ++sent;
    }
    wall_follows(end);
    return sent;
  };
  EXPECT_EQ(publish_for(10_ms), 6u);           // the burst
  EXPECT_NEAR(publish_for(10'000_ms), 30, 1);  // three a second
  const Event event = numbered_event(1, kNote, kStart);
  wall_follows(std::max(now.mono, *session.publish_ready_at()));
  session.publish(now, event);
  say(Ok{event.id, false, "rate-limited: you are noting too much"});
  EXPECT_GE(*session.publish_ready_at(), now.mono + 5'000_ms);
}

TEST_F(RelaySessionTest, AReplacedSubscriptionGetsAnotherId) {
  go_live();
  ASSERT_TRUE(session.subscribe(now, "inbox", {{kind_filter(kNote)}, {}, {}}));
  EXPECT_TRUE(take_sent<Subscribe>().empty());  // nothing changed
  ASSERT_TRUE(session.subscribe(now, "inbox", {{kind_filter(4)}, {}, {}}));
  const auto outputs = only<session::Send>(take());
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(std::get<Unsubscribe>(outputs[0].message).subscription, "inbox");
  EXPECT_EQ(std::get<Subscribe>(outputs[1].message).subscription, "inbox.1");
  say(EndOfStored{"inbox", {}});  // of the old REQ: says nothing about the new one
  EXPECT_EQ(session.status().health, RelayHealth::Syncing);
  say_event("inbox.1", numbered_event(1, 4, kStart));
  const auto arrived = only<session::Arrived>(take());
  ASSERT_EQ(arrived.size(), 1u);
  EXPECT_EQ(arrived[0].subscription, "inbox");
}

TEST_F(RelaySessionTest, RefusesMoreSubscriptionsThanRelaysAllow) {
  for (size_t i = 0; i < kSubscriptionsMax; ++i)
    ASSERT_TRUE(session.subscribe(now, "s" + std::to_string(i), {{kind_filter(kNote)}, {}, {}}));
  EXPECT_FALSE(session.subscribe(now, "one too many", {{kind_filter(kNote)}, {}, {}}));
  session.unsubscribe(now, "s0");
  EXPECT_TRUE(session.subscribe(now, "one more", {{kind_filter(kNote)}, {}, {}}));
}

TEST_F(RelaySessionTest, QueriesAreCompleteOnlyWhenAnsweredUpToEose) {
  go_live();
  const auto ask = [&](const std::string& name) {
    EXPECT_TRUE(session.subscribe(now, name, {{kind_filter(4)}, {}, 5'000_ms}));
    const auto requests = take_sent<Subscribe>();
    EXPECT_EQ(requests.size(), 1u);
    return requests.empty() ? std::string() : requests[0].subscription;
  };
  const auto ended = [&] {
    auto ends = only<session::QueryEnded>(take());
    EXPECT_EQ(ends.size(), 1u);
    return !ends.empty() && ends[0].complete;
  };
  const std::string first = ask("q");
  say(EndOfStored{first, {}});
  EXPECT_TRUE(ended());
  EXPECT_NE(ask("q"), first);  // so that a late EOSE of the first is not taken for the second's
  say(EndOfStored{first, {}});
  EXPECT_TRUE(only<session::QueryEnded>(pass(4'900_ms)).empty());
  const auto late = only<session::QueryEnded>(pass(100_ms));
  ASSERT_EQ(late.size(), 1u);
  EXPECT_FALSE(late[0].complete);

  say(Closed{ask("q"), "error: no"});
  EXPECT_FALSE(ended());
  ask("q");
  session.on_link_down(now, LinkDown::Closed, "");
  EXPECT_FALSE(ended());
  EXPECT_TRUE(session.subscribe(now, "q", {{kind_filter(4)}, {}, 5'000_ms}));  // not connected
  EXPECT_FALSE(ended());
  EXPECT_EQ(session.find("q"), nullptr);
}

TEST_F(RelaySessionTest, ARelayThatRefusesQueryAfterQueryIsConnectedToAnew) {
  go_live();
  const auto refuse = [&](size_t queries, std::string why = "error: too many subscriptions") {
    for (size_t i = 0; i < queries; ++i) {
      EXPECT_TRUE(session.subscribe(now, "q", {{kind_filter(4)}, {}, 5'000_ms}));
      for (const auto& request : take_sent<Subscribe>()) say(Closed{request.subscription, why});
    }
  };
  const auto answer_one = [&] {
    EXPECT_TRUE(session.subscribe(now, "q", {{kind_filter(4)}, {}, 5'000_ms}));
    for (const auto& request : take_sent<Subscribe>()) say(EndOfStored{request.subscription, {}});
  };
  const auto live_again = [&] {
    reconnect();
    say(EndOfStored{"inbox", {}});
    take();
  };
  refuse(kRefusedQueriesMin - 1);
  answer_one();
  refuse(kRefusedQueriesMin - 1);
  refuse(9, "rate-limited: slow down");
  refuse(9, "blocked: not here");
  EXPECT_EQ(session.status().health, RelayHealth::Live);
  EXPECT_TRUE(session.subscribe(now, "other", {{kind_filter(4)}, {}, 5'000_ms}));
  take();
  refuse(1);
  EXPECT_EQ(session.status().health, RelayHealth::Waiting);
  EXPECT_EQ(session.status().text, "queries refused: error: too many subscriptions");
  EXPECT_EQ(session.find("other"), nullptr);

  // It goes on refusing: that was not the reason, and is tried half as often from now on.
  live_again();
  refuse(2 * kRefusedQueriesMin - 1);
  EXPECT_EQ(session.status().health, RelayHealth::Live);
  refuse(1);
  EXPECT_EQ(session.status().health, RelayHealth::Waiting);
  live_again();
  answer_one();
  refuse(kRefusedQueriesMin);
  EXPECT_EQ(session.status().health, RelayHealth::Waiting);
}

}  // namespace
}  // namespace paygress::nostr
