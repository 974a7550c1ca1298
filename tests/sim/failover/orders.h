// Every order of events of a very small world: three members of one workload whose holder is known
// to be gone, one relay, all ready to claim at the same moment. At each point any message that is
// on its way may be the next to arrive; time may pass to the next deadline a few times; members
// may crash. Each reachable state is looked at once.
#pragma once

#include <cstdint>
#include <string>

#include "core/failover/policy.h"

namespace paygress::sim {

struct OrdersSetup {
  failover::RulePolicy policy;
  int time_jumps = 0;  // of all clocks together, to the next deadline of any member
  int crashes = 0;     // for good; what was sent before still arrives
  uint64_t states_max = 50'000'000;
};

struct OrdersFound {
  uint64_t states = 0;
  uint64_t ends = 0;        // nothing is left that could happen
  uint64_t two_copies = 0;  // states in which two were allowed to run
  uint64_t holders = 0;     // ends at which one was
  bool complete = true;     // states_max was not reached
  std::string first;        // the way to the first state with two copies
};

OrdersFound explore_orders(const OrdersSetup& setup);

}  // namespace paygress::sim
