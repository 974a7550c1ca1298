// The guard's group as an engine sees it: a directory of a cgroup hierarchy that somebody else
// freezes (core/workload/guard.h). Looked at here, never changed.
#pragma once

#include <string>

#include "core/workload/backend.h"

namespace paygress::backend {

// Every process of the group stands.
bool group_stands(const std::string& group);
// Why this call must not be carried out now on an object of this group; empty when it may. Start,
// Resume, Stop and Remove of what is frozen would wait for the guard, in the middle of the engine.
std::string guard_forbids(workload::Verb verb, const std::string& group);
// The group's path inside its hierarchy, as engines want it ("/paygress-guard/name"); empty when it
// is in no mounted hierarchy.
std::string path_in_hierarchy(const std::string& group);

}  // namespace paygress::backend
