#include "shell/backend/sandbox_layout.h"

#include <fcntl.h>
#include <unistd.h>

#include <sstream>

namespace paygress::backend {

namespace fs = std::filesystem;

bool is_locked(const fs::path& state) {
  const int fd = open((state / kLockFile).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct flock lock{};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  // Asks only: taking the lock, however briefly, could make a starting supervisor give up.
  const bool asked = fcntl(fd, F_OFD_GETLK, &lock) == 0;
  close(fd);
  return asked && lock.l_type != F_UNLCK;
}

std::optional<Run> read_run(const fs::path& state) {
  std::istringstream in(read_small_file(state / kRunFile));
  Run run;
  in >> run.supervisor.pid >> run.supervisor.start_ticks >> run.init.pid >> run.init.start_ticks;
  if (!in || run.supervisor.pid <= 1 || run.init.pid <= 1) return std::nullopt;
  return run;
}

bool write_run(const fs::path& state, const Run& run) {
  std::ostringstream out;
  out << run.supervisor.pid << ' ' << run.supervisor.start_ticks << ' ' << run.init.pid << ' '
      << run.init.start_ticks << '\n';
  return write_file_whole(state / kRunFile, out.str(), 0600);
}

std::optional<Exit> read_exit(const fs::path& state) {
  std::istringstream in(read_small_file(state / kExitFile));
  Exit exit;
  in >> exit.code >> exit.unix_s;
  if (!in) return std::nullopt;
  return exit;
}

bool write_exit(const fs::path& state, const Exit& exit) {
  const std::string text = std::to_string(exit.code) + " " + std::to_string(exit.unix_s) + "\n";
  return write_file_whole(state / kExitFile, text, 0600);
}

std::vector<fs::path> read_groups(const fs::path& state) {
  std::vector<fs::path> groups;
  std::istringstream in(read_small_file(state / kGroupsFile));
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) groups.emplace_back(line);
  return groups;
}

}  // namespace paygress::backend
