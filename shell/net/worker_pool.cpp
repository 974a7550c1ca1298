#include "shell/net/worker_pool.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/check.h"

namespace paygress::net {
namespace {

// One piece of work from its submission until its completion ran.
struct Piece {
  WorkerPool::Work work;
  bool started = false;
  std::optional<WorkerPool::Completion> completion;  // set when the work is done
};

struct Queue {
  WorkerPool::Order order;
  size_t bound;
  std::deque<std::shared_ptr<Piece>> pieces;  // in the order of arrival
  size_t running = 0;
};

}  // namespace

// Shared with the tasks posted to the loop, which may outlive the pool.
class WorkerPool::Impl : public std::enable_shared_from_this<Impl> {
 public:
  explicit Impl(Loop& loop) : loop_(loop) {}

  void start(unsigned threads) {
    PG_CHECK(threads > 0);
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  QueueId make_queue(Order order, size_t bound) {
    PG_CHECK(bound > 0);
    const std::lock_guard lock(mutex_);
    queues_.push_back(std::make_unique<Queue>(Queue{order, bound, {}, 0}));
    return static_cast<QueueId>(queues_.size() - 1);
  }

  bool submit(QueueId id, Work work) {
    PG_CHECK(work != nullptr);
    {
      const std::lock_guard lock(mutex_);
      Queue& queue = *queues_.at(id);
      if (queue.pieces.size() >= queue.bound) return false;
      queue.pieces.push_back(std::make_shared<Piece>(Piece{std::move(work), false, {}}));
    }
    wake_.notify_one();
    return true;
  }

  size_t under_way(QueueId id) const {
    const std::lock_guard lock(mutex_);
    return queues_.at(id)->pieces.size();
  }

 private:
  // The next piece of any queue, queues in turn. With the lock held.
  std::pair<Queue*, std::shared_ptr<Piece>> next() {
    for (size_t i = 0; i < queues_.size(); ++i) {
      Queue& queue = *queues_[(turn_ + i) % queues_.size()];
      if (queue.order == Order::Serial && queue.running > 0) continue;
      for (const auto& piece : queue.pieces) {
        if (piece->started) continue;
        turn_ = (turn_ + i + 1) % queues_.size();
        return {&queue, piece};
      }
    }
    return {nullptr, nullptr};
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      auto [queue, piece] = next();
      if (piece == nullptr) {
        wake_.wait(lock);
        continue;
      }
      piece->started = true;
      ++queue->running;
      lock.unlock();
      Completion completion = piece->work();
      piece->work = nullptr;  // what it captured goes here, not on the loop
      lock.lock();
      piece->completion = std::move(completion);
      --queue->running;
      if (queue->order == Order::Serial) wake_.notify_one();
      loop_.post([self = weak_from_this(), done = queue] {
        if (const auto impl = self.lock()) impl->deliver(*done);
      });
    }
  }

  // On the loop: everything of the queue's front that is done.
  void deliver(Queue& queue) {
    for (;;) {
      std::shared_ptr<Piece> piece;
      {
        const std::lock_guard lock(mutex_);
        if (stopped_ || queue.pieces.empty() || !queue.pieces.front()->completion) return;
        piece = queue.pieces.front();
      }
      if (*piece->completion) (*piece->completion)();
      const std::lock_guard lock(mutex_);
      if (!queue.pieces.empty() && queue.pieces.front() == piece) queue.pieces.pop_front();
    }
  }

  Loop& loop_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::vector<std::thread> threads_;
  size_t turn_ = 0;
  bool stopped_ = false;
};

WorkerPool::WorkerPool(Loop& loop, unsigned threads) : impl_(std::make_shared<Impl>(loop)) {
  impl_->start(threads);
}

WorkerPool::~WorkerPool() { impl_->stop(); }

WorkerPool::QueueId WorkerPool::make_queue(Order order, size_t bound) {
  return impl_->make_queue(order, bound);
}

bool WorkerPool::submit(QueueId queue, Work work) { return impl_->submit(queue, std::move(work)); }

size_t WorkerPool::under_way(QueueId queue) const { return impl_->under_way(queue); }

}  // namespace paygress::net
