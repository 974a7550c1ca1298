#include "shell/backend/luks_volume.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/bytes.h"
#include "core/crypto/hash.h"
#include "shell/backend/overwrite.h"
#include "shell/backend/run_program.h"
#include "shell/backend/sandbox_proc.h"
#include "shell/backend/volume_key.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kLuksToolLimit = 300s;  // a large file system on a slow, busy disk
constexpr auto kLockPause = 10ms;
constexpr uint64_t kLuksHeaderBytes = uint64_t{16} << 20;  // cryptsetup's own choice, fixed below
constexpr uint64_t kProbeVolumeBytes = uint64_t{4} << 20;
constexpr const char* kProbeKey = "probe.key";

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

fs::path lock_file(const LuksVolume& volume) { return volume.image.string() + ".lock"; }

// A program that a provider started goes on when the provider is killed. Each one holds the
// volume's lock while it runs, so that the next provider can wait for its end.
Result<void> run_locked(const LuksVolume& volume, std::vector<std::string> argv) {
  const std::string name = argv.front();
  argv.insert(argv.begin(), {"flock", "--timeout", "60", lock_file(volume).string()});
  const auto result = run_program(argv, kLuksToolLimit);
  if (result.status != 0) return fail(name + ": " + trimmed(result.output), volume.name);
  return {};
}

