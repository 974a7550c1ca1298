// What fail-over must not forget. The state of core/failover is the fold of these, in order.
//
// The variant's indices are the journal's format (core/base/codec.h): alternatives and members are
// only ever added at the end.
#pragma once

#include <boost/describe.hpp>

#include <variant>

#include "core/failover/terms.h"

namespace paygress::failover {

// A member of a warm-standby workload since its reservation; rank 0 holds epoch 0.
struct Joined {
  LeaseId lease;
  Terms terms;
};
struct Left {
  LeaseId lease;
};
// Heard the holder for the first time: from here on it may claim (rule 10).
struct Armed {
  LeaseId lease;
};
// The highest epoch of any promotion, withdrawn ones included.
struct EpochSeen {
  LeaseId lease;
  uint64_t epoch = 0;
};
// Durable BEFORE the claim is published; until it ended no other claim of ours is made.
struct Claimed {
  LeaseId lease;
  uint64_t epoch = 0;
};
// The claim reached a write quorum as withdrawn, or its epoch began or ended.
struct ClaimEnded {
  LeaseId lease;
};
// Durable BEFORE the promotion is published: from here on we may be taken for the holder.
struct Promoted {
  LeaseId lease;
  uint64_t epoch = 0;
};
// Nothing runs here any more, confirmed by the engine: durable BEFORE the revocation or withdrawal
// of that epoch is published. The epoch is never resumed.
struct HoldEnded {
  LeaseId lease;
  uint64_t epoch = 0;
};
// The withdrawal of our promotion reached a write quorum.
struct PromotionWithdrawn {
  LeaseId lease;
  uint64_t epoch = 0;
};
// Another member promoted with a higher epoch than ours: our copy is to be deleted.
struct Superseded {
  LeaseId lease;
  uint64_t epoch = 0;
  PubKey by;
};
// The copy of a superseded holder is gone.
struct CopyRemoved {
  LeaseId lease;
};
// The lease of a holder is over: nothing is started or claimed any more. Left follows when its copy
// is confirmed gone (HoldEnded) and a write quorum has the revocation of its epoch.
struct Leaving {
  LeaseId lease;
};
BOOST_DESCRIBE_STRUCT(Joined, (), (lease, terms))
BOOST_DESCRIBE_STRUCT(Left, (), (lease))
BOOST_DESCRIBE_STRUCT(Armed, (), (lease))
BOOST_DESCRIBE_STRUCT(EpochSeen, (), (lease, epoch))
BOOST_DESCRIBE_STRUCT(Claimed, (), (lease, epoch))
BOOST_DESCRIBE_STRUCT(ClaimEnded, (), (lease))
BOOST_DESCRIBE_STRUCT(Promoted, (), (lease, epoch))
BOOST_DESCRIBE_STRUCT(HoldEnded, (), (lease, epoch))
BOOST_DESCRIBE_STRUCT(PromotionWithdrawn, (), (lease, epoch))
BOOST_DESCRIBE_STRUCT(Superseded, (), (lease, epoch, by))
BOOST_DESCRIBE_STRUCT(CopyRemoved, (), (lease))
BOOST_DESCRIBE_STRUCT(Leaving, (), (lease))

using FailoverRecord =
    std::variant<Joined, Left, Armed, EpochSeen, Claimed, ClaimEnded, Promoted, HoldEnded,
                 PromotionWithdrawn, Superseded, CopyRemoved, Leaving>;

LeaseId lease_of(const FailoverRecord& record);

}  // namespace paygress::failover
