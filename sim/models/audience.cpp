#include "sim/models/audience.h"

namespace paygress::sim {

void Audience::subscribe(const Seat& seat, std::vector<nostr::Filter> filters) {
  unsubscribe(seat);
  for (const nostr::Filter& filter : filters)
    for (const Facet& facet : facets_of(filter)) by_facet_[facet].insert(seat);
  seats_.emplace(seat, std::move(filters));
}

void Audience::unsubscribe(const Seat& seat) {
  const auto it = seats_.find(seat);
  if (it == seats_.end()) return;
  for (const nostr::Filter& filter : it->second) {
    for (const Facet& facet : facets_of(filter)) {
      const auto indexed = by_facet_.find(facet);
      if (indexed == by_facet_.end()) continue;  // two filters may share a facet
      indexed->second.erase(seat);
      if (indexed->second.empty()) by_facet_.erase(indexed);
    }
  }
  seats_.erase(it);
}

void Audience::leave(ConnectionId connection) {
  for (auto it = seats_.lower_bound({connection, ""});
       it != seats_.end() && it->first.first == connection;) {
    const Seat seat = it->first;
    ++it;
    unsubscribe(seat);
  }
}

void Audience::clear() {
  seats_.clear();
  by_facet_.clear();
}

size_t Audience::count_of(ConnectionId connection) const {
  size_t count = 0;
  for (auto it = seats_.lower_bound({connection, ""});
       it != seats_.end() && it->first.first == connection; ++it)
    ++count;
  return count;
}

std::vector<Audience::Seat> Audience::listeners(const nostr::Event& event) const {
  std::set<Seat> found;
  for (const Facet& facet : facets_of(event)) {
    const auto indexed = by_facet_.find(facet);
    if (indexed == by_facet_.end()) continue;
    for (const Seat& seat : indexed->second)
      if (nostr::matches_any(seats_.at(seat), event)) found.insert(seat);
  }
  return {found.begin(), found.end()};
}

std::vector<Audience::Seat> Audience::all() const {
  std::vector<Seat> seats;
  seats.reserve(seats_.size());
  for (const auto& [seat, filters] : seats_) seats.push_back(seat);
  return seats;
}

}  // namespace paygress::sim
