#include "bench/daemon/slow_sync.h"

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "core/base/check.h"

namespace paygress::bench {
namespace {

constexpr const char* kName = "paygress-slow-sync";

std::atomic<int64_t> delay_us{0};
std::atomic<uint64_t> syncs{0};
std::atomic<int64_t> spent_us{0};

// SQLite's methods of a file, and our copy of them with another xSync.
struct Methods {
  const sqlite3_io_methods* theirs = nullptr;
  sqlite3_io_methods ours{};
};
std::mutex mutex;
std::map<const sqlite3_io_methods*, Methods> by_theirs;
std::map<const sqlite3_io_methods*, const Methods*> by_ours;

const Methods* methods_of(const sqlite3_file* file) {
  const std::lock_guard lock(mutex);
  return by_ours.at(file->pMethods);
}

int timed_sync(sqlite3_file* file, int flags) {
  const auto from = std::chrono::steady_clock::now();
  const int result = methods_of(file)->theirs->xSync(file, flags);
  std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
  ++syncs;
  spent_us +=
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - from)
          .count();
  return result;
}

int open_timed(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
  sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
  const int result = base->xOpen(base, name, file, flags, out);
  if (result != SQLITE_OK || file->pMethods == nullptr) return result;
  const std::lock_guard lock(mutex);
  Methods& methods = by_theirs[file->pMethods];
  if (methods.theirs == nullptr) {
    methods.theirs = file->pMethods;
    methods.ours = *file->pMethods;
    methods.ours.xSync = timed_sync;
    by_ours[&methods.ours] = &methods;
  }
  file->pMethods = &methods.ours;
  return result;
}

}  // namespace

const char* slow_sync_vfs(Micros delay) {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs made = *sqlite3_vfs_find(nullptr);
    made.zName = kName;
    made.xOpen = open_timed;
    return made;
  }();
  PG_CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
  delay_us = delay.value;
  syncs = 0;
  spent_us = 0;
  return kName;
}

SyncCount counted_syncs() { return {syncs, Micros{spent_us}}; }

}  // namespace paygress::bench
