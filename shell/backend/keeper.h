// What the programs that stay with one workload each have in common (paygress-sandbox-init,
// paygress-vm-init): the lock that says they live, the bounded log, and what they do before they
// go to the background.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace paygress::backend {

inline constexpr int kRunsAlready = 3;  // exit status of a supervisor that is not needed

// Takes state/lock for the life of the object. A supervisor holds it as long as it lives: it is the
// sign that the workload runs. Others take it to be sure that nothing starts meanwhile.
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
  // Appends what can be read without waiting; closes `from` at its end and makes it -1.
  void drain(int& from);

 private:
  void reopen(int how);
  std::filesystem::path file_;
  int fd_ = -1;
  size_t written_ = 0;
};

struct KeeperNames {
  const char* program;
  const char* kept;  // what stays with it: "machine"
};
// All of such a program. Takes the lock of the state directory that is its argument and runs `keep`
// in a child in the background, in a session of its own with no terminal. `keep` gets a descriptor:
// 'R' written there says that the workload runs, and anything else or its end that it does not.
// Returns in the foreground: 0 for 'R', kRunsAlready when another process has the lock.
int keeper_main(int argc, char** argv, const KeeperNames& names,
                const std::function<int(const std::filesystem::path& state, int ready)>& keep);

}  // namespace paygress::backend
