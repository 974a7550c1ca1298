#include "shell/backend/volume_key.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/bytes.h"

namespace paygress::backend {

namespace fs = std::filesystem;

Result<void> open_key_directory(const fs::path& directory) {
  if (auto ok = check_key_directory(directory); !ok) return ok;
  std::error_code error;
  fs::create_directories(directory, error);
  if (chmod(directory.c_str(), 0700) != 0) return fail("cannot be made", directory.string());
  return {};
}

Result<void> check_key_directory(const fs::path& directory) {
  if (directory.empty()) return fail("no directory for keys is configured");
  fs::path there = directory;
  std::error_code error;
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  struct statfs system{};
  if (statfs(there.c_str(), &system) != 0) return fail("cannot be made", directory.string());
  if (system.f_type != TMPFS_MAGIC && system.f_type != RAMFS_MAGIC)
    return fail("is on a disk: keys are kept in memory only", directory.string());
  return {};
}

fs::path volume_key_file(const fs::path& directory, const LeaseId& lease) {
  return directory / (lease.hex() + ".key");
}

std::string volume_key_trouble(const fs::path& directory, const LeaseId& lease) {
  if (auto ok = open_key_directory(directory); !ok) return to_string(ok.error());
  if (access(volume_key_file(directory, lease).c_str(), R_OK) == 0) return {};
  return std::string(kVolumeKeyGone);
}

Result<void> keep_volume_key(const fs::path& directory, const LeaseId& lease,
                             const ByteArray<32>& key) {
  const fs::path file = volume_key_file(directory, lease);
  const fs::path draft = file.string() + ".new";
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  std::string text = to_hex(key);
  const bool written =
      fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  explicit_bzero(text.data(), text.size());
  if (fd >= 0) close(fd);
  if (written && rename(draft.c_str(), file.c_str()) == 0) return {};
  unlink(draft.c_str());
  return fail("cannot be written", file.string());
}

void forget_volume_key(const fs::path& directory, const LeaseId& lease) {
  const fs::path file = volume_key_file(directory, lease);
  const int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0) {
    const std::string zeros(64, '0');
    (void)!pwrite(fd, zeros.data(), zeros.size(), 0);
    close(fd);
  }
  unlink(file.c_str());
}

}  // namespace paygress::backend
