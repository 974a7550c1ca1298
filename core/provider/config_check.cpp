// The second half of config.h: what is wrong with a config whose values have the right types.

#include <algorithm>
#include <set>

#include "core/base/bytes.h"
#include "core/base/nearest.h"
#include "core/cashu/lightning_address.h"
#include "core/cashu/mint_url.h"
#include "core/failover/profile.h"
#include "core/nostr/nip19.h"
#include "core/provider/config.h"

namespace paygress::provider {
namespace {

class Checker {
 public:
  explicit Checker(const ProviderConfig& config) : c_(config) {}
  std::vector<Finding> run();

 private:
  void error(std::string path, std::string message, std::string suggestion = {}) {
    add({std::move(path), Severity::Error, std::move(message), std::move(suggestion)});
  }
  void warn(std::string path, std::string message, std::string suggestion = {}) {
    add({std::move(path), Severity::Warning, std::move(message), std::move(suggestion)});
  }
  // Several elements of a list may have the same to say of another key.
  void add(Finding finding) {
    if (std::find(found_.begin(), found_.end(), finding) == found_.end())
      found_.push_back(std::move(finding));
  }
  void check_backend();
  void check_docker();
  void check_lxd();
  void check_members(const char* key, const std::vector<ClusterMember>& members,
                     const std::string& name);
  void check_kvm();
  void check_proxmox();
  void check_kvm_image(const std::string& path, const KvmImageSettings& image);
  void check_numbers();
  void check_key();
  void check_relays();
  void check_relay(const std::string& path, const std::string& url);
  void check_identity();
  void check_specs();
  void check_spec(const std::string& path, const market::PodSpec& spec);
  void check_sellable(const std::string& path, const market::PodSpec& spec);
  void check_mints();
  void check_times();
  void check_ports();
  // False: it is no address at all, so that nothing more can be said of it.
  bool check_listener(const std::string& path, const std::optional<std::string>& address);
  void check_payout();
  void check_rest();
  void check_unused();

