#include "sim/models/facet.h"

#include <algorithm>

namespace paygress::sim {
namespace {

std::vector<Facet> without_repetition(std::vector<Facet> facets) {
  std::sort(facets.begin(), facets.end());
  facets.erase(std::unique(facets.begin(), facets.end()), facets.end());
  return facets;
}

// The keys of a "p" constraint; nothing when one of its values is none, for then any event may
// carry it.
std::vector<PubKey> parties_of(const nostr::Filter& filter) {
  const auto constraint = filter.tags.find("p");
  if (constraint == filter.tags.end()) return {};
  std::vector<PubKey> parties;
  for (const std::string& value : constraint->second) {
    const auto party = PubKey::parse(value);
    if (!party) return {};
    parties.push_back(*party);
  }
  return parties;
}

}  // namespace

std::vector<Facet> facets_of(const nostr::Event& event) {
  std::vector<Facet> facets{{Facet::By::Nothing, 0, {}},
                            {Facet::By::Kind, event.kind, {}},
                            {Facet::By::Author, event.kind, event.pubkey}};
  for (const auto& tag : event.tags) {
    if (tag.size() < 2 || tag[0] != "p") continue;
    if (const auto party = PubKey::parse(tag[1]))
      facets.push_back({Facet::By::Party, event.kind, *party});
  }
  return without_repetition(std::move(facets));
}

std::vector<Facet> facets_of(const nostr::Filter& filter) {
  if (filter.kinds.empty()) return {{Facet::By::Nothing, 0, {}}};
  std::vector<PubKey> who = filter.authors;
  Facet::By by = Facet::By::Author;
  if (who.empty()) {
    who = parties_of(filter);
    by = Facet::By::Party;
  }
  std::vector<Facet> facets;
  for (uint16_t kind : filter.kinds) {
    if (who.empty()) facets.push_back({Facet::By::Kind, kind, {}});
    for (const PubKey& key : who) facets.push_back({by, kind, key});
  }
  return without_repetition(std::move(facets));
}

}  // namespace paygress::sim
