// Random histories of many tokens, faults, moods and crashes, from one seed each.
#pragma once

#include <string>

#include "tests/sim/redeem/redeem_world.h"

namespace paygress::test {

constexpr Micros after(int64_t seconds) { return micros(Seconds{seconds}); }

// Everything at once for 20 minutes; then the mint is honest until all is at rest. Returns what was
// wrong, or nothing.
std::string random_history(uint64_t seed, const cashu::RedeemPolicy& policy);

}  // namespace paygress::test
