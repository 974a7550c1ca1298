#include "shell/backend/spec_json.h"

#include <boost/json.hpp>

namespace paygress::backend {
namespace {

namespace json = boost::json;
using workload::Labels;
using workload::PublishedPort;
using workload::Spec;

json::object labels_to_json(const Labels& labels) {
  return {{"install", labels.install.hex()}, {"provider", labels.provider.hex()},
          {"lease", labels.lease.hex()},     {"owner", labels.owner.hex()},
          {"generation", labels.generation}, {"spec_digest", labels.spec_digest}};
}

// Throws what Boost.JSON throws; caught in spec_from_json.
template <class Id>
Id id_at(const json::object& object, const char* key) {
  auto id = Id::parse(std::string_view(object.at(key).as_string()));
  if (!id) throw std::invalid_argument(key);
  return *id;
}

Labels labels_from(const json::object& object) {
  Labels labels;
  labels.install = id_at<InstallId>(object, "install");
  labels.provider = id_at<PubKey>(object, "provider");
  labels.lease = id_at<LeaseId>(object, "lease");
  labels.owner = id_at<PubKey>(object, "owner");
  labels.generation = object.at("generation").to_number<uint32_t>();
  labels.spec_digest = json::value_to<std::string>(object.at("spec_digest"));
  return labels;
}

Spec spec_from(const json::object& object) {
  const auto text = [&object](const char* key) {
    return json::value_to<std::string>(object.at(key));
  };
  Spec spec;
  spec.name = text("name");
  spec.labels = labels_from(object.at("labels").as_object());
  spec.image = text("image");
  spec.template_slug = text("template");
  spec.env = json::value_to<std::map<std::string, std::string>>(object.at("env"));
  spec.cpu_millicores = object.at("cpu_millicores").to_number<uint64_t>();
  spec.memory_mb = object.at("memory_mb").to_number<uint64_t>();
  spec.storage_gb = object.at("storage_gb").to_number<uint64_t>();
  spec.address = text("address");
  spec.encrypted = object.at("encrypted").as_bool();
  if (const auto* port = object.if_contains("ssh_host_port"))
    spec.ssh_host_port = port->to_number<uint16_t>();
  spec.guarded = object.contains("guarded");
  for (const auto& item : object.at("ports").as_array()) {
    const auto& port = item.as_object();
    spec.ports.push_back({port.at("host").to_number<uint16_t>(),
                          port.at("container").to_number<uint16_t>(),
                          json::value_to<std::string>(port.at("label"))});
  }
  return spec;
}

}  // namespace

json::value spec_to_json(const Spec& spec) {
  json::array ports;
  for (const auto& port : spec.ports)
    ports.push_back(json::object{
        {"host", port.host_port}, {"container", port.container_port}, {"label", port.label}});
  json::object object{{"name", spec.name},
                      {"labels", labels_to_json(spec.labels)},
                      {"image", spec.image},
                      {"template", spec.template_slug},
                      {"env", json::value_from(spec.env)},
                      {"cpu_millicores", spec.cpu_millicores},
                      {"memory_mb", spec.memory_mb},
                      {"storage_gb", spec.storage_gb},
                      {"address", spec.address},
                      {"encrypted", spec.encrypted},
                      {"ports", std::move(ports)}};
  if (spec.guarded) object["guarded"] = true;
  if (spec.ssh_host_port) object["ssh_host_port"] = *spec.ssh_host_port;
  return object;
}

Result<Spec> spec_from_json(const json::value& value) {
  try {
    return spec_from(value.as_object());
  } catch (const std::exception& error) {
    return fail(std::string("not a stored spec: ") + error.what());
  }
}

}  // namespace paygress::backend
