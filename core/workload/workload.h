// The life of one workload, and the facts of it that must survive (decisions.md, "Life of a
// workload"). A workload is the object on the engine that a lease pays for.
//
//   Provisioning --running--> Live --stopped/absent--> Respawning --running--> Live
//        |                     ^ \                         |
//        |                     |  `-(heartbeat quorum lost: Suspect, informs only)
//        `--- create failed for good ---> Failed <-- attempts used up, or policy `never`
//
// Suspect is not stored: it is what a Live workload is called while this provider's heartbeats lack
// their write quorum. For a plain lease it changes nothing.
//
// A gated workload (warm standby) is made and started only while it is allowed to (supervisor.h).
// Fenced is one that is not allowed, and does not run.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <variant>

#include "core/workload/backend.h"

namespace paygress::workload {

enum class State : uint8_t { Provisioning, Live, Suspect, Fenced, Respawning, Failed };
std::string_view to_string(State state);

// What happens when the workload stops by itself. The existing network's default: on failure, 3
// attempts. A clean exit (code 0) counts as stopped, not as a failure to be ignored.
struct RestartPolicy {
  uint8_t attempts_max = 3;  // 0 is the policy `never`

  bool operator==(const RestartPolicy&) const = default;
};
BOOST_DESCRIBE_STRUCT(RestartPolicy, (), (attempts_max))

// --- records -----------------------------------------------------------------------------------
// The intent to have this workload; `spec.name` and generation are filled in per generation.
// `spec.labels.generation`: of objects of this lease that are gone; new ones count on.
struct WorkloadWanted {
  Spec spec;
  RestartPolicy restart;
  UnixSeconds at;
  bool gated = false;
};
// Durable BEFORE the create call of that generation. Only the newest generation may be started.
struct WorkloadGeneration {
  LeaseId lease;
  uint32_t generation = 0;
  UnixSeconds at;
};
struct WorkloadMoved {
  LeaseId lease;
  State state = State::Provisioning;
  UnixSeconds at;
  uint8_t attempts = 0;
  std::string reason;
};
// From here the workload is to be stopped and removed, retried until its absence is confirmed.
struct WorkloadRetired {
  LeaseId lease;
  UnixSeconds at;
};
struct WorkloadGone {
  LeaseId lease;
  UnixSeconds at;
};
// Of one that never ran: its next generation is published on these ports.
struct WorkloadPorts {
  LeaseId lease;
  std::optional<uint16_t> ssh_host_port;
  std::vector<PublishedPort> ports;
  std::string spec_digest;
  UnixSeconds at;
};
BOOST_DESCRIBE_STRUCT(WorkloadWanted, (), (spec, restart, at, gated))
BOOST_DESCRIBE_STRUCT(WorkloadGeneration, (), (lease, generation, at))
BOOST_DESCRIBE_STRUCT(WorkloadMoved, (), (lease, state, at, attempts, reason))
BOOST_DESCRIBE_STRUCT(WorkloadRetired, (), (lease, at))
BOOST_DESCRIBE_STRUCT(WorkloadGone, (), (lease, at))
BOOST_DESCRIBE_STRUCT(WorkloadPorts, (), (lease, ssh_host_port, ports, spec_digest, at))
using WorkloadRecord = std::variant<WorkloadWanted, WorkloadGeneration, WorkloadMoved,
                                    WorkloadRetired, WorkloadGone, WorkloadPorts>;

// --- what the owner of the supervisor is told --------------------------------------------------
struct Started {  // first time running: the clock starts
  LeaseId lease;
  bool serves_ssh = true;
};
// `since` is the engine's stop time; nothing when it keeps none, and then only the last sight is
// known (money-sagas.md flaw 10). `own_exit`: the workload ended by itself; otherwise engine, host
// or provider were the reason and the time is given back.
struct WentDown {
  LeaseId lease;
  std::optional<UnixSeconds> since;
  bool own_exit = false;
};
struct CameUp {  // backoff: what an own exit costs its owner
  LeaseId lease;
  Seconds backoff;
};
struct GaveUp {
  LeaseId lease;
  std::string reason;
};
// Somebody else listens on a port of one that never ran: set_ports() gives it others.
struct PortsTaken {
  LeaseId lease;
};
// Confirmed absent, every generation. `unanswered`: a create of it was never answered, and may
// still be carried out until then: what it would use is nobody else's (money-sagas.md flaw 4).
struct Gone {
  LeaseId lease;
  std::optional<UnixSeconds> unanswered;
};
struct Sighted {  // seen running just now
  LeaseId lease;
};
// A gated workload that is not allowed to run was looked at. `unstopped`: it runs, and nothing of
// this process ever started or resumed it.
struct Found {
  LeaseId lease;
  Running running = Running::Unknown;
  bool unstopped = false;
};
// A guarded object of this name is about to be made: say group_made() when the guard has its group.
struct GroupWanted {
  LeaseId lease;
  std::string name;
};
// Seen running on this member of a cluster, and not there the last time; before Started and CameUp.
struct Placed {
  LeaseId lease;
  std::string node;
  std::string address;
};
using WorkloadEvent = std::variant<Started, WentDown, CameUp, GaveUp, Gone, Sighted, Found,
                                   GroupWanted, PortsTaken, Placed>;

}  // namespace paygress::workload
