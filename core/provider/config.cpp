#include "core/provider/config.h"

#include <algorithm>
#include <array>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/nearest.h"
#include "core/cashu/mint_url.h"
#include "core/market/json_map.h"
#include "core/market/template.h"
#include "core/market/texts.h"
#include "core/nostr/nip19.h"

namespace paygress::market::json {

using provider::BackendType;
using provider::ProviderConfig;

template <>
struct JsonValue<BackendType> : TextEnum<BackendType, provider::backend_type_from> {};
// Whatever can have a default has one; without these four there is nothing to run.
template <>
struct JsonRules<ProviderConfig> {
  static constexpr bool kForgiving = true;
  static constexpr std::array kExceptions = {
      Exception{"nostr_relays", Rule::Required}, Exception{"public_ip", Rule::Required},
      Exception{"specs", Rule::Required}, Exception{"whitelisted_mints", Rule::Required}};
};
struct AllForgiving {
  static constexpr bool kForgiving = true;
  static constexpr std::array<Exception, 0> kExceptions{};
};
template <>
struct JsonRules<provider::SoldCapacity> : AllForgiving {};
template <>
struct JsonRules<provider::DockerSettings> : AllForgiving {};
template <>
struct JsonRules<provider::ClusterMember> : AllForgiving {};
template <>
struct JsonRules<provider::LxdSettings> : AllForgiving {};
template <>
struct JsonRules<provider::SandboxSettings> : AllForgiving {};
template <>
struct JsonRules<provider::ProxmoxSettings> : AllForgiving {};
template <>
struct JsonRules<provider::KvmImageSettings> : AllForgiving {};
template <>
struct JsonRules<provider::KvmSettings> : AllForgiving {};

}  // namespace paygress::market::json

namespace paygress::provider {
namespace {

namespace json = market::json;

constexpr std::array<std::string_view, 5> kBackendTypes = {"Proxmox", "LXD", "Docker", "Kvm",
                                                           "Sandbox"};

// True when `path` is `other` or lies inside it.
bool is_within(std::string_view path, std::string_view other) {
  if (!path.starts_with(other)) return false;
  return path.size() == other.size() || path[other.size()] == '.' || path[other.size()] == '[';
}

Finding unreadable(const Error& error) {
  Finding finding{error.where, Severity::Error, error.message, {}};
  if (error.where == "backend_type")
    finding.suggestion = "write \"Docker\", \"LXD\", \"Kvm\", \"Proxmox\" or \"Sandbox\"";
  else if (error.where.starts_with("byte "))
    finding.suggestion = "look for a missing comma, quote or bracket just before it";
  return finding;
}

Finding unknown_key(const json::Reading::Unknown& unknown) {
  Finding finding;
  finding.path = unknown.path.empty() ? "" : unknown.path + ".";
  finding.path += market::excerpt(unknown.name);
  finding.severity = Severity::Warning;
  finding.message = "is not a known key and is ignored";
  if (const auto known = nearest(unknown.name, unknown.known))
    finding.suggestion = "did you mean \"" + std::string(*known) + "\"?";
  return finding;
}

// Spreads compact JSON over lines. `json` is what the mapping wrote, so it is valid.
std::string indented(std::string_view compact) {
  std::string out;
  size_t depth = 0;
  bool in_string = false;
  const auto new_line = [&] { out += '\n' + std::string(2 * depth, ' '); };
  for (size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[i];
    out += c;
    if (in_string) {
      if (c == '\\') out += compact[++i];
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (compact[i + 1] == (c == '{' ? '}' : ']')) {
        out += compact[++i];
        continue;
      }
      ++depth;
      new_line();
    } else if (c == ',') {
      new_line();
    } else if (c == ':') {
      out += ' ';
    } else if (c == '}' || c == ']') {
      out.pop_back();
      PG_CHECK(depth > 0);
      --depth;
      new_line();
      out += c;
    }
  }
  PG_CHECK(depth == 0 && !in_string);
  return out + '\n';
}

}  // namespace

std::string_view to_text(BackendType type) {
  const auto i = static_cast<size_t>(type);
  PG_CHECK(i < kBackendTypes.size());
  return kBackendTypes[i];
}

std::optional<BackendType> backend_type_from(std::string_view text) {
  const auto it = std::find(kBackendTypes.begin(), kBackendTypes.end(), text);
  if (it == kBackendTypes.end()) return std::nullopt;
  return static_cast<BackendType>(it - kBackendTypes.begin());
}

bool ConfigReport::usable() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& f) { return f.severity == Severity::Error; });
}

