// A small discrete-event world around the fail-over machine alone: the members of warm-standby
// workloads, their relays, and for each member an engine and a guard. It knows no money and no
// consumers: it is fast, and it is the oracle of core/failover before the whole provider runs on
// it.
#pragma once

#include <functional>
#include <string>

#include "sim/members/audit.h"
#include "sim/members/plan.h"
#include "sim/world/observer.h"

namespace paygress::sim::members {

struct Watching {
  // Called with every line of what happens.
  std::function<void(Micros, const std::string&)> log;
  Observer* observer = nullptr;
  bool stop_at_first = false;  // finding
};

// Deterministic: the same plan, the same verdict.
Verdict run(const Plan& plan, const Watching& watching = {});

}  // namespace paygress::sim::members
