// The market as a consumer sees it: the newest offer, heartbeat and inbox list of each provider,
// whatever the relays sent, and how a person names a provider.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/market/events.h"

namespace paygress::consumer {

inline constexpr Seconds kOnlineWithin{120};  // since its last heartbeat (network.md 1.4)
inline constexpr Seconds kHeartbeatWindow{300};
inline constexpr size_t kProvidersMax = 10'000;
inline constexpr size_t kIdCharsMin = 8;      // shown; longer where needed to be unique
inline constexpr size_t kPrefixCharsMin = 4;  // read

struct Listing {
  PubKey key;
  market::Offer offer;
  UnixSeconds published;
  EventId event;
  std::set<std::string> seen_on;  // relays that sent an offer of this provider
  std::optional<market::Heartbeat> heartbeat;

  bool online(UnixSeconds now) const;
  // The cheapest tier; nothing when none is sold.
  const market::PodSpec* cheapest() const;
};

// The shortest prefix of the hex key, at least kIdCharsMin long, that no other of `keys` has.
template <class Keys>
std::string short_id(const PubKey& key, const Keys& keys) {
  const std::string hex = key.hex();
  size_t length = kIdCharsMin;
  for (const PubKey& other : keys) {
    if (other == key) continue;
    const std::string theirs = other.hex();
    while (length < hex.size() && theirs.compare(0, length, hex, 0, length) == 0) ++length;
  }
  return hex.substr(0, length);
}

struct NotFound {
  bool ambiguous = false;
  std::string message;
};

class Directory {
 public:
  // Offers, heartbeats and inbox lists; others, and what does not read, are left out. Replacement
  // (NIP-01) is applied again here: each relay knows only its own newest.
  void add(const nostr::VerifiedEvent& event, const std::string& relay);

  // The key in any spelling, else a unique prefix of hex or npub, else a unique name, compared
  // without case.
  std::expected<const Listing*, NotFound> find(std::string_view who) const;
  // Cheapest first; providers without a tier last; ties by key.
  std::vector<const Listing*> by_price() const;
  // Its key, so short that nobody else here is meant.
  std::string short_id(const PubKey& key) const;
  // Where to write to: its inbox list (kind 10050), else its offer's relays, else where seen.
  std::vector<std::string> write_relays(const Listing& listing) const;
  std::vector<PubKey> keys() const;
  size_t size() const { return listings_.size(); }

 private:
  struct Inbox {
    UnixSeconds published;
    EventId event;
    std::vector<std::string> relays;
  };
  std::map<PubKey, Listing> listings_;
  std::map<PubKey, market::Heartbeat> heartbeats_;
  std::map<PubKey, Inbox> inboxes_;
};

}  // namespace paygress::consumer
