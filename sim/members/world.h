// A small discrete-event world around the fail-over machine alone: the members of one workload, its
// relays, and for each member an engine and a guard. No events are signed, no bytes are parsed: it
// is fast, and it is the oracle of core/failover before the whole provider runs on it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/failover/failover.h"
#include "sim/members/plan.h"

namespace paygress::sim::members {

struct Verdict {
  uint32_t overlaps = 0;            // times at which a second copy began to run
  Micros overlapping;               // for how long there were two or more
  uint32_t false_promotions = 0;    // sent while another member ran, and was allowed to
  uint32_t shared_epochs = 0;       // held by two members, with a write quorum each
  std::string stall;                // why there is not one copy at the end; empty: there is
  uint32_t unheard_promotions = 0;  // by a standby, before anybody said that it holds (rule 10)
  uint32_t promotions = 0;
  uint32_t late_promotions = 0;     // after healing and settling: ping-pong
  uint64_t events = 0;
  std::vector<Micros> gaps;         // no copy ran, between two that did
  uint64_t hash = 0;                // of everything that happened, in order

  bool safe() const {
    return overlaps + false_promotions + shared_epochs + unheard_promotions == 0;
  }
  bool good() const { return safe() && stall.empty() && late_promotions == 0; }
};

// Deterministic: the same plan, the same verdict. `log`, when given, is called with every line of
// what happens.
Verdict run(const Plan& plan, const std::function<void(Micros, const std::string&)>& log = {});

}  // namespace paygress::sim::members
