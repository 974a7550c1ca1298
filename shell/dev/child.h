// Child processes of the development market: the real programs, as a person would start them.
//
// Every child has a process group of its own, so that Ctrl-C reaches only us; it is killed when we
// die without saying so; it inherits no descriptor but its standard ones, whose input is empty.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace paygress::dev {

inline constexpr size_t kChildOutputBytesMax = size_t{4} << 20;  // kept of each stream

struct Command {
  std::vector<std::string> argv;  // argv[0] is a path
  // Set over our environment, of which what configures providers and wallets is left out.
  std::map<std::string, std::string> environment;
};

// The command as a person would type it in a POSIX shell, the program without its directory.
std::string shell_text(const Command& command);

struct Finished {
  int status = -1;      // exit status, or 128 + signal
  bool in_time = true;  // false: killed after the limit, or because `stop` was set
  std::string out;
  std::string err;
};
// To its end, on this thread. `stop` is looked at several times a second.
Result<Finished> run_command(const Command& command, std::chrono::milliseconds limit,
                             const std::atomic<bool>& stop);

class Child {
 public:
  // Standard output and error are appended to `log_file` (0600).
  static Result<Child> start(const Command& command, const std::string& log_file);
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)), status_(other.status_) {}
  Child& operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(status_, other.status_);
    return *this;
  }
  // Kills it and waits when it was not waited for.
  ~Child();

  pid_t pid() const { return pid_; }
  // Its status (as in Finished) when it has ended; waits for that at most `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit);
  void signal(int number) const;

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_ = 0;  // 0: moved from
  std::optional<int> status_;
};

// The last `lines` lines of a text file; empty when it cannot be read.
std::string tail_of(const std::string& file, size_t lines);

}  // namespace paygress::dev
