// One batch of the journal: the records of one or more steps, whole or absent.
//
// The chain: hash = SHA-256("paygress-journal-v1" | sequence u64le | previous hash | payload). The
// previous hash of batch 1 is the hash of the header. A batch therefore names everything before it,
// and the install it belongs to: no batch can be changed, left out or moved without a trace.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/ids.h"
#include "core/base/result.h"
#include "core/crypto/hash.h"

namespace paygress::journal {

using Hash = crypto::Digest;

constexpr uint32_t kFormatVersion = 1;
// Bounds of what is written and of what a reader believes. A step writes a few kilobytes.
constexpr size_t kRecordBytesMax = size_t{4} << 20;
constexpr size_t kPayloadBytesMax = size_t{16} << 20;
constexpr size_t kRecordsPerBatchMax = 65'536;

// The first thing in every journal. `install` is drawn once, when the journal is made.
struct Header {
  uint32_t format_version = kFormatVersion;
  InstallId install;

  bool operator==(const Header&) const = default;
};

// Records are opaque here (core/base/codec.h encodes them); never empty, in the order of writing.
using Records = std::vector<Bytes>;

// A batch with its place in the chain. Sequences start at 1 and have no gap.
struct SealedBatch {
  uint64_t sequence = 0;
  Hash previous{};
  Bytes payload;  // encode_records(records)
  Hash hash{};

  bool operator==(const SealedBatch&) const = default;
};

// A place in the chain: the last batch up to here. Sequence 0 is the header.
struct Tip {
  uint64_t sequence = 0;
  Hash hash{};

  bool operator==(const Tip&) const = default;
};

// u32 count, then u32 length and bytes of each. An error when a bound above is exceeded, when there
// is no record, or when one is empty: all are mistakes of the caller that must not reach the disk.
Result<Bytes> encode_records(const Records& records);
// Exactly what encode_records wrote, else an error.
Result<Records> decode_records(ByteView payload);
// The same error, and no copy.
Result<void> check_records(ByteView payload);

}  // namespace paygress::journal
