// The relay model's indices find what a look at everything finds.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/random.h"
#include "sim/models/audience.h"
#include "sim/models/event_store.h"

namespace paygress::sim {
namespace {

using namespace nostr;

constexpr size_t kMany = 1000;

// A small world of names, so that events and filters often meet.
class Names {
 public:
  explicit Names(uint64_t seed) : random_(seed, 0, "facets") {}
  uint64_t below(uint64_t n) { return random_.below(n); }
  PubKey key() {
    PubKey key;
    key.bytes[0] = static_cast<uint8_t>(below(4));
    return key;
  }
  uint16_t kind() {
    static constexpr uint16_t kinds[] = {4, 1059, 10050, 38383};
    return kinds[below(4)];
  }
  // Sometimes a "p" value that is no key.
  std::string party() { return below(8) == 0 ? "nobody" : key().hex(); }

  Event event(uint64_t number) {
    Event event;
    for (size_t i = 0; i < 8; ++i) event.id.bytes[i] = static_cast<uint8_t>(number >> (8 * i));
    event.pubkey = key();
    event.kind = kind();
    event.created_at = UnixSeconds{1'000 + static_cast<int64_t>(below(50))};
    for (uint64_t tags = below(3); tags > 0; --tags) event.tags.push_back({"p", party()});
    if (below(2) == 0) event.tags.push_back({"d", std::to_string(below(3))});
    return event;
  }
  Filter filter() {
    Filter filter;
    for (uint64_t n = below(3); n > 0; --n) filter.kinds.push_back(kind());
    for (uint64_t n = below(3) / 2; n > 0; --n) filter.authors.push_back(key());
    for (uint64_t n = below(3); n > 0; --n) filter.tags["p"].push_back(party());
    if (below(4) == 0) filter.tags["d"].push_back(std::to_string(below(3)));
    if (below(4) == 0) filter.since = UnixSeconds{1'000 + static_cast<int64_t>(below(50))};
    return filter;
  }

 private:
  RandomStream random_;
};

std::vector<EventId> ids_of(const EventStore::InOrder& events) {
  std::vector<EventId> ids;
  for (const auto& [time, id] : events) ids.push_back(id);
  return ids;
}

TEST(EventStore, FindsTheNewestOfWhatMatches) {
  Names names(1);
  EventStore store(300);
  std::vector<Event> all;
  for (uint64_t n = 1; n <= kMany; ++n) {
    const Event event = names.event(n);
    if (store.insert(event).empty()) all.push_back(event);
  }
  std::erase_if(all, [&](const Event& event) { return !store.contains(event.id); });
  ASSERT_EQ(all.size(), store.size());
  std::sort(all.begin(), all.end(), [](const Event& a, const Event& b) {
    return EventStore::Newer{}({a.created_at, a.id}, {b.created_at, b.id});
  });
  const auto admits = [](const Event& event) { return event.id.bytes[0] % 5 != 0; };
  size_t met = 0;
  for (size_t i = 0; i < kMany; ++i) {
    const Filter filter = names.filter();
    const size_t limit = names.below(40);
    std::vector<EventId> expected;
    for (const Event& event : all)
      if (expected.size() < limit && matches(filter, event) && admits(event))
        expected.push_back(event.id);
    EventStore::InOrder found;
    store.find(filter, limit, admits, found);
    ASSERT_EQ(ids_of(found), expected) << to_json(filter);
    met += found.size();
  }
  EXPECT_GT(met, kMany);
}

TEST(EventStore, OverItsLimitTheOldestMessageGoes) {
  EventStore store(2);
  const auto message = [](uint8_t number, int64_t at, uint16_t kind) {
    Event event;
    event.id.bytes[0] = number;
    event.kind = kind;
    event.created_at = UnixSeconds{at};
    return event;
  };
  EXPECT_EQ(store.insert(message(1, 10, 10'050)), "");  // oldest, but one per author
  EXPECT_EQ(store.insert(message(2, 20, 1059)), "");
  EXPECT_EQ(store.insert(message(3, 30, 1059)), "");
  EXPECT_TRUE(store.contains(message(1, 10, 10'050).id));
  EXPECT_FALSE(store.contains(message(2, 20, 1059).id));
  EXPECT_NE(store.insert(message(4, 5, 10'050)), "");  // older than the stored one of its author
}

TEST(Audience, IsWhoeverSubscribedToIt) {
  Names names(2);
  Audience audience;
  std::map<Audience::Seat, std::vector<Filter>> plain;
  size_t met = 0;
  for (uint64_t n = 1; n <= kMany; ++n) {
    const Audience::Seat seat{ConnectionId{names.below(10)}, std::to_string(names.below(3))};
    switch (names.below(8)) {
      case 0:
        audience.leave(seat.first);
        std::erase_if(plain, [&](const auto& entry) { return entry.first.first == seat.first; });
        break;
      case 1:
        audience.unsubscribe(seat);
        plain.erase(seat);
        break;
      default: {
        std::vector<Filter> filters{names.filter()};
        if (names.below(2) == 0) filters.push_back(names.filter());
        audience.subscribe(seat, filters);
        plain[seat] = std::move(filters);
      }
    }
    const Event event = names.event(n);
    std::vector<Audience::Seat> expected;
    for (const auto& [who, filters] : plain)
      if (matches_any(filters, event)) expected.push_back(who);
    ASSERT_EQ(audience.listeners(event), expected);
    ASSERT_EQ(audience.all().size(), plain.size());
    met += expected.size();
  }
  EXPECT_GT(met, kMany);
}

}  // namespace
}  // namespace paygress::sim
