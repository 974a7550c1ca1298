// Subscription filters (NIP-01).
#pragma once

#include <boost/describe.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/nostr/event.h"

namespace paygress::nostr {

// An empty list means "not constrained" and is left out on the wire.
struct Filter {
  std::vector<EventId> ids;
  std::vector<PubKey> authors;
  std::vector<uint16_t> kinds;
  std::map<std::string, std::vector<std::string>> tags;  // key: one letter, without '#'
  std::optional<UnixSeconds> since;                      // inclusive
  std::optional<UnixSeconds> until;                      // inclusive
  std::optional<uint32_t> limit;

  bool operator==(const Filter&) const = default;
};
BOOST_DESCRIBE_STRUCT(Filter, (), (ids, authors, kinds, tags, since, until, limit))

// Ignores `limit`. Only the first value of a tag is looked at.
bool matches(const Filter& filter, const Event& event);
bool matches_any(const std::vector<Filter>& filters, const Event& event);

std::string to_json(const Filter& filter);

}  // namespace paygress::nostr
