// One history of warm-standby workloads: their members, their relays, and everything that goes
// wrong, drawn up front from a seed. Times are true time from the beginning. Members and relays are
// named by their places here; plan_text.h has the text, with their numbers.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <vector>

#include "core/failover/failover.h"
#include "core/failover/profile.h"
#include "sim/world/fault_plan.h"

namespace paygress::sim::members {

using sim::to_text;  // of times and nodes, beside those of this namespace

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
//   Lies         the machine is gone for good, and somebody has its key: heartbeats, claims,
//                promotions and revocations of whatever epoch, other ones to other relays
//   LeaseEnd     no fault: what the member was paid for is over, for good
enum class FaultKind : uint8_t {
  CutLink,
  CutMember,
  SlowLink,
  RelayDown,
  RelayDeaf,
  Crash,
  HostCrash,
  Pause,
  ClockStep,
  SlowCreate,
  FailCreate,
  EngineHang,
  Exhaust,
  GuardCrash,
  Withhold,
  LeaseEnd,
  Lies
};
inline constexpr size_t kFaultKinds = 17;

// What the words of a fault's line are; see plan_text.cpp.
struct FaultWord {
  FaultKind kind;
  std::string_view name;
  Role role;  // of whom it happens to
  bool peer;  // a relay is named too
  bool lasts;
  std::string_view amount;  // its key; empty: none
  bool flag;                // the amount is yes or no
};
const FaultWord& word_of(FaultKind kind);

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

struct Plan {
  std::string scenario = "failover";  // whose draw it is; only a name
  uint64_t seed = 0;
  Tier tier = Tier::Fast;  // Real: events are signed, encoded, verified and parsed
  Bug plant = Bug::none;
  failover::Profile profile = failover::kDefaultProfile;
  failover::RulePolicy policy;
  bool timeout_only = false;  // the existing network's policy instead of the rules
  uint32_t members = 2;
  uint32_t relays = 3;
  // Numbers in the text and of the streams, by place. Empty: the places themselves.
  std::vector<uint32_t> member_numbers;
  std::vector<uint32_t> relay_numbers;
  // The members of each workload, in rank order. Empty: one, of all.
  std::vector<std::vector<uint32_t>> workloads;
  uint32_t faulty = 0;        // f of the quorums
  Micros leg_min = 1'000_us;  // one-way, over a link that works
  Micros leg_max = 200'000_us;
  bool lockstep = false;  // every leg takes leg_max, and clocks do not drift
  Micros freeze_max;      // freezing takes up to so long, as in a system call
  Micros create = 5'000'000_us;
  Micros heal_at;                      // from here on nothing breaks any more
  Micros end_at;                       // and by then one copy runs, and all is quiet
  std::vector<uint32_t> lost_members;  // from heal_at on, for ever
  std::vector<uint32_t> lost_relays;
  std::vector<uint32_t> lost_engines;  // their workload is dead, and they answer nothing
  std::vector<Micros> boots;           // when each member begins
  std::vector<Fault> faults;

  uint32_t member_number(uint32_t place) const;
  uint32_t relay_number(uint32_t place) const;
  NodeName member_name(uint32_t place) const { return {Role::Provider, member_number(place)}; }
  std::vector<std::vector<uint32_t>> all_workloads() const;
  std::string workload_id(const std::vector<uint32_t>& of_members) const;

  bool operator==(const Plan&) const = default;
};

// Any mix of everything, with a core that can work after heal_at.
Plan hostile_plan(uint64_t seed);
// The primary's host dies once, and nothing else happens: what recovery takes.
Plan plain_plan(uint64_t seed, const failover::Profile& profile);
// One of these, for the scenario `failover`.
Plan failover_plan(uint64_t seed);
// So many providers for so long: each is the primary of one workload and a standby of the two
// before it; machines, links and relays fail now and then.
Plan fleet_plan(uint64_t seed, uint32_t providers, Micros length);

}  // namespace paygress::sim::members