// False when a program of an earlier provider does not end.
bool nothing_is_at_work(const LuksVolume& volume) {
  const int fd = open(lock_file(volume).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno == ENOENT;
  const auto give_up = std::chrono::steady_clock::now() + kLuksToolLimit;
  bool free = false;
  while (!(free = flock(fd, LOCK_EX | LOCK_NB) == 0) && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(kLockPause);
  close(fd);
  return free;
}

enum class Mapping : uint8_t { Closed, Open, Broken, Foreign };

// As the kernel says it.
Mapping mapping_of(const LuksVolume& volume) {
  const auto line = [](const fs::path& file) { return trimmed(read_small_file(file)); };
  std::string uuid = volume.uuid;
  std::erase(uuid, '-');
  std::error_code error;
  for (fs::directory_iterator it("/sys/block", error), end; !error && it != end;
       it.increment(error)) {
    const fs::path device = it->path();
    if (!device.filename().string().starts_with("dm-")) continue;
    if (line(device / "dm/name") != volume.name) continue;
    if (line(device / "dm/uuid") != "CRYPT-LUKS2-" + uuid + "-" + volume.name)
      return Mapping::Foreign;
    // One whose making was cut off has no size yet.
    return line(device / "size") == "0" ? Mapping::Broken : Mapping::Open;
  }
  return Mapping::Closed;
}

bool is_mapped(const LuksVolume& volume) {
  const Mapping mapping = mapping_of(volume);
  return mapping == Mapping::Open || mapping == Mapping::Broken;
}

Result<void> close_mapping(const LuksVolume& volume) {
  if (!is_mapped(volume)) return {};
  const auto closed = run_locked(volume, {"cryptsetup", "close", volume.name});
  if (!is_mapped(volume)) return {};
  if (!closed) return closed;
  return fail("its mapping remains", volume.name);
}

Result<void> make_file(const LuksVolume& volume, uint64_t bytes) {
  const fs::path directory = volume.image.parent_path();
  std::error_code error;
  fs::create_directories(directory, error);
  if (chmod(directory.c_str(), 0700) != 0) return fail("cannot be made", directory.string());
  const int fd =
      open(volume.image.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  const bool made = fd >= 0 && ftruncate(fd, static_cast<off_t>(bytes)) == 0;
  if (fd >= 0) close(fd);
  if (!made) return fail("cannot be made", volume.image.string());
  return {};
}

Result<void> format(const LuksVolume& volume, const fs::path& key_file) {
  // The key is 256 random bits: stretching it would only cost time, at every start too.
  return run_locked(volume, {"cryptsetup",
                             "luksFormat",
                             "--batch-mode",
                             "--type",
                             "luks2",
                             "--cipher",
                             "aes-xts-plain64",
                             "--key-size",
                             "512",
                             "--pbkdf",
                             "pbkdf2",
                             "--pbkdf-force-iterations",
                             "1000",
                             "--offset",
                             std::to_string(kLuksHeaderBytes / 512),
                             "--uuid",
                             volume.uuid,
                             "--key-file",
                             key_file.string(),
                             volume.image.string()});
}

// An image's data directory comes up empty: what an image has there is copied into an empty one
// only, and databases want no other.
Result<void> make_file_system(const LuksVolume& volume) {
  const std::string device = luks_device(volume.name);
  if (auto ok = run_locked(volume, {"mkfs.ext4", "-q", "-m", "0", "-E", "nodiscard", device}); !ok)
    return ok;
  if (auto ok = run_locked(volume, {"debugfs", "-w", "-R", "rmdir lost+found", device}); !ok)
    return ok;
  // It says by its status only that it ran.
  const auto left = run_program({"debugfs", "-R", "ls -p /", device}, kLuksToolLimit);
  if (left.status != 0 || left.output.find("lost+found") != left.output.npos)
    return fail("lost+found remains in the new file system", volume.name);
  return {};
}

Result<void> erase_file(const LuksVolume& volume) {
  const int fd = open(volume.image.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return {};
  const bool erased = fd >= 0 && overwrite_with_zeros(fd, 0, kLuksHeaderBytes);
  if (fd >= 0) close(fd);
  if (!erased) return fail("its LUKS header cannot be overwritten", volume.image.string());
  if (unlink(volume.image.c_str()) != 0) return fail("cannot be removed", volume.image.string());
  return {};
}

}  // namespace

LuksVolume luks_volume(const fs::path& directory, const InstallId& install,
                       const std::string& name) {
  const auto digest = crypto::sha256({as_bytes("paygress-luks"), install.bytes, as_bytes(name)});
  std::string uuid = to_hex(ByteView(digest).first(16));
  for (const size_t at : {20, 16, 12, 8}) uuid.insert(at, "-");
  return {name, directory / (name + ".luks"), uuid};
}

fs::path luks_device(const std::string& name) { return fs::path("/dev/mapper") / name; }

bool luks_volume_stands(const LuksVolume& volume) {
  std::error_code error;
  return fs::exists(fs::symlink_status(volume.image, error)) || is_mapped(volume);
}

Result<void> make_luks_volume(const LuksVolume& volume, uint64_t bytes, const fs::path& key_file) {
  if (auto ok = destroy_luks_volume(volume); !ok) return ok;
  auto made = make_file(volume, kLuksHeaderBytes + bytes);
  if (made) made = format(volume, key_file);
  if (made) made = open_luks_volume(volume, key_file);
  if (made) made = make_file_system(volume);
  if (made) return made;
  if (const auto gone = destroy_luks_volume(volume); !gone)
    return fail(to_string(made.error()) + "; " + to_string(gone.error()));
  return made;
}

Result<void> open_luks_volume(const LuksVolume& volume, const fs::path& key_file) {
  if (!nothing_is_at_work(volume)) return fail("an earlier program does not end", volume.name);
  switch (mapping_of(volume)) {
    case Mapping::Open: return {};
    case Mapping::Foreign: return fail("another mapping has this name", volume.name);
    case Mapping::Broken:
      if (auto ok = close_mapping(volume); !ok) return ok;
      break;
    case Mapping::Closed: break;
  }
  if (access(key_file.c_str(), R_OK) != 0) return fail(std::string(kVolumeKeyGone), volume.name);
  return run_locked(volume, {"cryptsetup", "open", "--type", "luks2", "--key-file",
                             key_file.string(), volume.image.string(), volume.name});
}

Result<void> destroy_luks_volume(const LuksVolume& volume) {
  if (!nothing_is_at_work(volume)) return fail("an earlier program does not end", volume.name);
  if (auto ok = close_mapping(volume); !ok) return ok;
  unlink(lock_file(volume).c_str());
  return erase_file(volume);  // last: by it the rest is found again
}

Result<void> check_luks() {
  if (find_program("cryptsetup").empty())
    return fail("cryptsetup is needed (package cryptsetup-bin)");
  for (const char* name : {"mkfs.ext4", "debugfs"})
    if (find_program(name).empty())
      return fail(std::string(name) + " is needed (package e2fsprogs)");
  const bool loaded = access("/sys/module/dm_crypt", F_OK) == 0;
  if (!loaded && !find_program("modprobe").empty() &&
      run_program({"modprobe", "--dry-run", "--quiet", "dm_crypt"}, kLuksToolLimit).status != 0)
    return fail("this kernel has no dm-crypt");
  return {};
}

Result<void> try_luks(const fs::path& directory, const fs::path& key_directory,
                      const InstallId& install) {
  if (auto ok = check_luks(); !ok) return ok;
  ByteArray<32> key{};
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    return fail("the kernel gives no random bytes");
  const LuksVolume volume =
      luks_volume(directory, install, "paygress-probe-" + install.hex().substr(0, 12));
  const fs::path key_file = key_directory / kProbeKey;
  unlink(key_file.c_str());
  if (!write_file_whole(key_file, to_hex(key), 0600))
    return fail("cannot be written", key_file.string());
  auto works = make_luks_volume(volume, kProbeVolumeBytes, key_file);
  unlink(key_file.c_str());
  const auto gone = destroy_luks_volume(volume);
  return works ? gone : works;
}

}  // namespace paygress::backend
