#include "tests/conformance/relay/relay_conformance.h"

#include <algorithm>

namespace paygress::conformance {

using namespace nostr;

namespace {

constexpr uint16_t kNote = 1000;           // regular
constexpr uint16_t kReplaceable = 10'777;  // NIP-01: 10000 to 19999
constexpr uint16_t kEphemeral = 20'777;
constexpr uint16_t kAddressable = 30'777;

// A fresh world of tags for one behaviour.
class Bench {
 public:
  Bench(RelayUnderTest& relay, const std::string& name)
      : relay_(relay), topic_(relay.run() + "-" + name) {}

  Event event(uint16_t kind, int64_t age, const std::string& d = "", const std::string& text = "",
              size_t author = 0) {
    std::vector<Tag> tags{{"t", topic_}};
    if (kind == kAddressable) tags.push_back({"d", topic_ + d});
    return relay_.sign(author, {relay_.now() - UnixSeconds{age}, kind, std::move(tags), text});
  }
  Filter all(std::optional<uint32_t> limit = {}) const {
    Filter filter;
    filter.tags["t"] = {topic_};
    filter.limit = limit;
    return filter;
  }
  // The OK of an EVENT; not accepted with the text "no answer" when none comes.
  Ok publish(size_t connection, const Event& event) {
    relay_.send(connection, Publish{event});
    const auto answers = relay_.receive(connection, has<Ok>);
    for (const auto& message : answers)
      if (const auto* ok = std::get_if<Ok>(&message); ok != nullptr && ok->id == event.id)
        return *ok;
    return {event.id, false, "no answer"};
  }
  // Ids of the stored events in the order of their arrival, up to EOSE; nothing without EOSE.
  std::optional<std::vector<EventId>> stored(size_t connection, std::vector<Filter> filters,
                                             const std::string& subscription = "stored") {
    relay_.send(connection, Subscribe{subscription, std::move(filters)});
    std::vector<EventId> ids;
    for (const auto& message : relay_.receive(connection, has<EndOfStored>)) {
      if (const auto* e = std::get_if<EventFor<Event>>(&message))
        if (e->subscription == subscription) ids.push_back(e->event.id);
      if (std::holds_alternative<EndOfStored>(message)) return ids;
    }
    return std::nullopt;
  }
  std::optional<EventId> next_event(size_t connection) {
    for (const auto& message : relay_.receive(connection, has<EventFor<Event>>))
      if (const auto* e = std::get_if<EventFor<Event>>(&message)) return e->event.id;
    return std::nullopt;
  }
  template <class T>
  static bool has(const std::vector<WireMessage>& messages) {
    return std::any_of(messages.begin(), messages.end(),
                       [](const auto& m) { return std::holds_alternative<T>(m); });
  }

