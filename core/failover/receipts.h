// Who has an event of ours. A relay has it once it answered OK and the event came back on our own
// subscription: an OK alone is a promise.
#pragma once

#include <bit>
#include <cstdint>

#include "core/base/planted.h"
#include "core/base/units.h"

namespace paygress::failover {

// One bit per relay of a workload's set, in the order of its terms.
using RelayMask = uint32_t;
inline constexpr size_t kRelaysMax = 32;
inline RelayMask bit_of(size_t index) { return RelayMask{1} << index; }
inline uint32_t count_of(RelayMask mask) { return static_cast<uint32_t>(std::popcount(mask)); }

struct Receipts {
  Micros sent;
  RelayMask ok = 0;
  RelayMask echoed = 0;

  // `echo` off: the rule is switched off, and an OK is taken for it.
  bool reached(uint32_t quorum, bool echo) const {
    const bool shown = echo && !planted(Bug::failover_ok_is_enough);
    return count_of(shown ? ok & echoed : ok) >= quorum;
  }
};

}  // namespace paygress::failover
