// Who listens to what at a relay: the subscriptions of its connections.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/models/facet.h"

namespace paygress::sim {

struct ConnectionId {
  uint64_t value = 0;
  auto operator<=>(const ConnectionId&) const = default;
};

class Audience {
 public:
  using Seat = std::pair<ConnectionId, std::string>;  // the connection and its subscription

  // Replaces the connection's subscription of that name.
  void subscribe(const Seat& seat, std::vector<nostr::Filter> filters);
  // No effect when there is none.
  void unsubscribe(const Seat& seat);
  void leave(ConnectionId connection);
  void clear();

  bool contains(const Seat& seat) const { return seats_.contains(seat); }
  size_t count_of(ConnectionId connection) const;
  // Subscriptions with a filter that the event matches, in the order of their seats.
  std::vector<Seat> listeners(const nostr::Event& event) const;
  std::vector<Seat> all() const;

 private:
  std::map<Seat, std::vector<nostr::Filter>> seats_;
  std::map<Facet, std::set<Seat>> by_facet_;
};

}  // namespace paygress::sim
