// What docker_json.cpp and swarm_json.cpp share; nobody else includes it.
#pragma once

#include <boost/json.hpp>

#include <csignal>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/workload/backend.h"
#include "shell/backend/docker_json.h"
#include "shell/backend/labels.h"

namespace paygress::backend::docker_json {

namespace json = boost::json;

inline constexpr int64_t kPidsMax = 512;
inline constexpr int64_t kStopSeconds = 10;

inline constexpr std::string_view kLabel = "paygress.";  // the prefix of our labels
inline constexpr const char* kInstall = "paygress.install";
inline constexpr const char* kServesSshLabel = "paygress.serves-ssh";
inline constexpr const char* kImage = "paygress.image-digest";
inline constexpr const char* kGuardGroup = "paygress.guard-group";

// What an SSH server and the usual entry points that give up root need.
inline constexpr const char* kCapabilities[] = {
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",
    "CAP_SETGID", "CAP_SETUID",       "CAP_NET_BIND_SERVICE",
    "CAP_KILL",   "CAP_SYS_CHROOT",   "CAP_AUDIT_WRITE"};

// Runs `read` on the parsed body; whatever Boost.JSON throws on the way is an error.
template <class T, class Read>
Result<T> parse(std::string_view body, Read read) {
  try {
    return read(json::parse(body));
  } catch (const std::exception& error) {
    return fail(std::string("not an answer of a Docker engine: ") + error.what());
  }
}

inline std::string text_of(const json::value& value) { return json::value_to<std::string>(value); }

inline std::string text_or_empty(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? text_of(*value) : std::string();
}

// Of the object under `key`; an empty one where there is none.
inline const json::object& object_at(const json::object& object, const char* key) {
  static const json::object kNone;
  const auto* value = object.if_contains(key);
  return value && value->is_object() ? value->get_object() : kNone;
}

inline workload::Labels labels_in(const json::object& labels) {
  return labels_of([&](std::string_view label) {
    return text_or_empty(labels, std::string(kLabel).append(label).c_str());
  });
}

inline json::object labels_json(const workload::Labels& of) {
  json::object labels;
  for (const auto& [label, text] : label_texts(of)) labels[std::string(kLabel) + label] = text;
  return labels;
}

inline json::array capabilities_json() {
  json::array capabilities;
  for (auto name : kCapabilities) capabilities.emplace_back(name);
  return capabilities;
}

inline json::array environment_json(const workload::Spec& spec) {
  json::array env;
  for (const auto& [name, value] : spec.env) env.emplace_back(name + "=" + value);
  return env;
}

inline json::array ulimits_json(const workload::Spec& spec) {
  if (spec.open_files_max == 0) return {};
  return {json::object{
      {"Name", "nofile"}, {"Soft", spec.open_files_max}, {"Hard", spec.open_files_max}}};
}

inline json::object log_options_json() { return {{"max-size", "10m"}, {"max-file", "3"}}; }

inline int64_t memory_bytes(const workload::Spec& spec) {
  return static_cast<int64_t>(spec.memory_mb << 20);
}
inline int64_t nano_cpus(const workload::Spec& spec) {
  return static_cast<int64_t>(spec.cpu_millicores) * 1'000'000;
}

// No process can send SIGKILL to the first one of its own container: without a shortage of memory
// it came from outside. 255 is what the engine writes when it lost the container while it was down.
inline bool was_killed(int32_t exit_code, bool out_of_memory) {
  return (exit_code == 128 + SIGKILL && !out_of_memory) || exit_code == 255;
}

}  // namespace paygress::backend::docker_json
