#include "shell/backend/sandbox_proc.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <sstream>

#include "core/base/check.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

struct Stat {
  char state = 0;
  uint64_t start_ticks = 0;
};

// The command in parentheses may hold anything, so fields are counted from the last ')'.
std::optional<Stat> read_stat(pid_t pid) {
  const std::string text = read_small_file("/proc/" + std::to_string(pid) + "/stat");
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(end + 1));
  Stat stat;
  fields >> stat.state;
  std::string skipped;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  fields >> stat.start_ticks;
  if (!fields) return std::nullopt;
  return stat;
}

std::string pid_namespace(pid_t pid) {
  std::error_code error;
  return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/pid", error).string();
}

// The processes in init's namespace, without init.
std::vector<ProcessId> namespace_members(ProcessId init) {
  std::vector<ProcessId> members;
  const std::string name = pid_namespace(init.pid);
  // Re-identified after the link was read: then the link was this process's.
  if (name.empty() || identify(init.pid) != init) return members;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string entry = it->path().filename();
    pid_t pid = 0;
    const auto [rest, bad] = std::from_chars(entry.data(), entry.data() + entry.size(), pid);
    if (bad != std::errc() || rest != entry.data() + entry.size() || pid == init.pid) continue;
    const auto process = identify(pid);
    if (process && pid_namespace(pid) == name) members.push_back(*process);
  }
  return members;
}

}  // namespace

std::string read_small_file(const fs::path& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return {};
  std::string content(kSmallFileBytesMax, '\0');
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t n = read(fd, content.data() + size, content.size() - size);
    if (n <= 0) break;
    size += static_cast<size_t>(n);
  }
  close(fd);
  content.resize(size);
  return content;
}

bool write_file_whole(const fs::path& file, std::string_view content, mode_t mode) {
  const fs::path draft = file.string() + ".new";
  unlink(draft.c_str());
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return false;
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t n = write(fd, content.data() + size, content.size() - size);
    if (n <= 0) break;
    size += static_cast<size_t>(n);
  }
  const bool whole = size == content.size() && fchmod(fd, mode) == 0 && fsync(fd) == 0;
  close(fd);
  return whole && rename(draft.c_str(), file.c_str()) == 0;
}

std::optional<ProcessId> identify(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  const auto stat = read_stat(pid);
  if (!stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  return ProcessId{pid, stat->start_ticks};
}

bool send_signal(ProcessId process, int signal) {
  PG_CHECK(process.pid > 0);
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0));
  if (handle < 0) return false;
  // Checked while the handle is held: if it is the same process now, the handle is its.
  const bool same = identify(process.pid) == process;
  const bool sent = same && syscall(SYS_pidfd_send_signal, handle, signal, nullptr, 0) == 0;
  close(handle);
  return sent;
}

size_t signal_namespace(ProcessId init, int signal) {
  size_t sent = 0;
  for (const auto& member : namespace_members(init)) sent += send_signal(member, signal) ? 1 : 0;
  return sent;
}

bool namespace_is_stopped(ProcessId init) {
  const auto members = namespace_members(init);
  for (const auto& member : members) {
    const auto stat = read_stat(member.pid);
    if (stat && stat->state != 'T' && stat->state != 'Z') return false;
  }
  return !members.empty();
}

}  // namespace paygress::backend
