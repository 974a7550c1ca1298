// Processes as /proc shows them, and handles on them that cannot name another one. Shared by the
// sandbox backend and by its supervisor program.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace paygress::backend {

inline constexpr size_t kSmallFileBytesMax = 64 * 1024;

// At most kSmallFileBytesMax of it; empty when it cannot be read. Does not follow a final symlink.
std::string read_small_file(const std::filesystem::path& file);
// The file appears whole or not at all, and is on the disk when this returns true.
bool write_file_whole(const std::filesystem::path& file, std::string_view content, mode_t mode);

// A process that stays identified when its number is used again: number and start time.
struct ProcessId {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // field 22 of /proc/<pid>/stat

  bool operator==(const ProcessId&) const = default;
};

// Nothing when there is no such process, or only its zombie.
std::optional<ProcessId> identify(pid_t pid);
// Sends the signal to exactly that process (pidfd_send_signal); false when it is gone.
bool send_signal(ProcessId process, int signal);
// Sends the signal to every process of the pid namespace that `init` is the first process of, but
// not to `init` itself. Returns how many got it.
size_t signal_namespace(ProcessId init, int signal);
// True when that namespace has processes besides `init` and each of them is stopped by a signal.
bool namespace_is_stopped(ProcessId init);

}  // namespace paygress::backend
