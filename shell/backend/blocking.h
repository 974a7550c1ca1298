// A backend whose engine carries out one call after the other, blocking: its calls go to threads.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "shell/backend/backend.h"
#include "shell/backend/calls.h"
#include "shell/net/worker_pool.h"

namespace paygress::backend {

class BlockingBackend final : public Backend {
 public:
  // Called from `lanes` threads, for one name from one at a time; must not throw.
  using Engine = std::function<workload::Answer(const workload::Call&)>;

  // `leave`, when given, is called at the end: calls that are under way should soon return.
  BlockingBackend(net::Loop& loop, Engine engine, size_t lanes, std::function<void()> leave = {});
  ~BlockingBackend() override;

  void call(const workload::Call& call, Done done) override;

 private:
  // Calls of one name always share a lane, so they run in order; lanes run beside each other.
  static constexpr size_t kLaneBound = kCallsOutstandingMax;

  net::Loop& loop_;
  Engine engine_;
  std::function<void()> leave_;
  std::shared_ptr<Calls> calls_;
  std::vector<net::WorkerPool::QueueId> lanes_;
  net::WorkerPool pool_;  // last: its destructor waits for work that uses the others
};

}  // namespace paygress::backend
