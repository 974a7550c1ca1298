#include "sim/models/event_store.h"

#include <algorithm>
#include <iterator>

#include "core/base/check.h"

namespace paygress::sim {

using namespace nostr;

namespace {

constexpr size_t kReplacedKept = 64;

std::string d_tag(const Event& event) {
  const std::string* value = tag_value(event.tags, "d");
  return value == nullptr ? std::string() : *value;
}

}  // namespace

EventStore::EventStore(size_t events_max) : events_max_(events_max) { PG_CHECK(events_max > 0); }

std::string EventStore::insert(const Event& event) {
  const Replacement replacement = replacement_of(event.kind);
  PG_CHECK(replacement != Replacement::Ephemeral && !contains(event.id));
  const std::pair key{event.created_at, event.id};
  if (replacement == Replacement::Regular) {
    regular_.insert(key);
  } else {
    const Address address{event.kind, event.pubkey,
                          replacement == Replacement::Addressable ? d_tag(event) : ""};
    if (const auto it = addresses_.find(address); it != addresses_.end()) {
      const EventId stored = it->second;
      if (!supersedes(event, events_.at(stored))) return "replaced: have newer event";
      replaced_.push_back(events_.at(stored));
      if (replaced_.size() > kReplacedKept) replaced_.pop_front();
      erase(stored);
    }
    addresses_[address] = event.id;
  }
  for (const Facet& facet : facets_of(event)) by_facet_[facet].insert(key);
  events_.emplace(event.id, event);
  if (events_.size() > events_max_) drop_oldest();
  PG_CHECK(events_.size() == regular_.size() + addresses_.size());
  return {};
}

void EventStore::drop_oldest() {
  // Offers and heartbeats are one per author; messages are what piles up.
  const InOrder& from = regular_.empty() ? by_facet_.at(Facet{}) : regular_;
  const EventId id = from.rbegin()->second;
  std::erase_if(addresses_, [&](const auto& entry) { return entry.second == id; });
  erase(id);
}

void EventStore::erase(const EventId& id) {
  const auto it = events_.find(id);
  PG_CHECK(it != events_.end());
  const std::pair key{it->second.created_at, id};
  regular_.erase(key);
  for (const Facet& facet : facets_of(it->second)) {
    const auto indexed = by_facet_.find(facet);
    indexed->second.erase(key);
    if (indexed->second.empty()) by_facet_.erase(indexed);
  }
  events_.erase(it);
}

void EventStore::clear() {
  events_.clear();
  by_facet_.clear();
  regular_.clear();
  addresses_.clear();
  replaced_.clear();
}

void EventStore::take(const InOrder& from, size_t limit,
                      const std::function<bool(const EventId&)>& is, InOrder& out) {
  for (auto it = from.begin(); it != from.end() && limit > 0; ++it) {
    if (!is(it->second)) continue;
    out.insert(*it);
    --limit;
  }
}

void EventStore::find(const Filter& filter, size_t limit, const Admits& admits,
                      InOrder& out) const {
  const auto is_wanted = [&](const EventId& id) {
    const Event& event = events_.at(id);
    return matches(filter, event) && admits(event);
  };
  // The newest of all are among the newest of each.
  InOrder found;
  for (const Facet& facet : facets_of(filter)) {
    const auto indexed = by_facet_.find(facet);
    if (indexed != by_facet_.end()) take(indexed->second, limit, is_wanted, found);
  }
  take(found, limit, [](const EventId&) { return true; }, out);
}

void EventStore::newest(size_t limit, const Admits& admits, InOrder& out) const {
  find(Filter{}, limit, admits, out);
}

const Event& EventStore::nth_known(size_t n) const {
  PG_CHECK(n < known());
  if (n < replaced_.size()) return replaced_[n];
  return std::next(events_.begin(), static_cast<ptrdiff_t>(n - replaced_.size()))->second;
}

}  // namespace paygress::sim
