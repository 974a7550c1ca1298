// What a backend is asked and what it answers: the one interface of every engine (docker, sandbox,
// LXD, KVM, Proxmox) and of the simulator's model. tests/conformance/backend holds them to it.
//
// Rules for every implementation:
//  * An object's name is lease + generation, so every call is idempotent by name. create leaves the
//    object NOT running; start is a second call (money-sagas.md flaw 3).
//  * create of a name that exists answers Done when the spec digest label is the same (adopted),
//    Failed/conflict otherwise.
//  * Outcome::Unknown means "may or may not have happened" (time-out, lost connection). It is never
//    Absent: only an answer of the engine proves absence.
//  * stop and remove of an absent object answer Done.
//  * list names every object that carries our install label, in every state, ordered by name. One
//    whose machine in a cluster does not answer may be known by its name alone: then its labels are
//    zero, it is Unknown, and it may be another install's.
//  * A guarded object (guard.h) lives inside the guard's group. While that is frozen the object is
//    Paused, and start, resume, stop and remove are Failed/Busy, unless none of its processes is
//    left (GuardKill) and it is stopped or removed.
#pragma once

#include <boost/describe.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/units.h"

namespace paygress::workload {

enum class Verb : uint8_t {
  Probe,
  Create,
  Start,
  Pause,
  Resume,
  Stop,
  Remove,
  Inspect,
  List,
  Capacity
};
enum class Outcome : uint8_t { Done, Failed, Unknown };
enum class Running : uint8_t { Unknown, Running, Stopped, Paused, Absent };
// Why a call failed. Only NotFound proves absence; Busy and Unreachable are worth another try.
// PortTaken: somebody else listens on a port that is to be published.
enum class Fault : uint8_t {
  None,
  Unreachable,
  Refused,
  NotFound,
  Conflict,
  Invalid,
  Busy,
  Quota,
  Internal,
  PortTaken
};

// A port of the workload that is published on the provider's address.
struct PublishedPort {
  uint16_t host_port = 0;
  uint16_t container_port = 0;
  std::string label;

  bool operator==(const PublishedPort&) const = default;
};
BOOST_DESCRIBE_STRUCT(PublishedPort, (), (host_port, container_port, label))

// Carried by every object of ours, on every engine, so that it can be found and adopted.
struct Labels {
  InstallId install;  // of this provider's data directory: two daemons never mix
  PubKey provider;
  LeaseId lease;
  PubKey owner;
  uint32_t generation = 0;  // of the lease's object, from 1
  std::string spec_digest;  // hex SHA-256 of the spec, to tell "the same" from "a namesake"

  bool operator==(const Labels&) const = default;
};
BOOST_DESCRIBE_STRUCT(Labels, (), (install, provider, lease, owner, generation, spec_digest))

// Everything an engine needs to make a workload. Limits are exact, never advisory.
struct Spec {
  std::string name;  // "paygress-<12 hex of lease>-g<generation>"
  Labels labels;
  std::string image;          // as the engine understands it; empty for a template's own
  std::string template_slug;  // empty for a plain box
  std::map<std::string, std::string> env;
  uint64_t cpu_millicores = 0;
  uint64_t memory_mb = 0;                 // MiB; swap is off
  uint64_t storage_gb = 0;                // GiB
  std::string address;                    // of the provider: ports are published on this one
  std::optional<uint16_t> ssh_host_port;  // absent: the workload has no SSH
  std::vector<PublishedPort> ports;
  std::string root_password;  // secret: never in argv, inspect output or a log
  // Its data is encrypted with the consumer's key, which is not in here: it never touches a disk.
  bool encrypted = false;
  bool guarded = false;         // warm standby: inside the guard's group of its name (guard.h)
  uint64_t open_files_max = 0;  // of a process (RLIMIT_NOFILE); 0: the engine's default
  // The directory of the workload that is encrypted, where it is not the whole disk.
  std::string encrypted_path = {};

  static constexpr size_t kWrittenAlways = 15;  // a spec's digest is of its bytes
};
BOOST_DESCRIBE_STRUCT(Spec, (),
                      (name, labels, image, template_slug, env, cpu_millicores, memory_mb,
                       storage_gb, address, ssh_host_port, ports, root_password, encrypted, guarded,
                       open_files_max, encrypted_path))

// A call to the engine. `spec` stands only with Create, `name` with everything but Probe, List and
// Capacity. The caller treats no answer within `deadline` (from the start of the call) as Unknown.
// `guard_group` is filled in by the program around the core, for a guarded Create: the directory of
// the guard's group. Without one, or on an engine that cannot be guarded, such a Create is Failed.
struct Call {
  CallId id;
  Verb verb = Verb::Probe;
  std::string name;
  std::optional<Spec> spec;
  Micros deadline;
  std::string guard_group = {};
};
BOOST_DESCRIBE_STRUCT(Call, (), (id, verb, name, spec, deadline, guard_group))

// What the engine says of one object.
struct Object {
  std::string name;
  Labels labels;
  Running running = Running::Unknown;
  std::optional<UnixSeconds> stopped_at;  // the ENGINE's time of the last stop, when it keeps one
  // Of an exit by itself. Absent when it was killed from outside, or the engine does not know.
  std::optional<int32_t> exit_code;
  bool unfinished = false;  // its create did not come to its end: another one completes it
  // Of a cluster: which of its members has the object, and where consumers reach that one. Empty:
  // not a cluster, or not known; then the ports are on the provider's own address.
  std::string node;
  std::string address;
};
BOOST_DESCRIBE_STRUCT(Object, (),
                      (name, labels, running, stopped_at, exit_code, unfinished, node, address))

// The engine's own word that something became of a lease's object; without a lease, that such words
// may have been lost. A hint and no proof: it may come late, twice or never. Who hears it looks.
struct Noticed {
  std::optional<LeaseId> lease;
};
BOOST_DESCRIBE_STRUCT(Noticed, (), (lease))

// What the node has free, as far as the engine can tell.
struct NodeCapacity {
  uint64_t cpu_millicores = 0;
  uint64_t memory_mb = 0;
  uint64_t storage_gb = 0;
};
BOOST_DESCRIBE_STRUCT(NodeCapacity, (), (cpu_millicores, memory_mb, storage_gb))

// What an engine can encrypt with a consumer's key: the directory that a template keeps, or the
// whole disk of the workload.
enum class Encrypts : uint8_t { Nothing, Data, Disk };

// The answer to one Call. `objects` holds one entry after Inspect (Running::Absent is an entry, not
// an empty list) and all of ours after List.
struct Answer {
  CallId id;
  Verb verb = Verb::Probe;
  std::string name;
  Outcome outcome = Outcome::Unknown;
  Fault fault = Fault::None;
  std::string message;  // for the operator's log; never sent to a consumer
  std::vector<Object> objects;
  std::optional<NodeCapacity> capacity;
  bool serves_ssh = true;  // after Create: whether this object has an SSH server to log in to
  Encrypts encrypts = Encrypts::Nothing;  // after Probe
};
BOOST_DESCRIBE_STRUCT(Answer, (),
                      (id, verb, name, outcome, fault, message, objects, capacity, serves_ssh,
                       encrypts))

}  // namespace paygress::workload
