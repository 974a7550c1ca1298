// The journal and its contract. Records are durable BEFORE the effects of their step start.
//
//  1. An acknowledged batch survives: once commit() returned sequence n, every later open of the
//     same storage finds batches 1..n unchanged, whatever was lost or torn by a crash.
//  2. A batch is whole or absent. A batch that was appended and not acknowledged may be either, but
//     batches are present up to some sequence without a gap.
//  3. After a failed write or sync nothing more is acknowledged: what the disk holds is not known
//     any more, so only a new open, which reads it back, may go on (the "fsyncgate" rule).
//  4. One writer. The storage refuses a second one while the first is open.
//
// Rules 2 (order) and 3 are kept here, once; Storage brings durability, atomicity and the lock.
// tests/conformance/journal holds every Storage to the contract.
//
// Not thread-safe: one thread at a time. commit() may block (fsync): the shell uses a worker.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/journal/batch.h"
#include "core/journal/chain.h"

namespace paygress::journal {

// Returning an error stops the scan, which then returns it.
using Visitor = std::function<Result<void>(const SealedBatch&)>;

// Where batches live. Implemented by shell/store (SQLite) and sim/models (the simulated disk).
class Storage {
 public:
  virtual ~Storage() = default;
  virtual Header header() const = 0;
  // Takes the batch; nothing is promised until sync(). Called with consecutive sequences.
  virtual Result<void> write(const SealedBatch& batch) = 0;
  // Makes every written batch durable, all of them or a prefix.
  virtual Result<void> sync() = 0;
  // Every batch with sequence >= `from` that the storage holds, in order.
  virtual Result<void> scan(uint64_t from, const Visitor& visit) = 0;
};

class Journal {
 public:
  // Reads and verifies the whole chain, calling `replay` for each batch in order, and continues
  // after the last. `mark` is the last acknowledged batch somebody remembers outside the storage
  // (the high-water mark): a journal that ends before it, or holds another batch there, was
  // truncated or rolled back and is refused. `storage` may not be null.
  //
  // With `known`, the batch of a snapshot, the chain is followed from there (or from the mark, when
  // that is older) and `replay` gets what comes after it: what stands before was verified when the
  // snapshot was made. Unless the journal holds another batch there, or none: then all of it is
  // read as without `known`, and resumed_after() is 0.
  static Result<std::unique_ptr<Journal>> open(std::unique_ptr<Storage> storage,
                                               const std::optional<Tip>& mark,
                                               const Visitor& replay,
                                               const std::optional<Tip>& known = std::nullopt);

  // Appends one batch and returns its sequence. Not durable and not acknowledged.
  Result<uint64_t> append(const Records& records);

  // Group commit: makes everything appended so far durable. Returns the sequence up to which every
  // batch is acknowledged. With nothing to do it touches no disk.
  Result<uint64_t> commit();

  // Everything acknowledged, from `from` on.
  Result<void> read(uint64_t from, const Visitor& visit);

  Header header() const { return storage_->header(); }
  const Tip& appended() const { return appended_; }
  const Tip& acknowledged() const { return acknowledged_; }
  // The batch of `known`, or 0: the replay began after it.
  uint64_t resumed_after() const { return resumed_after_; }
  // After this only the const functions and read() make sense.
  bool failed() const { return failure_.has_value(); }

 private:
  explicit Journal(std::unique_ptr<Storage> storage);
  std::unexpected<Error> fail_for_good(Error error);

  std::unique_ptr<Storage> storage_;
  Tip appended_;
  Tip acknowledged_;
  uint64_t resumed_after_ = 0;
  std::optional<Error> failure_;
};

// Follows the chain to its end: the tip, or where and how it broke. For `ledger verify`.
Result<Tip> verify(Storage& storage);

}  // namespace paygress::journal
