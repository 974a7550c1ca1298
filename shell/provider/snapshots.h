// The shortcut at start: a provider from ledger.snapshot and the batches after it, and a new
// snapshot whenever the ledger has grown by kBatchesPerSnapshot since the last one.
//
// A snapshot is always made by folding records, never of a provider that works: it is what the
// ledger says and nothing else.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/provider/provider.h"
#include "shell/base/log.h"
#include "shell/net/loop.h"
#include "shell/net/worker_pool.h"
#include "shell/provider/journal_writer.h"
#include "shell/store/snapshot_file.h"

namespace paygress::daemon {

inline constexpr uint64_t kBatchesPerSnapshot = 20'000;
inline constexpr uint64_t kBatchesPerSlice = 500;  // while the ledger is written by nobody
inline constexpr Micros kSnapshotLookEvery = micros(Seconds{600});

class Snapshots {
 public:
  // A provider with our settings that nothing was folded into. Called on workers too.
  using Empty = std::function<std::unique_ptr<provider::Provider>()>;

  Snapshots(std::string data_dir, uint64_t batches_per_snapshot = kBatchesPerSnapshot);

  // Before the ledger is opened: the batch of the snapshot that is there, for LedgerOptions::known.
  // A damaged one is said in the log and counts as none.
  std::optional<journal::Tip> read();

  // A provider with everything that is in the ledger, which was opened with what read() said.
  // Writes a snapshot when one is due.
  Result<std::unique_ptr<provider::Provider>> open(store::Ledger& ledger, const Empty& empty);

  // From here on, now and then. All must outlive what is under way: destroy the pool first.
  void watch(net::Loop& loop, net::WorkerPool& pool, JournalWriter& writer, Empty empty,
             Micros look_every = kSnapshotLookEvery);

 private:
  struct Pass;  // one more snapshot being made, a slice at a time
  void look_later();
  void begin();
  void slice(std::shared_ptr<Pass> pass);
  void finish(std::shared_ptr<Pass> pass);
  void write(const journal::Tip& tip, const InstallId& install, Bytes state) const;

  shell::Logger log_{"snapshot"};
  const std::string path_;
  const uint64_t batches_per_snapshot_;
  std::optional<store::Snapshot> snapshot_;  // until open()
  Empty empty_;
  net::Loop* loop_ = nullptr;
  net::WorkerPool* pool_ = nullptr;
  JournalWriter* writer_ = nullptr;
  net::WorkerPool::QueueId queue_ = 0;
  Micros look_every_;
  uint64_t newest_ = 0;  // the batch of the newest snapshot
};

}  // namespace paygress::daemon