ConfigReport parse_config(std::string_view text) {
  ConfigReport report;
  const auto tree = json::parse_tree(text, {kConfigBytesMax, kConfigDepthMax});
  if (!tree) {
    report.findings.push_back(unreadable(tree.error()));
    return report;
  }
  json::Reading in(json::Reading::Mode::Everything);
  json::read(in, json::Where{}, *tree, report.config);
  for (const Error& error : in.errors) report.findings.push_back(unreadable(error));
  report.is_object = tree->kind == json::Kind::Object;
  if (!report.is_object) return report;
  for (const auto& unknown : in.unknown) report.findings.push_back(unknown_key(unknown));
  // What could not be read is at its default: to complain about the default would only confuse.
  for (Finding& finding : check_config(report.config)) {
    const bool known = std::any_of(in.errors.begin(), in.errors.end(), [&](const Error& error) {
      return is_within(finding.path, error.where) ||
             (error.where == "backend_type" && finding.path.starts_with("proxmox"));
    });
    if (!known) report.findings.push_back(std::move(finding));
  }
  return report;
}

PortRange ssh_ports(const ProviderConfig& config) {
  const uint16_t first = config.ssh_port_start.value_or(kSshPortStartDefault);
  if (config.ssh_port_end) return {first, *config.ssh_port_end};
  constexpr int kSpan = kSshPortEndDefault - kSshPortStartDefault;
  return {first, static_cast<uint16_t>(std::min(first + kSpan, 65'535))};
}

std::string write_config(const ProviderConfig& config) {
  std::string compact;
  json::write(compact, config);
  return indented(compact);
}

namespace {

// Without a base image for every name, what is sold is what the operator named.
void limit_to_images(const ProviderConfig& config, Settings& settings) {
  const auto& images = config.kvm.images;
  const bool any = config.kvm_base_image_path || config.kvm_base_image_url;
  if (settings.images.empty() && !any)
    for (const auto& image : images) settings.images.push_back(image.name);
}

}  // namespace

std::string engine_name(BackendType type) { return to_lower(to_text(type)); }

Settings settings_of(const ProviderConfig& config, const PubKey& self, lease::Resources node) {
  const auto findings = check_config(config);
  PG_CHECK(std::none_of(findings.begin(), findings.end(),
                        [](const Finding& f) { return f.severity == Severity::Error; }));
  Settings settings;
  settings.self = self;
  settings.name = config.provider_name;
  settings.location = config.provider_location;
  settings.capabilities = config.capabilities;
  for (const market::PodSpec& spec : config.specs)
    settings.tiers.push_back({spec.id, spec.name, spec.description, spec.cpu_millicores,
                              spec.memory_mb, spec.storage_gb.value_or(kStorageGbDefault),
                              Msat{static_cast<int64_t>(spec.rate_msats_per_sec)}});
  settings.mints_as_configured = config.whitelisted_mints;
  for (const std::string& mint : config.whitelisted_mints) {
    const auto normalised = cashu::normalise_mint_url(mint);
    PG_CHECK(normalised.has_value());
    settings.mints.push_back(*normalised);
  }
  settings.relays = config.nostr_relays;
  settings.relay_events_per_second = static_cast<uint32_t>(config.relay_events_per_second);
  settings.heartbeat_interval = {static_cast<int64_t>(config.heartbeat_interval_secs)};
  const auto profile = failover::profile_named(config.failover_profile);
  PG_CHECK(profile.has_value());
  settings.profile = *profile;
  settings.profile_name = config.failover_profile;
  // The profile's pace is what its fence was made for; a slower heartbeat is only for who holds
  // nothing, a faster one is kept.
  settings.profile.heartbeat =
      std::min(settings.profile.heartbeat, micros(settings.heartbeat_interval));
  settings.minimum_duration = {static_cast<int64_t>(config.minimum_duration_seconds)};
  if (config.maximum_duration_seconds)
    settings.maximum_duration = Seconds{static_cast<int64_t>(*config.maximum_duration_seconds)};
  const PortRange ports = ssh_ports(config);
  settings.ranges = {config.vmid_range_start, config.vmid_range_end, ports.first, ports.last};
  settings.sold = {config.capacity.cpu_millicores.value_or(node.cpu_millicores),
                   config.capacity.memory_mb.value_or(node.memory_mb),
                   config.capacity.storage_gb.value_or(node.storage_gb)};
  settings.address = config.public_ip;
  settings.images = config.allowed_images;
  settings.engine = engine_name(config.backend_type);
  if (config.backend_type == BackendType::Kvm) limit_to_images(config, settings);
  // Without somebody who forwards ports nothing of a container can be reached.
  if (config.backend_type == BackendType::Proxmox && config.proxmox.forwarder.empty()) {
    settings.serves_ssh = false;
    settings.engine.clear();
  }
  settings.isolation = config.backend_type == BackendType::Kvm
                           ? market::IsolationLevel::DedicatedHost
                           : market::IsolationLevel::SharedKernel;
  if (config.payout.above_sats > 0)
    settings.payout = {Msat{static_cast<int64_t>(config.payout.above_sats) * 1000},
                       Msat{static_cast<int64_t>(config.payout.keep_sats) * 1000},
                       config.payout.lightning_address};
  for (const std::string& key : config.blocked_keys) {
    const auto blocked = nostr::parse_public_key(key);
    PG_CHECK(blocked.has_value());
    settings.blocked.insert(*blocked);
  }
  return settings;
}

}  // namespace paygress::provider
