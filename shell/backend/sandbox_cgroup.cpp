#include "shell/backend/sandbox_cgroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/base/check.h"
#include "shell/backend/sandbox_proc.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPeriodMicros = 100'000;
constexpr auto kFreezeWait = std::chrono::seconds(2);

// A control file takes its value in one write; std::ofstream hides the error of that write.
bool put(const fs::path& file, const std::string& value) {
  const int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t written = write(fd, value.data(), value.size());
  close(fd);
  return written == static_cast<ssize_t>(value.size());
}

bool has_word(const std::string& text, std::string_view word, char separator) {
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, separator);)
    if (item == word) return true;
  return false;
}

bool make_parent(const fs::path& dir) {
  std::error_code error;
  fs::create_directory(dir, error);
  return fs::is_directory(dir, error);
}

CgroupHost find_v2(const fs::path& mount, std::string_view parent_name) {
  std::string controllers = read_small_file(mount / "cgroup.controllers");
  while (!controllers.empty() && controllers.back() == '\n') controllers.pop_back();
  for (auto need : {"memory", "cpu", "pids"})
    if (!has_word(controllers, need, ' ')) return {};
  const fs::path parent = mount / parent_name;
  // The root passes controllers on although it has processes; our parent group has none.
  if (!put(mount / "cgroup.subtree_control", "+memory +cpu +pids") || !make_parent(parent) ||
      !put(parent / "cgroup.subtree_control", "+memory +cpu +pids"))
    return {};
  return {true, parent, parent, parent, parent};
}

struct Mount {
  fs::path where;
  std::string options;
  bool v2 = false;
};

std::vector<Mount> cgroup_mounts() {
  std::vector<Mount> found;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string device, where, type, options;
    fields >> device >> where >> type >> options;
    if (type == "cgroup" || type == "cgroup2") found.push_back({where, options, type == "cgroup2"});
  }
  return found;
}

std::string text(uint64_t value) { return std::to_string(value); }

bool set_limits_v2(const fs::path& group, const Limits& limits) {
  const uint64_t quota = std::max<uint64_t>(1000, limits.cpu_millicores * kPeriodMicros / 1000);
  // Absent without swap accounting; then there is no swap to limit either.
  put(group / "memory.swap.max", "0");
  return put(group / "memory.max", text(limits.memory_mb << 20)) &&
         put(group / "cpu.max", text(quota) + " " + text(kPeriodMicros)) &&
         put(group / "pids.max", text(limits.pids));
}

bool set_memory_v1(const fs::path& group, uint64_t bytes) {
  const std::string value = text(bytes);
  // memsw must never be below the limit, so the order depends on which way it moves: try both.
  const bool first = put(group / "memory.limit_in_bytes", value);
  const fs::path with_swap = group / "memory.memsw.limit_in_bytes";
  const bool swap_limited = access(with_swap.c_str(), F_OK) != 0 || put(with_swap, value);
  return swap_limited && (first || put(group / "memory.limit_in_bytes", value));
}

}  // namespace

CgroupHost find_cgroups(std::string_view parent_name) {
  if (geteuid() != 0) return {};
  const auto mounts = cgroup_mounts();
  for (const auto& mount : mounts) {
    if (!mount.v2) continue;
    if (auto host = find_v2(mount.where, parent_name); host.v2) return host;
  }
  CgroupHost host;
  for (const auto& mount : mounts) {
    if (mount.v2) continue;
    for (auto [name, slot] : {std::pair{"memory", &host.memory}, std::pair{"cpu", &host.cpu},
                              std::pair{"pids", &host.pids}, std::pair{"freezer", &host.freezer}}) {
      const fs::path parent = mount.where / parent_name;
      if (slot->empty() && has_word(mount.options, name, ',') && make_parent(parent))
        *slot = parent;
    }
  }
  return host;
}

std::vector<fs::path> cgroup_paths(const CgroupHost& host, const std::string& name) {
  PG_CHECK(!name.empty() && name.find('/') == std::string::npos);
  std::vector<fs::path> paths;
  for (const auto* parent : {&host.memory, &host.cpu, &host.pids, &host.freezer})
    if (!parent->empty() && std::ranges::find(paths, *parent / name) == paths.end())
      paths.push_back(*parent / name);
  return paths;
}

Result<void> make_cgroups(const CgroupHost& host, const std::string& name, const Limits& limits) {
  PG_CHECK(limits.memory_mb > 0 && limits.cpu_millicores > 0 && limits.pids > 0);
  for (const auto& path : cgroup_paths(host, name))
    if (!make_parent(path)) return fail("cannot make the control group", path.string());
  if (host.v2) {
    if (!set_limits_v2(host.memory / name, limits))
      return fail("cannot set the limits", (host.memory / name).string());
    return {};
  }
  if (!host.memory.empty() && !set_memory_v1(host.memory / name, limits.memory_mb << 20))
    return fail("cannot limit the memory", (host.memory / name).string());
  const uint64_t quota = std::max<uint64_t>(1000, limits.cpu_millicores * kPeriodMicros / 1000);
  if (!host.cpu.empty() && !(put(host.cpu / name / "cpu.cfs_period_us", text(kPeriodMicros)) &&
                             put(host.cpu / name / "cpu.cfs_quota_us", text(quota))))
    return fail("cannot limit the processor time", (host.cpu / name).string());
  if (!host.pids.empty() && !put(host.pids / name / "pids.max", text(limits.pids)))
    return fail("cannot limit the number of processes", (host.pids / name).string());
  return {};
}

bool is_frozen(const std::vector<fs::path>& groups) {
  for (const auto& group : groups) {
    if (read_small_file(group / "freezer.state").starts_with("FROZEN")) return true;
    if (read_small_file(group / "cgroup.events").find("frozen 1") != std::string::npos) return true;
  }
  return false;
}

bool freeze(const std::vector<fs::path>& groups) {
  bool asked = false;
  for (const auto& group : groups)
    asked |= put(group / "freezer.state", "FROZEN") || put(group / "cgroup.freeze", "1");
  if (!asked) return false;
  const auto end = std::chrono::steady_clock::now() + kFreezeWait;
  while (!is_frozen(groups)) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

void thaw(const std::vector<fs::path>& groups) {
  for (const auto& group : groups)
    if (!put(group / "freezer.state", "THAWED")) put(group / "cgroup.freeze", "0");
}

bool join(const std::vector<fs::path>& groups) {
  return std::ranges::all_of(
      groups, [](const fs::path& group) { return put(group / "cgroup.procs", "0"); });
}

bool remove_cgroups(const std::vector<fs::path>& groups) {
  bool gone = true;
  for (const auto& group : groups) gone &= rmdir(group.c_str()) == 0 || errno == ENOENT;
  return gone;
}

}  // namespace paygress::backend