 private:
  RelayUnderTest& relay_;
  std::string topic_;
};

using Ids = std::vector<EventId>;

std::string stores_and_serves(RelayUnderTest& relay) {
  Bench b(relay, "stores");
  const size_t writer = relay.connect();
  const Event event = b.event(kNote, 10);
  if (!b.publish(writer, event).accepted) return "a good event was not accepted";
  if (b.stored(relay.connect(), {b.all()}) != Ids{event.id}) return "it was not served";
  return {};
}

std::string duplicates_are_accepted(RelayUnderTest& relay) {
  Bench b(relay, "duplicate");
  const size_t writer = relay.connect();
  const Event event = b.event(kNote, 10);
  b.publish(writer, event);
  if (!b.publish(writer, event).accepted) return "a duplicate was not accepted";
  if (b.stored(writer, {b.all()}) != Ids{event.id}) return "it was stored twice, or not at all";
  return {};
}

std::string newest_first_up_to_limit(RelayUnderTest& relay) {
  Bench b(relay, "limit");
  const size_t writer = relay.connect();
  Ids newest_first;
  for (int64_t age : {300, 10, 200, 50, 100}) {
    const Event event = b.event(kNote, age);
    b.publish(writer, event);
    if (age == 10) newest_first.insert(newest_first.begin(), event.id);
    if (age == 50) newest_first.push_back(event.id);
  }
  if (b.stored(writer, {b.all(2)}) != newest_first) return "not the two newest, newest first";
  return {};
}

std::string ties_lowest_id_first(RelayUnderTest& relay) {
  Bench b(relay, "ties");
  const size_t writer = relay.connect();
  Ids ids;
  const Event first = b.event(kNote, 1000);
  for (int i = 0; i < 5; ++i) {  // all of one second
    const Event event = relay.sign(0, {first.created_at, kNote, first.tags, std::to_string(i)});
    b.publish(writer, event);
    ids.push_back(event.id);
  }
  std::sort(ids.begin(), ids.end());
  if (b.stored(writer, {b.all()}) != ids) return "not served lowest id first";
  ids.resize(2);
  if (b.stored(writer, {b.all(2)}) != ids) return "limit does not take the lowest ids";
  return {};
}

std::string since_and_until_are_inclusive(RelayUnderTest& relay) {
  Bench b(relay, "window");
  const size_t writer = relay.connect();
  const Event old_event = b.event(kNote, 300);
  const Event middle = b.event(kNote, 200);
  const Event young = b.event(kNote, 100);
  for (const auto* e : {&old_event, &middle, &young}) b.publish(writer, *e);
  Filter filter = b.all();
  filter.since = middle.created_at;
  filter.until = middle.created_at;
  if (b.stored(writer, {filter}) != Ids{middle.id}) return "since and until are not inclusive";
  return {};
}

std::string filters_are_anded_and_ored(RelayUnderTest& relay) {
  Bench b(relay, "filters");
  const size_t writer = relay.connect();
  const Event note = b.event(kNote, 30, "", "by 0");
  const Event other = b.event(kNote, 20, "", "by 1", 1);
  const Event kind = b.event(kNote + 1, 10);
  for (const auto* e : {&note, &other, &kind}) b.publish(writer, *e);
  Filter and_filter = b.all();
  and_filter.kinds = {kNote};
  and_filter.authors = {other.pubkey};
  if (b.stored(writer, {and_filter}) != Ids{other.id}) return "keys of a filter are not ANDed";
  Filter by_kind = b.all();
  by_kind.kinds = {kNote + 1};
  auto got = b.stored(writer, {and_filter, by_kind});
  if (got) std::sort(got->begin(), got->end());
  Ids both{other.id, kind.id};
  std::sort(both.begin(), both.end());
  if (got != both) return "filters of a REQ are not ORed, or events come twice";
  return {};
}

std::string replaceable(RelayUnderTest& relay, uint16_t kind) {
  Bench b(relay, "replace" + std::to_string(kind));
  const size_t writer = relay.connect();
  const Event old_event = b.event(kind, 100);
  const Event young = b.event(kind, 50);
  if (!b.publish(writer, old_event).accepted) return "the first was not accepted";
  if (!b.publish(writer, young).accepted) return "the newer was not accepted";
  if (b.stored(writer, {b.all()}) != Ids{young.id}) return "the newer did not replace the older";
  b.publish(writer, old_event);
  if (b.stored(writer, {b.all()}) != Ids{young.id}) return "the older came back";
  return {};
}

std::string tie_is_won_by_the_lowest_id(RelayUnderTest& relay) {
  Bench b(relay, "tie");
  const size_t writer = relay.connect();
  const UnixSeconds time = relay.now() - UnixSeconds{100};
  std::vector<Event> events;
  for (int i = 0; i < 4; ++i) {
    Event e = b.event(kAddressable, 0);
    events.push_back(relay.sign(0, {time, e.kind, e.tags, std::to_string(i)}));
  }
  EventId lowest = events[0].id;
  for (const auto& e : events) {
    b.publish(writer, e);
    lowest = std::min(lowest, e.id);
  }
  if (b.stored(writer, {b.all()}) != Ids{lowest}) return "not the lowest id at equal time";
  return {};
}

std::string addresses_are_kept_apart(RelayUnderTest& relay) {
  Bench b(relay, "addresses");
  const size_t writer = relay.connect();
  b.publish(writer, b.event(kAddressable, 30, "a"));
  b.publish(writer, b.event(kAddressable, 20, "b"));
  b.publish(writer, b.event(kAddressable, 10, "a", "", 1));
  const auto got = b.stored(writer, {b.all()});
  if (!got || got->size() != 3) return "d tags or authors share an address";
  return {};
}

std::string live_events_reach_subscribers(RelayUnderTest& relay) {
  Bench b(relay, "live");
  const size_t reader = relay.connect();
  const size_t writer = relay.connect();
  if (b.stored(reader, {b.all(0)}, "live") != Ids{}) return "no EOSE, or events from nowhere";
  const Event event = b.event(kNote, 100'000);  // backdated, as gift wraps are
  b.publish(writer, event);
  if (b.next_event(reader) != event.id) return "a live event did not arrive";
  return {};
}

std::string ephemeral_events_pass_and_are_not_stored(RelayUnderTest& relay) {
  Bench b(relay, "ephemeral");
  const size_t reader = relay.connect();
  const size_t writer = relay.connect();
  b.stored(reader, {b.all()}, "live");
  const Event event = b.event(kEphemeral, 0);
  b.publish(writer, event);
  if (b.next_event(reader) != event.id) return "it did not arrive";
  if (b.stored(writer, {b.all()}) != Ids{}) return "it was stored";
  return {};
}

std::string close_ends_a_subscription(RelayUnderTest& relay) {
  Bench b(relay, "close");
  const size_t reader = relay.connect();
  b.stored(reader, {b.all()}, "live");
  relay.send(reader, Unsubscribe{"live"});
  b.publish(reader, b.event(kNote, 0));
  if (b.next_event(reader)) return "an event arrived for a closed subscription";
  return {};
}

std::string a_req_replaces_the_one_of_the_same_id(RelayUnderTest& relay) {
  Bench b(relay, "same-id");
  Bench other(relay, "same-id-other");
  const size_t reader = relay.connect();
  const size_t writer = relay.connect();
  b.stored(reader, {b.all()}, "x");
  other.stored(reader, {other.all()}, "x");
  b.publish(writer, b.event(kNote, 0));
  const Event wanted = other.event(kNote, 0);
  b.publish(writer, wanted);
  if (b.next_event(reader) != wanted.id) return "the first REQ is still answered";
  return {};
}

std::string bad_events_are_refused(RelayUnderTest& relay) {
  Bench b(relay, "bad");
  const size_t writer = relay.connect();
  Event wrong_id = b.event(kNote, 10);
  wrong_id.id.bytes[0] ^= 1;
  if (b.publish(writer, wrong_id).accepted) return "an event with a wrong id was accepted";
  Event wrong_sig = b.event(kNote, 10);
  wrong_sig.sig.bytes[5] ^= 1;
  if (b.publish(writer, wrong_sig).accepted) return "a bad signature was accepted";
  if (b.stored(writer, {b.all()}) != Ids{}) return "a bad event was stored";
  return {};
}

std::string expired_events_are_not_served(RelayUnderTest& relay) {
  Bench b(relay, "expired");
  const size_t writer = relay.connect();
  Event e = b.event(kNote, 100);
  e.tags.push_back({"expiration", std::to_string(relay.now().value - 50)});
  const Event expired = relay.sign(0, {e.created_at, e.kind, e.tags, e.content});
  b.publish(writer, expired);
  if (b.stored(writer, {b.all()}) != Ids{}) return "an expired event was served";
  return {};
}

}  // namespace

const std::vector<Behaviour>& relay_behaviours() {
  static const std::vector<Behaviour> kBehaviours{
      {"StoresAndServes", "NIP-01", stores_and_serves},
      {"DuplicatesAreAccepted", "NIP-01 OK", duplicates_are_accepted},
      {"NewestFirstUpToLimit", "NIP-01 limit", newest_first_up_to_limit},
      {"TiesLowestIdFirst", "NIP-01 limit", ties_lowest_id_first},
      {"SinceAndUntilAreInclusive", "NIP-01 filters", since_and_until_are_inclusive},
      {"FiltersAreAndedAndOred", "NIP-01 filters", filters_are_anded_and_ored},
      {"ReplaceableKeepsTheNewest", "NIP-01 kinds",
       [](RelayUnderTest& relay) { return replaceable(relay, kReplaceable); }},
      {"AddressableKeepsTheNewest", "NIP-01 kinds",
       [](RelayUnderTest& relay) { return replaceable(relay, kAddressable); }},
      {"TieIsWonByTheLowestId", "NIP-01 kinds", tie_is_won_by_the_lowest_id},
      {"AddressesAreKeptApart", "NIP-01 kinds", addresses_are_kept_apart},
      {"LiveEventsReachSubscribers", "NIP-01 REQ", live_events_reach_subscribers},
      {"EphemeralEventsPassAndAreNotStored", "NIP-01 kinds",
       ephemeral_events_pass_and_are_not_stored},
      {"CloseEndsASubscription", "NIP-01 CLOSE", close_ends_a_subscription},
      {"AReqReplacesTheOneOfTheSameId", "NIP-01 REQ", a_req_replaces_the_one_of_the_same_id},
      {"BadEventsAreRefused", "NIP-01 OK", bad_events_are_refused},
      {"ExpiredEventsAreNotServed", "NIP-40", expired_events_are_not_served},
  };
  return kBehaviours;
}

}  // namespace paygress::conformance
