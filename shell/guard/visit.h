// Where a guard is, and short visits to it by programs without a loop.
#pragma once

#include <string>
#include <vector>

#include "core/base/result.h"
#include "shell/guard/protocol.h"

namespace paygress::guard {

// Where the packaged guard listens. Where this directory is, its guard is used and none is started.
inline constexpr const char* kSystemGuard = "/run/paygress-guard";
inline constexpr const char* kSocketName = "guard.sock";
// Of one answer; a killing takes its time.
inline constexpr Micros kVisitAnswerTime = workload::kGuardConfirm + micros(Seconds{3});

struct GuardPlace {
  std::string directory;  // of the socket
  std::string group;      // cgroup that a guard of ours makes its groups in
  std::string program;    // started when nobody listens; empty: never
  std::string log;        // file for what it says
};
// The packaged guard's when it is installed, else one of the daemon's own: its directory is in
// /run for root, else in `data_dir`.
GuardPlace guard_place(const std::string& data_dir, const std::string& install_hex);

// Asks one after the other, blocking. Error: nobody listens, or an answer did not come.
Result<std::vector<workload::GuardAnswered>> visit(const std::string& directory,
                                                   const std::vector<Request>& requests);

}  // namespace paygress::guard
