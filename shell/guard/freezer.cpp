#include "shell/guard/freezer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

namespace paygress::guard {
namespace {

namespace fs = std::filesystem;
using workload::GroupState;

// A control file takes its value in one write.
bool put(const fs::path& file, std::string_view value) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t written = ::write(fd, value.data(), value.size());
  ::close(fd);
  return written == static_cast<ssize_t>(value.size());
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

bool is_v2(const fs::path& directory) {
  std::error_code error;
  return fs::exists(directory / "cgroup.controllers", error);
}

bool has_word(const std::string& words, std::string_view word) {
  std::istringstream in(words);
  for (std::string item; std::getline(in, item, ',');)
    if (item == word) return true;
  return false;
}

fs::path find_hierarchy() {
  fs::path v2;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string device, where, type, options;
    fields >> device >> where >> type >> options;
    if (type == "cgroup" && has_word(options, "freezer")) return where;
    if (type == "cgroup2" && v2.empty()) v2 = where;
  }
  return v2;
}

bool make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directory(directory, error);
  return fs::is_directory(fs::symlink_status(directory, error));
}

// So that what is inside can be limited; where the controllers are not offered nothing is lost.
void pass_controllers_on(const fs::path& directory) {
  for (std::string_view controller : {"+memory", "+cpu", "+pids"})
    put(directory / "cgroup.subtree_control", controller);
}

// The group and every one below it, the deepest first.
std::vector<fs::path> subtree(const fs::path& group) {
  std::vector<fs::path> all = {group};
  std::error_code error;
  for (fs::recursive_directory_iterator it(group, error), end; !error && it != end;
       it.increment(error))
    if (it->is_directory(error)) all.push_back(it->path());
  std::ranges::reverse(all);
  return all;
}

// An engine on v1 makes the same path in the other hierarchies, v2 too, and leaves it there.
void remove_twins(const fs::path& root, const std::string& name) {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string device, where, type;
    fields >> device >> where >> type;
    const fs::path twin = fs::path(where) / root.filename();
    if (!type.starts_with("cgroup") || twin == root) continue;
    ::rmdir((twin / name).c_str());
    ::rmdir(twin.c_str());  // succeeds for the last one
  }
}

std::vector<pid_t> processes(const fs::path& group) {
  std::vector<pid_t> found;
  for (const fs::path& directory : subtree(group)) {
    std::ifstream in(directory / "cgroup.procs");
    for (pid_t pid = 0; in >> pid;) found.push_back(pid);
  }
  return found;
}

std::unexpected<Error> failure(const std::string& what, const fs::path& where) {
  return fail(what + ": " + std::strerror(errno), where.string());
}

}  // namespace

Result<Freezer> Freezer::open(fs::path hierarchy, const std::string& group) {
  if (hierarchy.empty()) hierarchy = find_hierarchy();
  if (hierarchy.empty()) return fail("no cgroup hierarchy with a freezer is mounted");
  const fs::path root = hierarchy / group;
  if (!make_directory(root)) return failure("cannot make the guard's own cgroup", root);
  const bool v2 = is_v2(root);
  if (v2) pass_controllers_on(hierarchy);
  if (v2) pass_controllers_on(root);
  const int lock = ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) return failure("cannot open", root);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return fail("another guard has these groups", root.string());
  }
  return Freezer(root, v2, lock);
}

Freezer::~Freezer() {
  if (lock_ >= 0) ::close(lock_);
}

Freezer::Freezer(Freezer&& other) noexcept
    : root_(std::move(other.root_)), v2_(other.v2_), lock_(std::exchange(other.lock_, -1)) {}

std::vector<std::string> Freezer::names() const {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(root_, error), end; !error && it != end; it.increment(error))
    if (it->is_directory(error)) found.push_back(it->path().filename());
  std::ranges::sort(found);
  return found;
}

bool Freezer::make(const std::string& name) const {
  if (!make_directory(root_ / name)) return false;
  if (v2_) pass_controllers_on(root_ / name);
  return true;
}

bool Freezer::set_frozen(const std::string& name, bool frozen) const {
  if (v2_) return put(root_ / name / "cgroup.freeze", frozen ? "1" : "0");
  return put(root_ / name / "freezer.state", frozen ? "FROZEN" : "THAWED");
}

GroupState Freezer::state(const std::string& name) const {
  if (v2_) {
    const std::string asked = text_of(root_ / name / "cgroup.freeze");
    if (asked.starts_with('0')) return GroupState::Thawed;
    if (!asked.starts_with('1')) return GroupState::Unknown;
    const std::string events = text_of(root_ / name / "cgroup.events");
    return events.find("frozen 1") == events.npos ? GroupState::Freezing : GroupState::Frozen;
  }
  const std::string state = text_of(root_ / name / "freezer.state");
  if (state.starts_with("THAWED")) return GroupState::Thawed;
  if (state.starts_with("FREEZING")) return GroupState::Freezing;
  return state.starts_with("FROZEN") ? GroupState::Frozen : GroupState::Unknown;
}

bool Freezer::populated(const std::string& name) const { return !processes(root_ / name).empty(); }

void Freezer::kill_all(const std::string& name) const {
  if (v2_ && put(root_ / name / "cgroup.kill", "1")) return;
  for (const pid_t pid : processes(root_ / name)) ::kill(pid, SIGKILL);
}

bool Freezer::remove(const std::string& name) const {
  bool gone = true;
  for (const fs::path& directory : subtree(root_ / name))
    gone = ::rmdir(directory.c_str()) == 0 || errno == ENOENT;
  if (gone && !v2_) remove_twins(root_, name);
  return gone;
}

}  // namespace paygress::guard
