// A pure model of the guard (core/workload/guard.h), for the simulator: a deadline per group that
// survives the provider's process and dies with the host. Deterministic.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/workload/guard.h"
#include "sim/models/backend.h"

namespace paygress::sim {

struct GuardModelConfig {
  Micros latency = {5'000};  // of every answer
  // From the deadline, or from the request, until the last process stands: the guard's look-out
  // plus the kernel's freezing.
  Micros freezing_takes = {20'000};
};

// The answer to one request, due at `due` on the monotonic clock.
struct GuardReply {
  workload::GuardAnswered answer;
  Micros due;
};

class GuardModel {
 public:
  // Connects the two: the engine asks which groups are frozen. Each must outlive the other's use.
  GuardModel(GuardModelConfig config, BackendModel& engine);
  GuardModel(const GuardModel&) = delete;
  GuardModel& operator=(const GuardModel&) = delete;

  // Precondition: time does not go back.
  GuardReply handle(const workload::GuardHold& e, Now now);
  GuardReply handle(const workload::GuardFreeze& e, Now now);
  GuardReply handle(const workload::GuardKill& e, Now now);
  GuardReply handle(const workload::GuardRelease& e, Now now);
  GuardReply handle(const workload::GuardQuery& e, Now now);

  // While true every request is answered Unknown and changes nothing; deadlines go on.
  void set_unreachable(bool unreachable) { unreachable_ = unreachable; }
  // Freezing fails: GuardFreeze is answered Failed, and nothing is frozen, not even at a deadline.
  void set_freezes(bool freezes) { freezes_ = freezes; }
  // The guard's process was restarted: deadlines come from its file, which may have been lost.
  void restart_process(bool file_lost, Now now);
  // The groups are gone with everything in them.
  void reboot_host() { groups_.clear(); }

  // Whether what is in the group can run at `now`; nothing when there is no such group.
  std::optional<bool> thawed(const std::string& name, Now now) const;
  // When the next group freezes, if nothing else is said until then.
  std::optional<Micros> next_change(Now now) const;

 private:
  struct Group {
    std::optional<Micros> deadline;  // absent: frozen by request
    Micros frozen_from;              // meaningful without a deadline
  };
  GuardReply answer(CallId id, workload::Outcome outcome, std::string message, Now now) const;
  GuardReply with_group(CallId id, const std::string& name, Now now) const;
  workload::GuardGroup view(const std::string& name, const Group& group, Now now) const;
  Micros frozen_from(const Group& group) const;
  Group* get_or_make(const std::string& name, Now now);
  void freeze(Group& group, Now now);

  GuardModelConfig config_;
  BackendModel& engine_;
  std::map<std::string, Group> groups_;
  bool unreachable_ = false;
  bool freezes_ = true;
};

}  // namespace paygress::sim
