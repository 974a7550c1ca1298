// The sandbox as an engine: a bubblewrap sandbox per workload, for `paygress dev`: no engine is
// needed. It shares the machine's kernel and its network, and enforces no disk limit: development
// only.
#pragma once

#include <filesystem>
#include <vector>

#include "shell/backend/backend.h"
#include "shell/backend/object_engine.h"
#include "shell/backend/sandbox_host.h"

namespace paygress::backend {

class SandboxEngine final : public ObjectEngine {
 public:
  // `config.supervisor` is set.
  SandboxEngine(SandboxConfig config, InstallId install, SandboxHost host);

 private:
  Answer probe(const Call& call) override;
  Answer make(const Call& call) override;
  Answer start(const Call& call, const StoredObject& object) override;
  Answer pause(const Call& call, const StoredObject& object) override;
  Answer resume(const Call& call, const StoredObject& object) override;
  // May take up to kStopGraceSeconds and a little more.
  Answer stop(const Call& call, const StoredObject& object) override;
  Answer remove(const Call& call, const StoredObject& object) override;
  workload::Running running_state(const StoredObject& object) const override;
  std::optional<Answer> launch(const Call& call, const StoredObject& object) const;
  Answer await_ports(const Call& call, const StoredObject& object) const;

  CgroupHost cgroups(const StoredObject& object) const;
  std::vector<std::filesystem::path> groups(const StoredObject& object) const;
  // Sends SIGKILL to the workload's first process and waits for the end of all of it.
  bool kill_all(const StoredObject& object) const;

  SandboxHost host_;
};

}  // namespace paygress::backend
