#include "shell/backend/lxd_json.h"

#include <boost/json.hpp>

#include <algorithm>

#include "core/base/check.h"
#include "shell/backend/labels.h"

namespace paygress::backend {
namespace {

namespace json = boost::json;
using workload::Running;
using workload::Spec;

constexpr std::string_view kLabel = "user.paygress.";  // keys under user. are the API's for this
constexpr const char* kPrepared = "user.paygress.prepared";
constexpr const char* kServesSsh = "user.paygress.serves-ssh";
constexpr uint16_t kContainerSshPort = 22;
constexpr int kProcessesMax = 512;

// Instances and operations share these numbers.
enum Status : int {
  kRunningOperation = 103,
  kCancelling = 104,
  kPending = 105,
  kSuccess = 200,
  kInstanceStopped = 102,
  kInstanceRunning = 103,
  kInstanceFrozen = 110,
  kInstanceThawed = 111,
  kInstanceReady = 113,
};

// Runs `read` on the answer's "metadata"; whatever Boost.JSON throws on the way is an error.
template <class T, class Read>
Result<T> parse(std::string_view body, Read read) {
  try {
    return read(json::parse(body).as_object().at("metadata"));
  } catch (const std::exception& error) {
    return fail(std::string("not an answer of an LXD server: ") + error.what());
  }
}

std::string text_of(const json::value& value) { return json::value_to<std::string>(value); }

std::string text_or_empty(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? text_of(*value) : std::string();
}

std::string last_part(std::string_view path) {
  path = path.substr(0, path.find('?'));
  return std::string(path.substr(path.rfind('/') + 1));
}

LxdOperation operation_from(const json::object& object) {
  LxdOperation operation;
  operation.path = "/1.0/operations/" + text_of(object.at("id"));
  const auto code = object.at("status_code").to_number<int>();
  if (code == kRunningOperation || code == kPending || code == kCancelling)
    operation.state = LxdOperation::State::UnderWay;
  else
    operation.state =
        code == kSuccess ? LxdOperation::State::Success : LxdOperation::State::Failure;
  operation.error = text_or_empty(object, "err");
  const auto* resources = object.if_contains("resources");
  if (!resources || !resources->is_object()) return operation;
  if (const auto* paths = resources->get_object().if_contains("instances"))
    for (const auto& path : paths->as_array())
      operation.instances.push_back(last_part(std::string_view(path.as_string())));
  return operation;
}

Running running_from(int code) {
  switch (code) {
    case kInstanceRunning:
    case kInstanceThawed:
    case kInstanceReady: return Running::Running;
    case kInstanceStopped: return Running::Stopped;
    case kInstanceFrozen: return Running::Paused;
    default: return Running::Unknown;  // on its way, or LXD cannot tell
  }
}

LxdInstance instance_from(const json::object& object) {
  LxdInstance instance;
  instance.object.name = text_of(object.at("name"));
  if (object.at("config").is_null()) {
    instance.seen = false;
    return instance;
  }
  const auto& config = object.at("config").as_object();
  instance.object.running = running_from(object.at("status_code").to_number<int>());
  instance.object.labels = labels_of([&](std::string_view label) {
    return text_or_empty(config, std::string(kLabel).append(label));
  });
  instance.prepared = text_or_empty(config, kPrepared) == "1";
  instance.object.unfinished = !instance.prepared;
  // Servers that are in no cluster say "none".
  if (auto location = text_or_empty(object, "location"); location != "none")
    instance.object.node = std::move(location);
  instance.serves_ssh = text_or_empty(config, kServesSsh) == "1";
  return instance;
}

std::string endpoint(const std::string& address, uint16_t port) {
  const bool v6 = address.find(':') != address.npos;
  return "tcp:" + (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

// The proxy runs on the host and connects inside the instance's network namespace, so the address
// the instance has on its network, if any, does not matter.
json::object proxy(const std::string& address, uint16_t host_port, uint16_t container_port) {
  return {{"type", "proxy"},
          {"listen", endpoint(address, host_port)},
          {"connect", endpoint("127.0.0.1", container_port)}};
}

// Of 100 ms where that is exact, because short periods make for short waits; else of a second.
std::string cpu_allowance(uint64_t millicores) {
  if (millicores % 10 == 0) return std::to_string(millicores / 10) + "ms/100ms";
  return std::to_string(millicores) + "ms/1000ms";
}

json::object source_of(const LxdImage& image) {
  if (image.server.empty()) return {{"type", "image"}, {"fingerprint", image.fingerprint}};
  return {{"type", "image"},
          {"mode", "pull"},
          {"protocol", "simplestreams"},
          {"server", image.server},
          {"alias", image.alias}};
}

}  // namespace

Result<LxdServer> parse_lxd_server(std::string_view body) {
  return parse<LxdServer>(body, [](const json::value& value) {
    const auto& object = value.as_object();
    LxdServer server;
    server.trusted = text_or_empty(object, "auth") == "trusted";
    if (const auto* environment = object.if_contains("environment")) {
      server.version = text_or_empty(environment->as_object(), "server_version");
      const auto* clustered = environment->as_object().if_contains("server_clustered");
      server.clustered = clustered != nullptr && clustered->as_bool();
    }
    return server;
  });
}

Result<std::vector<LxdMember>> parse_lxd_members(std::string_view body) {
  return parse<std::vector<LxdMember>>(body, [](const json::value& value) {
    std::vector<LxdMember> members;
    for (const auto& item : value.as_array()) {
      const auto& object = item.as_object();
      LxdMember member{text_of(object.at("server_name")),
                       text_or_empty(object, "status") == "Online", true};
      if (const auto* config = object.if_contains("config"); config && config->is_object())
        member.placed_on = text_or_empty(config->get_object(), "scheduler.instance") != "manual";
      members.push_back(std::move(member));
    }
    std::ranges::sort(members, {}, &LxdMember::name);
    return members;
  });
}

Result<std::string> parse_lxd_started(std::string_view body) {
  auto operation = parse<LxdOperation>(
      body, [](const json::value& value) { return operation_from(value.as_object()); });
  if (!operation) return std::unexpected(operation.error());
  return operation->path;
}

Result<LxdOperation> parse_lxd_operation(std::string_view body) {
  return parse<LxdOperation>(
      body, [](const json::value& value) { return operation_from(value.as_object()); });
}

Result<std::vector<LxdOperation>> parse_lxd_operations(std::string_view body) {
  return parse<std::vector<LxdOperation>>(body, [](const json::value& value) {
    std::vector<LxdOperation> operations;
    // By status ("running", "success"); no member for a status that none has.
    for (const auto& [status, list] : value.as_object())
      for (const auto& item : list.as_array())
        if (auto operation = operation_from(item.as_object());
            operation.state == LxdOperation::State::UnderWay)
          operations.push_back(std::move(operation));
    return operations;
  });
}

Result<LxdInstance> parse_lxd_instance(std::string_view body) {
  return parse<LxdInstance>(
      body, [](const json::value& value) { return instance_from(value.as_object()); });
}

Result<std::vector<LxdInstance>> parse_lxd_instances(std::string_view body) {
  return parse<std::vector<LxdInstance>>(body, [](const json::value& value) {
    std::vector<LxdInstance> instances;
    for (const auto& item : value.as_array()) instances.push_back(instance_from(item.as_object()));
    std::ranges::sort(instances, {}, [](const LxdInstance& i) { return i.object.name; });
    return instances;
  });
}

Result<std::vector<std::string>> parse_lxd_names(std::string_view body) {
  return parse<std::vector<std::string>>(body, [](const json::value& value) {
    std::vector<std::string> names;
    for (const auto& item : value.as_array()) names.push_back(text_of(item));
    return names;
  });
}

Result<std::string> parse_lxd_alias(std::string_view body) {
  return parse<std::string>(
      body, [](const json::value& value) { return text_of(value.as_object().at("target")); });
}

Result<std::vector<std::string>> parse_lxd_paths(std::string_view body) {
  auto names = parse_lxd_names(body);
  if (names)
    for (auto& name : *names) name = last_part(name);
  return names;
}

Result<std::string> parse_lxd_pool_driver(std::string_view body) {
  return parse<std::string>(
      body, [](const json::value& value) { return text_of(value.as_object().at("driver")); });
}

Result<workload::NodeCapacity> parse_lxd_resources(std::string_view body) {
  return parse<workload::NodeCapacity>(body, [](const json::value& value) {
    const auto& object = value.as_object();
    workload::NodeCapacity capacity;
    capacity.cpu_millicores = object.at("cpu").as_object().at("total").to_number<uint64_t>() * 1000;
    capacity.memory_mb = object.at("memory").as_object().at("total").to_number<uint64_t>() >> 20;
    return capacity;
  });
}

Result<uint64_t> parse_lxd_free_gb(std::string_view body) {
  return parse<uint64_t>(body, [](const json::value& value) {
    const auto& space = value.as_object().at("space").as_object();
    const auto total = space.at("total").to_number<uint64_t>();
    const auto* used = space.if_contains("used");  // left out when zero
    return (total - std::min(total, used ? used->to_number<uint64_t>() : 0)) >> 30;
  });
}

std::string lxd_message(std::string_view body) {
  boost::system::error_code error;
  const auto value = json::parse(body, error);
  if (!error && value.is_object()) {
    const std::string message = text_or_empty(value.get_object(), "error");
    if (!message.empty()) return message;
  }
  return std::string(body.substr(0, 200));
}

// The server passes on what it is asked of another member's instances, and says so when it cannot,
// or hears nothing of it any more.
bool is_lxd_member_away(std::string_view error) {
  return error.find("Unable to connect to") != error.npos ||
         error.find("Missing event connection with target cluster member") != error.npos ||
         error.find("\"https://") != error.npos;
}

std::string lxd_instance_body(const Spec& spec, const LxdOptions& options) {
  PG_CHECK(spec.memory_mb > 0 && spec.cpu_millicores > 0);
  json::object config{{"limits.cpu.allowance", cpu_allowance(spec.cpu_millicores)},
                      {"limits.memory", std::to_string(spec.memory_mb) + "MiB"},
                      {"limits.memory.enforce", "hard"},
                      {"limits.memory.swap", "false"},
                      {"limits.processes", std::to_string(kProcessesMax)},
                      // Restarting is the supervisor's decision, also after a reboot.
                      {"boot.autostart", "false"},
                      {"security.nesting", "false"},
                      {"security.privileged", "false"},
                      {"security.idmap.isolated", "true"},
                      {"security.devlxd", "false"}};
  if (spec.open_files_max > 0) config["limits.kernel.nofile"] = std::to_string(spec.open_files_max);
  for (const auto& [label, text] : label_texts(spec.labels))
    config[std::string(kLabel) + label] = text;
  json::object devices{{"root", json::object{{"type", "disk"},
                                             {"path", "/"},
                                             {"pool", options.pool},
                                             {"size", std::to_string(spec.storage_gb) + "GiB"}}}};
  if (!options.network.empty())
    devices["eth0"] = json::object{{"type", "nic"},
                                   {"name", "eth0"},
                                   {"network", options.network},
                                   {"security.port_isolation", "true"},
                                   {"security.mac_filtering", "true"},
                                   {"security.ipv4_filtering", "true"}};
  return json::serialize(json::object{{"name", spec.name},
                                      {"type", "container"},
                                      {"profiles", json::array{}},
                                      {"source", source_of(options.image)},
                                      {"config", std::move(config)},
                                      {"devices", std::move(devices)}});
}

std::string lxd_prepared_body(const Spec& spec, bool serves_ssh, const std::string& address) {
  json::object devices;
  for (const auto& port : spec.ports)
    devices["port-" + std::to_string(port.container_port)] =
        proxy(address, port.host_port, port.container_port);
  if (serves_ssh) devices["ssh"] = proxy(address, *spec.ssh_host_port, kContainerSshPort);
  return json::serialize(
      json::object{{"config", {{kPrepared, "1"}, {kServesSsh, serves_ssh ? "1" : "0"}}},
                   {"devices", std::move(devices)}});
}

std::string lxd_state_body(LxdAction action, Seconds timeout) {
  const char* word = "stop";
  if (action == LxdAction::Start) word = "start";
  if (action == LxdAction::Freeze) word = "freeze";
  if (action == LxdAction::Unfreeze) word = "unfreeze";
  return json::serialize(json::object{{"action", word},
                                      {"timeout", timeout.value},
                                      {"force", action == LxdAction::Kill},
                                      {"stateful", false}});
}

std::string lxd_project_body(const std::string& project) {
  return json::serialize(
      json::object{{"name", project},
                   {"description", "workloads that Paygress sells"},
                   {"config",
                    {{"features.images", "false"},  // the operator's, in the default project
                     {"features.profiles", "true"},
                     {"features.storage.volumes", "true"},
                     {"restricted", "true"},
                     {"restricted.devices.proxy", "allow"}}}});
}

std::string lxd_environment_file(const Spec& spec) {
  std::string file;
  for (const auto& [name, value] : spec.env) {
    if (value.find('\n') != value.npos) continue;
    file += name + "='";
    for (const char c : value) file += c == '\'' ? std::string("'\\''") : std::string(1, c);
    file += "'\n";
  }
  return file;
}

}  // namespace paygress::backend
