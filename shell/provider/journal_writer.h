// Persist before you act: records of steps go to the ledger on a worker, many steps to one sync,
// and the effects of a step are let go when its records, and those of every earlier step, are
// durable.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/result.h"
#include "core/provider/step.h"
#include "shell/net/loop.h"
#include "shell/net/worker_pool.h"
#include "shell/store/sqlite_journal.h"

namespace paygress::daemon {

// Steps that may wait for the disk. A disk that is so far behind is a failed one.
inline constexpr size_t kStepsWaitingMax = 100'000;
inline constexpr size_t kJournalPiecesMax = 64;

// Lives on the loop's thread.
class JournalWriter {
 public:
  struct Events {
    // In the order of the steps; may be called from inside take().
    std::function<void(std::vector<provider::Effect>)> release;
    // Once. Nothing is released any more: what the disk holds is not known.
    std::function<void(const Error&)> failed;
  };
  // All must outlive the writer.
  JournalWriter(net::Loop& loop, net::WorkerPool& pool, store::Ledger& ledger, Events events);
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  void take(provider::Step step);
  // Nothing waits for the disk.
  bool idle() const;
  // Runs `work` on a worker while no batch is written: reading the ledger for a verb. False when
  // too many such wait.
  [[nodiscard]] bool with_ledger(std::function<net::WorkerPool::Completion(store::Ledger&)> work);

  // For the end of the process, from any thread: waits shortly for the worker that uses the ledger
  // and keeps the others out for good. False when it is in use still, or by this very thread: then
  // the ledger must not be closed.
  [[nodiscard]] bool lock_out();

 private:
  void flush_soon();
  void flush();
  void on_flushed(std::vector<provider::Effect> effects, Result<void> result);

  net::Loop& loop_;
  net::WorkerPool& pool_;
  store::Ledger& ledger_;
  Events events_;
  net::WorkerPool::QueueId queue_;
  std::shared_ptr<std::timed_mutex> in_use_ = std::make_shared<std::timed_mutex>();
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<std::vector<Bytes>> batches_;  // one of each step with records, not yet handed over
  std::vector<provider::Effect> effects_;    // to be let go with them
  bool writing_ = false;
  bool scheduled_ = false;
  bool failed_ = false;
};

}  // namespace paygress::daemon
