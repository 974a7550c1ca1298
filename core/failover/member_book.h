// What is known of the other members of one workload: who may hold it, who claims it, when each was
// last heard (failover.md rules 9, 12, 13 and 16). Volatile: after a restart it is learnt anew.
#pragma once

#include <optional>
#include <vector>

#include "core/failover/inputs.h"
#include "core/failover/policy.h"
#include "core/failover/terms.h"

namespace paygress::failover {

struct ClaimSeen {
  uint64_t epoch = 0;
  UnixSeconds created_at;
  EventId event;
  bool withdrawn = false;
  Micros first_seen;  // of that very event
};

struct MemberSeen {
  // The highest epoch it promoted with; the primary holds epoch 0 without an event. A member with
  // an epoch above `ended` is a possible holder.
  std::optional<uint64_t> promoted;
  Micros promoted_seen;           // when we first saw it; published again it is not a new one
  std::optional<uint64_t> ended;  // the highest epoch that it revoked or withdrew
  std::optional<UnixSeconds> newest_beat;  // its own timestamp: an older heartbeat does not count
  Micros beat_received;  // the newest one that counts for `promoted`, by our clock
  bool beat_counted = false;
  std::optional<UnixSeconds> newest_plain_promotion;  // of an old peer, without an epoch
  std::optional<ClaimSeen> claim;
  bool skewed = false;  // its clock and ours differ by more than kSkewShown

  bool may_hold() const { return promoted && (!ended || *ended < *promoted); }
  // No heartbeat that counts was received since.
  Micros quiet_from() const {
    return beat_counted && beat_received > promoted_seen ? beat_received : promoted_seen;
  }
};

inline constexpr Seconds kSkewShown{30};

// What an event changed.
struct Learnt {
  bool beat = false;                 // a heartbeat that counts
  std::optional<uint64_t> promoted;  // a promotion, not withdrawn, not seen before
  std::optional<uint64_t> epoch;     // somebody promoted with it: that may be said by a
                                     // withdrawal, a heartbeat, a revocation, a claim too
  bool skew = false;                 // first heartbeat with a skewed timestamp
};

class MemberBook {
 public:
  // `terms` and `policy` must outlive the book. Watching begins at `now`.
  MemberBook(const Terms& terms, const RulePolicy& policy, Micros now);

  // Precondition: `rank` is another member's.
  Learnt hear(Now now, uint32_t rank, const Heard& heard, uint64_t highest_epoch);

  const MemberSeen& member(uint32_t rank) const { return seen_.at(rank); }
  // When that member's claim stops counting; nothing: it has none that counts.
  std::optional<Micros> claim_void_at(uint32_t rank, Micros now) const;
  // The possible holder with the highest epoch; nothing: nobody else is one.
  std::optional<uint32_t> holder() const;

 private:
  void hear_beat(Now now, uint32_t rank, const Heard& heard, const market::Heartbeat& beat,
                 Learnt& learnt);
  void hear_promotion(Now now, MemberSeen& member, const Heard& heard,
                      const market::Promotion& promotion, uint64_t highest_epoch, Learnt& learnt);
  void hear_revocation(MemberSeen& member, const Heard& heard, const market::Revocation& revocation,
                       Learnt& learnt);
  void hear_claim(Now now, MemberSeen& member, const Heard& heard, const market::Claim& claim,
                  Learnt& learnt);
  void note_promoted(Micros now, MemberSeen& member, uint64_t epoch, Learnt& learnt);
  // The epoch that the heartbeat says its author holds this workload at.
  std::optional<uint64_t> named_epoch(const Member& member, const MemberSeen& seen,
                                      const market::Heartbeat& beat) const;

  const Terms& terms_;
  const RulePolicy& policy_;
  market::HoldTag tag_;
  std::vector<MemberSeen> seen_;  // by rank; ours stays empty
};

}  // namespace paygress::failover
