// The hash chain over the batches of a journal.
#pragma once

#include "core/journal/batch.h"

namespace paygress::journal {

// Where the chain of this header starts.
Tip genesis(const Header& header);

Hash chain_hash(uint64_t sequence, const Hash& previous, ByteView payload);

// The batch that follows `tip` with this payload.
SealedBatch link(const Tip& tip, Bytes payload);

// Follows a journal batch by batch. The first batch that does not fit ends it: what stands after a
// break proves nothing.
class ChainVerifier {
 public:
  explicit ChainVerifier(const Header& header) : tip_(genesis(header)) {}
  // Goes on after a batch that is known to be the journal's.
  explicit ChainVerifier(const Tip& known) : tip_(known) {}

  // The error says in words which batch broke and how: a gap, a batch of another chain, changed
  // content, or a payload that is not a list of records. `where` is "batch N".
  Result<void> take(const SealedBatch& batch);

  const Tip& tip() const { return tip_; }

 private:
  Tip tip_;
  bool broken_ = false;
};

}  // namespace paygress::journal
