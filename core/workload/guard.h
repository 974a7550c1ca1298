// What the guard is asked and what it answers: the small process that freezes a provider's
// warm-standby workloads when their deadline passes (failover.md rules 6 to 8).
//
// The guard knows no engine. It keeps one group of processes (a cgroup) per object, named like the
// object. A group is thawed only while CLOCK_BOOTTIME < its deadline; otherwise, and from its first
// moment, it is frozen, with whatever is in it or enters it later. An object whose Spec says
// `guarded` is created inside its group, so a start that comes late starts frozen processes.
//
//   GuardFreeze (makes the group, frozen) -> Create -> GuardHold -> Start -> GuardHold ...
//   the end: GuardKill -> Stop, Remove -> absence confirmed -> GuardRelease
//
// Each effect is answered exactly once by a GuardAnswered of its id. They are carried out in the
// order in which they were asked for, and none is ever sent twice. `Unknown`: the guard cannot be
// reached, or did not answer in time; the deadline that it holds then may be the old or the new.
#pragma once

#include <boost/describe.hpp>

#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/workload/backend.h"

namespace paygress::workload {

// Groups that one guard keeps. One more is Failed.
inline constexpr size_t kGuardGroupsMax = 256;
// A hold further ahead than this is Failed: it would be no guard.
inline constexpr Micros kGuardHoldMax = micros(Seconds{900});

// Lets the group run until `until`, and makes the group when there is none. A deadline never moves
// back: an earlier one changes nothing and is Done. Failed, and nothing changes, when `until` has
// passed, and at or after the deadline that the group has: only after a GuardFreeze, which clears
// it, a GuardHold begins anew (and thaws). `until` is monotonic time: CLOCK_BOOTTIME for both.
struct GuardHold {
  CallId id;
  std::string name;
  Micros until;
};
// Freezes now, whatever the deadline was, and makes the group, frozen, when there is none. Done
// only when the kernel confirmed that every process of the group is frozen: a confirmed pause
// (rule 2). Failed when it did not within kGuardConfirm; it freezes as soon as the kernel can.
struct GuardFreeze {
  CallId id;
  std::string name;
};
// Freezes, then ends every process of the group without letting any run again. Done only when the
// group was seen empty. The group stays, frozen.
struct GuardKill {
  CallId id;
  std::string name;
};
// Forgets the group and removes it. Failed while processes are in it. Done when there is none.
struct GuardRelease {
  CallId id;
  std::string name;
};
// Asks for every group. What a guard knew before a reboot is forgotten, so a deadline in the answer
// is always of this boot.
struct GuardQuery {
  CallId id;
};
BOOST_DESCRIBE_STRUCT(GuardHold, (), (id, name, until))
BOOST_DESCRIBE_STRUCT(GuardFreeze, (), (id, name))
BOOST_DESCRIBE_STRUCT(GuardKill, (), (id, name))
BOOST_DESCRIBE_STRUCT(GuardRelease, (), (id, name))
BOOST_DESCRIBE_STRUCT(GuardQuery, (), (id))

inline constexpr Micros kGuardConfirm = micros(Seconds{2});

// Freezing: asked for and not confirmed. Unknown: the kernel could not be asked.
enum class GroupState : uint8_t { Unknown, Thawed, Freezing, Frozen };

struct GuardGroup {
  std::string name;
  GroupState state = GroupState::Unknown;
  Micros deadline;         // 0: none, or frozen by GuardFreeze or GuardKill
  bool populated = false;  // at least one process is in it
};
BOOST_DESCRIBE_STRUCT(GuardGroup, (), (name, state, deadline, populated))

// `groups`: the one asked about as it is after the call, when it exists; all of them after
// GuardQuery, ordered by name. `now`: the guard's clock when it answered.
struct GuardAnswered {
  CallId id;
  Outcome outcome = Outcome::Unknown;
  std::string message;  // for the operator's log
  std::vector<GuardGroup> groups;
  Micros now;
};
BOOST_DESCRIBE_STRUCT(GuardAnswered, (), (id, outcome, message, groups, now))

// Not an answer: told at the start and at every change. Without a working guard no warm-standby
// lease may be accepted and none started; what runs is still stopped by the guard's last deadline
// when the guard lives, and by nobody when it does not.
struct GuardHealth {
  bool works = false;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(GuardHealth, (), (works, reason))

}  // namespace paygress::workload
