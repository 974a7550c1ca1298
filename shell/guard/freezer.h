// Groups of processes that can be frozen: the directories below one directory of a cgroup
// hierarchy. v1: the freezer hierarchy (freezer.state). v2: the tree (cgroup.freeze).
//
// Freezing a group freezes every process in it and below it, and every process that enters it
// later. Only reading back tells that all of them stand.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/workload/guard.h"

namespace paygress::guard {

class Freezer {
 public:
  // Makes `<hierarchy>/<group>` and locks it until this object is gone: nobody else has the same
  // root. An empty `hierarchy` is looked up: v1's freezer where it is mounted (an engine that uses
  // v1 puts its containers there), else v2. Error: none, no right to, or the lock is taken.
  static Result<Freezer> open(std::filesystem::path hierarchy, const std::string& group);
  ~Freezer();
  Freezer(Freezer&& other) noexcept;
  Freezer& operator=(Freezer&&) = delete;

  const std::filesystem::path& root() const { return root_; }
  bool v2() const { return v2_; }

  std::vector<std::string> names() const;
  // Makes the group when it is not there. False when it cannot be made.
  bool make(const std::string& name) const;
  // Asks the kernel; state() tells when it is done.
  bool set_frozen(const std::string& name, bool frozen) const;
  workload::GroupState state(const std::string& name) const;
  bool populated(const std::string& name) const;
  // SIGKILL to every process of the group and below. On v1 frozen processes die when thawed: a
  // pending SIGKILL ends them before they run another instruction of their own.
  void kill_all(const std::string& name) const;
  // The group and the empty ones below it. False while a process is in it.
  bool remove(const std::string& name) const;

 private:
  Freezer(std::filesystem::path root, bool v2, int lock) : root_(root), v2_(v2), lock_(lock) {}

  std::filesystem::path root_;
  bool v2_ = false;
  int lock_ = -1;
};

}  // namespace paygress::guard
