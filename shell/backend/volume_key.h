// The consumers' keys of encrypted disks and volumes. They are kept in memory only (a tmpfs): they
// outlive the provider, so that a workload can be started again, and not the machine.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/ids.h"
#include "core/base/result.h"

namespace paygress::backend {

inline constexpr std::string_view kVolumeKeyGone =
    "its key is gone: it was kept in memory only, and the consumer has it";

// Why keys cannot be kept there (an empty path: no directory is configured); makes nothing.
Result<void> check_key_directory(const std::filesystem::path& directory);
// Makes the directory (0700). Fails when it is not in memory.
Result<void> open_key_directory(const std::filesystem::path& directory);

// Where the key of this lease is or would be: 64 hexadecimal digits, which are the passphrase.
std::filesystem::path volume_key_file(const std::filesystem::path& directory, const LeaseId& lease);

// Why what this lease's key opens cannot be made or opened; empty when it can.
std::string volume_key_trouble(const std::filesystem::path& directory, const LeaseId& lease);

// Precondition: open_key_directory() succeeded. Replaces one that is there.
Result<void> keep_volume_key(const std::filesystem::path& directory, const LeaseId& lease,
                             const ByteArray<32>& key);
// Overwrites and removes it; nothing to do when there is none.
void forget_volume_key(const std::filesystem::path& directory, const LeaseId& lease);

}  // namespace paygress::backend
