#include "shell/provider/setup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "core/base/check.h"
#include "core/crypto/hash.h"
#include "core/nostr/nip19.h"
#include "shell/backend/hello.h"
#include "shell/backend/luks_volume.h"
#include "shell/backend/volume_key.h"
#include "shell/base/file.h"
#include "shell/base/secret_file.h"

namespace paygress::daemon {
namespace {

namespace fs = std::filesystem;
using provider::ConfigReport;
using provider::Finding;
using provider::ProviderConfig;
using provider::Severity;

constexpr const char* kBootIdFile = "/proc/sys/kernel/random/boot_id";
constexpr std::string_view kFingerprintDomain = "paygress-seed-fingerprint-v1";

std::string numeric(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address->sa_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  if (address->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text,
              sizeof text);
  return text;
}

// Every (interface, address) of this machine for which `wanted` is true; the first of them.
template <class Wanted>
std::optional<std::string> find_address(const Wanted& wanted) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return std::nullopt;
  std::optional<std::string> found;
  for (const ifaddrs* entry = list; entry != nullptr && !found; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const std::string text = numeric(entry->ifa_addr);
    if (!text.empty() && wanted(std::string_view(entry->ifa_name), text)) found = text;
  }
  freeifaddrs(list);
  return found;
}

std::optional<std::string> address_of_interface(const std::string& name) {
  const auto of = [&](bool v4) {
    return find_address([&](std::string_view on, const std::string& address) {
      return on == name && (address.find(':') == address.npos) == v4;
    });
  };
  const auto v4 = of(true);
  return v4 ? v4 : of(false);
}

// Where ports are published: the tunnel's address, else public_ip when it is ours, else (a host
// name, or an address of a router in front of us) every address of this machine.
Result<std::string> bind_address_of(const ProviderConfig& config) {
  if (config.tunnel_enabled) {
    const auto address = address_of_interface(config.tunnel_interface.value_or(""));
    if (!address) return fail("has no address on this machine", "tunnel_interface");
    return *address;
  }
  const bool loopback = config.public_ip == "localhost";
  const std::string wanted = loopback ? "127.0.0.1" : config.public_ip;
  if (wanted.starts_with("127.")) return wanted;
  return find_address([&](std::string_view, const std::string& a) { return a == wanted; })
      .value_or("0.0.0.0");
}

// A path of the config, relative to the config file.
std::string beside(const std::string& config_path, const std::string& path) {
  return fs::absolute(fs::path(config_path)).parent_path() / path;
}

Result<shell::Secret> private_key(const ProviderConfig& config, const std::string& config_path) {
  if (!config.nostr_private_key_file) return shell::Secret(config.nostr_private_key);
  return shell::read_secret_file(beside(config_path, *config.nostr_private_key_file));
}

void check_mode(const std::string& path, ConfigReport& report) {
  struct stat info{};
  const bool secret =
      !report.config.nostr_private_key.empty() || !report.config.proxmox_token_secret.empty();
  if (!secret || stat(path.c_str(), &info) != 0 || (info.st_mode & 077) == 0) return;
  report.findings.push_back(
      {"", Severity::Error, "holds a secret and can be read by others", "chmod 600 " + path});
}

void check_key_file(const std::string& path, ConfigReport& report) {
  if (!report.config.nostr_private_key_file || report.config.nostr_private_key_file->empty())
    return;
  const auto key = private_key(report.config, path);
  if (!key)
    report.findings.push_back({"nostr_private_key_file", Severity::Error, to_string(key.error()),
                               "a file of mode 0600 with hex or nsec in it"});
  else if (auto parsed = nostr::parse_secret_key(key->reveal()); !parsed)
    report.findings.push_back(
        {"nostr_private_key_file", Severity::Error, to_string(parsed.error()), "hex or nsec"});
}

backend::Kind kind_of(provider::BackendType type) {
  switch (type) {
    case provider::BackendType::Sandbox: return backend::Kind::Sandbox;
    case provider::BackendType::Docker: return backend::Kind::Docker;
    case provider::BackendType::Lxd: return backend::Kind::Lxd;
    case provider::BackendType::Kvm: return backend::Kind::Kvm;
    case provider::BackendType::Proxmox: return backend::Kind::Proxmox;
  }
  PG_CHECK(false);
}

// What is lacking to serve the template `hello` without an image of its own.
std::string lacking_for_hello(const ProviderConfig& config,
                              const market::TemplateRegistry& templates) {
  const auto* hello = templates.find(backend::kHelloTemplate);
  const auto* image =
      hello == nullptr ? nullptr : hello->image_for(provider::engine_name(config.backend_type));
  if (image == nullptr || !image->empty()) return {};  // not served, or from an image of its own
  // An image that is made here is not on the other machines.
  if (config.backend_type == provider::BackendType::Docker && !config.docker.members.empty())
    return "an image of its own in templates_file, which every machine of the swarm can pull";
  const auto package = backend::package_for_hello(kind_of(config.backend_type));
  return package.empty() ? "" : "the package " + std::string(package);
}

// The templates there are for this provider.
Result<market::TemplateRegistry> templates_of(const ProviderConfig& config,
                                              const std::string& config_path) {
  market::TemplateRegistry registry = market::TemplateRegistry::built_in();
  if (!config.templates_file) return registry;
  const std::string path = beside(config_path, *config.templates_file);
  auto file = shell::open_file(path, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  auto text = shell::read_all(*file, market::kTemplateFileBytesMax, path);
  if (!text) return std::unexpected(text.error());
  if (auto ok = registry.extend(*text); !ok) return std::unexpected(ok.error());
  return registry;
}

// A template whose image this engine does not have would be found out after it was paid for. Docker
// and LXD can be asked for any image; the other two have what their config lists. Nothing carries
// variables into a container of Proxmox.
void check_template_images(const market::TemplateRegistry& templates, ConfigReport& report) {
  const ProviderConfig& config = report.config;
  const bool kvm = config.backend_type == provider::BackendType::Kvm;
  if (!kvm && config.backend_type != provider::BackendType::Proxmox) return;
  std::set<std::string> there;
  for (const auto& image : config.kvm.images)
    if (kvm) there.insert(image.name);
  for (const auto& image : config.proxmox.images)
    if (!kvm) there.insert(image.name);
  for (const auto& [slug, info] : templates.all()) {
    const std::string* image = info.image_for(provider::engine_name(config.backend_type));
    if (image == nullptr) continue;
    if (!kvm && !(info.environment.empty() && info.consumer_environment.empty()))
      report.findings.push_back({"templates_file", Severity::Error,
                                 "template " + slug + " has variables, which Proxmox cannot carry",
                                 "an empty environment and consumer_environment"});
    if (there.contains(*image)) continue;
    report.findings.push_back(
        {"templates_file", Severity::Error,
         "template " + slug + " wants the image \"" + *image + "\", which is not configured",
         kvm ? "an entry of kvm.images" : "an entry of proxmox.images"});
  }
}

// What lacks for keeping data encrypted is no error: such spawns are refused before they are paid.
void check_encryption(ConfigReport& report) {
  const ProviderConfig& config = report.config;
  const bool kvm = config.backend_type == provider::BackendType::Kvm;
  const bool docker =
      config.backend_type == provider::BackendType::Docker && config.docker.members.empty();
  if (!kvm && !docker) return;
  const std::string refused =
      kvm ? "; encrypted disks will be refused" : "; encrypted volumes will be refused";
  if (const auto keys = backend::check_key_directory(config.volume_key_dir); !keys)
    report.findings.push_back({"volume_key_dir", Severity::Warning, keys.error().message + refused,
                               "a directory on a tmpfs"});
  if (const auto luks = backend::check_luks(); docker && !luks)
    report.findings.push_back({"backend_type", Severity::Warning, luks.error().message + refused,
                               "see docs/backends.md, \"Encrypted disks\""});
}

void check_machine(const std::string& path, ConfigReport& report) {
  const ProviderConfig& config = report.config;
  if (config.tunnel_enabled && !config.tunnel_interface.value_or("").empty() &&
      !address_of_interface(*config.tunnel_interface))
    report.findings.push_back({"tunnel_interface", Severity::Error,
                               "is no interface with an address on this machine",
                               "see `ip address`"});
  check_encryption(report);
  if (const auto templates = templates_of(config, path); !templates) {
    report.findings.push_back({"templates_file", Severity::Error, to_string(templates.error()),
                               "{\"version\": 1, \"templates\": [...]}; see docs/templates.md"});
  } else {
    check_template_images(*templates, report);
    if (const auto lacking = lacking_for_hello(config, *templates); !lacking.empty())
      report.findings.push_back({"backend_type", Severity::Warning,
                                 "cannot serve the template hello; buyers of it will be refused",
                                 lacking});
  }
  std::error_code error;
  const std::string wallet = beside(path, config.cashu_wallet_db_path);
  if (fs::file_size(wallet, error) > 0 && !error)
    report.findings.push_back(
        {"cashu_wallet_db_path", Severity::Error, "holds a wallet of another program: " + wallet,
         "empty it with the program that made it, then move the file away; our money is in the "
         "ledger"});
}

Result<cashu::WalletSeed> seed_of(const shell::Secret& key) {
  const char* mnemonic = std::getenv(kMnemonicVariable);
  if (mnemonic == nullptr || *mnemonic == '\0') return cashu::seed_from_key(key.reveal());
  auto seed = cashu::seed_from_mnemonic(mnemonic);
  if (!seed) return fail(to_string(seed.error()), kMnemonicVariable);
  return seed;
}

}  // namespace

Result<ConfigReport> read_config(const std::string& path) {
  auto file = shell::open_file(path, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  auto text = shell::read_all(*file, provider::kConfigBytesMax, path);
  if (!text) return std::unexpected(text.error());
  ConfigReport report = provider::parse_config(*text);
  check_mode(path, report);
  check_key_file(path, report);
  check_machine(path, report);
  return report;
}

std::string data_directory(const ProviderConfig& config, const std::string& config_path) {
  return beside(config_path, config.data_dir.empty() ? kDataDirectory : config.data_dir);
}

void check_data_directory(const std::string& config_path, ConfigReport& report) {
  const std::string directory = data_directory(report.config, config_path);
  std::error_code error;
  const bool there = fs::exists(directory, error);
  auto fits = there ? shell::make_private_directory(directory) : Result<void>();
  if (fits) fits = shell::check_writable(there ? directory + "/check-config" : directory);
  if (fits) return;
  report.findings.push_back({"data_dir", Severity::Error, to_string(fits.error()),
                             "a directory that is yours alone, or that can be made"});
}

std::string fingerprint_of(const cashu::WalletSeed& seed) {
  const auto digest = crypto::sha256({as_bytes(kFingerprintDomain), ByteView(seed.bytes)});
  return to_hex(ByteView(digest).first(8));
}

Result<Setup> make_setup(const ConfigReport& report, const std::string& config_path) {
  PG_CHECK(report.usable());
  const auto text = private_key(report.config, config_path);
  if (!text) return std::unexpected(text.error());
  const auto secret = nostr::parse_secret_key(text->reveal());
  if (!secret) return std::unexpected(secret.error());
  auto me = crypto::Keypair::from(*secret);
  if (!me) return std::unexpected(me.error());
  auto seed = seed_of(*text);
  if (!seed) return std::unexpected(seed.error());
  auto bind = bind_address_of(report.config);
  if (!bind) return std::unexpected(bind.error());
  auto templates = templates_of(report.config, config_path);
  if (!templates) return std::unexpected(templates.error());
  if (!lacking_for_hello(report.config, *templates).empty())
    templates->withdraw(backend::kHelloTemplate, provider::engine_name(report.config.backend_type));
  return Setup{report.config,
               *std::move(me),
               *seed,
               fingerprint_of(*seed),
               data_directory(report.config, config_path),
               *std::move(templates),
               *std::move(bind)};
}

Result<lease::BootId> machine_boot() {
  auto file = shell::open_file(kBootIdFile, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  auto text = shell::read_all(*file, 100, kBootIdFile);
  if (!text) return std::unexpected(text.error());
  std::string hex;
  for (const char c : *text)
    if (c != '-' && c != '\n') hex += c;
  return lease::BootId::parse(hex);
}

namespace {

backend::ProxmoxConfig proxmox_config(const ProviderConfig& from) {
  backend::ProxmoxConfig proxmox;
  proxmox.url = from.proxmox_url;
  proxmox.token_id = from.proxmox_token_id;
  proxmox.token_secret = from.proxmox_token_secret;
  proxmox.ca_file = from.proxmox.ca_file;
  proxmox.pinned_key = from.proxmox.pinned_key;
  proxmox.nodes = {from.proxmox_node};
  proxmox.nodes.insert(proxmox.nodes.end(), from.proxmox.nodes.begin(), from.proxmox.nodes.end());
  proxmox.storage = from.proxmox_storage;
  proxmox.bridge = from.proxmox_bridge;
  proxmox.pool = from.proxmox.pool;
  proxmox.vmid_first = from.vmid_range_start;
  proxmox.vmid_last = from.vmid_range_end;
  if (!from.proxmox_template.empty()) proxmox.images[backend::kAnyImage] = from.proxmox_template;
  for (const auto& alias : from.proxmox.images) proxmox.images[alias.name] = alias.image;
  proxmox.forwarder = from.proxmox.forwarder;
  return proxmox;
}

backend::KvmConfig kvm_config(const Setup& setup) {
  const provider::KvmSettings& from = setup.config.kvm;
  backend::KvmConfig kvm;
  kvm.root = setup.data_dir + "/kvm";
  kvm.image_directory = setup.data_dir + "/kvm-images";
  kvm.key_directory = setup.config.volume_key_dir;
  kvm.supervisor = from.supervisor;
  kvm.acceleration = from.accelerator == "tcg"    ? backend::Acceleration::Tcg
                     : from.accelerator == "auto" ? backend::Acceleration::KvmOrTcg
                                                  : backend::Acceleration::Kvm;
  kvm.egress = from.egress == "host" ? backend::Egress::Host : backend::Egress::None;
  const auto& path = setup.config.kvm_base_image_path;
  const auto& url = setup.config.kvm_base_image_url;
  if (path || url)
    kvm.images[backend::kAnyImage] = {path.value_or(""), url.value_or(""), from.base_image_sha256};
  for (const auto& image : from.images)
    kvm.images[image.name] = {image.path, image.url, image.sha256};
  return kvm;
}

}  // namespace

backend::BackendConfig backend_config(const Setup& setup, const InstallId& install) {
  PG_CHECK(!install.is_zero());
  backend::BackendConfig config;
  config.install = install;
  config.kind = kind_of(setup.config.backend_type);
  config.sandbox.root = setup.data_dir + "/sandbox";
  config.sandbox.supervisor = setup.config.sandbox.supervisor;
  config.kvm = kvm_config(setup);
  config.proxmox = proxmox_config(setup.config);
  config.docker.socket = setup.config.docker.socket;
  config.docker.network = setup.config.docker.network;
  config.docker.volume_directory = setup.data_dir + "/volumes";
  config.docker.key_directory = setup.config.volume_key_dir;
  for (const auto& member : setup.config.docker.members)
    config.docker.members[member.name] = {member.address, member.bind_address};
  const provider::LxdSettings& lxd = setup.config.lxd;
  config.lxd = {lxd.socket, lxd.project, lxd.pool, lxd.network, {}, {}, {}};
  for (const auto& alias : lxd.images) config.lxd.images[alias.name] = alias.image;
  for (const auto& remote : lxd.remotes) config.lxd.remotes[remote.name] = remote.url;
  for (const auto& member : lxd.members)
    config.lxd.members[member.name] = {member.address, member.bind_address};
  return config;
}

}  // namespace paygress::daemon
