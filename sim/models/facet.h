// By what an event can be found without looking at every event or every subscription: its kind,
// its kind and author, its kind and one of the keys that it names ("p" tags). An index of the relay
// model: what it finds is a superset, nostr::matches decides.
#pragma once

#include <compare>
#include <vector>

#include "core/nostr/filter.h"

namespace paygress::sim {

struct Facet {
  enum class By : uint8_t { Nothing, Kind, Author, Party };
  By by = By::Nothing;  // Nothing: every event
  uint16_t kind = 0;
  PubKey who;  // Author, Party
  auto operator<=>(const Facet&) const = default;
};

// Every facet of the event, without repetition.
std::vector<Facet> facets_of(const nostr::Event& event);
// Every event that matches the filter has at least one of these: the fewest events that it can be
// narrowed down to without looking further. Never empty, without repetition.
std::vector<Facet> facets_of(const nostr::Filter& filter);

}  // namespace paygress::sim
