// One history of one warm-standby workload: its members, its relays, and everything that goes
// wrong, drawn up front from a seed. Times are true time from the beginning.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <vector>

#include "core/failover/failover.h"
#include "core/failover/profile.h"

namespace paygress::sim::members {

//   CutLink      member <-> relay; `way` 1: to the relay only, 2: to the member only, 3: both
//   CutMember    the same for every relay of that member
//   SlowLink     one-way legs of up to `amount`
//   RelayDown    `amount` 1: it forgets everything
//   RelayDeaf    answers OK and stores nothing
//   Crash        the daemon; its workload and its guard live on
//   HostCrash    everything on that machine
//   Pause        the daemon is stopped (SIGSTOP) and continued
//   ClockStep    the wall clock, by `amount`, for good
//   SlowCreate   creating takes `amount`
//   FailCreate   creating fails
//   EngineHang   the engine answers nothing
//   Exhaust      the workload dies and cannot be kept running
//   GuardCrash   the guard is gone; what it froze thaws not, what it held is not held
//   Withhold     the relay passes nothing on to that member, but answers its pings and queries
//                (`amount` 1: not even queries)
enum class FaultKind : uint8_t {
  CutLink, CutMember, SlowLink, RelayDown, RelayDeaf, Crash, HostCrash, Pause, ClockStep,
  SlowCreate, FailCreate, EngineHang, Exhaust, GuardCrash, Withhold
};
BOOST_DESCRIBE_ENUM(FaultKind, CutLink, CutMember, SlowLink, RelayDown, RelayDeaf, Crash, HostCrash,
                    Pause, ClockStep, SlowCreate, FailCreate, EngineHang, Exhaust, GuardCrash,
                    Withhold)

struct Fault {
  FaultKind kind = FaultKind::CutLink;
  Micros from;
  Micros until;
  uint32_t member = 0;
  uint32_t relay = 0;
  uint32_t way = 3;
  Micros amount;
  // Strikes not at `from`, but the first time after it that the member enters this phase, and lasts
  // as long: what matters happens in windows that no draw of times would hit.
  std::optional<failover::Phase> when;

  bool operator==(const Fault&) const = default;
};
BOOST_DESCRIBE_STRUCT(Fault, (), (kind, from, until, member, relay, way, amount, when))

struct Plan {
  uint64_t seed = 0;
  failover::Profile profile = failover::kDefaultProfile;
  failover::RulePolicy policy;
  bool timeout_only = false;       // the existing network's policy instead of the rules
  uint32_t members = 2;
  uint32_t relays = 3;
  uint32_t faulty = 0;             // f of the quorums
  Micros leg_min = 1'000_us;       // one-way, over a link that works
  Micros leg_max = 200'000_us;
  bool lockstep = false;           // every leg takes leg_max, and clocks do not drift
  Micros freeze_max;               // freezing takes up to so long, as in a system call
  Micros create = 5'000'000_us;
  Micros heal_at;                  // from here on nothing breaks any more
  Micros end_at;                   // and by then one copy runs, and all is quiet
  std::vector<uint32_t> lost_members;  // from heal_at on, for ever
  std::vector<uint32_t> lost_relays;
  std::vector<uint32_t> lost_engines;  // their workload is dead, and they answer nothing
  std::vector<Micros> boots;           // when each member begins
  std::vector<Fault> faults;

  bool operator==(const Plan&) const = default;
};

// Any mix of everything, with a core that can work after heal_at.
Plan hostile_plan(uint64_t seed);
// The primary's host dies once, and nothing else happens: what recovery takes.
Plan plain_plan(uint64_t seed, const failover::Profile& profile);

}  // namespace paygress::sim::members
