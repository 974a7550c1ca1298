// Limits and freezing of a sandbox by control groups: the v2 tree where it has the controllers,
// the v1 hierarchies otherwise (a machine may have v1 controllers beside an empty v2 tree).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace paygress::backend {

// Which directory each limit goes to; empty where the machine does not offer it to us. With v2 all
// four are the same directory.
struct CgroupHost {
  bool v2 = false;
  std::filesystem::path memory;
  std::filesystem::path cpu;
  std::filesystem::path pids;
  std::filesystem::path freezer;

  bool complete() const {
    return !memory.empty() && !cpu.empty() && !pids.empty() && !freezer.empty();
  }
};

struct Limits {
  uint64_t memory_mb = 0;
  uint64_t cpu_millicores = 0;
  uint64_t pids = 0;
};

// Finds the mounted hierarchies and makes a backend's parent group in each. Nothing is found
// without root.
CgroupHost find_cgroups(std::string_view parent_name);
// The groups of one workload, each path once. They need not exist.
std::vector<std::filesystem::path> cgroup_paths(const CgroupHost& host, const std::string& name);
// Makes the groups (or finds them) and sets the limits; memory counts swap too.
Result<void> make_cgroups(const CgroupHost& host, const std::string& name, const Limits& limits);

// These look at what each directory offers, so they need no CgroupHost: the supervisor uses them.
// Freezes and waits until every process is frozen; false when none of `groups` can freeze or the
// kernel has not finished within two seconds.
bool freeze(const std::vector<std::filesystem::path>& groups);
void thaw(const std::vector<std::filesystem::path>& groups);
bool is_frozen(const std::vector<std::filesystem::path>& groups);
// Makes the calling process a member of each; false when one refuses.
bool join(const std::vector<std::filesystem::path>& groups);
// False when one is still there (it has members).
bool remove_cgroups(const std::vector<std::filesystem::path>& groups);

}  // namespace paygress::backend
