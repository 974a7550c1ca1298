#include "shell/provider/journal_writer.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "core/base/check.h"
#include "core/base/codec.h"

namespace paygress::daemon {
namespace {

using Batches = std::vector<std::vector<Bytes>>;

constexpr std::chrono::seconds kLockOutPatience{2};

thread_local bool t_uses_ledger = false;

// Marks this thread as the one that uses the ledger.
class Using {
 public:
  explicit Using(std::timed_mutex& mutex) : lock_(mutex) { t_uses_ledger = true; }
  ~Using() { t_uses_ledger = false; }
  Using(const Using&) = delete;
  Using& operator=(const Using&) = delete;

 private:
  std::lock_guard<std::timed_mutex> lock_;
};

Result<void> write(store::Ledger& ledger, const Batches& batches) {
  for (const auto& batch : batches)
    if (auto done = ledger.append(batch); !done) return std::unexpected(done.error());
  const auto synced = ledger.commit();
  if (!synced) return std::unexpected(synced.error());
  return {};
}

}  // namespace

JournalWriter::JournalWriter(net::Loop& loop, net::WorkerPool& pool, store::Ledger& ledger,
                             Events events)
    : loop_(loop),
      pool_(pool),
      ledger_(ledger),
      events_(std::move(events)),
      queue_(pool.make_queue(net::WorkerPool::Order::Serial, kJournalPiecesMax)) {
  PG_CHECK(events_.release != nullptr && events_.failed != nullptr);
}

JournalWriter::~JournalWriter() { *alive_ = false; }

bool JournalWriter::idle() const { return !writing_ && batches_.empty() && effects_.empty(); }

void JournalWriter::take(provider::Step step) {
  if (failed_) return;
  if (step.records.empty() && idle()) return events_.release(std::move(step.effects));
  if (!step.records.empty()) {
    std::vector<Bytes> batch;
    batch.reserve(step.records.size());
    for (const provider::Record& record : step.records) batch.push_back(encode_bytes(record));
    batches_.push_back(std::move(batch));
  }
  effects_.insert(effects_.end(), std::make_move_iterator(step.effects.begin()),
                  std::make_move_iterator(step.effects.end()));
  if (batches_.size() > kStepsWaitingMax) {
    failed_ = true;
    return events_.failed(Error{"the disk does not keep up", ""});
  }
  flush_soon();
}

// At the end of this turn of the loop, so that the steps of one turn share a sync.
void JournalWriter::flush_soon() {
  if (writing_ || std::exchange(scheduled_, true)) return;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    scheduled_ = false;
    flush();
  });
}

void JournalWriter::flush() {
  PG_CHECK(!writing_);
  if (failed_ || (batches_.empty() && effects_.empty())) return;
  writing_ = true;
  auto batches = std::make_shared<const Batches>(std::exchange(batches_, {}));
  auto effects = std::make_shared<std::vector<provider::Effect>>(std::exchange(effects_, {}));
  const bool taken = pool_.submit(queue_,
                                  [this, alive = alive_, in_use = in_use_, &ledger = ledger_,
                                   batches, effects]() -> net::WorkerPool::Completion {
                                    const Using mine(*in_use);
                                    const Result<void> result = write(ledger, *batches);
                                    return [this, alive, effects, result] {
                                      if (*alive) on_flushed(std::move(*effects), result);
                                    };
                                  });
  // with_ledger() leaves room for this piece, and there is one at a time.
  PG_CHECK(taken);
}

void JournalWriter::on_flushed(std::vector<provider::Effect> effects, Result<void> result) {
  writing_ = false;
  if (failed_) return;
  if (!result) {
    failed_ = true;
    return events_.failed(result.error());
  }
  if (!batches_.empty() || !effects_.empty()) flush_soon();
  events_.release(std::move(effects));
}

bool JournalWriter::with_ledger(std::function<net::WorkerPool::Completion(store::Ledger&)> work) {
  if (failed_ || pool_.under_way(queue_) + 2 >= kJournalPiecesMax) return false;
  return pool_.submit(queue_, [work = std::move(work), in_use = in_use_, &ledger = ledger_] {
    const Using mine(*in_use);
    return work(ledger);
  });
}

bool JournalWriter::lock_out() { return !t_uses_ledger && in_use_->try_lock_for(kLockOutPatience); }

}  // namespace paygress::daemon
