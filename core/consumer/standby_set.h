// A warm-standby workload as its owner sees it: which providers to ask, on which relays they are to
// hear of each other, and who holds it now. The rules the providers follow: docs/failover.md.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/consumer/directory.h"
#include "core/market/role.h"

namespace paygress::consumer {

// More relays than that make every quorum slower and none safer.
inline constexpr size_t kSetRelaysMax = 5;

struct SetMember {
  const Listing* listing = nullptr;
  const market::PodSpec* tier = nullptr;  // of the listing
};

// `count` standbys for a workload of this tier at this primary, in the order in which they are to
// take over. Only who is online and sells at least as much room is taken, never one of `refused`.
// First who follows the primary's fail-over profile, then who follows another, then who follows
// none; among equals another place than those already taken, then the cheaper. Error: why there are
// not enough.
std::expected<std::vector<SetMember>, std::string> choose_standbys(const Directory& directory,
                                                                   const SetMember& primary,
                                                                   size_t count,
                                                                   const std::set<PubKey>& refused,
                                                                   UnixSeconds now);
// The cheapest tier of the listing that has at least the room of `wanted`; nothing when none has.
const market::PodSpec* tier_for(const Listing& listing, const market::PodSpec& wanted);

// Relays that the members name, those first that more of them name: five, three, or what there is.
std::vector<std::string> relay_set(const std::vector<SetMember>& members);

// What the lease will have, in the words of core/failover/terms.h: "fenced", "old-primary" or
// "old-standby".
std::string_view guarantee_of(const std::vector<SetMember>& members);

struct Holder {
  std::optional<PubKey> key;  // nothing: two promotions contradict each other
  uint64_t epoch = 0;
  bool revoked = false;  // it says that it does not run the workload: nobody does
};
// Follows what was said of one workload, in any order and any number of times. What a stranger says
// counts nothing.
class HolderView {
 public:
  HolderView(std::string workload_id, market::Members members)
      : workload_id_(std::move(workload_id)), members_(std::move(members)) {}

  void add(const nostr::VerifiedEvent& event);
  Holder holder() const;

 private:
  bool is_member(const PubKey& key) const;

  std::string workload_id_;
  market::Members members_;
  std::map<PubKey, std::pair<UnixSeconds, market::Promotion>> promotions_;  // the newest of each
  std::map<PubKey, std::pair<UnixSeconds, market::Revocation>> revocations_;
};

}  // namespace paygress::consumer
