// The bodies of the Docker Engine API about a swarm, and what they say of our objects, as pure
// functions.
//
// An object is a service of at most one task, which the swarm never starts anew by itself (restart
// condition `none`). Each Start raises the service's ForceUpdate, which its task carries: so it is
// known whether the task that was asked for last has come to its end. Only then is another asked
// for. A secret of the service's name, where there is one, holds the password.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/workload/backend.h"
#include "shell/backend/docker_json.h"

namespace paygress::backend {

struct SwarmNode {
  std::string name;     // host name
  bool ready = false;   // it answers the manager; otherwise nothing is known of its tasks
  bool active = false;  // gets new tasks
  workload::NodeCapacity capacity;  // storage is 0: it is not said
};
using SwarmNodes = std::map<std::string, SwarmNode>;  // by id
Result<SwarmNodes> parse_swarm_nodes(std::string_view body);

// "Swarm" of GET /info.
struct SwarmInfo {
  bool manager = false;
  std::string error;    // why it is none, where the engine says so
  int64_t history = 0;  // tasks that ended and are remembered, of each service
};
Result<SwarmInfo> parse_swarm_info(std::string_view body);

struct SwarmService {
  std::string id;
  uint64_t version = 0;  // an update of any other one is refused
  std::string spec;      // JSON
  uint64_t starts = 0;   // ForceUpdate
  bool wanted = false;   // one task, not none
};

struct SwarmObject {
  workload::Object object;  // node is the name of one; the address is for others to fill in
  std::optional<SwarmService> service;
  std::string secret;  // id; empty: none
  bool serves_ssh = false;
  bool active = false;   // a task of it runs, may run or is about to
  bool away = false;     // the machine where one runs or ran does not answer
  bool started = false;  // the task of the last start is known
  std::string node;      // id: where the last one was; empty: nowhere yet
  std::string problem;   // of the last task: why it is not placed, or how it failed
};
// From the answers to swarm_queries(), ordered by name. Nodes that are not in the list were removed
// from the swarm: nothing runs there any more.
Result<std::vector<SwarmObject>> parse_swarm_objects(const std::vector<std::string>& bodies,
                                                     const SwarmNodes& nodes);
// GET these: services, tasks and secrets of one install, or of its object `name`.
std::vector<std::string> swarm_queries(const InstallId& install, const std::string& name);

struct SwarmOptions {
  DockerImage image;
  std::string network;  // empty: each machine's own bridge
  std::string secret;   // id of the one with /etc/shadow; empty: SSH is not served
};
// The body of POST /services/create: no task yet.
std::string swarm_service_body(const workload::Spec& spec, const SwarmOptions& options);
// The body of POST /secrets/create.
std::string swarm_secret_body(const workload::Spec& spec, std::string_view content);

enum class SwarmStep : uint8_t { Start, Halt };
// The path and the body of an update. `node` (an id) is where the task must be, in this start and
// in later ones; empty: anywhere but on those to `avoid`.
std::string swarm_update_path(const SwarmService& service);
std::string swarm_update_body(const SwarmService& service, SwarmStep step, const std::string& node,
                              const std::vector<std::string>& avoid = {});

}  // namespace paygress::backend
