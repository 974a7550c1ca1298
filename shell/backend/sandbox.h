// The sandbox backend: a bubblewrap sandbox per workload, for `paygress dev`. No engine is needed.
// It shares the machine's kernel and its network, and enforces no disk limit: development only.
#pragma once

#include <memory>
#include <vector>

#include "shell/backend/backend.h"
#include "shell/backend/calls.h"
#include "shell/backend/sandbox_engine.h"
#include "shell/net/worker_pool.h"

namespace paygress::backend {

class SandboxBackend final : public Backend {
 public:
  // Preconditions: as for SandboxEngine.
  SandboxBackend(net::Loop& loop, SandboxConfig config, InstallId install);

  void call(const workload::Call& call, Done done) override;

 private:
  // Calls of one name always share a lane, so they run in order; lanes run beside each other.
  static constexpr size_t kLanes = 4;
  static constexpr size_t kLaneBound = kCallsOutstandingMax;

  net::Loop& loop_;
  SandboxEngine engine_;
  std::shared_ptr<Calls> calls_;
  std::vector<net::WorkerPool::QueueId> lanes_;
  net::WorkerPool pool_;  // last: its destructor waits for work that uses the others
};

}  // namespace paygress::backend
