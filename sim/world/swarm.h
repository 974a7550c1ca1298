// Draws one history of a scenario from a seed: who buys what, and every fault, up front.
//
// Swarm testing: with Scenario::swarm each seed first draws which classes of faults are on and how
// strongly, and which kinds of a class; a history with one kind of fault in plenty finds what a
// little of everything hides. Every draw comes from a stream named after what is drawn, so a new
// kind of fault changes no other line of a plan.
#pragma once

#include "sim/world/scenario.h"

namespace paygress::sim {

// Within the budget of fault_budget.h. The same arguments give the same plan.
Plan draw_plan(const Scenario& scenario, uint64_t seed, Tier tier);

}  // namespace paygress::sim
