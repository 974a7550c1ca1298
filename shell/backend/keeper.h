// What the programs that stay with one workload each have in common (paygress-sandbox-init,
// paygress-vm-init): the lock that says they live, the bounded log, and going to the background.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace paygress::backend {

// Takes state/lock for the life of this process: it is the sign that the workload runs. False when
// another process has it.
bool take_lock(const std::filesystem::path& state);
// The same for the life of the object, for who must be sure that nothing starts meanwhile.
class StateLock {
 public:
  explicit StateLock(const std::filesystem::path& state);
  ~StateLock();
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;
  bool held() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// A file within kSandboxLogBytesMax; when full it becomes <file>.1 and a new one is begun.
class BoundedLog {
 public:
  explicit BoundedLog(std::filesystem::path file);
  void append(const char* data, size_t size);

 private:
  void reopen(int how);
  std::filesystem::path file_;
  int fd_ = -1;
  size_t written_ = 0;
};

// Runs `keep` in a child in the background, in a session of its own with no terminal. `keep` gets a
// descriptor: 'R' written there says that the workload runs, and anything else or its end that it
// does not. Returns in the foreground, with true for 'R'.
bool run_in_background(const std::function<int(int ready)>& keep);

}  // namespace paygress::backend
