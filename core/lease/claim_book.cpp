#include "core/lease/claim_book.h"

namespace paygress::lease {

std::string_view to_string(ClaimState state) {
  switch (state) {
    case ClaimState::Owed: return "owed";
    case ClaimState::Paid: return "unclaimed";
    case ClaimState::Kept: return "kept";
    case ClaimState::Redeemed: return "redeemed";
  }
  return "unknown";
}

void ClaimBook::apply(const ClaimOwed& r) {
  PG_CHECK(r.lot.msat > Msat{0});
  ClaimEntry entry;
  entry.owed = r;
  PG_CHECK(claims_.emplace(r.claim, std::move(entry)).second);
  if (r.lease)
    leases_[*r.lease].insert(r.claim);
  else
    ops_[r.op].insert(r.claim);
  owed_.insert(r.claim);
}

ClaimEntry& ClaimBook::owed_claim(const ClaimId& claim) {
  const auto it = claims_.find(claim);
  PG_CHECK(it != claims_.end() && it->second.state == ClaimState::Owed);
  return it->second;
}

void ClaimBook::apply(const ClaimPaid& r) {
  ClaimEntry& entry = owed_claim(r.claim);
  PG_CHECK(!r.token.empty() && r.face > Msat{0} && r.fee >= Msat{0} && r.kept >= Msat{0});
  PG_CHECK(r.face + r.fee + r.kept == entry.owed.lot.msat);
  entry.state = ClaimState::Paid;
  entry.paid = r;
  owed_.erase(r.claim);
  paid_.insert(r.claim);
}

void ClaimBook::apply(const ClaimKept& r) {
  ClaimEntry& entry = owed_claim(r.claim);
  entry.state = ClaimState::Kept;
  entry.over_at = r.at;
  owed_.erase(r.claim);
  over_.emplace(r.at, r.claim);
}

void ClaimBook::apply(const ClaimRedeemed& r) {
  const auto it = claims_.find(r.claim);
  PG_CHECK(it != claims_.end() && it->second.state == ClaimState::Paid);
  it->second.state = ClaimState::Redeemed;
  it->second.over_at = r.at;
  paid_.erase(r.claim);
  over_.emplace(r.at, r.claim);
}

void ClaimBook::apply(const ClaimForgotten& r) {
  const auto it = claims_.find(r.claim);
  PG_CHECK(it != claims_.end());
  const ClaimEntry& entry = it->second;
  PG_CHECK(over_.erase({entry.over_at, r.claim}) == 1);
  const auto drop = [&](auto& index, const auto& key) {
    const auto at = index.find(key);
    PG_CHECK(at != index.end() && at->second.erase(r.claim) == 1);
    if (at->second.empty()) index.erase(at);
  };
  if (entry.owed.lease)
    drop(leases_, *entry.owed.lease);
  else
    drop(ops_, entry.owed.op);
  claims_.erase(it);
}

const ClaimEntry* ClaimBook::find(const ClaimId& claim) const {
  const auto it = claims_.find(claim);
  return it == claims_.end() ? nullptr : &it->second;
}

std::vector<ClaimId> ClaimBook::of_lease(const LeaseId& lease) const {
  const auto it = leases_.find(lease);
  if (it == leases_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

std::vector<ClaimId> ClaimBook::of_op(const OpId& op) const {
  const auto it = ops_.find(op);
  if (it == ops_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

std::vector<ClaimId> ClaimBook::due(UnixSeconds now) const {
  std::vector<ClaimId> claims;
  for (const auto& [at, claim] : over_) {
    if (at + kClaimForgetAfter > now) break;
    claims.push_back(claim);
  }
  return claims;
}

void ClaimBook::check_invariants() const {
  PG_CHECK(claims_.size() == owed_.size() + paid_.size() + over_.size());
  for (const auto& [id, entry] : claims_) {
    PG_CHECK(entry.owed.claim == id);
    PG_CHECK(owed_.contains(id) == (entry.state == ClaimState::Owed));
    PG_CHECK(paid_.contains(id) == (entry.state == ClaimState::Paid));
  }
}

}  // namespace paygress::lease
