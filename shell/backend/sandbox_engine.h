// The sandbox as an engine: carries out one call after the other, blocking. blocking.h puts it
// behind the loop. A bubblewrap sandbox per workload, for `paygress dev`: no engine is needed. It
// shares the machine's kernel and its network, and enforces no disk limit: development only.
// Calls for different names may run at once on different threads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/workload/backend.h"
#include "shell/backend/backend.h"
#include "shell/backend/object_dir.h"
#include "shell/backend/sandbox_host.h"

namespace paygress::backend {

class SandboxEngine {
 public:
  // `config.supervisor` is set. Makes the root directory and sweeps what a crash left in it.
  SandboxEngine(SandboxConfig config, InstallId install, SandboxHost host);

  // May take up to kStopGraceSeconds and a little more (Stop). The deadline is not looked at.
  workload::Answer handle(const workload::Call& call);

 private:
  workload::Answer probe(const workload::Call& call) const;
  workload::Answer capacity(const workload::Call& call) const;
  workload::Answer list(const workload::Call& call) const;
  workload::Answer create(const workload::Call& call) const;
  workload::Answer start(const workload::Call& call, const StoredObject& object) const;
  workload::Answer await_ports(const workload::Call& call, const StoredObject& object) const;
  workload::Answer pause(const workload::Call& call, const StoredObject& object) const;
  workload::Answer resume(const workload::Call& call, const StoredObject& object) const;
  workload::Answer stop(const workload::Call& call, const StoredObject& object) const;
  workload::Answer remove(const workload::Call& call, const StoredObject& object) const;
  workload::Object view(const std::string& name, const StoredObject& stored) const;

  std::filesystem::path state(const std::string& name) const;
  CgroupHost cgroups(const StoredObject& object) const;
  std::vector<std::filesystem::path> groups(const StoredObject& object) const;
  std::string group_name(const std::string& name) const;
  // Sends SIGKILL to the workload's first process and waits for the end of all of it.
  bool kill_all(const StoredObject& object) const;

  SandboxConfig config_;
  InstallId install_;
  SandboxHost host_;
};

}  // namespace paygress::backend
