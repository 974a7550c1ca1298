// A few threads for work that would hold up the loop: signatures, decryption, fsync. Results come
// back to the loop in the order the work of that queue arrived, whichever thread was faster.
#pragma once

#include <functional>
#include <memory>

#include "shell/net/loop.h"

namespace paygress::net {

class WorkerPool {
 public:
  // What runs on the loop when the work is done.
  using Completion = std::function<void()>;
  // Runs on a worker; must not touch anything of the loop's thread.
  using Work = std::function<Completion()>;
  enum class Order : uint8_t {
    Parallel,  // several pieces of one queue may run at once (pure work)
    Serial     // one at a time, in order (the journal)
  };
  using QueueId = uint32_t;

  WorkerPool(Loop& loop, unsigned threads);
  // Waits for the pieces that run; those that wait are dropped. No completion follows.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  QueueId make_queue(Order order, size_t bound);
  // False when `bound` pieces of the queue are under way: the caller drops or waits, and says so.
  // A piece is under way until its completion ran.
  [[nodiscard]] bool submit(QueueId queue, Work work);
  size_t under_way(QueueId queue) const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace paygress::net
