// NIP-42 from the client's side, against a relay that is played by hand.
#include <gtest/gtest.h>

#include "core/nostr/relay_session.h"
#include "tests/core/nostr/relay_fixture.h"

namespace paygress::nostr {
namespace {

class RelayAuthTest : public ::testing::Test {
 protected:
  RelaySession session{"wss://relay.example", std::nullopt, RandomStream(1, 1, "test")};
  Now now{5'000_ms, UnixSeconds{1'800'000'000}};
  uint64_t signatures = 0;

  std::vector<SessionOutput> take() {
    session.check_invariants();
    return session.take_outputs();
  }
  void say(RelayMessage message) { session.on_message(now, message); }
  template <class T>
  static std::vector<T> sent(const std::vector<SessionOutput>& outputs) {
    std::vector<ClientMessage> messages;
    for (const auto& send : only<session::Send>(outputs)) messages.push_back(send.message);
    return only<T>(messages);
  }
  void connect() {
    ASSERT_TRUE(session.subscribe(now, "inbox", {{kind_filter(1059)}, {}, {}}));
    session.start(now);
    session.on_link_up(now);
  }
  Event signed_event(const Draft& draft) {
    Event event = numbered_event(++signatures, draft.kind, draft.created_at.value, draft.tags);
    event.content = draft.content;
    return event;
  }
  void pass(Micros duration) {
    now.mono += duration;
    session.on_timer(now);
  }
  // CLOSED auth-required, and the draft that the session then wants signed.
  Draft draft_after_refusal() {
    take();
    say(Closed{"inbox", "auth-required: private messages"});
    const auto drafts = only<session::SignAuth>(take());
    EXPECT_EQ(drafts.size(), 1u);
    return drafts.empty() ? Draft{} : drafts[0].draft;
  }
};

TEST_F(RelayAuthTest, RefusedSubscriptionIsSentAgainAfterAuth) {
  connect();
  say(AuthChallenge{"abc"});
  const auto outputs = take();
  EXPECT_EQ(sent<Subscribe>(outputs).size(), 1u);
  EXPECT_TRUE(only<session::SignAuth>(outputs).empty()) << "AUTH only when it is needed";

  const Draft draft = draft_after_refusal();
  EXPECT_EQ(draft.kind, kind::kRelayAuth);
  EXPECT_EQ(draft.created_at, now.wall);
  EXPECT_EQ(draft.tags, (std::vector<Tag>{{"relay", "wss://relay.example"}, {"challenge", "abc"}}));
  const Event event = signed_event(draft);
  session.on_auth_signed(now, event);
  auto after = take();
  ASSERT_EQ(sent<Authenticate>(after).size(), 1u);
  EXPECT_EQ(sent<Authenticate>(after)[0].event, event);
  EXPECT_TRUE(sent<Subscribe>(after).empty());

  say(Ok{event.id, true, ""});
  after = take();
  EXPECT_EQ(sent<Subscribe>(after).size(), 1u);
  EXPECT_EQ(only<session::Authenticated>(after).size(), 1u);
}

TEST_F(RelayAuthTest, WaitsForAChallengeThatComesAfterTheRefusal) {
  connect();
  take();
  say(Closed{"inbox", "auth-required: "});
  EXPECT_TRUE(only<session::SignAuth>(take()).empty());
  say(AuthChallenge{"late"});
  const auto drafts = only<session::SignAuth>(take());
  ASSERT_EQ(drafts.size(), 1u);
  EXPECT_EQ(*tag_value(drafts[0].draft.tags, "challenge"), "late");
}

TEST_F(RelayAuthTest, WithoutAChallengeTheSubscriptionIsTriedAgainLater) {
  connect();
  take();
  say(Closed{"inbox", "auth-required: "});
  pass(10'000_ms);
  EXPECT_EQ(session.status().health, RelayHealth::Impaired);
  take();
  pass(5'000_ms);
  EXPECT_EQ(sent<Subscribe>(take()).size(), 1u);
}

TEST_F(RelayAuthTest, AReplacedChallengeIsTheOneThatIsSigned) {
  connect();
  say(AuthChallenge{"old"});
  const Event old_event = signed_event(draft_after_refusal());
  say(AuthChallenge{"new"});
  session.on_auth_signed(now, old_event);
  const auto outputs = take();
  EXPECT_TRUE(sent<Authenticate>(outputs).empty());
  const auto drafts = only<session::SignAuth>(outputs);
  ASSERT_EQ(drafts.size(), 1u);
  EXPECT_EQ(*tag_value(drafts[0].draft.tags, "challenge"), "new");
}

TEST_F(RelayAuthTest, ReconnectAuthenticatesBeforeItSubscribes) {
  connect();
  say(AuthChallenge{"abc"});
  const Event event = signed_event(draft_after_refusal());
  session.on_auth_signed(now, event);
  say(Ok{event.id, true, ""});
  session.on_link_down(now, LinkDown::Closed, "");
  take();
  pass(1'000_ms);
  session.on_link_up(now);
  EXPECT_TRUE(sent<Subscribe>(take()).empty());
  say(AuthChallenge{"def"});
  const auto drafts = only<session::SignAuth>(take());
  ASSERT_EQ(drafts.size(), 1u);
  const Event second = signed_event(drafts[0].draft);
  session.on_auth_signed(now, second);
  EXPECT_TRUE(sent<Subscribe>(take()).empty());
  say(Ok{second.id, true, ""});
  EXPECT_EQ(sent<Subscribe>(take()).size(), 1u);
}

TEST_F(RelayAuthTest, ReconnectDoesNotWaitForEverForAChallenge) {
  connect();
  say(AuthChallenge{"abc"});
  draft_after_refusal();
  session.on_link_down(now, LinkDown::Closed, "");
  take();
  pass(1'000_ms);
  session.on_link_up(now);
  EXPECT_TRUE(sent<Subscribe>(take()).empty());
  pass(3'000_ms);
  EXPECT_EQ(sent<Subscribe>(take()).size(), 1u);
}

// However a relay combines challenges, refusals and answers: at most kAuthAttemptsMax AUTHs in
// kAuthWindow, and the subscription is asked for again in the end.
TEST_F(RelayAuthTest, NeverLoops) {
  for (const bool accepts : {true, false}) {
    session = RelaySession("wss://relay.example", std::nullopt, RandomStream(1, 1, "test"));
    connect();
    take();
    size_t auths = 0;
    size_t requests = 0;
    for (int second = 0; second < 590; ++second) {
      say(AuthChallenge{"challenge " + std::to_string(second)});
      for (int i = 0; i < 5; ++i) say(Closed{"inbox", "auth-required: again"});
      for (const auto& output : take()) {
        if (const auto* draft = std::get_if<session::SignAuth>(&output)) {
          ++auths;
          const Event event = signed_event(draft->draft);
          session.on_auth_signed(now, event);
          say(Ok{event.id, accepts, accepts ? "" : "restricted: not you"});
        }
        if (const auto* send = std::get_if<session::Send>(&output))
          requests += std::holds_alternative<Subscribe>(send->message);
      }
      pass(1'000_ms);
    }
    EXPECT_GE(auths, 1u);
    EXPECT_LE(auths, kAuthAttemptsMax);
    EXPECT_GE(requests, 3u);
    EXPECT_LE(requests, 60u);
  }
}

// RUSTSEC-2026-0231: a flood of challenges must cost nothing.
TEST_F(RelayAuthTest, ChallengesAreBounded) {
  connect();
  take();
  say(AuthChallenge{std::string(kChallengeBytesMax + 1, 'x')});
  say(Closed{"inbox", "auth-required: "});
  EXPECT_TRUE(only<session::SignAuth>(take()).empty()) << "too long to be answered";
  for (int i = 0; i < 10'000; ++i) say(AuthChallenge{std::to_string(i)});
  EXPECT_LE(only<session::SignAuth>(take()).size(), kAuthAttemptsMax);
}

TEST_F(RelayAuthTest, APublishThatNeedsAuthAsksForIt) {
  connect();
  say(AuthChallenge{"abc"});
  say(EndOfStored{"inbox", {}});
  take();
  const Event event = numbered_event(100, 1000, 1);
  session.publish(now, event);
  say(Ok{event.id, false, "auth-required: to write"});
  const auto outputs = take();
  ASSERT_EQ(only<session::Answered>(outputs).size(), 1u);
  EXPECT_FALSE(only<session::Answered>(outputs)[0].accepted);
  EXPECT_EQ(only<session::SignAuth>(outputs).size(), 1u);
}

}  // namespace
}  // namespace paygress::nostr
