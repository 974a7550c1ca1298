// The LXD REST API's bodies as pure functions: what 5.0 says and Incus answers alike. Only numeric
// codes are read (doc/rest-api.md, "Status codes"); the words beside them are for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/workload/backend.h"
#include "shell/backend/backend.h"

namespace paygress::backend {

// GET /1.0. An untrusted client is answered too, with almost nothing in it.
struct LxdServer {
  std::string version;
  bool trusted = false;
  bool clustered = false;
};
Result<LxdServer> parse_lxd_server(std::string_view body);

struct LxdMember {
  std::string name;
  bool online = false;
  bool placed_on = false;  // instances that name no member may land on it
};
// GET /1.0/cluster/members?recursion=1
Result<std::vector<LxdMember>> parse_lxd_members(std::string_view body);

// What an asynchronous answer says to wait for: "/1.0/operations/<id>".
Result<std::string> parse_lxd_started(std::string_view body);
struct LxdOperation {
  enum class State : uint8_t { UnderWay, Success, Failure };
  std::string path;  // "/1.0/operations/<id>"
  State state = State::UnderWay;
  std::string error;
  std::vector<std::string> instances;  // the names it works on
};
// GET /1.0/operations/<id>/wait, also when the time was over before the operation.
Result<LxdOperation> parse_lxd_operation(std::string_view body);
// GET /1.0/operations?recursion=1: those that are under way.
Result<std::vector<LxdOperation>> parse_lxd_operations(std::string_view body);

struct LxdInstance {
  workload::Object object;  // without labels and Unknown where its member does not answer
  bool seen = true;         // false: such a one
  bool prepared = false;    // everything that Create puts into it is in it
  bool serves_ssh = false;
};
Result<LxdInstance> parse_lxd_instance(std::string_view body);
// GET /1.0/instances?recursion=1, ordered by name.
Result<std::vector<LxdInstance>> parse_lxd_instances(std::string_view body);

// The names of a directory: GET .../files of one.
Result<std::vector<std::string>> parse_lxd_names(std::string_view body);
// "target" of GET /1.0/images/aliases/<name>: a fingerprint.
Result<std::string> parse_lxd_alias(std::string_view body);
// Names from the paths of a list: GET /1.0/storage-pools.
Result<std::vector<std::string>> parse_lxd_paths(std::string_view body);
// GET /1.0/storage-pools/<pool>: which driver it has.
Result<std::string> parse_lxd_pool_driver(std::string_view body);
// GET /1.0/resources: processors and memory.
Result<workload::NodeCapacity> parse_lxd_resources(std::string_view body);
// GET /1.0/storage-pools/<pool>/resources: GiB that are free.
Result<uint64_t> parse_lxd_free_gb(std::string_view body);
// "error" of an answer, or the beginning of the body.
std::string lxd_message(std::string_view body);
// Whether that error is a member's of the cluster that did not answer: what it was asked may have
// happened.
bool is_lxd_member_away(std::string_view error);

// Where an instance's image comes from: a fingerprint of this server, or a remote server's alias.
struct LxdImage {
  std::string fingerprint;
  std::string server;  // of simplestreams; empty: this one
  std::string alias;   // on that server
};
struct LxdOptions {
  LxdImage image;
  std::string pool;
  std::string network;  // empty: no network card
};
// The body of POST /1.0/instances. Holds no secret: the password and the variables are put into
// files of the instance, which its description does not show. Publishes nothing: on which machine
// the ports will be is not known before it stands there.
std::string lxd_instance_body(const workload::Spec& spec, const LxdOptions& options);
// The body of PATCH /1.0/instances/<name> that ends Create: it is prepared, and its ports are
// published on `address`, with that of SSH where it serves it.
std::string lxd_prepared_body(const workload::Spec& spec, bool serves_ssh,
                              const std::string& address);
enum class LxdAction : uint8_t { Start, Stop, Kill, Freeze, Unfreeze };
// The body of PUT /1.0/instances/<name>/state.
std::string lxd_state_body(LxdAction action, Seconds timeout);
// The body of POST /1.0/projects. Restricted: no privileged container, no device of the host's.
std::string lxd_project_body(const std::string& project);

// NAME='value' lines, for systemd's EnvironmentFile= and for a shell alike. Values that hold a line
// feed are left out: no line could carry them.
std::string lxd_environment_file(const workload::Spec& spec);

}  // namespace paygress::backend
