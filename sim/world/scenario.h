// The scenarios: each describes a family of histories. swarm.h draws one of them from a seed, as a
// plan (fault_plan.h) that can be printed, edited, run again and made smaller.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/units.h"
#include "core/provider/provider.h"
#include "sim/world/fault_plan.h"

namespace paygress::sim {

// A fault that may be drawn: how often in a history on average (before the swarm's intensity), and
// how long and how much at most.
struct FaultChance {
  FaultKind kind = FaultKind::Crash;
  uint32_t mean = 0;  // in tenths
  Seconds lasts_max{0};
  int64_t amount_max = 0;  // of kinds with an amount: drawn from 1 to this
};

struct Scenario {
  std::string name;
  std::string about;  // one line
  size_t providers = 1;
  size_t relays = 3;
  size_t consumers = 1;
  Seconds length{3600};  // faults happen and leases are bought in this time
  Seconds settle{1800};  // then everything heals, and must come to rest
  size_t spawns_per_consumer = 1;
  size_t top_ups_per_lease = 0;
  uint64_t stops_percent = 0;    // of the leases are stopped by their owners, at any time
  uint64_t patient_percent = 0;  // of the buyers ask once, and wait
  size_t withdrawals_max = 0;    // by operators, of each history
  bool operators_pay = false;    // invoices, unless they take all that there is
  size_t standbys_max = 0;       // of a workload; 0: plain leases only
  uint64_t sats_min = 20;        // of a token
  uint64_t sats_max = 200;
  Micros delay_min = 5'000_us;
  Micros delay_max = 120'000_us;
  std::vector<FaultChance> faults;
  bool swarm = false;           // each seed draws which classes of faults are on, and how much
  bool freezes = false;         // at `length` only a core heals; the rest stays broken
  uint32_t liars = 0;           // relays that may lie or forget at once
  Seconds clock_offset_max{0};  // of a provider's wall clock
  int64_t clock_drift_ppm_max = 0;
  bool nip04 = false;              // consumers speak the existing network's transport
  provider::Policies policies;     // a rule switched off is a planted bug, which a run must find
  std::vector<std::string> marks;  // what must have happened in some history of a sweep
};

std::span<const Scenario> scenarios();
const Scenario* find_scenario(std::string_view name);

}  // namespace paygress::sim
