#include "shell/backend/swarm_json.h"

#include <algorithm>
#include <array>

#include "core/base/check.h"
#include "shell/backend/docker_json_parts.h"

namespace paygress::backend {
namespace {

using namespace docker_json;
using workload::Running;
using workload::Spec;

constexpr const char* kObject = "paygress.object";  // of a task: its service may be gone
constexpr int64_t kNanoseconds = 1'000'000'000;
constexpr std::string_view kPinned = "node.id==";
// Why the manager itself writes that a task was rejected, as its machine has shrunk.
constexpr std::string_view kEnforced = "assigned node no longer meets constraints";

// A task as the machine that has it reports it, in the order of its life.
enum class Phase : uint8_t { Unplaced, Preparing, Running, Over, Orphaned };

Phase phase_of(const std::string& state, bool placed) {
  constexpr std::array kOver{"complete", "shutdown", "failed", "rejected", "remove"};
  if (std::ranges::find(kOver, state) != kOver.end()) return Phase::Over;
  // The manager's conclusion, after a day without a word from the machine: it proves nothing.
  if (state == "orphaned") return Phase::Orphaned;
  if (state == "running") return Phase::Running;
  return placed ? Phase::Preparing : Phase::Unplaced;
}

struct Task {
  std::string object;
  workload::Labels labels;
  uint64_t start = 0;
  std::string node;
  Phase phase = Phase::Unplaced;
  std::string problem;
  std::optional<UnixSeconds> since;
  std::optional<int32_t> exit_code;
};

uint64_t number_or_zero(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  return value ? value->to_number<uint64_t>() : 0;
}

Task task_of(const json::object& entry) {
  Task task;
  const auto& spec = entry.at("Spec").as_object();
  const auto& labels = object_at(object_at(spec, "ContainerSpec"), "Labels");
  task.object = text_or_empty(labels, kObject);
  task.labels = labels_in(labels);
  task.start = number_or_zero(spec, "ForceUpdate");
  task.node = text_or_empty(entry, "NodeID");
  const auto& status = entry.at("Status").as_object();
  const std::string state = text_of(status.at("State"));
  task.phase = phase_of(state, !task.node.empty());
  task.problem = text_or_empty(status, "Err");
  if (task.problem == kEnforced) task.phase = Phase::Orphaned;
  task.since = parse_docker_time(text_or_empty(status, "Timestamp"));
  const auto& container = object_at(status, "ContainerStatus");
  if ((state == "complete" || state == "failed") && container.contains("ExitCode")) {
    const auto code = container.at("ExitCode").to_number<int32_t>();
    // How much memory it had left is not said: what was killed was killed from outside.
    if (!was_killed(code, false)) task.exit_code = code;
  }
  return task;
}

struct Service {
  SwarmService service;
  workload::Labels labels;
  bool serves_ssh = false;
  std::string pinned;
};

std::string pin_of(const json::object& task_template) {
  const auto* all = object_at(task_template, "Placement").if_contains("Constraints");
  if (!all || !all->is_array()) return {};
  for (const auto& constraint : all->get_array())
    if (const std::string text = text_of(constraint); text.starts_with(kPinned))
      return text.substr(kPinned.size());
  return {};
}

Service service_of(const json::object& entry) {
  const auto& spec = entry.at("Spec").as_object();
  const auto& labels = object_at(spec, "Labels");
  const auto& task_template = spec.at("TaskTemplate").as_object();
  Service service;
  service.service.id = text_of(entry.at("ID"));
  service.service.version = entry.at("Version").as_object().at("Index").to_number<uint64_t>();
  service.service.spec = json::serialize(spec);
  service.service.starts = number_or_zero(task_template, "ForceUpdate");
  service.service.wanted =
      number_or_zero(object_at(object_at(spec, "Mode"), "Replicated"), "Replicas") > 0;
  service.labels = labels_in(labels);
  service.serves_ssh = text_or_empty(labels, kServesSshLabel) == "1";
  service.pinned = pin_of(task_template);
  return service;
}

// What is known of one name.
struct Parts {
  std::optional<Service> service;
  std::vector<Task> tasks;
  std::string secret;
  workload::Labels secret_labels;
};

bool answers(const SwarmNodes& nodes, const std::string& id) {
  const auto node = nodes.find(id);
  return node == nodes.end() || node->second.ready;
}

// Whether the task may still run, as far as anybody but its machine can tell.
bool is_active(const Task& task, const SwarmNodes& nodes) {
  const bool removed = !task.node.empty() && !nodes.contains(task.node);
  if (removed || task.phase == Phase::Over) return false;
  return task.phase != Phase::Orphaned || !answers(nodes, task.node);
}

void take_last(const Task& last, SwarmObject& seen) {
  seen.started = true;
  seen.problem = last.problem;
  if (last.phase != Phase::Over) return;
  seen.object.stopped_at = last.since;
  seen.object.exit_code = last.exit_code;
}

SwarmObject seen_as(const std::string& name, const Parts& parts, const SwarmNodes& nodes) {
  SwarmObject seen;
  seen.object.name = name;
  seen.secret = parts.secret;
  seen.object.running = Running::Stopped;
  const bool wanted = parts.service && parts.service->service.wanted;
  if (parts.service) {
    seen.service = parts.service->service;
    seen.object.labels = parts.service->labels;
    seen.serves_ssh = parts.service->serves_ssh;
    seen.node = parts.service->pinned;
    // What was stopped there may have been so only in the manager's books.
    seen.away = !wanted && !answers(nodes, seen.node);
  } else {
    seen.object.labels = parts.tasks.empty() ? parts.secret_labels : parts.tasks.front().labels;
    seen.object.unfinished = parts.tasks.empty();
  }
  for (const Task& task : parts.tasks) {
    const bool last = parts.service && task.start == parts.service->service.starts;
    if (last) take_last(task, seen);
    if (last && !task.node.empty()) seen.node = task.node;
    if (!is_active(task, nodes)) continue;
    seen.active = true;
    if (!task.node.empty()) seen.node = task.node;
    seen.away |= !answers(nodes, task.node);
    if (task.phase == Phase::Running) seen.object.running = Running::Running;
    // Neither placed nor refused yet is no running; being prepared is on its way to it.
    if (task.phase == Phase::Preparing && seen.object.running == Running::Stopped)
      seen.object.running = Running::Unknown;
  }
  if (seen.away) seen.object.running = Running::Unknown;
  if (seen.object.running != Running::Stopped) {
    seen.object.stopped_at.reset();
    seen.object.exit_code.reset();
  }
  if (const auto node = nodes.find(seen.node); node != nodes.end())
    seen.object.node = node->second.name;
  return seen;
}

}  // namespace

Result<SwarmNodes> parse_swarm_nodes(std::string_view body) {
  return parse<SwarmNodes>(body, [](const json::value& value) {
    SwarmNodes nodes;
    for (const auto& item : value.as_array()) {
      const auto& entry = item.as_object();
      const auto& description = entry.at("Description").as_object();
      const auto& resources = object_at(description, "Resources");
      SwarmNode& node = nodes[text_of(entry.at("ID"))];
      node.name = text_or_empty(description, "Hostname");
      node.ready = text_of(entry.at("Status").as_object().at("State")) == "ready";
      node.active = text_of(entry.at("Spec").as_object().at("Availability")) == "active";
      node.capacity.cpu_millicores = number_or_zero(resources, "NanoCPUs") / 1'000'000;
      node.capacity.memory_mb = number_or_zero(resources, "MemoryBytes") >> 20;
    }
    return nodes;
  });
}

Result<SwarmInfo> parse_swarm_info(std::string_view body) {
  return parse<SwarmInfo>(body, [](const json::value& value) {
    const auto& swarm = object_at(value.as_object(), "Swarm");
    SwarmInfo info;
    const auto* control = swarm.if_contains("ControlAvailable");
    info.manager = control && control->is_bool() && control->get_bool();
    info.error = text_or_empty(swarm, "Error");
    const auto& spec = object_at(object_at(swarm, "Cluster"), "Spec");
    const auto* limit = object_at(spec, "Orchestration").if_contains("TaskHistoryRetentionLimit");
    info.history = limit ? limit->to_number<int64_t>() : 0;
    return info;
  });
}

Result<std::vector<SwarmObject>> parse_swarm_objects(const std::vector<std::string>& bodies,
                                                     const SwarmNodes& nodes) {
  PG_CHECK(bodies.size() == 3);
  const auto read = [&](const json::value& services) {
    const json::value tasks = json::parse(bodies[1]);
    const json::value secrets = json::parse(bodies[2]);
    std::map<std::string, Parts> by_name;
    for (const auto& item : services.as_array()) {
      const auto& entry = item.as_object();
      by_name[text_of(entry.at("Spec").as_object().at("Name"))].service = service_of(entry);
    }
    for (const auto& item : tasks.as_array()) {
      Task task = task_of(item.as_object());
      // Of a service that is gone, what has ended too is only history.
      if (!is_active(task, nodes) && !by_name.contains(task.object)) continue;
      by_name[task.object].tasks.push_back(std::move(task));
    }
    for (const auto& item : secrets.as_array()) {
      const auto& entry = item.as_object();
      const auto& spec = entry.at("Spec").as_object();
      Parts& parts = by_name[text_of(spec.at("Name"))];
      parts.secret = text_of(entry.at("ID"));
      parts.secret_labels = labels_in(object_at(spec, "Labels"));
    }
    std::vector<SwarmObject> objects;
    for (const auto& [name, parts] : by_name) objects.push_back(seen_as(name, parts, nodes));
    return objects;
  };
  return parse<std::vector<SwarmObject>>(bodies[0], read);
}

std::vector<std::string> swarm_queries(const InstallId& install, const std::string& name) {
  const std::string ours = kInstall + ("=" + install.hex());
  const auto query = [](const char* what, const json::object& filters) {
    return std::string(what) + "?filters=" + url_encode(json::serialize(filters));
  };
  json::object named{{"label", json::array{json::value(ours)}}};
  json::object tasks = named;
  if (!name.empty()) {
    named["name"] = json::array{json::value(name)};
    tasks["label"].as_array().emplace_back(kObject + ("=" + name));
  }
  return {query("/services", named), query("/tasks", tasks), query("/secrets", named)};
}

std::string swarm_service_body(const Spec& spec, const SwarmOptions& options) {
  PG_CHECK(!options.image.id.empty() && spec.memory_mb > 0);
  const bool ssh = !options.secret.empty();
  // Tasks show those of their container, and are found by those of their service.
  json::object task_labels = labels_json(spec.labels);
  task_labels[kObject] = spec.name;
  json::object service_labels = task_labels;
  service_labels[kServesSshLabel] = ssh ? "1" : "0";
  // A digest is the same image on every machine; one that no registry has is there by its name.
  const std::string& image = options.image.digest.empty() ? spec.image : options.image.digest;
  json::object container{{"Image", image},
                         {"Hostname", spec.name},
                         {"Labels", std::move(task_labels)},
                         {"Env", environment_json(spec)},
                         {"CapabilityDrop", json::array{"ALL"}},
                         {"CapabilityAdd", capabilities_json()},
                         {"Privileges", {{"NoNewPrivileges", true}}},
                         {"StopGracePeriod", kStopSeconds * kNanoseconds},
                         {"Ulimits", ulimits_json(spec)}};
  json::array ports;
  const auto publish = [&ports](uint16_t host_port, uint16_t container_port) {
    ports.push_back(json::object{{"Protocol", "tcp"},
                                 {"TargetPort", container_port},
                                 {"PublishedPort", host_port},
                                 {"PublishMode", "host"}});
  };
  if (ssh) {
    container["Secrets"] = json::array{json::object{
        {"SecretID", options.secret},
        {"SecretName", spec.name},
        {"File", {{"Name", "/etc/shadow"}, {"UID", "0"}, {"GID", "0"}, {"Mode", 0600}}}}};
    publish(*spec.ssh_host_port, kSshPort);
  }
  for (const auto& port : spec.ports) publish(port.host_port, port.container_port);
  const json::object share{{"NanoCPUs", nano_cpus(spec)}, {"MemoryBytes", memory_bytes(spec)}};
  json::object limits = share;
  limits["Pids"] = kPidsMax;
  json::object task{{"ContainerSpec", std::move(container)},
                    {"Resources", {{"Limits", std::move(limits)}, {"Reservations", share}}},
                    {"RestartPolicy", {{"Condition", "none"}, {"MaxAttempts", 0}}},
                    {"LogDriver", {{"Name", "local"}, {"Options", log_options_json()}}},
                    {"ForceUpdate", 0}};
  if (!options.network.empty())
    task["Networks"] = json::array{json::object{{"Target", options.network}}};
  return json::serialize(
      json::object{{"Name", spec.name},
                   {"Labels", std::move(service_labels)},
                   {"TaskTemplate", std::move(task)},
                   {"Mode", {{"Replicated", {{"Replicas", 0}}}}},
                   {"UpdateConfig",
                    {{"Parallelism", 1}, {"FailureAction", "continue"}, {"Order", "stop-first"}}},
                   {"EndpointSpec", {{"Mode", "dnsrr"}, {"Ports", std::move(ports)}}}});
}

std::string swarm_secret_body(const Spec& spec, std::string_view content) {
  return json::serialize(
      json::object{{"Name", spec.name},
                   {"Labels", labels_json(spec.labels)},
                   {"Data", to_base64(as_bytes(content), Base64::Standard, true)}});
}

std::string swarm_update_path(const SwarmService& service) {
  return "/services/" + service.id + "/update?version=" + std::to_string(service.version);
}

std::string swarm_update_body(const SwarmService& service, SwarmStep step, const std::string& node,
                              const std::vector<std::string>& avoid) {
  json::object spec = json::parse(service.spec).as_object();
  const bool start = step == SwarmStep::Start;
  spec["Mode"] = json::object{{"Replicated", {{"Replicas", start ? 1 : 0}}}};
  auto& task = spec.at("TaskTemplate").as_object();
  if (start) task["ForceUpdate"] = service.starts + 1;
  json::array constraints;
  if (!node.empty()) constraints.emplace_back(std::string(kPinned) + node);
  for (const auto& other : avoid) constraints.emplace_back("node.id!=" + other);
  task["Placement"] = json::object{{"Constraints", std::move(constraints)}};
  return json::serialize(spec);
}

}  // namespace paygress::backend
