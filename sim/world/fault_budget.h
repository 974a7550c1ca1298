// What a plan may do to the world without being unfair: within it every violation is a real one.
//
//   * at most Plan::liars relays lie or forget at once (failover.md)
//   * clocks drift by at most kDriftMaxPpm
//   * at `length` everything heals but what is `frozen`: at least one provider and more than half
//     of the relays are not
//   * there is a relay, and whoever buys pays something
#pragma once

#include <string>
#include <vector>

#include "sim/world/fault_plan.h"

namespace paygress::sim {

inline constexpr int64_t kDriftMaxPpm = 1000;  // rho
// A relay that lied may have left traces for so long after: what it dropped is not there.
inline constexpr Micros kLieLingers{60'000'000};

// The first thing that is beyond the budget; empty: nothing is.
std::string beyond_budget(const Plan& plan);
// Whether the fault can join: as above, of the relays only.
bool may_lie(const Plan& plan, const Fault& fault);

}  // namespace paygress::sim
