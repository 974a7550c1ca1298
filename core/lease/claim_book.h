// Money that is owed back, from the moment it is owed until its owner has spent the token: the
// claim saga of money-sagas.md section 3, as a fold. core/provider/refunds.h makes the token.
//
// One claim for the end of a lease and mint, one for a payment without a lease; nothing else makes
// claims. A token that nobody redeems stays owed for ever and is never taken back.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/lease/records.h"

namespace paygress::lease {

inline constexpr Seconds kClaimForgetAfter{30 * 86400};  // after it was redeemed or kept

enum class ClaimState : uint8_t { Owed, Paid, Kept, Redeemed };
std::string_view to_string(ClaimState state);

struct ClaimEntry {
  ClaimOwed owed;
  ClaimState state = ClaimState::Owed;
  std::optional<ClaimPaid> paid;
  UnixSeconds over_at;  // Kept or Redeemed: since when
};
BOOST_DESCRIBE_STRUCT(ClaimEntry, (), (owed, state, paid, over_at))

class ClaimBook {
 public:
  void apply(const ClaimOwed& r);
  void apply(const ClaimPaid& r);
  void apply(const ClaimKept& r);
  void apply(const ClaimRedeemed& r);
  void apply(const ClaimForgotten& r);

  const ClaimEntry* find(const ClaimId& claim) const;
  const std::map<ClaimId, ClaimEntry>& all() const { return claims_; }
  // In the order of their ids; every one of the lease's end, or of the payment without a lease.
  std::vector<ClaimId> of_lease(const LeaseId& lease) const;
  std::vector<ClaimId> of_op(const OpId& op) const;
  const std::set<ClaimId>& owed() const { return owed_; }
  const std::set<ClaimId>& unredeemed() const { return paid_; }
  // Claims that may be forgotten now.
  std::vector<ClaimId> due(UnixSeconds now) const;
  void check_invariants() const;

  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.claims_, self.leases_, self.ops_, self.owed_, self.paid_, self.over_);
  }

 private:
  ClaimEntry& owed_claim(const ClaimId& claim);

  std::map<ClaimId, ClaimEntry> claims_;
  std::map<LeaseId, std::set<ClaimId>> leases_;
  std::map<OpId, std::set<ClaimId>> ops_;
  std::set<ClaimId> owed_;
  std::set<ClaimId> paid_;
  std::set<std::pair<UnixSeconds, ClaimId>> over_;
};

}  // namespace paygress::lease
