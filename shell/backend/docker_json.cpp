#include "shell/backend/docker_json.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "core/base/check.h"
#include "shell/backend/docker_json_parts.h"
#include "shell/backend/guard_group.h"

namespace paygress::backend {
namespace {

using namespace docker_json;
using workload::Running;
using workload::Spec;

std::optional<int> minor_of(std::string_view version) {
  int minor = 0;
  if (!version.starts_with("1.")) return std::nullopt;
  const char* const past = version.data() + version.size();
  const auto [end, bad] = std::from_chars(version.data() + 2, past, minor);
  if (bad != std::errc()) return std::nullopt;
  return minor;
}

std::string tcp(uint16_t port) { return std::to_string(port) + "/tcp"; }

void publish(json::object& exposed, json::object& bindings, const std::string& address,
             uint16_t host_port, uint16_t container_port) {
  exposed[tcp(container_port)] = json::object{};
  auto& list = bindings[tcp(container_port)];
  if (!list.is_array()) list.emplace_array();
  list.get_array().push_back(
      json::object{{"HostIp", address}, {"HostPort", std::to_string(host_port)}});
}

json::object host_config(const Spec& spec, const ContainerOptions& options, json::object bindings) {
  const int64_t memory = memory_bytes(spec);
  json::object host{{"PortBindings", std::move(bindings)},
                    {"RestartPolicy", {{"Name", "no"}, {"MaximumRetryCount", 0}}},
                    {"LogConfig", {{"Type", "local"}, {"Config", log_options_json()}}},
                    {"CapDrop", json::array{"ALL"}},
                    {"CapAdd", capabilities_json()},
                    {"SecurityOpt", json::array{"no-new-privileges"}},
                    {"Privileged", false},
                    {"Memory", memory},
                    {"MemorySwap", memory},  // the sum of both: no swap
                    {"NanoCpus", nano_cpus(spec)},
                    {"PidsLimit", kPidsMax}};
  if (spec.open_files_max > 0) host["Ulimits"] = ulimits_json(spec);
  if (!options.network.empty()) host["NetworkMode"] = options.network;
  if (spec.encrypted)
    host["Mounts"] = json::array{
        json::object{{"Type", "volume"}, {"Source", spec.name}, {"Target", spec.encrypted_path}}};
  if (!options.guard_group.empty()) host["CgroupParent"] = path_in_hierarchy(options.guard_group);
  // Our own images have no init; another image's init wants to be the first process itself.
  if (!options.command.empty()) host["Init"] = true;
  return host;
}

workload::Object object_of_volume(const json::object& volume) {
  workload::Object object;
  object.name = text_of(volume.at("Name"));
  object.labels = labels_in(object_at(volume, "Labels"));
  object.running = Running::Stopped;
  object.unfinished = true;
  return object;
}

}  // namespace

Result<DockerVersion> negotiate_docker_version(std::string_view body) {
  auto read = [](const json::value& value) -> Result<DockerVersion> {
    const auto& object = value.as_object();
    const auto newest = minor_of(text_of(object.at("ApiVersion")));
    const auto oldest = minor_of(text_or_empty(object, "MinAPIVersion"));
    if (!newest) return fail("an unknown API version");
    const int minor = std::min(*newest, kDockerApiNewest);
    if (minor < kDockerApiOldest || minor < oldest.value_or(0))
      return fail("this engine's API versions are not ours: " + text_of(object.at("ApiVersion")));
    return DockerVersion{minor, text_or_empty(object, "Version")};
  };
  try {
    return read(json::parse(body));
  } catch (const std::exception&) {
    return fail("not an answer of a Docker engine");
  }
}

Result<DockerImage> parse_docker_image(std::string_view body) {
  return parse<DockerImage>(body, [](const json::value& value) {
    const auto& object = value.as_object();
    DockerImage image;
    image.id = text_of(object.at("Id"));
    if (const auto* digests = object.if_contains("RepoDigests"); digests && digests->is_array())
      if (!digests->get_array().empty()) image.digest = text_of(digests->get_array().front());
    const auto* config = object.if_contains("Config");
    const auto* labels =
        config && config->is_object() ? config->get_object().if_contains("Labels") : nullptr;
    if (labels && labels->is_object())
      image.serves_ssh = text_or_empty(labels->get_object(), "paygress.ssh") == "1";
    return image;
  });
}

Result<DockerContainer> parse_docker_container(std::string_view body) {
  return parse<DockerContainer>(body, [](const json::value& value) {
    const auto& object = value.as_object();
    DockerContainer container;
    auto& seen = container.object;
    const std::string name = text_of(object.at("Name"));
    seen.name = name.starts_with("/") ? name.substr(1) : name;
    const auto& config = object.at("Config").as_object();
    if (const auto* labels = config.if_contains("Labels"); labels && labels->is_object()) {
      seen.labels = labels_in(labels->get_object());
      container.serves_ssh = text_or_empty(labels->get_object(), kServesSshLabel) == "1";
      container.guard_group = text_or_empty(labels->get_object(), kGuardGroup);
    }
    const auto& state = object.at("State").as_object();
    const std::string status = text_of(state.at("Status"));
    // Its files, the password among them, may not be there yet; another create puts them again.
    container.created_only = seen.unfinished = status == "created";
    if (status == "paused")
      seen.running = Running::Paused;
    else if (status == "running" || status == "restarting")
      seen.running = Running::Running;
    else
      seen.running = Running::Stopped;  // created, exited, dead, removing
    if (seen.running == Running::Stopped && !container.created_only) {
      seen.stopped_at = parse_docker_time(text_or_empty(state, "FinishedAt"));
      const auto code = state.at("ExitCode").to_number<int32_t>();
      const auto* memory = state.if_contains("OOMKilled");
      const bool out_of_memory = memory != nullptr && memory->is_bool() && memory->get_bool();
      if (!was_killed(code, out_of_memory)) seen.exit_code = code;
    }
    return container;
  });
}

Result<std::vector<std::string>> parse_docker_names(std::string_view body) {
  return parse<std::vector<std::string>>(body, [](const json::value& value) {
    std::vector<std::string> names;
    for (const auto& item : value.as_array()) {
      // A container that is linked to has more names; its own has one slash.
      for (const auto& entry : item.as_object().at("Names").as_array()) {
        const std::string name = text_of(entry);
        if (name.rfind('/') == 0) names.push_back(name.substr(1));
      }
    }
    std::ranges::sort(names);
    return names;
  });
}

Result<DockerInfo> parse_docker_info(std::string_view body) {
  return parse<DockerInfo>(body, [](const json::value& value) {
    const auto& object = value.as_object();
    DockerInfo info;
    info.capacity.cpu_millicores = object.at("NCPU").to_number<uint64_t>() * 1000;
    info.capacity.memory_mb = object.at("MemTotal").to_number<uint64_t>() >> 20;
    info.root_dir = text_or_empty(object, "DockerRootDir");
    info.cgroup_driver = text_or_empty(object, "CgroupDriver");
    for (auto [key, text] : {std::pair{"MemoryLimit", "memory is not limited"},
                             std::pair{"SwapLimit", "swap is not limited"},
                             std::pair{"CpuCfsQuota", "processor time is not limited"},
                             std::pair{"PidsLimit", "the number of processes is not limited"},
                             std::pair{"BridgeNfIptables", "tenants can reach each other's ports"}})
      if (const auto* offered = object.if_contains(key); !offered || *offered != json::value(true))
        info.missing.emplace_back(text);
    return info;
  });
}

std::string container_body(const Spec& spec, const ContainerOptions& options) {
  PG_CHECK(!options.image.id.empty() && spec.memory_mb > 0);
  json::object labels = labels_json(spec.labels);
  labels[kServesSshLabel] = options.ssh ? "1" : "0";
  labels[kImage] = options.image.digest.empty() ? options.image.id : options.image.digest;
  if (!options.guard_group.empty()) labels[kGuardGroup] = options.guard_group;
  json::object exposed;
  json::object bindings;
  if (options.ssh) publish(exposed, bindings, spec.address, *spec.ssh_host_port, kSshPort);
  for (const auto& port : spec.ports)
    publish(exposed, bindings, spec.address, port.host_port, port.container_port);
  json::object body{{"Image", options.image.id},          {"Hostname", spec.name},
                    {"Labels", std::move(labels)},        {"Env", environment_json(spec)},
                    {"ExposedPorts", std::move(exposed)}, {"StopTimeout", kStopSeconds}};
  if (!options.command.empty()) body["Cmd"] = json::value_from(options.command);
  body["HostConfig"] = host_config(spec, options, std::move(bindings));
  return json::serialize(body);
}

Result<std::string> parse_docker_id(std::string_view body) {
  return parse<std::string>(body, [](const json::value& value) {
    const auto& object = value.as_object();
    return text_of(object.contains("ID") ? object.at("ID") : object.at("Id"));
  });
}

Result<std::vector<std::string>> parse_docker_ids(std::string_view body) {
  return parse<std::vector<std::string>>(body, [](const json::value& value) {
    std::vector<std::string> ids;
    for (const auto& item : value.as_array()) ids.push_back(text_of(item.as_object().at("Id")));
    std::ranges::sort(ids);
    return ids;
  });
}

std::string own_network_body(const InstallId& install, int64_t attempt) {
  const std::string name =
      "paygress-" + install.hex().substr(0, 12) + "-" + std::to_string(attempt);
  return json::serialize(
      json::object{{"Name", name},
                   {"CheckDuplicate", true},
                   {"Driver", "bridge"},
                   {"Options", {{"com.docker.network.bridge.enable_icc", "false"}}},
                   {"Labels", {{kInstall, install.hex()}}}});
}

std::string volume_body(const Spec& spec, const std::string& device) {
  return json::serialize(
      json::object{{"Name", spec.name},
                   {"Driver", "local"},
                   {"DriverOpts", {{"type", "ext4"}, {"device", device}, {"o", "nodev,nosuid"}}},
                   {"Labels", labels_json(spec.labels)}});
}

Result<workload::Object> parse_docker_volume(std::string_view body) {
  return parse<workload::Object>(
      body, [](const json::value& value) { return object_of_volume(value.as_object()); });
}

Result<std::vector<workload::Object>> parse_docker_volumes(std::string_view body,
                                                           const InstallId& install) {
  return parse<std::vector<workload::Object>>(body, [&install](const json::value& value) {
    std::vector<workload::Object> volumes;
    const auto* list = value.as_object().if_contains("Volumes");
    if (list == nullptr || !list->is_array()) return volumes;  // null where there is none
    for (const auto& item : list->get_array()) {
      auto volume = object_of_volume(item.as_object());
      if (volume.labels.install == install) volumes.push_back(std::move(volume));
    }
    std::ranges::sort(volumes, {}, &workload::Object::name);
    return volumes;
  });
}

std::string docker_message(std::string_view body) {
  boost::system::error_code error;
  const auto value = json::parse(body, error);
  if (!error && value.is_object()) {
    const std::string message = text_or_empty(value.get_object(), "message");
    if (!message.empty()) return message;
  }
  return std::string(body.substr(0, 200));
}

bool says_port_taken(std::string_view message) {
  return message.find("port is already allocated") != message.npos ||
         message.find("address already in use") != message.npos;
}

std::optional<std::string> pull_error(std::string_view line) {
  boost::system::error_code error;
  const auto value = json::parse(line, error);
  if (error || !value.is_object()) return std::nullopt;
  const std::string message = text_or_empty(value.get_object(), "error");
  if (message.empty()) return std::nullopt;
  return message;
}

std::optional<std::string> pull_step(std::string_view line) {
  boost::system::error_code error;
  const auto value = json::parse(line, error);
  if (error || !value.is_object()) return std::nullopt;
  const auto& object = value.get_object();
  const std::string status = text_or_empty(object, "status");
  // These come with every few bytes; "Download complete" and "Pull complete" end them.
  if (status.empty() || status == "Downloading" || status == "Extracting" || status == "Waiting")
    return std::nullopt;
  const std::string layer = text_or_empty(object, "id");
  return layer.empty() ? status : layer + ": " + status;
}

std::string url_encode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    const auto byte = static_cast<uint8_t>(c);
    if (plain)
      encoded += c;
    else
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return encoded;
}

