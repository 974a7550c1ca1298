// The daemon's own machinery under load: Provider::step, the journal's writer on a ledger with full
// sync, and the worker pool with real cryptography; the relay takes everything at once, mint and
// engine are models that answer at once. What is measured is therefore us.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/daemon/slow_sync.h"
#include "core/provider/provider.h"

namespace paygress::bench {

struct LoadOptions {
  std::string directory;  // of the ledger; must exist and be empty; on a real disk
  Micros sync_delay;      // added to every sync
  size_t spawns = 500;
  size_t in_flight = 64;  // spawn requests that wait for their answers at a time
};

struct LoadResult {
  size_t answered = 0;  // spawns with access details
  Micros wall;          // without what the mint's model took
  Micros crypto;        // processor time of the pool's pieces
  Micros core;          // inside Provider::step
  Micros messages;      // making frames of what is sent
  SyncCount syncs;
  Micros sync_alone;           // of one group commit of the same size, nothing else going on
  std::vector<Micros> status;  // from a status request's arrival to its answer's sending
  size_t bytes_per_lease = 0;  // growth of the resident set
  Micros restart;              // the ledger verified and folded into a new core, as at a start
  size_t ledger_bytes = 0;     // the records of the load
};

unsigned workers();
// Runs until every spawn is answered; aborts when one is refused.
LoadResult run_load(const LoadOptions& options);

}  // namespace paygress::bench
