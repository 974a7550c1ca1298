// The daemon's end of the guard: starts one where none runs, keeps connected, carries the core's
// requests over. What a guard promises: core/workload/guard.h.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "shell/base/log.h"
#include "shell/guard/visit.h"
#include "shell/net/loop.h"

namespace paygress::daemon {

// An answer that takes longer is none: the connection is given up.
inline constexpr Micros kGuardAnswerTime = workload::kGuardConfirm + micros(Seconds{2});
inline constexpr Micros kGuardRetry = 250'000_us;

// Lives on the loop's thread.
class GuardLink {
 public:
  struct Events {  // from the loop, never from inside a function of this class
    std::function<void(const workload::GuardAnswered&)> answered;
    std::function<void(const workload::GuardHealth&)> health;  // at first and at every change
  };
  // `boot`: /proc/sys/kernel/random/boot_id; a guard of another boot is none.
  GuardLink(net::Loop& loop, guard::GuardPlace place, std::string boot, Events events);
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
