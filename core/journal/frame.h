// Batches as bytes of an append-only file: the form the simulated disk writes, and the form of an
// exported ledger.
//
//   header   "PGJRNL\r\n" | format u32le | install 16 | SHA-256 of the former 32
//   frame    payload length u32le | sequence u64le | previous 32 | payload | hash 32
//
// Reading back after a crash takes every whole frame that continues the chain and stops at the
// first that does not: a torn tail, or bytes that were never a frame.
#pragma once

#include "core/journal/journal.h"

namespace paygress::journal {

constexpr size_t kHeaderBytes = 8 + 4 + 16 + 32;
constexpr size_t kFrameOverheadBytes = 4 + 8 + 32 + 32;

Bytes encode_header(const Header& header);
// An error when the bytes are not a header of ours, are damaged, or are of a newer format.
Result<Header> decode_header(ByteView bytes);

Bytes encode_frame(const SealedBatch& batch);

struct Recovered {
  Header header;
  Tip tip;                // of the last whole batch
  size_t good_bytes = 0;  // header and whole frames: the file is cut here before appending
  std::string stopped;    // why reading stopped before the end; empty when every byte was read
};
// `visit` sees every whole batch in order. An error only when the header is unusable, or when visit
// returned one; a bad frame ends the reading and is told in `stopped`.
Result<Recovered> recover(ByteView file, const Visitor& visit);

// Every whole frame of what recover() took, in order, without following the chain once more: for a
// reader that does (journal.h). An error is visit's, or that the bytes are whole frames no more.
Result<void> scan(ByteView file, const Visitor& visit);

}  // namespace paygress::journal
