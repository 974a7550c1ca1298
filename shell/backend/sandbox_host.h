// What this machine offers to a sandbox, looked up once at start.
#pragma once

#include <filesystem>
#include <string>

#include "shell/backend/sandbox_cgroup.h"

namespace paygress::backend {

struct SandboxHost {
  bool root = false;               // without it: a user namespace, no SSH, no limits
  std::filesystem::path bwrap;     // empty: absent, as are the following
  std::filesystem::path dropbear;  // used inside the sandbox, so only found below /usr
  std::filesystem::path dropbearkey;
  std::filesystem::path busybox;  // likewise
  CgroupHost cgroups;

  bool can_ssh() const { return root && !dropbear.empty() && !dropbearkey.empty(); }
};

SandboxHost find_sandbox_host();

// What a workload here does not get, for the operator: "; "-separated, empty when it gets all.
std::string what_is_missing(const SandboxHost& host);

}  // namespace paygress::backend
