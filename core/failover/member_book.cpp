#include "core/failover/member_book.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/planted.h"

namespace paygress::failover {
namespace {

constexpr Seconds kOldWindow{300};  // of the existing network's live heartbeats

}  // namespace

MemberBook::MemberBook(const Terms& terms, const RulePolicy& policy, Micros now)
    : terms_(terms),
      policy_(policy),
      tag_(market::hold_tag(terms.workload_id)),
      seen_(terms.members.size()) {
  if (terms.rank == 0) return;
  seen_[0].promoted = 0;
  seen_[0].promoted_seen = now;
}

Learnt MemberBook::hear(Now now, uint32_t rank, const Heard& heard, uint64_t highest_epoch) {
  PG_CHECK(rank != terms_.rank && rank < seen_.size());
  Learnt learnt;
  MemberSeen& member = seen_[rank];
  if (const auto* beat = std::get_if<market::Heartbeat>(&heard.message))
    hear_beat(now, rank, heard, *beat, learnt);
  else if (const auto* promotion = std::get_if<market::Promotion>(&heard.message))
    hear_promotion(now, member, heard, *promotion, highest_epoch, learnt);
  else if (const auto* revocation = std::get_if<market::Revocation>(&heard.message))
    hear_revocation(member, heard, *revocation, learnt);
  else
    hear_claim(now, member, heard, std::get<market::Claim>(heard.message), learnt);
  return learnt;
}

// Rule 9. A heartbeat that names an epoch whose promotion did not reach us is as good as that
// promotion: its author says that it may run the workload.
void MemberBook::hear_beat(Now now, uint32_t rank, const Heard& heard,
                           const market::Heartbeat& beat, Learnt& learnt) {
  MemberSeen& member = seen_[rank];
  const Seconds age = elapsed(heard.created_at, now.wall);
  const bool skewed = age > kSkewShown || Seconds{-age.value} > kSkewShown;
  learnt.skew = skewed && !member.skewed;
  member.skewed = skewed;
  if (member.newest_beat && heard.created_at <= *member.newest_beat) return;
  member.newest_beat = heard.created_at;
  if (!policy_.no_wall_age && (age > kOldWindow || Seconds{-age.value} > kOldWindow)) return;
  const auto epoch = named_epoch(terms_.members[rank], member, beat);
  if (!epoch || *epoch > kEpochMax || (member.ended && *epoch <= *member.ended)) return;
  if (!member.promoted || *member.promoted < *epoch) {
    note_promoted(now.mono, member, *epoch, learnt);
    learnt.epoch = *epoch;
  }
  if (policy_.epochs_named && *epoch < *member.promoted) return;
  member.beat_received = now.mono;
  member.beat_counted = true;
  learnt.beat = true;
}

std::optional<uint64_t> MemberBook::named_epoch(const Member& member, const MemberSeen& seen,
                                                const market::Heartbeat& beat) const {
  if (!member.knows_rules || !policy_.holds) return seen.promoted;
  if (!beat.holds) return std::nullopt;
  for (const market::Hold& hold : *beat.holds)
    if (hold.tag == tag_) return hold.epoch;
  return std::nullopt;
}

void MemberBook::hear_promotion(Now now, MemberSeen& member, const Heard& heard,
                                const market::Promotion& promotion, uint64_t highest_epoch,
                                Learnt& learnt) {
  uint64_t epoch = promotion.epoch.value_or(0);
  if (!promotion.epoch) {  // an old peer's: each newer one is a take-over of its own
    if (member.newest_plain_promotion && heard.created_at <= *member.newest_plain_promotion) return;
    member.newest_plain_promotion = heard.created_at;
    epoch = highest_epoch + 1;
  }
  if (epoch == 0 || epoch > kEpochMax) return;  // epoch 0 is nobody's promotion
  learnt.epoch = epoch;
  if (promotion.withdrawn.value_or(false)) {
    const uint64_t upto =
        policy_.epochs_named ? epoch : std::max(epoch, member.promoted.value_or(0));
    member.ended = std::max(member.ended.value_or(0), upto);
  } else if (!member.promoted || *member.promoted < epoch) {
    note_promoted(now.mono, member, epoch, learnt);
  }
}

void MemberBook::note_promoted(Micros now, MemberSeen& member, uint64_t epoch, Learnt& learnt) {
  member.promoted = epoch;
  member.promoted_seen = now;
  if (member.may_hold()) learnt.promoted = epoch;
}

// Rule 12. An epoch that was fenced is over, and every earlier one of the same author with it: it
// runs one copy at most. A later one is not.
void MemberBook::hear_revocation(MemberSeen& member, const Heard& heard,
                                 const market::Revocation& revocation, Learnt& learnt) {
  if (revocation.epoch) {
    if (*revocation.epoch > kEpochMax) return;
    const uint64_t upto = policy_.epochs_named
                              ? *revocation.epoch
                              : std::max(*revocation.epoch, member.promoted.value_or(0));
    member.ended = std::max(member.ended.value_or(0), upto);
    learnt.epoch = *revocation.epoch;  // the promotion may be forgotten, and never reached us
    return;
  }
  if (!member.promoted || *member.promoted != 0) return;
  if (member.newest_beat && heard.created_at <= *member.newest_beat) return;
  member.ended = std::max<uint64_t>(member.ended.value_or(0), 0);
}

void MemberBook::hear_claim(Now now, MemberSeen& member, const Heard& heard,
                            const market::Claim& claim, Learnt& learnt) {
  if (claim.epoch > kEpochMax) return;
  if (claim.epoch > 0) learnt.epoch = claim.epoch - 1;  // it is one above what its author saw
  // NIP-01: of two versions with one timestamp the lower id stays.
  if (member.claim &&
      (heard.created_at < member.claim->created_at ||
       (heard.created_at == member.claim->created_at && heard.event >= member.claim->event)))
    return;
  member.claim = ClaimSeen{claim.epoch, heard.created_at, heard.event, claim.withdrawn, now.mono};
}

std::optional<Micros> MemberBook::claim_void_at(uint32_t rank, Micros now) const {
  const MemberSeen& member = seen_.at(rank);
  if (!member.claim || member.claim->withdrawn) return std::nullopt;
  const uint64_t epoch = member.claim->epoch;
  if (member.promoted && *member.promoted >= epoch) return std::nullopt;  // it did promote
  if (member.ended && *member.ended >= epoch) return std::nullopt;
  if (!policy_.void_claims_end || planted(Bug::failover_claims_forever)) return Micros::max();
  const Micros at = member.claim->first_seen + claim_void_after(terms_.profile);
  if (at <= now) return std::nullopt;
  return at;
}

std::optional<uint32_t> MemberBook::holder() const {
  std::optional<uint32_t> best;
  for (uint32_t rank = 0; rank < seen_.size(); ++rank) {
    if (!seen_[rank].may_hold()) continue;
    if (!best || *seen_[rank].promoted > *seen_[*best].promoted) best = rank;
  }
  return best;
}

}  // namespace paygress::failover
