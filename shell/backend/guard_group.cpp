#include "shell/backend/guard_group.h"

#include <fstream>
#include <sstream>

#include "shell/backend/sandbox_cgroup.h"
#include "shell/backend/sandbox_proc.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;
using workload::Verb;

bool asked_to_freeze(const fs::path& group) {
  const std::string v1 = read_small_file(group / "freezer.state");
  return v1.starts_with("FR") || read_small_file(group / "cgroup.freeze").starts_with('1');
}

bool is_empty(const fs::path& group) {
  if (!read_small_file(group / "cgroup.procs").empty()) return false;
  std::error_code error;
  for (fs::recursive_directory_iterator it(group, error), end; !error && it != end;
       it.increment(error))
    if (it->is_directory(error) && !read_small_file(it->path() / "cgroup.procs").empty())
      return false;
  return true;
}

}  // namespace

bool group_stands(const std::string& group) { return is_frozen({group}); }

std::string guard_forbids(Verb verb, const std::string& group) {
  std::error_code error;
  const bool there = fs::is_directory(group, error);
  // Without its group a start would run unguarded, or in a group that nobody keeps.
  if (verb == Verb::Start && !there) return "the guard has no group for it";
  if (!there || !asked_to_freeze(group)) return {};
  if (verb == Verb::Start || verb == Verb::Resume) return "the guard has frozen it";
  if ((verb == Verb::Stop || verb == Verb::Remove) && !is_empty(group))
    return "the guard has frozen it: its processes must be killed there first";
  return {};
}

std::string path_in_hierarchy(const std::string& group) {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string device, where, type;
    fields >> device >> where >> type;
    const bool inside =
        group.size() > where.size() && group.starts_with(where) && group[where.size()] == '/';
    if (type.starts_with("cgroup") && inside) return group.substr(where.size());
  }
  return {};
}

}  // namespace paygress::backend
