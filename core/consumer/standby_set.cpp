#include "core/consumer/standby_set.h"

#include <algorithm>
#include <tuple>

namespace paygress::consumer {
namespace {

// Smaller is better.
int distance(const market::Offer& primary, const market::Offer& other) {
  if (!other.profile) return 2;
  return other.profile == primary.profile ? 0 : 1;
}

bool shares_place(const std::vector<SetMember>& taken, const Listing& candidate) {
  return std::ranges::any_of(taken, [&](const SetMember& member) {
    const market::Offer& offer = member.listing->offer;
    return offer.location && offer.location == candidate.offer.location;
  });
}

std::vector<std::string> relays_of(const Listing& listing) {
  if (listing.offer.relays && !listing.offer.relays->empty()) return *listing.offer.relays;
  return {listing.seen_on.begin(), listing.seen_on.end()};
}

template <class Message>
void keep_newest(std::map<PubKey, std::pair<UnixSeconds, Message>>& all, const PubKey& author,
                 UnixSeconds at, Message message) {
  const auto known = all.find(author);
  if (known == all.end() || known->second.first < at)
    all.insert_or_assign(author, std::pair(at, std::move(message)));
}

}  // namespace

const market::PodSpec* tier_for(const Listing& listing, const market::PodSpec& wanted) {
  const market::PodSpec* best = nullptr;
  for (const market::PodSpec& tier : listing.offer.specs) {
    const bool has_room =
        tier.cpu_millicores >= wanted.cpu_millicores && tier.memory_mb >= wanted.memory_mb;
    if (has_room && (best == nullptr || tier.rate_msats_per_sec < best->rate_msats_per_sec))
      best = &tier;
  }
  return best;
}

std::expected<std::vector<SetMember>, std::string> choose_standbys(const Directory& directory,
                                                                   const SetMember& primary,
                                                                   size_t count,
                                                                   const std::set<PubKey>& refused,
                                                                   UnixSeconds now) {
  std::vector<SetMember> candidates;
  for (const Listing* listing : directory.by_price()) {
    if (listing->key == primary.listing->key || refused.contains(listing->key)) continue;
    if (!listing->online(now)) continue;
    if (const auto* tier = tier_for(*listing, *primary.tier)) candidates.push_back({listing, tier});
  }
  if (candidates.size() < count)
    return std::unexpected(std::to_string(count) + " standbys are wanted and " +
                           std::to_string(candidates.size()) +
                           " other providers are online with enough room");
  std::vector<SetMember> taken = {primary};
  while (taken.size() <= count) {
    const auto rank = [&](const SetMember& c) {
      return std::tuple(distance(primary.listing->offer, c.listing->offer),
                        shares_place(taken, *c.listing), c.tier->rate_msats_per_sec,
                        c.listing->key);
    };
    const auto best =
        std::min_element(candidates.begin(), candidates.end(),
                         [&](const SetMember& a, const SetMember& b) { return rank(a) < rank(b); });
    taken.push_back(*best);
    candidates.erase(best);
  }
  taken.erase(taken.begin());
  return taken;
}

std::vector<std::string> relay_set(const std::vector<SetMember>& members) {
  std::vector<std::pair<std::string, size_t>> named;  // in the order of the members
  for (const SetMember& member : members)
    for (const std::string& url : relays_of(*member.listing)) {
      const auto known =
          std::ranges::find_if(named, [&](const auto& entry) { return entry.first == url; });
      if (known == named.end())
        named.emplace_back(url, 1);
      else
        ++known->second;
    }
  std::vector<std::string> chosen;
  for (size_t wanted = members.size(); wanted > 0; --wanted)
    for (const auto& [url, times] : named)
      if (std::min(times, members.size()) == wanted) chosen.push_back(url);
  // An even number needs a larger quorum and bears no more broken relays.
  const size_t best = chosen.size() >= kSetRelaysMax ? kSetRelaysMax : 3;
  if (chosen.size() > best) chosen.resize(best);
  return chosen;
}

std::string_view guarantee_of(const std::vector<SetMember>& members) {
  if (!members.front().listing->offer.profile) return "old-primary";
  const bool all = std::ranges::all_of(
      members, [](const SetMember& m) { return m.listing->offer.profile.has_value(); });
  return all ? "fenced" : "old-standby";
}

bool HolderView::is_member(const PubKey& key) const {
  return std::ranges::find(members_.keys, key) != members_.keys.end();
}

void HolderView::add(const nostr::VerifiedEvent& event) {
  if (!is_member(event->pubkey)) return;
  if (auto promotion = market::read_promotion(event);
      promotion && promotion->workload_id == workload_id_)
    return keep_newest(promotions_, event->pubkey, event->created_at, *std::move(promotion));
  if (auto revocation = market::read_revocation(event);
      revocation && revocation->workload_id == workload_id_)
    keep_newest(revocations_, event->pubkey, event->created_at, *std::move(revocation));
}

Holder HolderView::holder() const {
  Holder found;
  found.key = members_.keys.front();
  bool promoted = false;
  for (const auto& [author, entry] : promotions_) {
    const market::Promotion& promotion = entry.second;
    if (promotion.withdrawn.value_or(false)) continue;
    // Peers of the old kind name no epoch; theirs is the first take-over.
    const uint64_t epoch = promotion.epoch.value_or(1);
    if (promoted && epoch < found.epoch) continue;
    if (promoted && epoch == found.epoch)
      found.key.reset();
    else
      found.key = author;
    found.epoch = epoch;
    promoted = true;
  }
  if (!found.key) return found;
  const auto revoked = revocations_.find(*found.key);
  found.revoked =
      revoked != revocations_.end() && revoked->second.second.epoch.value_or(0) == found.epoch;
  return found;
}

}  // namespace paygress::consumer
