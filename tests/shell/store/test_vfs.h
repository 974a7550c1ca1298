// A SQLite VFS in memory whose files are sim::Disks: it fails and tears writes, fails syncs, and at
// a crash loses or reorders what was not synced.
#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/models/disk.h"

namespace paygress::test {

class TestVfs {
 public:
  explicit TestVfs(uint64_t seed);
  ~TestVfs();
  TestVfs(const TestVfs&) = delete;
  TestVfs& operator=(const TestVfs&) = delete;

  const char* name() const { return name_.c_str(); }

  // Writes, truncations, syncs and deletions of all files together.
  uint64_t operations() const { return operations_; }
  // As sim::Disk::fail_operation; ForEver lasts until crash().
  void fail_operation(uint64_t n, sim::FaultSpan span);
  void heal() { fail_at_.reset(); }
  // No database may be open. Every file meets the loss on its own; deletions stay.
  void crash(sim::CrashLoss loss);

  std::map<std::string, Bytes> snapshot() const;
  void restore(const std::map<std::string, Bytes>& copies);
  bool exists(const std::string& path) const { return files_.contains(path); }

  // --- for the VFS's C functions
  sim::Disk& file(const std::string& path);
  bool remove(const std::string& path);  // false: the operation failed
  // Counts an operation; the disk's next one fails when this one is to.
  void count(sim::Disk& disk);
  RandomStream& stream() { return stream_; }

 private:
  bool fails_now();

  RandomStream stream_;
  uint64_t seed_;
  std::string name_;
  sqlite3_vfs vfs_{};
  std::map<std::string, std::unique_ptr<sim::Disk>> files_;
  std::vector<std::unique_ptr<sim::Disk>> removed_;  // may still be open
  uint64_t operations_ = 0;
  std::optional<uint64_t> fail_at_;
  sim::FaultSpan span_ = sim::FaultSpan::Once;
};

}  // namespace paygress::test
