// The relay model's own: limits, AUTH, faults. What every relay does is in tests/conformance/relay.
#include "sim/models/relay.h"

#include <gtest/gtest.h>

#include "tests/core/nostr/relay_fixture.h"

namespace paygress::sim {
namespace {

using namespace nostr;

constexpr UnixSeconds kNow{1'800'000'000};
const ConnectionId kAlice{1};
const ConnectionId kBob{2};

class RelayModelTest : public ::testing::Test {
 protected:
  RelayOptions options;
  std::optional<RelayModel> relay;

  RelayModel& model() {
    if (!relay) {
      relay.emplace(options, [](const Event&) { return Result<void>{}; });
      challenges = relay->connect(kAlice);
      for (auto& c : relay->connect(kBob)) challenges.push_back(c);
    }
    return *relay;
  }
  RelayModel::Replies challenges;

  Ok publish(const Event& event) {
    const auto replies = model().handle(kNow, kAlice, Publish{event});
    for (const auto& [to, message] : replies)
      if (const auto* ok = std::get_if<Ok>(&message); ok != nullptr && to == kAlice) return *ok;
    return {event.id, false, "no answer"};
  }
  // What a connection is told in answer to a REQ for everything.
  std::vector<WireMessage> ask(ConnectionId who, std::string id = "s", Filter filter = {}) {
    std::vector<WireMessage> messages;
    for (auto& [to, message] : model().handle(kNow, who, Subscribe{std::move(id), {filter}}))
      if (to == who) messages.push_back(std::move(message));
    return messages;
  }
  static size_t events_in(const std::vector<WireMessage>& messages) {
    return only<EventFor<Event>>(messages).size();
  }
};

TEST_F(RelayModelTest, CreatedAtWindow) {
  const int64_t now = kNow.value;
  EXPECT_TRUE(publish(numbered_event(1, 1000, now + 900)).accepted);
  EXPECT_FALSE(publish(numbered_event(2, 1000, now + 901)).accepted);
  EXPECT_TRUE(publish(numbered_event(3, 1000, now - 3 * 365 * 86'400)).accepted);
  const Ok old = publish(numbered_event(4, 1000, now - 3 * 365 * 86'400 - 1));
  EXPECT_FALSE(old.accepted);
  EXPECT_EQ(reason_of(old.text), Reason::Invalid);
}

TEST_F(RelayModelTest, TextsThatClientsActUpon) {
  const Event young = numbered_event(1, kind::kOffer, kNow.value, {{"d", "x"}});
  EXPECT_TRUE(publish(young).accepted);
  EXPECT_EQ(publish(young).text, "duplicate: have this event");
  const Ok replaced = publish(numbered_event(2, kind::kOffer, kNow.value - 1, {{"d", "x"}}));
  EXPECT_FALSE(replaced.accepted);
  EXPECT_EQ(replaced.text, "replaced: have newer event");
}

TEST_F(RelayModelTest, DropsTheOldestRegularEventOverItsCap) {
  options.limits.stored_events = 3;
  publish(numbered_event(1, kind::kOffer, kNow.value - 1000, {{"d", "x"}}));
  for (uint64_t n = 2; n < 10; ++n)
    publish(numbered_event(n, 1000, kNow.value - static_cast<int64_t>(n)));
  EXPECT_EQ(model().stored(), 3u);
  EXPECT_TRUE(model().has(numbered<EventId>(1)));
  EXPECT_TRUE(model().has(numbered<EventId>(2)));
  EXPECT_TRUE(model().has(numbered<EventId>(3)));
}

TEST_F(RelayModelTest, SubscriptionLimits) {
  options.limits.subscriptions = 2;
  EXPECT_EQ(only<EndOfStored>(ask(kAlice, "a")).size(), 1u);
  EXPECT_EQ(only<EndOfStored>(ask(kAlice, "b")).size(), 1u);
  const auto refused = only<Closed>(ask(kAlice, "c"));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(reason_of(refused[0].text), Reason::RateLimited);
  EXPECT_EQ(only<EndOfStored>(ask(kAlice, "a")).size(), 1u) << "a present id is replaced";
  EXPECT_EQ(only<Closed>(ask(kBob, std::string(65, 'x'))).size(), 1u);
  EXPECT_EQ(only<EndOfStored>(ask(kBob, std::string(64, 'x'))).size(), 1u);
}

TEST_F(RelayModelTest, ResultsAreCappedWhateverTheLimitSays) {
  options.limits.results = 5;
  for (uint64_t n = 0; n < 10; ++n) publish(numbered_event(n, 1000, kNow.value));
  Filter filter;
  filter.limit = 100;
  EXPECT_EQ(events_in(ask(kBob, "s", filter)), 5u);
  filter.limit = 0;
  EXPECT_EQ(events_in(ask(kBob, "s", filter)), 0u);
}

TEST_F(RelayModelTest, PrivateReadsNeedAuth) {
  options.auth_for_private_reads = true;
  model();
  ASSERT_EQ(challenges.size(), 2u);
  const PubKey bob = numbered<PubKey>(7);
  const Event wrap = numbered_event(1, kind::kGiftWrap, kNow.value, {{"p", bob.hex()}});
  EXPECT_TRUE(publish(wrap).accepted);
  const auto refused = only<Closed>(ask(kBob, "s", kind_filter(kind::kGiftWrap)));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(reason_of(refused[0].text), Reason::AuthRequired);
  EXPECT_EQ(events_in(ask(kBob)), 0u) << "a REQ that names no kind is answered, without it";

  const auto auth = [&](uint64_t author, const std::string& challenge, int64_t time) {
    const Event event = numbered_event(100 + author, kind::kRelayAuth, time,
                                       {{"relay", options.url}, {"challenge", challenge}}, author);
    return std::get<Ok>(model().handle(kNow, kBob, Authenticate{event})[0].second).accepted;
  };
  const std::string challenge = std::get<AuthChallenge>(challenges[1].second).challenge;
  EXPECT_FALSE(auth(7, std::get<AuthChallenge>(challenges[0].second).challenge, kNow.value));
  EXPECT_FALSE(auth(7, challenge, kNow.value - 601));
  EXPECT_TRUE(auth(8, challenge, kNow.value));
  EXPECT_EQ(events_in(ask(kBob, "s", kind_filter(kind::kGiftWrap))), 0u) << "not a party";
  EXPECT_TRUE(auth(7, challenge, kNow.value)) << "several keys on one connection";
  EXPECT_EQ(events_in(ask(kBob, "s", kind_filter(kind::kGiftWrap))), 1u);
}

TEST_F(RelayModelTest, Faults) {
  const auto event = [](uint64_t n) { return numbered_event(n, 1000, kNow.value); };
  model().faults().drop_ok = true;
  EXPECT_EQ(publish(event(1)).text, "no answer");
  EXPECT_TRUE(model().has(event(1).id));
  model().faults() = {};
  model().faults().accept_and_forget = true;
  EXPECT_TRUE(publish(event(2)).accepted);
  EXPECT_FALSE(model().has(event(2).id));
  model().faults() = {};
  model().faults().withheld = {event(1).pubkey};
  EXPECT_EQ(events_in(ask(kBob)), 0u);
  model().faults() = {};
  model().faults().duplicate_sends = true;
  EXPECT_EQ(events_in(ask(kBob)), 2u);
  model().faults() = {};
  model().faults().no_eose = true;
  EXPECT_TRUE(only<EndOfStored>(ask(kBob)).empty());
  model().faults() = {};
  model().restart();
  EXPECT_TRUE(model().has(event(1).id));
  model().faults().forget_at_restart = true;
  model().restart();
  EXPECT_EQ(model().stored(), 0u);
  EXPECT_EQ(only<Notice>(ask(kBob)).size(), 1u) << "its connection is gone";
}

TEST_F(RelayModelTest, ConnectionsAreBounded) {
  options.limits.connections = 2;
  model().connect({3});
  EXPECT_EQ(only<Notice>(ask({3})).size(), 1u);
  model().disconnect(kBob);
  model().connect({3});
  EXPECT_EQ(only<EndOfStored>(ask({3})).size(), 1u);
}

}  // namespace
}  // namespace paygress::sim
