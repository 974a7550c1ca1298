// The numbers of fail-over, and what must hold between them (failover.md, "Numbers").
//
// Every duration is monotonic time. Clocks of different machines run within kDriftPpm of each
// other; no rule compares two machines' wall clocks.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string_view>

#include "core/base/result.h"
#include "core/base/units.h"

namespace paygress::failover {

inline constexpr int64_t kDriftPpm = 1000;  // rho: 0.1 %

struct Profile {
  Micros heartbeat;  // between two heartbeats, while they have their write quorum
  Micros retry;      // between two heartbeats, while they lack it
  Micros fence;      // a holder may run for so long after it sent its newest counting heartbeat
  Micros stop;       // bound on pausing a workload; then it is killed
  Micros delay;      // D: bound on member -> relay -> other member, over parts that work
  Micros silence;    // a holder not heard of for so long is not running
  Micros claim_ttl;  // a claim is promoted within this time or never
  Micros backoff;    // per rank, before claiming

  bool operator==(const Profile&) const = default;
};
BOOST_DESCRIBE_STRUCT(Profile, (),
                      (heartbeat, retry, fence, stop, delay, silence, claim_ttl, backoff))

inline constexpr Profile kDefaultProfile{60'000_ms, 5'000_ms,   130'000_ms, 30'000_ms,
                                         15'000_ms, 180'000_ms, 75'000_ms,  5'000_ms};
inline constexpr Profile kFastProfile{10'000_ms, 2'000_ms,  30'000_ms, 5'000_ms,
                                      5'000_ms,  45'000_ms, 25'000_ms, 1'700_ms};
// For relays on the same machine; refused elsewhere.
inline constexpr Profile kDemoProfile{1'000_ms, 200_ms,   3'000_ms, 1'000_ms,
                                      500_ms,   6'000_ms, 2'500_ms, 200_ms};

// "default", "fast" or "demo".
std::optional<Profile> profile_named(std::string_view name);
// The name of a built-in profile; empty for any other.
std::string_view name_of(const Profile& profile);

// Error: the first inequality that does not hold, with its numbers.
Result<void> check_profile(const Profile& profile);

// What a duration may be on another machine's clock, rounded away from zero.
Micros stretched(Micros duration);  // * (1 + rho)
// A claim event is void so long after it was first seen (rule 16).
Micros claim_void_after(const Profile& profile);
// A holder that could not keep the workload running does not claim for so long (rules 4 and 17).
Micros hold_off(const Profile& profile, size_t members);

// What is needed of a workload's n relays.
struct Quorums {
  uint32_t relays = 0;  // n
  uint32_t write = 0;   // w: published once so many answered OK and echoed
  uint32_t read = 0;    // r: read once so many answered up to EOSE

  bool operator==(const Quorums&) const = default;
};
BOOST_DESCRIBE_STRUCT(Quorums, (), (relays, write, read))

// w + r = n + f + 1 and w <= r: safe with f relays that lie or forget at once. Precondition:
// n >= 1; f = 0, or n >= 3 f + 1 (then both quorums can still be had without those f).
Quorums quorums(uint32_t relays, uint32_t faulty = 0);

}  // namespace paygress::failover
