#include "shell/backend/machine.h"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include <sstream>

#include "shell/backend/sandbox_proc.h"

namespace paygress::backend {

Result<workload::NodeCapacity> machine_capacity(const std::filesystem::path& root) {
  struct sysinfo memory{};
  struct statvfs disk{};
  if (sysinfo(&memory) != 0 || statvfs(root.c_str(), &disk) != 0)
    return fail("cannot read what is free", root.string());
  workload::NodeCapacity capacity;
  capacity.cpu_millicores = uint64_t{1000} * static_cast<uint64_t>(get_nprocs());
  // MemAvailable counts what the page cache would give back; sysinfo's freeram does not.
  std::istringstream lines(read_small_file("/proc/meminfo"));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("MemAvailable:")) capacity.memory_mb = std::stoull(line.substr(13)) / 1024;
  if (capacity.memory_mb == 0)
    capacity.memory_mb = uint64_t{memory.freeram} * memory.mem_unit >> 20;
  capacity.storage_gb = uint64_t{disk.f_bavail} * disk.f_frsize >> 30;
  return capacity;
}

}  // namespace paygress::backend
