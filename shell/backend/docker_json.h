// The Docker Engine API's bodies as pure functions (API 1.41 to kDockerApiNewest).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/workload/backend.h"

namespace paygress::backend {

// The versions whose bodies we know. 1.41 is Debian 12's engine; newer engines refuse below 1.44.
inline constexpr int kDockerApiOldest = 41;
inline constexpr int kDockerApiNewest = 47;
inline constexpr uint16_t kSshPort = 22;

struct DockerVersion {
  int minor = 0;       // of the API, "1.<minor>"
  std::string engine;  // "20.10.24"
};
// The newest version that both sides know, from the body of GET /version.
Result<DockerVersion> negotiate_docker_version(std::string_view body);

// What an image says of itself (GET /images/{name}/json).
struct DockerImage {
  std::string id;           // "sha256:...", what a container is made from
  std::string digest;       // of the registry, "name@sha256:..."; empty for a local image
  bool serves_ssh = false;  // label paygress.ssh=1: logs root in by /etc/shadow on port 22
};
Result<DockerImage> parse_docker_image(std::string_view body);

struct DockerContainer {
  workload::Object object;
  bool created_only = false;     // was never started
  std::string guard_group;       // empty: not guarded
  bool frozen_by_guard = false;  // filled in by whoever looked at the group
  bool serves_ssh = false;
};
// From GET /containers/{name}/json.
Result<DockerContainer> parse_docker_container(std::string_view body);
// Names of GET /containers/json, ordered.
Result<std::vector<std::string>> parse_docker_names(std::string_view body);

struct DockerInfo {
  workload::NodeCapacity capacity;  // storage is 0: it is not said
  std::string root_dir;
  std::string cgroup_driver;         // "cgroupfs" or "systemd"
  std::vector<std::string> missing;  // limits that this engine does not enforce
};
Result<DockerInfo> parse_docker_info(std::string_view body);

struct ContainerOptions {
  DockerImage image;
  bool ssh = false;  // publish port 22
  std::string network;
  std::vector<std::string> command;  // empty: the image's own
  std::string guard_group = {};      // empty: not guarded
};
// The body of POST /containers/create.
std::string container_body(const workload::Spec& spec, const ContainerOptions& options);

// "Id" (of a swarm's parts "ID") of an answer that made something; the ids of a list, ordered.
Result<std::string> parse_docker_id(std::string_view body);
Result<std::vector<std::string>> parse_docker_ids(std::string_view body);
// The body of POST /networks/create: a bridge of its own whose containers cannot reach each other.
// `attempt` makes its name unique: engines take a name twice, and then start nothing in either.
std::string own_network_body(const InstallId& install, int64_t attempt);

// The body of POST /volumes/create for an encrypted volume: the engine mounts its device when the
// container starts, wherever the engine lives, and fails where the device is not there.
std::string volume_body(const workload::Spec& spec, const std::string& device);
// From GET /volumes/{name}, and of GET /volumes those of the install, ordered by name: each as an
// object whose create did not come to its end, which it is where no container has its name.
Result<workload::Object> parse_docker_volume(std::string_view body);
Result<std::vector<workload::Object>> parse_docker_volumes(std::string_view body,
                                                           const InstallId& install);

// "message" of an error's body, or the beginning of the body.
std::string docker_message(std::string_view body);
// Whether an error's text says that somebody else listens on a port.
bool says_port_taken(std::string_view message);
// The error of one line of a pull's progress; nothing when the line reports progress.
std::optional<std::string> pull_error(std::string_view line);
// What to tell of one line of a pull's progress: whole steps, not every byte.
std::optional<std::string> pull_step(std::string_view line);
// One line of GET /events: an object of ours ended or was removed. Nothing when it says no such
// thing.
struct DockerEvent {
  LeaseId lease;
  UnixSeconds at;
};
std::optional<DockerEvent> parse_docker_event(std::string_view line);
// The query of GET /events for these, of one install.
std::string docker_events_query(const InstallId& install, UnixSeconds since, UnixSeconds until);
// ?filters= that selects one install's objects, URL-encoded.
std::string install_filter(const InstallId& install);
// "name[:tag]" or "name@digest" as POST /images/create wants it: fromImage=...&tag=...
std::string pull_query(std::string_view image);
std::string url_encode(std::string_view text);
std::string container_path(std::string_view name);  // "/containers/<name>"
// RFC 3339 as the engine writes it; nothing for its zero time.
std::optional<UnixSeconds> parse_docker_time(std::string_view text);

}  // namespace paygress::backend