std::string container_path(std::string_view name) { return "/containers/" + url_encode(name); }

std::string install_filter(const InstallId& install) {
  const json::object filter{{"label", json::array{kInstall + ("=" + install.hex())}}};
  return url_encode(json::serialize(filter));
}

std::optional<DockerEvent> parse_docker_event(std::string_view line) {
  const auto event = parse<DockerEvent>(line, [](const json::value& value) {
    const auto& object = value.as_object();
    const auto& attributes = object.at("Actor").as_object().at("Attributes").as_object();
    const auto labels = labels_in(attributes);
    return DockerEvent{labels.lease, {object.at("time").to_number<int64_t>()}};
  });
  if (!event || event->lease.is_zero()) return std::nullopt;
  return *event;
}

std::string docker_events_query(const InstallId& install, UnixSeconds since, UnixSeconds until) {
  const json::object filter{{"type", json::array{"container"}},
                            {"event", json::array{"die", "destroy"}},
                            {"label", json::array{kInstall + ("=" + install.hex())}}};
  return "since=" + std::to_string(since.value) + "&until=" + std::to_string(until.value) +
         "&filters=" + url_encode(json::serialize(filter));
}

std::string pull_query(std::string_view image) {
  const size_t digest = image.find('@');
  // A colon after the last slash starts a tag; one before it is a registry's port.
  const size_t slash = image.rfind('/');
  const size_t colon = image.find(':', slash == image.npos ? 0 : slash);
  if (digest != image.npos)
    return "fromImage=" + url_encode(image.substr(0, digest)) +
           "&tag=" + url_encode(image.substr(digest + 1));
  if (colon == image.npos) return "fromImage=" + url_encode(image) + "&tag=latest";
  return "fromImage=" + url_encode(image.substr(0, colon)) +
         "&tag=" + url_encode(image.substr(colon + 1));
}

std::optional<UnixSeconds> parse_docker_time(std::string_view text) {
  std::tm parts{};
  const std::string copy(text.substr(0, 19));
  // The engine writes UTC, with or without a fraction.
  if (!strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts)) return std::nullopt;
  if (text.back() != 'Z' || parts.tm_year + 1900 < 1970) return std::nullopt;
  return UnixSeconds{timegm(&parts)};
}

}  // namespace paygress::backend
