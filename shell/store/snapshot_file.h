// ledger.snapshot, in the data directory: what the records of the ledger made up to one batch
// (provider/snapshot.h), so that a start need not read them all. Without it, or with one that does
// not fit, the ledger is read from its beginning: nothing is lost with this file.
#pragma once

#include <optional>
#include <string>

#include "core/journal/batch.h"

namespace paygress::store {

constexpr const char* kSnapshotFile = "ledger.snapshot";
constexpr size_t kSnapshotBytesMax = size_t{1} << 30;

struct Snapshot {
  InstallId install;
  journal::Tip tip;  // the last batch in it
  Bytes state;       // holds the ledger's secrets
};

// Nothing when there is none. Error: it is damaged.
Result<std::optional<Snapshot>> read_snapshot(const std::string& path);
// Whole or not at all, synced, mode 0600. Error too: it is larger than kSnapshotBytesMax.
Result<void> write_snapshot(const std::string& path, const Snapshot& snapshot);

}  // namespace paygress::store
