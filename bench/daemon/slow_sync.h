// SQLite's own files with a clock on every sync, and a delay where one is asked for: what a journal
// costs on this disk, and on one whose sync takes as long as said.
#pragma once

#include <cstdint>

#include "core/base/units.h"

namespace paygress::bench {

// The VFS's name for LedgerOptions::vfs. Registered once; each call sets the delay for all files of
// it and forgets what was counted.
const char* slow_sync_vfs(Micros delay);

struct SyncCount {
  uint64_t syncs = 0;
  Micros spent;  // the delay included
};
SyncCount counted_syncs();

}  // namespace paygress::bench
