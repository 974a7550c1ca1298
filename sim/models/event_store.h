// The events that a relay stores: replaced and superseded as NIP-01 says, served newest first.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "sim/models/facet.h"

namespace paygress::sim {

class EventStore {
 public:
  // Newest first, ties lowest id first: the order in which stored events are served.
  struct Newer {
    bool operator()(const std::pair<UnixSeconds, EventId>& a,
                    const std::pair<UnixSeconds, EventId>& b) const {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    }
  };
  using InOrder = std::set<std::pair<UnixSeconds, EventId>, Newer>;
  using Admits = std::function<bool(const nostr::Event&)>;

  // `events_max` > 0: over it the oldest regular event is dropped.
  explicit EventStore(size_t events_max);

  // Precondition: not ephemeral, not stored. The text of a refusal, or nothing.
  std::string insert(const nostr::Event& event);
  void clear();

  // Adds the `limit` newest events that match and are admitted.
  void find(const nostr::Filter& filter, size_t limit, const Admits& admits, InOrder& out) const;
  // The same of all events.
  void newest(size_t limit, const Admits& admits, InOrder& out) const;
  const nostr::Event& at(const EventId& id) const { return events_.at(id); }
  bool contains(const EventId& id) const { return events_.contains(id); }
  size_t size() const { return events_.size(); }
  // Stored and (a few) replaced events, by a number below known().
  size_t known() const { return replaced_.size() + events_.size(); }
  const nostr::Event& nth_known(size_t n) const;

 private:
  using Address = std::tuple<uint16_t, PubKey, std::string>;

  void drop_oldest();
  void erase(const EventId& id);
  static void take(const InOrder& from, size_t limit, const std::function<bool(const EventId&)>& is,
                   InOrder& out);

  size_t events_max_;
  std::map<EventId, nostr::Event> events_;
  std::map<Facet, InOrder> by_facet_;
  InOrder regular_;
  std::map<Address, EventId> addresses_;
  std::deque<nostr::Event> replaced_;
};

}  // namespace paygress::sim
