// The operator's config file: the existing network's provider-config.json (network.md 3.8), read as
// it is, with keys of ours.
//
// Reading finds all problems at once, each with the path of the key. A config without a finding of
// severity Error is usable: everything a Settings needs can be made from it.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/market/messages.h"
#include "core/provider/settings.h"

namespace paygress::provider {

inline constexpr size_t kConfigBytesMax = 256 * 1024;
inline constexpr size_t kConfigDepthMax = 8;
inline constexpr size_t kRelaysMax = 16;
inline constexpr size_t kSpecsMax = 32;
inline constexpr size_t kMintsMax = 32;
inline constexpr size_t kNameBytesMax = 100;             // of the provider, a tier or a tier's id
inline constexpr uint64_t kResourceMax = 1'000'000'000;  // millicores, MB or GB of a tier
inline constexpr uint64_t kRateMax = 1'000'000'000'000;  // msat per second
inline constexpr uint64_t kPayoutSatsMax = 2'100'000'000'000'000;
inline constexpr uint64_t kDurationMax = 10 * 365 * 86'400;  // seconds
inline constexpr uint64_t kStorageGbDefault = 10;            // of a tier that does not say
inline constexpr uint16_t kSshPortStartDefault = 30'000;
inline constexpr uint16_t kSshPortEndDefault = 39'999;

// The words of `backend_type` are the existing network's, and "Sandbox".
enum class BackendType : uint8_t { Proxmox, Lxd, Docker, Kvm, Sandbox };
BOOST_DESCRIBE_ENUM(BackendType, Proxmox, Lxd, Docker, Kvm, Sandbox)
std::string_view to_text(BackendType type);
std::optional<BackendType> backend_type_from(std::string_view text);

// What is sold in all; a part that is absent is what the engine says it has.
struct SoldCapacity {
  std::optional<uint64_t> cpu_millicores;
  std::optional<uint64_t> memory_mb;
  std::optional<uint64_t> storage_gb;
  bool operator==(const SoldCapacity&) const = default;
};
BOOST_DESCRIBE_STRUCT(SoldCapacity, (), (cpu_millicores, memory_mb, storage_gb))

struct SandboxSettings {
  bool allow_outside_dev = false;  // the sandbox keeps tenants apart worse than any other backend
  std::string supervisor;          // path of its helper program; empty: beside the daemon
  bool operator==(const SandboxSettings&) const = default;
};
BOOST_DESCRIBE_STRUCT(SandboxSettings, (), (allow_outside_dev, supervisor))

// Of a cluster of machines.
struct ClusterMember {
  std::string name;          // the engine's
  std::string address;       // where consumers reach what runs there
  std::string bind_address;  // of its own, where ports are opened; empty: all it has
  bool operator==(const ClusterMember&) const = default;
};
BOOST_DESCRIBE_STRUCT(ClusterMember, (), (name, address, bind_address))

struct DockerSettings {
  std::string socket = "/var/run/docker.sock";
  std::string network;                 // an existing network; empty: one of our own
  std::vector<ClusterMember> members;  // of a swarm that the engine manages; none: one machine
  bool operator==(const DockerSettings&) const = default;
};
BOOST_DESCRIBE_STRUCT(DockerSettings, (), (socket, network, members))

// What a tenant may ask for by name, as the engine knows it.
struct ImageAlias {
  std::string name;
  std::string image;
  bool operator==(const ImageAlias&) const = default;
};
BOOST_DESCRIBE_STRUCT(ImageAlias, (), (name, image))

// A server of images: "ubuntu" in "ubuntu:22.04".
struct ImageRemote {
  std::string name;
  std::string url;  // simplestreams over https
  bool operator==(const ImageRemote&) const = default;
};
BOOST_DESCRIBE_STRUCT(ImageRemote, (), (name, url))

struct LxdSettings {
  std::string socket = "/var/lib/lxd/unix.socket";
  std::string project = "paygress";
  std::string pool;                // empty: the first one there is
  std::string network = "lxdbr0";  // a managed network; empty: workloads have no network card
  std::vector<ImageAlias> images = {{"alpine", "images:alpine/3.19"}, {"ubuntu", "ubuntu:22.04"}};
  std::vector<ImageRemote> remotes = {{"images", "https://images.linuxcontainers.org"},
                                      {"ubuntu", "https://cloud-images.ubuntu.com/releases"}};
  std::vector<ClusterMember> members;  // of an LXD cluster; none: one machine
  bool operator==(const LxdSettings&) const = default;
};
BOOST_DESCRIBE_STRUCT(LxdSettings, (), (socket, project, pool, network, images, remotes, members))

// Beside the existing network's proxmox_* keys.
struct ProxmoxSettings {
  std::string pool;                // empty: none
  std::string ca_file;             // PEM of the authority that signed the server's certificate
  std::string pinned_key;          // "sha256//<base64>" of the server's key, instead of that
  std::vector<ImageAlias> images;  // Proxmox' templates by image name; else proxmox_template
  std::string forwarder;           // program that publishes ports; empty: none is offered
  std::vector<std::string> nodes;  // of the cluster, beside proxmox_node
  bool operator==(const ProxmoxSettings&) const = default;
};
BOOST_DESCRIBE_STRUCT(ProxmoxSettings, (), (pool, ca_file, pinned_key, images, forwarder, nodes))

// A base image of virtual machines.
struct KvmImageSettings {
  std::string name;  // the image that a consumer or a template asks for
  std::string path;  // or url
  std::string url;
  std::string sha256;  // needed with url
  bool operator==(const KvmImageSettings&) const = default;
};
BOOST_DESCRIBE_STRUCT(KvmImageSettings, (), (name, path, url, sha256))

struct KvmSettings {
  std::string accelerator = "kvm";  // "auto": emulation where KVM does not work; "tcg": always
  std::string egress = "none";      // "host": guests reach whatever this machine reaches
  std::string base_image_sha256;    // of kvm_base_image_path or kvm_base_image_url
  std::vector<KvmImageSettings> images;
  std::string supervisor;  // path of its helper program; empty: beside the daemon
  bool operator==(const KvmSettings&) const = default;
};
BOOST_DESCRIBE_STRUCT(KvmSettings, (), (accelerator, egress, base_image_sha256, images, supervisor))

// Earnings that are taken out by themselves.
struct PayoutSettings {
  uint64_t above_sats = 0;        // when so much is free at a mint; 0: never
  uint64_t keep_sats = 0;         // of it stays
  std::string directory;          // for the tokens, one file each
  std::string lightning_address;  // instead of them
  bool operator==(const PayoutSettings&) const = default;
};
BOOST_DESCRIBE_STRUCT(PayoutSettings, (), (above_sats, keep_sats, directory, lightning_address))

// Members are named as their keys and stand in the order in which write_config writes them.
struct ProviderConfig {
  BackendType backend_type = BackendType::Proxmox;  // the existing network's default
  std::string proxmox_url;
  std::string proxmox_token_id;
  std::string proxmox_token_secret;  // secret
  std::string proxmox_node;
  std::string proxmox_storage;
  std::string proxmox_template;
  std::string proxmox_bridge;
  uint32_t vmid_range_start = 1000;  // numbers of leases, inclusive
  uint32_t vmid_range_end = 1999;
  std::string nostr_private_key;  // secret: hex or nsec, exactly as written (wallet seed)
  std::vector<std::string> nostr_relays;
  std::string provider_name = "Paygress Provider";
  std::optional<std::string> provider_location;
  std::string public_ip;  // or a host name: where consumers connect to
  std::vector<std::string> capabilities;
  std::vector<market::PodSpec> specs;
  std::vector<std::string> whitelisted_mints;
  uint64_t heartbeat_interval_secs = 60;
  uint64_t minimum_duration_seconds = 60;
  bool tunnel_enabled = false;
  std::optional<std::string> tunnel_interface;
  std::optional<uint16_t> ssh_port_start;
  std::optional<uint16_t> ssh_port_end;
  std::string cashu_wallet_db_path = "./paygress-cashu-wallet.sqlite";
  // Keys of the existing network's newer versions.
  bool proxmox_accept_invalid_certs = false;
  std::string workload_state_path;               // read and not used: the ledger replaces it
  std::string standby_state_path;                // read and not used: the ledger replaces it
  std::optional<std::string> http_bind_addr;     // read and not used
  std::optional<std::string> lightning_address;  // read and not used
  std::optional<std::string> kvm_base_image_path;
  std::optional<std::string> kvm_base_image_url;
  // Ours.
  std::string data_dir;                               // empty: beside the config file
  std::optional<std::string> nostr_private_key_file;  // instead of nostr_private_key
  std::optional<uint64_t> maximum_duration_seconds;   // cap of one lease
  SoldCapacity capacity;
  std::vector<std::string> allowed_images;    // patterns with '*'; empty: every well-formed name
  std::optional<std::string> templates_file;  // extends the known ones (core/market/template.h)
  std::vector<std::string> blocked_keys;      // public keys whose requests are dropped
  uint64_t relay_events_per_second = 3;       // to each relay; public ones refuse about 8
  std::string failover_profile = "default";   // "default", "fast"; "demo" on loopback only
  std::optional<std::string> metrics_bind_addr = "127.0.0.1:9464";
  // Keys of encrypted volumes, in memory (a tmpfs) while their leases last.
  std::string volume_key_dir = "/run/paygress/volume-keys";
  DockerSettings docker;
  LxdSettings lxd;
  SandboxSettings sandbox;
  KvmSettings kvm;
  ProxmoxSettings proxmox;
  PayoutSettings payout;
  bool operator==(const ProviderConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(ProviderConfig, (),
                      (backend_type, proxmox_url, proxmox_token_id, proxmox_token_secret,
                       proxmox_node, proxmox_storage, proxmox_template, proxmox_bridge,
                       vmid_range_start, vmid_range_end, nostr_private_key, nostr_relays,
                       provider_name, provider_location, public_ip, capabilities, specs,
                       whitelisted_mints, heartbeat_interval_secs, minimum_duration_seconds,
                       tunnel_enabled, tunnel_interface, ssh_port_start, ssh_port_end,
                       cashu_wallet_db_path, proxmox_accept_invalid_certs, workload_state_path,
                       standby_state_path, http_bind_addr, lightning_address, kvm_base_image_path,
                       kvm_base_image_url, data_dir, nostr_private_key_file,
                       maximum_duration_seconds, capacity, allowed_images, templates_file,
                       blocked_keys, relay_events_per_second, failover_profile, metrics_bind_addr,
                       volume_key_dir, docker, lxd, sandbox, kvm, proxmox, payout))

enum class Severity : uint8_t { Warning, Error };
BOOST_DESCRIBE_ENUM(Severity, Warning, Error)

struct Finding {
  std::string path;  // "specs[1].rate_msats_per_sec"; empty: the file as a whole
  Severity severity = Severity::Error;
  std::string message;     // never holds a secret
  std::string suggestion;  // what to write or do; may be empty
  bool operator==(const Finding&) const = default;
};
BOOST_DESCRIBE_STRUCT(Finding, (), (path, severity, message, suggestion))

struct ConfigReport {
  bool is_object = false;         // JSON at all; else nothing could be read
  ProviderConfig config;          // what could be read; defaults elsewhere
  std::vector<Finding> findings;  // of reading, unknown keys, then of checking
  bool usable() const;            // no finding is an Error
};

ConfigReport parse_config(std::string_view json);

// What is wrong with a config whose values have the right types: the second half of parse_config,
// for configs that were made and not read.
std::vector<Finding> check_config(const ProviderConfig& config);

// The ports that leases may get, inclusive, with the defaults filled in.
struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
};
PortRange ssh_ports(const ProviderConfig& config);

// Every key, in declared order, indented by two spaces, with a line feed at the end. Contains the
// secrets. parse_config reads it back to the same config.
std::string write_config(const ProviderConfig& config);

// Its name in a template's images: "docker", "lxd", ...
std::string engine_name(BackendType type);

// The core's view of a usable config. `self` is the public key of the config's secret one.
// `node` fills what `capacity` leaves open. PG_CHECKs that check_config finds no Error.
Settings settings_of(const ProviderConfig& config, const PubKey& self, lease::Resources node);

}  // namespace paygress::provider
