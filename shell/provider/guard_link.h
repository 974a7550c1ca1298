// The daemon's end of the guard: starts one where none runs, keeps connected, carries the core's
// requests over. What a guard promises: core/workload/guard.h.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "shell/base/log.h"
#include "shell/guard/protocol.h"
#include "shell/net/loop.h"

namespace paygress::daemon {

// Where the packaged guard listens. Where this directory is, its guard is used and none is started.
inline constexpr const char* kSystemGuard = "/run/paygress-guard";
// An answer that takes longer is none: the connection is given up.
inline constexpr Micros kGuardAnswerTime = workload::kGuardConfirm + micros(Seconds{2});
inline constexpr Micros kGuardRetry = 250'000_us;

struct GuardPlace {
  std::string directory;  // of the socket
  std::string group;      // cgroup that a guard of ours makes its groups in
  std::string program;    // started when nobody listens; empty: never
  std::string log;        // file for what it says
};
// The packaged guard's when it is installed, else one of the daemon's own: its directory is in
// /run for root, else in `data_dir`.
GuardPlace guard_place(const std::string& data_dir, const std::string& install_hex);

// Lives on the loop's thread.
class GuardLink {
 public:
  struct Events {  // from the loop, never from inside a function of this class
    std::function<void(const workload::GuardAnswered&)> answered;
    std::function<void(const workload::GuardHealth&)> health;  // at first and at every change
  };
  // `boot`: /proc/sys/kernel/random/boot_id; a guard of another boot is none.
  GuardLink(net::Loop& loop, GuardPlace place, std::string boot, Events events);
  ~GuardLink();
  GuardLink(const GuardLink&) = delete;
  GuardLink& operator=(const GuardLink&) = delete;

  // Answered once; Unknown when there is no connection, or it breaks before the answer.
  void ask(const guard::Request& request);
  bool works() const;
  // The group's directory; empty without a guard.
  std::string group_of(const std::string& name) const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace paygress::daemon