  const ProviderConfig& c_;
  std::vector<Finding> found_;
};

std::string at(std::string_view list, size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

bool has_spaces_or_controls(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte <= 0x20 || byte == 0x7f;
  });
}

// A port from 1 to 65535 in plain digits.
std::optional<uint16_t> port_of(std::string_view digits) {
  if (digits.empty() || digits.size() > 5) return std::nullopt;
  uint32_t port = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  if (port == 0 || port > 65'535) return std::nullopt;
  return static_cast<uint16_t>(port);
}

struct HostPort {
  std::string host;  // in lower case; an IPv6 address with its brackets
  std::optional<uint16_t> port;
};

// "host", "host:port" or "[v6]:port".
std::optional<HostPort> host_port_of(std::string_view text) {
  const size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == text.npos) return std::nullopt;
  const size_t colon = text.find(':', bracket);
  HostPort result{to_lower(text.substr(0, colon)), std::nullopt};
  if (result.host.empty() || result.host == "[]") return std::nullopt;
  if (bracket != 0 && colon != bracket + 1 && text.size() != bracket + 1) return std::nullopt;
  if (colon == text.npos) return result;
  result.port = port_of(text.substr(colon + 1));
  if (!result.port) return std::nullopt;
  return result;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos;
}

void Checker::check_backend() {
  if (c_.backend_type == BackendType::Sandbox) {
    if (!c_.sandbox.allow_outside_dev)
      error("sandbox.allow_outside_dev",
            "the Sandbox backend is for development: it keeps tenants apart worse than any other",
            "use \"Docker\", or set it to true if you accept that");
  } else if (c_.backend_type == BackendType::Lxd) {
    check_lxd();
  } else if (c_.backend_type == BackendType::Kvm) {
    check_kvm();
  } else if (c_.backend_type == BackendType::Proxmox) {
    check_proxmox();
  }
  if (c_.backend_type == BackendType::Docker) check_docker();
}

void Checker::check_members(const char* key, const std::vector<ClusterMember>& members,
                            const std::string& name) {
  for (size_t i = 0; i < members.size(); ++i)
    if (members[i].name.empty() || members[i].address.empty() ||
        has_spaces_or_controls(members[i].address))
      error(at(key, i), "needs a name and the address that consumers reach",
            "{\"name\": \"" + name + "\", \"address\": \"203.0.113.7\"}");
}

void Checker::check_docker() {
  const DockerSettings& docker = c_.docker;
  if (!docker.socket.starts_with('/'))
    error("docker.socket", "must be an absolute path", "\"/var/run/docker.sock\"");
  check_members("docker.members", docker.members, "as in `docker node ls`");
  for (size_t i = 0; i < docker.members.size(); ++i)
    if (!docker.members[i].bind_address.empty())
      error(at("docker.members", i) + ".bind_address",
            "cannot be kept: a swarm opens ports on every address of a machine", "remove it");
  if (!docker.members.empty() && !c_.capacity.storage_gb)
    error("capacity.storage_gb", "is missing: a swarm does not say what its disks hold",
          "what is sold on all of its machines");
}

void Checker::check_lxd() {
  const LxdSettings& lxd = c_.lxd;
  if (!lxd.socket.starts_with('/'))
    error("lxd.socket", "must be an absolute path", "\"/var/lib/lxd/unix.socket\"");
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  if (lxd.project.empty() || lxd.project.size() > 63 || lxd.project.front() == '-' ||
      !std::all_of(lxd.project.begin(), lxd.project.end(), plain))
    error("lxd.project", "is no project's name: a-z, 0-9 and '-'", "\"paygress\"");
  for (size_t i = 0; i < lxd.images.size(); ++i)
    if (lxd.images[i].name.empty() || lxd.images[i].image.empty() ||
        has_spaces_or_controls(lxd.images[i].image))
      error(at("lxd.images", i), "needs a name and an image",
            "{\"name\": \"debian\", \"image\": \"an alias of your server\"}");
  for (size_t i = 0; i < lxd.remotes.size(); ++i)
    if (lxd.remotes[i].name.empty() || !lxd.remotes[i].url.starts_with("https://") ||
        has_spaces_or_controls(lxd.remotes[i].url))
      error(at("lxd.remotes", i), "needs a name and an https URL");
  check_members("lxd.members", lxd.members, "as in `lxc cluster list`");
}

void Checker::check_proxmox() {
  const auto need = [this](const char* key, const std::string& value, const char* example) {
    if (value.empty()) error(key, "is missing", example);
  };
  need("proxmox_url", c_.proxmox_url, "\"https://pve.example:8006\"");
  need("proxmox_token_id", c_.proxmox_token_id, "\"paygress@pve!provider\"");
  need("proxmox_token_secret", c_.proxmox_token_secret, "the token's UUID");
  need("proxmox_node", c_.proxmox_node, "\"pve1\"");
  std::set<std::string> nodes = {c_.proxmox_node};
  for (size_t i = 0; i < c_.proxmox.nodes.size(); ++i)
    if (c_.proxmox.nodes[i].empty() || !nodes.insert(c_.proxmox.nodes[i]).second)
      error(at("proxmox.nodes", i), "must be another node of the cluster than those before it",
            "\"pve2\"");
  need("proxmox_storage", c_.proxmox_storage, "\"local-lvm\"");
  need("proxmox_bridge", c_.proxmox_bridge, "\"vmbr0\"");
  if (c_.proxmox_template.empty() && c_.proxmox.images.empty())
    error("proxmox_template", "is missing: there is nothing to make containers of",
          "\"local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst\"");
  if (!c_.proxmox_url.empty() && !c_.proxmox_url.starts_with("https://"))
    error("proxmox_url", "must be https://: the token goes over it");
  if (c_.proxmox_accept_invalid_certs && c_.proxmox.pinned_key.empty())
    error("proxmox_accept_invalid_certs", "is refused without a pinned key",
          "set proxmox.pinned_key, or proxmox.ca_file");
  if (!c_.proxmox.pinned_key.empty() && !c_.proxmox.pinned_key.starts_with("sha256//"))
    error("proxmox.pinned_key", "must be \"sha256//\" and the key's digest in base64");
  if (!c_.proxmox.forwarder.empty() && !c_.proxmox.forwarder.starts_with('/'))
    error("proxmox.forwarder", "must be an absolute path");
  if (c_.proxmox.forwarder.empty())
    warn("proxmox.forwarder", "is not set: neither SSH nor ports are offered",
         "a program that publishes ports of containers");
}

void Checker::check_kvm() {
  const KvmSettings& kvm = c_.kvm;
  if (kvm.accelerator != "kvm" && kvm.accelerator != "auto" && kvm.accelerator != "tcg")
    error("kvm.accelerator", "is none of \"kvm\", \"auto\" and \"tcg\"", "\"kvm\"");
  else if (kvm.accelerator != "kvm")
    warn("kvm.accelerator", "allows emulation, which is 10 to 30 times slower", "\"kvm\"");
  if (kvm.egress != "none" && kvm.egress != "host")
    error("kvm.egress", "is none of \"none\" and \"host\"", "\"none\"");
  else if (kvm.egress == "host")
    warn("kvm.egress", "lets guests reach this machine's own services and its private networks",
         "\"none\"");
  const bool has_base = c_.kvm_base_image_path || c_.kvm_base_image_url;
  if (!has_base && kvm.images.empty())
    error("kvm.images", "is empty: there is nothing to make machines of",
          "set kvm_base_image_path, or name an image");
  if (has_base)
    check_kvm_image("kvm_base_image", {"base", c_.kvm_base_image_path.value_or(""),
                                       c_.kvm_base_image_url.value_or(""), kvm.base_image_sha256});
  std::set<std::string> names;
  for (size_t i = 0; i < kvm.images.size(); ++i) {
    const std::string path = at("kvm.images", i);
    if (kvm.images[i].name.empty()) error(path + ".name", "is missing");
    if (!names.insert(kvm.images[i].name).second) error(path + ".name", "stands there twice");
    check_kvm_image(path, kvm.images[i]);
  }
}

void Checker::check_kvm_image(const std::string& path, const KvmImageSettings& image) {
  if (image.path.empty() && image.url.empty()) error(path + ".path", "is missing, and so is url");
  if (!image.path.empty() && !image.path.starts_with('/'))
    error(path + ".path", "must be an absolute path");
  if (image.path.empty() && !image.url.empty() && !image.url.starts_with("https://"))
    error(path + ".url", "must be https://");
  const bool hex = image.sha256.size() == 64 &&
                   image.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (image.path.empty() && image.sha256.empty())
    error(path + ".sha256", "is needed with a URL: what is fetched is verified",
          "the digest that the image's publisher gives");
  else if (!image.sha256.empty() && !hex)
    error(path + ".sha256", "must be 64 lower-case hexadecimal digits");
}

void Checker::check_numbers() {
  if (c_.vmid_range_start == 0) error("vmid_range_start", "must be at least 1", "1000");
  if (c_.vmid_range_start > c_.vmid_range_end)
    error("vmid_range_end", "lies before vmid_range_start",
          std::to_string(c_.vmid_range_start) + " or more");
  if (c_.backend_type == BackendType::Proxmox && c_.vmid_range_start < 100)
    error("vmid_range_start", "Proxmox keeps ids below 100 for itself", "100 or more");
}

void Checker::check_key() {
  const bool in_file = c_.nostr_private_key_file.has_value();
  if (in_file && c_.nostr_private_key_file->empty())
    error("nostr_private_key_file", "must not be empty", "name a file, or remove the key");
  if (in_file && !c_.nostr_private_key.empty())
    error("nostr_private_key_file", "stands beside nostr_private_key", "keep one of the two");
  if (c_.nostr_private_key.empty()) {
    if (!in_file)
      error("nostr_private_key", "is missing", "64 hex digits or an nsec; `init` makes one");
    return;
  }
  if (!nostr::parse_secret_key(c_.nostr_private_key))
    error("nostr_private_key", "is no secret key", "64 hex digits or an nsec");
}

void Checker::check_relay(const std::string& path, const std::string& url) {
  const size_t separator = url.find("://");
  const std::string scheme = to_lower(std::string_view(url).substr(0, separator));
  if (separator == url.npos || (scheme != "ws" && scheme != "wss"))
    return error(path, "is no relay: its scheme must be wss or ws", "\"wss://relay.example\"");
  const std::string_view rest = std::string_view(url).substr(separator + 3);
  const auto host = host_port_of(rest.substr(0, rest.find_first_of("/?#")));
  if (!host || has_spaces_or_controls(url) || rest.find_first_of("@#\\") != rest.npos)
    return error(path, "is no relay URL", "\"wss://relay.example\"");
  if (scheme == "ws" && !is_loopback(host->host))
    warn(path, "is not encrypted: others on the way see who talks to whom", "use wss://");
  if (c_.failover_profile == "demo" && !is_loopback(host->host))
    error("failover_profile", "\"demo\" works on loopback relays only", "\"default\"");
}

void Checker::check_relays() {
  const auto& relays = c_.nostr_relays;
  if (relays.empty())
    return error("nostr_relays", "must not be empty", "name three or more relays");
  if (relays.size() > kRelaysMax)
    error("nostr_relays", "has more than " + std::to_string(kRelaysMax) + " relays");
  if (relays.size() < 3)
    warn("nostr_relays", "has fewer than three relays: one that fails may prevent a take-over",
         "name three or more");
  std::set<std::string> seen;
  for (size_t i = 0; i < relays.size(); ++i) {
    check_relay(at("nostr_relays", i), relays[i]);
    std::string plain = to_lower(relays[i]);
    while (plain.ends_with('/')) plain.pop_back();
    if (!seen.insert(std::move(plain)).second)
      error(at("nostr_relays", i), "is listed twice: it must not count twice for a quorum",
            "remove it");
  }
}

void Checker::check_identity() {
  if (c_.provider_name.empty()) error("provider_name", "must not be empty");
  if (c_.provider_name.size() > kNameBytesMax)
    error("provider_name", "is longer than " + std::to_string(kNameBytesMax) + " bytes");
  const std::string& address = c_.public_ip;
  if (address.empty() || has_spaces_or_controls(address) ||
      address.find_first_of("/@") != address.npos)
    return error("public_ip", "is no address or host name", "the address that consumers reach");
  if (address == "0.0.0.0" || address == "::")
    error("public_ip", "is no address that anybody can connect to", "name the public address");
  else if (is_loopback(address))
    warn("public_ip", "is reachable from this machine only", "name the public address");
}

void Checker::check_spec(const std::string& path, const market::PodSpec& spec) {
  const auto amount = [&](const char* member, uint64_t value, uint64_t max) {
    const std::string where = path + "." + member;
    if (value == 0) error(where, "must not be zero");
    if (value > max) error(where, "is larger than " + std::to_string(max));
  };
  if (spec.id.empty()) error(path + ".id", "must not be empty");
  if (spec.id.size() > kNameBytesMax || spec.name.size() > kNameBytesMax)
    error(path + ".id", "id or name is longer than " + std::to_string(kNameBytesMax) + " bytes");
  amount("cpu_millicores", spec.cpu_millicores, kResourceMax);
  amount("memory_mb", spec.memory_mb, kResourceMax);
  if (spec.storage_gb) amount("storage_gb", *spec.storage_gb, kResourceMax);
  amount("rate_msats_per_sec", spec.rate_msats_per_sec, kRateMax);
  int64_t price = 0;
  if (__builtin_mul_overflow(spec.rate_msats_per_sec, c_.minimum_duration_seconds, &price))
    error(path + ".rate_msats_per_sec", "times minimum_duration_seconds is too large a price");
}

void Checker::check_sellable(const std::string& path, const market::PodSpec& spec) {
  const auto fits = [&](const char* member, uint64_t needs, const std::optional<uint64_t>& sold) {
    if (sold && needs > *sold)
      warn(path + "." + member, "is more than capacity sells in all: nobody can buy this tier");
  };
  fits("cpu_millicores", spec.cpu_millicores, c_.capacity.cpu_millicores);
  fits("memory_mb", spec.memory_mb, c_.capacity.memory_mb);
  fits("storage_gb", spec.storage_gb.value_or(kStorageGbDefault), c_.capacity.storage_gb);
}

void Checker::check_specs() {
  if (c_.specs.empty()) return error("specs", "must not be empty", "describe at least one tier");
  if (c_.specs.size() > kSpecsMax)
    error("specs", "has more than " + std::to_string(kSpecsMax) + " tiers");
  std::set<std::string> ids;
  for (size_t i = 0; i < c_.specs.size(); ++i) {
    const std::string path = at("specs", i);
    check_spec(path, c_.specs[i]);
    check_sellable(path, c_.specs[i]);
    if (!ids.insert(c_.specs[i].id).second) error(path + ".id", "names another tier already");
  }
}

void Checker::check_mints() {
  const auto& mints = c_.whitelisted_mints;
  if (mints.empty())
    return error("whitelisted_mints", "must not be empty: nobody could pay",
                 "name the mints whose ecash you take");
  if (mints.size() > kMintsMax)
    error("whitelisted_mints", "has more than " + std::to_string(kMintsMax) + " mints");
  std::set<std::string> seen;
  for (size_t i = 0; i < mints.size(); ++i) {
    const auto url = cashu::normalise_mint_url(mints[i]);
    if (!url)
      error(at("whitelisted_mints", i), "is no mint URL: " + url.error().message,
            "\"https://mint.example\"; http is for loopback only");
    else if (!seen.insert(*url).second)
      warn(at("whitelisted_mints", i), "is listed twice", "remove it");
  }
}

void Checker::check_times() {
  auto profile = failover::profile_named(c_.failover_profile);
  if (!profile)
    error("failover_profile", "is none of the known profiles", "\"default\" or \"fast\"");
  const uint64_t beat = c_.heartbeat_interval_secs;
  if (beat == 0) error("heartbeat_interval_secs", "must not be zero", "60");
  if (profile && beat > 0 && beat < kDurationMax) {
    // fence >= heartbeat + D + 3 * retry: what is left of the fence is the heartbeat's.
    const Micros left = profile->fence - profile->delay - Micros{3 * profile->retry.value};
    profile->heartbeat = micros(Seconds{static_cast<int64_t>(beat)});
    if (auto ok = failover::check_profile(*profile); !ok)
      error("heartbeat_interval_secs",
            "is too long for the fail-over profile \"" + c_.failover_profile +
                "\": " + ok.error().message,
            "at most " + std::to_string(left.value / 1'000'000));
  }
  if (c_.relay_events_per_second == 0 || c_.relay_events_per_second > kRelayEventsPerSecondMax)
    error("relay_events_per_second", "is not from 1 to 1000", "3, unless the relays are your own");
  if (c_.minimum_duration_seconds == 0)
    warn("minimum_duration_seconds", "is zero: a lease may be too short to be of use", "60");
  if (c_.minimum_duration_seconds > kDurationMax)
    error("minimum_duration_seconds", "is longer than ten years");
  if (!c_.maximum_duration_seconds) return;
  const uint64_t longest = *c_.maximum_duration_seconds;
  if (longest == 0 || longest < c_.minimum_duration_seconds)
    error("maximum_duration_seconds", "is shorter than minimum_duration_seconds");
  if (longest > kDurationMax) error("maximum_duration_seconds", "is longer than ten years");
}

bool Checker::check_listener(const std::string& path, const std::optional<std::string>& address) {
  if (!address) return true;
  const auto parsed = host_port_of(*address);
  if (!parsed || !parsed->port || has_spaces_or_controls(*address)) {
    error(path, "is no address with a port", "\"127.0.0.1:9464\"");
    return false;
  }
  const PortRange ports = ssh_ports(c_);
  if (*parsed->port >= ports.first && *parsed->port <= ports.last)
    error(path, "has a port inside ssh_port_start to ssh_port_end, which leases use",
          "choose a port outside " + std::to_string(ports.first) + " to " +
              std::to_string(ports.last));
  return true;
}

void Checker::check_ports() {
  const PortRange ports = ssh_ports(c_);
  if (c_.ssh_port_end && !c_.ssh_port_start)
    warn("ssh_port_start", "is missing beside ssh_port_end",
         std::to_string(kSshPortStartDefault) + " is used");
  if (ports.first > ports.last)
    error("ssh_port_end", "lies before ssh_port_start", std::to_string(ports.first) + " or more");
  if (ports.first < 1024)
    error("ssh_port_start", "must not be a port of the system", "1024 or more");
  check_listener("http_bind_addr", c_.http_bind_addr);
  const bool metrics_listens = check_listener("metrics_bind_addr", c_.metrics_bind_addr);
  if (c_.http_bind_addr && c_.http_bind_addr == c_.metrics_bind_addr)
    error("metrics_bind_addr", "is the address of http_bind_addr too", "choose another port");
  if (const auto metrics = host_port_of(c_.metrics_bind_addr.value_or("127.0.0.1"));
      metrics_listens && metrics && !is_loopback(metrics->host))
    warn("metrics_bind_addr", "can be read by others: it tells what you sell and earn",
         "\"127.0.0.1:9464\"");
  if (c_.tunnel_enabled && c_.tunnel_interface.value_or("").empty())
    error("tunnel_interface", "is missing while tunnel_enabled is true",
          "name the tunnel's network interface");
}

void Checker::check_payout() {
  const PayoutSettings& payout = c_.payout;
  if (payout.above_sats == 0) {
    if (!payout.directory.empty() || !payout.lightning_address.empty() || payout.keep_sats > 0)
      warn("payout.above_sats", "is missing: nothing is paid out", "100000");
    return;
  }
  if (payout.above_sats > kPayoutSatsMax) error("payout.above_sats", "is more than there is");
  if (payout.keep_sats >= payout.above_sats)
    error("payout.keep_sats", "leaves nothing to pay out", "less than above_sats");
  if (!payout.lightning_address.empty()) {
    if (const auto url = cashu::lightning_address_url(payout.lightning_address); !url)
      error("payout.lightning_address", to_string(url.error()), "\"me@wallet.example\"");
    if (!payout.directory.empty())
      error("payout.directory", "is for tokens: earnings go to one place",
            "directory or lightning_address");
    return;
  }
  if (!payout.directory.starts_with('/'))
    error("payout.directory", "must be an absolute path", "\"/var/lib/paygress/payouts\"");
}

void Checker::check_rest() {
  if (!c_.volume_key_dir.starts_with('/'))
    error("volume_key_dir", "must be an absolute path", "\"/run/paygress/volume-keys\"");
  for (size_t i = 0; i < c_.blocked_keys.size(); ++i)
    if (!nostr::parse_public_key(c_.blocked_keys[i]))
      error(at("blocked_keys", i), "is no public key", "64 hex digits or an npub");
  for (size_t i = 0; i < c_.allowed_images.size(); ++i)
    if (c_.allowed_images[i].empty() || has_spaces_or_controls(c_.allowed_images[i]))
      error(at("allowed_images", i), "is no pattern of image names", "\"ghcr.io/me/*\"");
  if (c_.cashu_wallet_db_path.empty()) error("cashu_wallet_db_path", "must not be empty");
}

void Checker::check_unused() {
  const auto unused = [&](const char* path, bool set, const char* why) {
    if (set) warn(path, std::string("is read and not used: ") + why);
  };
  unused("workload_state_path", !c_.workload_state_path.empty(), "the ledger in data_dir has it");
  unused("standby_state_path", !c_.standby_state_path.empty(), "the ledger in data_dir has it");
  unused("http_bind_addr", c_.http_bind_addr.has_value(), "there is no HTTP interface for buyers");
  unused("lightning_address", c_.lightning_address.has_value(),
         "payments are ecash only; earnings go to payout.lightning_address");
}

std::vector<Finding> Checker::run() {
  check_backend();
  check_numbers();
  check_key();
  check_relays();
  check_identity();
  check_specs();
  check_mints();
  check_times();
  check_ports();
  check_payout();
  check_rest();
  check_unused();
  return std::move(found_);
}

}  // namespace

std::vector<Finding> check_config(const ProviderConfig& config) { return Checker(config).run(); }

}  // namespace paygress::provider
