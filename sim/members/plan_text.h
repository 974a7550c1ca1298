// The text form of a Plan, as of the big world's (sim/world/fault_plan.h): lines that a person
// reads and edits, each of which can be taken away.
//
//   scenario failover seed=7 profile=fast length=400s settle=540s
//   provider-0 boots=0.3s
//   provider-1
//   relay-0
//   standby provider-0 provider-1
//   fault cut-link provider-0 at=90s for=60s peer=relay-0 way=to
//   fault pause provider-1 for=40s when=reading
//   frozen provider-0
//   engine-lost provider-1
//
// `standby A B` makes B the next standby of A's workload. Without any, all providers are the
// members of one workload, in the order of their lines. `off=RULE` on the first line switches a
// rule of fail-over off, and `policy=timeout-only` all of them.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "sim/members/plan.h"

namespace paygress::sim::members {

std::string to_text(const Plan& plan);
// Errors name the line.
Result<Plan> parse_plan(std::string_view text);
// What is unfair about it: with it, a finding proves nothing. Empty: nothing.
std::string beyond_budget(const Plan& plan);
// Switches one rule off. False: there is none of that name.
bool switch_off(failover::RulePolicy& policy, std::string_view rule);
std::vector<std::string> rule_names();

}  // namespace paygress::sim::members
