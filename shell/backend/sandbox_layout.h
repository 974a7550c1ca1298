// Where things lie in a sandbox object's directory, and what its supervisor says of it. Shared by
// the backend and by the supervisor program, which have nothing else in common.
//
//   <root>/<name>/object.json  labels and spec without the password; written once, at create
//                 etc/ home/ data/   the tenant's: /etc, /root, /data; never read by us
//                 www/ run/          the tenant's to read: /www, /run/paygress
//                 state/             ours: see below
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "shell/backend/sandbox_proc.h"

namespace paygress::backend {

inline constexpr int kStopGraceSeconds = 10;            // from SIGTERM to SIGKILL
inline constexpr size_t kSandboxLogBytesMax = 1 << 20;  // of state/log; the one before is kept

// Files of state/.
inline constexpr const char* kArgsFile = "args";      // bwrap's options, each ended by NUL
inline constexpr const char* kGroupsFile = "groups";  // control groups to join, one path a line
inline constexpr const char* kLockFile = "lock";      // locked (OFD) while the supervisor lives
inline constexpr const char* kRunFile = "run";        // the processes of the current run
inline constexpr const char* kExitFile = "exit";  // how the last run ended; absent while it runs
inline constexpr const char* kServedFile =
    "served";  // what was bought could be reached in this run
inline constexpr const char* kLogFile = "log";

// The workload lives exactly as long as its supervisor (bwrap --die-with-parent), and the lock as
// long as the supervisor: so the lock alone tells whether it runs, across restarts and reboots.
struct Run {
  ProcessId supervisor;
  ProcessId init;  // first process of the workload's pid namespace: its death is everyone's
};
struct Exit {
  int32_t code = 0;  // 128 + signal when it died of one
  int64_t unix_s = 0;
};

bool is_locked(const std::filesystem::path& state);
std::optional<Run> read_run(const std::filesystem::path& state);
std::optional<Exit> read_exit(const std::filesystem::path& state);
bool write_run(const std::filesystem::path& state, const Run& run);
bool write_exit(const std::filesystem::path& state, const Exit& exit);
std::vector<std::filesystem::path> read_groups(const std::filesystem::path& state);

}  // namespace paygress::backend
