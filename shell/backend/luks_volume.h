// One workload's encrypted data volume: a file in LUKS2 format with an ext4 file system in it, and
// the kernel's mapping of it (dm-crypt), which somebody else mounts. Whoever has no mapping has
// nothing to write to, so nothing is ever written in the clear.
//
// Everything here blocks, needs root and may be asked again after a kill at any point.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/base/ids.h"
#include "core/base/result.h"

namespace paygress::backend {

struct LuksVolume {
  std::string name;             // of the mapping
  std::filesystem::path image;  // the file
  std::string uuid;             // of its header: tells our mapping from a namesake
};

// `name` is an object's name, `directory` absolute.
LuksVolume luks_volume(const std::filesystem::path& directory, const InstallId& install,
                       const std::string& name);
// What is to be mounted while it is open.
std::filesystem::path luks_device(const std::string& name);

// Whether anything of it is there: its file, or its mapping.
bool luks_volume_stands(const LuksVolume& volume);
// Of so many bytes, empty and open. What is left of an earlier one is destroyed first; a failure
// leaves nothing behind.
Result<void> make_luks_volume(const LuksVolume& volume, uint64_t bytes,
                              const std::filesystem::path& key_file);
// Needs no key where it is open already.
Result<void> open_luks_volume(const LuksVolume& volume, const std::filesystem::path& key_file);
// Closes it, overwrites its header with the key slots, without which no key opens a copy of it, and
// removes the file. Success means that nothing of it is there. Fails while it is mounted.
Result<void> destroy_luks_volume(const LuksVolume& volume);

// What this machine obviously lacks for such volumes; makes nothing.
Result<void> check_luks();
// Whether they can be made here: makes a small one, opens it and destroys it. `key_directory` must
// be open (volume_key.h). Makes `directory` (0700), as make_luks_volume does.
Result<void> try_luks(const std::filesystem::path& directory,
                      const std::filesystem::path& key_directory, const InstallId& install);

}  // namespace paygress::backend
