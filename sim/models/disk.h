// A model of a file on a disk that fails, and the simulator's journal::Storage on it.
//
// The model keeps what the disk surely holds apart from what only the page cache holds. A crash
// decides, by the fault plan, what of the second survives. Faults after simulation.md 3.5:
//   torn tail        un-synced bytes survive up to any byte, and the rest is gone or garbage
//   reordered pages  un-synced 512-byte pages survive one by one
//   failed sync      the sync is an error and the dirty pages are dropped, yet still readable until
//                    the crash (fsyncgate)
//   no space         a write is an error after a part of it reached the file
//   rolled back      an older copy of the file is put back while the process is down
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/journal/frame.h"

namespace paygress::sim {

constexpr size_t kDiskPageBytes = 512;

// What a crash leaves of the bytes that were never synced.
enum class CrashLoss : uint8_t { Everything, Nothing, TornTail, GarbageTail, RandomPages };

enum class FaultSpan : uint8_t { Once, ForEver };

// One file. Outlives the processes that use it.
class Disk {
 public:
  explicit Disk(RandomStream stream) : stream_(stream) {}

  // --- what a process does
  Result<void> append(ByteView bytes) { return write(cached_.size(), bytes); }
  // Beyond the end the file grows; a gap reads as zeros.
  Result<void> write(size_t offset, ByteView bytes);
  Result<void> sync();
  Result<void> truncate(size_t size);  // as a write: durable with the next sync
  // Writes the whole content again in place. After a failed sync pages may be readable and yet on
  // no disk; a program that goes on with them has to make them dirty again first.
  Result<void> rewrite();
  const Bytes& content() const { return cached_; }
  bool acquire_writer() { return !std::exchange(has_writer_, true); }
  void release_writer() { has_writer_ = false; }

  // --- what the world does
  // The n-th operation (write, truncate, rewrite or sync) from now on fails; 0: the next one. A
  // failed write leaves a random part of its bytes. ForEver: and so does every later one, until
  // heal() or crash().
  void fail_operation(uint64_t n, FaultSpan span = FaultSpan::Once) {
    fail_at_ = operations_ + n;
    span_ = span;
  }
  void heal() { fail_at_.reset(); }
  uint64_t operations() const { return operations_; }
  // The process is gone; what was not synced meets its fate. Frees the writer's lock.
  void crash(CrashLoss loss);
  // A copy of what is durable, and putting one back.
  Bytes snapshot() const { return durable_; }
  void restore(Bytes copy);

 private:
  bool fails_now();
  void mark_dirty(size_t from, size_t to);
  void write_back(size_t page);
  void keep_tail(bool garbage);
  void keep_random_pages();

  RandomStream stream_;
  Bytes cached_;             // what reads see
  Bytes durable_;            // what surely survives
  std::vector<bool> dirty_;  // per page of cached_: not written back yet
  size_t dirty_from_ = 0;    // no page before it is dirty
  bool resized_ = false;     // the size differs for a reason that is not synced yet
  bool has_writer_ = false;
  uint64_t operations_ = 0;
  std::optional<uint64_t> fail_at_;
  FaultSpan span_ = FaultSpan::Once;
};

// journal::Storage on a Disk, in the form of core/journal/frame.h. Makes the header when the file
// is empty; cuts a torn tail off before it appends. Every tail that recover() does not take is cut:
// whether an acknowledged batch was lost with it is what the high-water mark tells.
class DiskStorage final : public journal::Storage {
 public:
  static Result<std::unique_ptr<DiskStorage>> open(Disk& disk, const InstallId& install);
  ~DiskStorage() override;

  journal::Header header() const override { return header_; }
  Result<void> write(const journal::SealedBatch& batch) override;
  Result<void> sync() override;
  Result<void> scan(uint64_t from, const journal::Visitor& visit) override;

 private:
  DiskStorage(Disk& disk, const journal::Header& header) : disk_(disk), header_(header) {}
  Disk& disk_;
  journal::Header header_;
};

}  // namespace paygress::sim
