#include "core/consumer/directory.h"

#include <algorithm>
#include <ranges>

#include "core/base/bytes.h"
#include "core/nostr/drafts.h"
#include "core/nostr/nip19.h"

namespace paygress::consumer {
namespace {

NotFound ambiguous(std::string_view who, const std::vector<const Listing*>& several) {
  std::string message = "\"" + std::string(who) + "\" could be";
  for (size_t i = 0; i < several.size() && i < 4; ++i)
    message += (i ? ", " : " ") + several[i]->key.hex().substr(0, 16);
  if (several.size() > 4) message += " and others";
  return {true, message + ": write more of the key"};
}

}  // namespace

bool Listing::online(UnixSeconds now) const {
  return heartbeat && heartbeat->timestamp > now - kOnlineWithin;
}

const market::PodSpec* Listing::cheapest() const {
  const auto least = std::min_element(
      offer.specs.begin(), offer.specs.end(),
      [](const auto& a, const auto& b) { return a.rate_msats_per_sec < b.rate_msats_per_sec; });
  return least == offer.specs.end() ? nullptr : &*least;
}

void Directory::add(const nostr::VerifiedEvent& event, const std::string& relay) {
  const bool room = listings_.size() < kProvidersMax && inboxes_.size() < kProvidersMax &&
                    heartbeats_.size() < kProvidersMax;
  if (auto heartbeat = market::read_heartbeat(event)) {
    auto known = heartbeats_.find(event->pubkey);
    if (known == heartbeats_.end() ? room : known->second.timestamp < heartbeat->timestamp)
      known = heartbeats_.insert_or_assign(event->pubkey, *std::move(heartbeat)).first;
    if (const auto it = listings_.find(event->pubkey);
        it != listings_.end() && known != heartbeats_.end())
      it->second.heartbeat = known->second;
    return;
  }
  if (auto relays = nostr::inbox_relays(*event)) {
    const auto known = inboxes_.find(event->pubkey);
    const bool newer =
        known == inboxes_.end() || std::pair(event->created_at, known->second.event) >
                                       std::pair(known->second.published, event->id);
    if (newer && (room || known != inboxes_.end()))
      inboxes_.insert_or_assign(event->pubkey, Inbox{event->created_at, event->id, *relays});
    return;
  }
  auto offer = market::read_offer(event);
  if (!offer) return;
  auto known = listings_.find(event->pubkey);
  if (known == listings_.end()) {
    if (!room) return;
    known = listings_.emplace(event->pubkey, Listing{event->pubkey, {}, {}, {}, {}, {}}).first;
    known->second.published = UnixSeconds{-1};
    if (const auto beat = heartbeats_.find(event->pubkey); beat != heartbeats_.end())
      known->second.heartbeat = beat->second;
  }
  Listing& listing = known->second;
  listing.seen_on.insert(relay);
  // NIP-01: newer wins; at equal time the lowest id.
  if (event->created_at < listing.published) return;
  if (event->created_at == listing.published && listing.event <= event->id) return;
  listing.offer = *std::move(offer);
  listing.published = event->created_at;
  listing.event = event->id;
}

std::expected<const Listing*, NotFound> Directory::find(std::string_view who) const {
  if (auto key = nostr::parse_public_key(who)) {
    const auto found = listings_.find(*key);
    if (found != listings_.end()) return &found->second;
    return std::unexpected(NotFound{false, "no offer of " + key->hex() + " on these relays"});
  }
  std::vector<const Listing*> by_prefix;
  std::vector<const Listing*> by_name;
  const std::string wanted = to_lower(who);
  for (const auto& [key, listing] : listings_) {
    const std::string npub = wanted.starts_with("npub1") ? nostr::to_npub(key) : "";
    const bool is_prefix = wanted.size() >= kPrefixCharsMin && key.hex().starts_with(wanted);
    const bool is_npub = wanted.size() >= 5 + kPrefixCharsMin && npub.starts_with(wanted);
    if (is_prefix || is_npub) by_prefix.push_back(&listing);
    if (to_lower(listing.offer.hostname) == wanted) by_name.push_back(&listing);
  }
  // A name that could be somebody's key is still the name of the one who bears it.
  const auto& found = by_prefix.empty() ? by_name : by_prefix;
  if (found.size() == 1) return found.front();
  if (found.size() > 1) return std::unexpected(ambiguous(who, found));
  return std::unexpected(
      NotFound{false, "no provider \"" + std::string(who) + "\" on these relays"});
}

std::vector<const Listing*> Directory::by_price() const {
  std::multimap<uint64_t, const Listing*> by_rate;  // at one price: in the order of keys
  for (const auto& [key, listing] : listings_)
    by_rate.emplace(listing.cheapest() ? listing.cheapest()->rate_msats_per_sec : UINT64_MAX,
                    &listing);
  std::vector<const Listing*> sorted;
  for (const auto& [rate, listing] : by_rate) sorted.push_back(listing);
  return sorted;
}

std::string Directory::short_id(const PubKey& key) const {
  return consumer::short_id(key, std::views::keys(listings_));
}

std::vector<std::string> Directory::write_relays(const Listing& listing) const {
  if (const auto inbox = inboxes_.find(listing.key); inbox != inboxes_.end())
    return inbox->second.relays;
  if (listing.offer.relays && !listing.offer.relays->empty()) return *listing.offer.relays;
  return {listing.seen_on.begin(), listing.seen_on.end()};
}

std::vector<PubKey> Directory::keys() const {
  std::vector<PubKey> keys;
  for (const auto& [key, listing] : listings_) keys.push_back(key);
  return keys;
}

}  // namespace paygress::consumer
