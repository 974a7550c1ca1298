// What a provider's snapshot begins with (Provider::snapshot()).
//
// A snapshot is a shortcut and never the truth: the ledger is, and `ledger verify` compares them.
// Members that are added or left out anywhere in it make it unreadable (Reading::SameMembers).
// Raise kSnapshotFormat when an apply() makes something else of the same records.
#pragma once

#include "core/base/codec.h"
#include "core/lease/allocator.h"

namespace paygress::provider {

inline constexpr uint32_t kSnapshotFormat = 2;

struct SnapshotHead {
  uint32_t format = kSnapshotFormat;
  lease::Ranges ranges;  // which numbers and ports are free depends on them

  bool operator==(const SnapshotHead&) const = default;
};
BOOST_DESCRIBE_STRUCT(SnapshotHead, (), (format, ranges))

// Error: it is no snapshot of this program.
Result<SnapshotHead> snapshot_head(ByteView snapshot);

}  // namespace paygress::provider
