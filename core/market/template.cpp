#include "core/market/template.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/base/check.h"
#include "core/market/messages_json.h"

namespace paygress::market::json {

// What a template of the file leaves out keeps what the known one has.
template <>
struct JsonRules<Template> {
  static constexpr bool kForgiving = true;
  static constexpr std::array kExceptions = {Exception{"slug", Rule::Required}};
};

}  // namespace paygress::market::json

namespace paygress::market {
namespace {

constexpr size_t kNameMax = 63;
constexpr uint64_t kMinimumMax = 1'000'000'000;  // millicores, MB or GB
constexpr std::array<std::string_view, 5> kEngines = {"docker", "kvm", "lxd", "proxmox", "sandbox"};

std::vector<Template> make_built_in() {
  using enum ReplicationKind;
  std::vector<Template> all;
  all.push_back(
      {.slug = "nostr-relay",
       .images = {{"docker", "dockurr/strfry:latest"}},
       .ports = {{7777, "ws", "relay-ws"}},
       .environment = {{"STRFRY_DB_PATH", "/app/strfry-db"}, {"RELAY_NAME", "paygress-relay"}},
       .consumer_environment = {"RELAY_NAME"},
       .data_path = "/app/strfry-db",
       .open_files_max = 1'048'576,
       .tier = "basic",
       .replication = WarmStandby,
       .cpu_millicores_min = 500,
       .memory_mb_min = 512,
       .storage_gb_min = 5});
  all.push_back(
      {.slug = "inference-endpoint",
       .images = {{"docker", "ollama/ollama:latest"}},
       .ports = {{11434, "http", "ollama-http"}},
       .environment = {{"OLLAMA_HOST", "0.0.0.0:11434"}, {"OLLAMA_MODELS", "/root/.ollama/models"}},
       .consumer_environment = {"OLLAMA_KEEP_ALIVE", "OLLAMA_NUM_PARALLEL"},
       .data_path = "/root/.ollama",
       .open_files_max = 0,
       .tier = "standard",
       .replication = Checkpointed,
       .cpu_millicores_min = 2000,
       .memory_mb_min = 4096,
       .storage_gb_min = 20});
  all.push_back(
      {.slug = "headless-browser",
       .images = {{"docker", "ghcr.io/browserless/chromium:latest"}},
       .ports = {{3000, "http", "browserless-http"}, {9222, "http", "cdp"}},
       .environment = {{"CONNECTION_TIMEOUT", "300000"}, {"MAX_CONCURRENT_SESSIONS", "10"}},
       .consumer_environment = {"CONNECTION_TIMEOUT", "MAX_CONCURRENT_SESSIONS", "TOKEN"},
       .data_path = {},
       .open_files_max = 0,
       .tier = "basic",
       .replication = None,
       .cpu_millicores_min = 1000,
       .memory_mb_min = 1024,
       .storage_gb_min = 5});
  all.push_back({.slug = "bitcoin-node",
                 .images = {{"docker", "btcpayserver/bitcoin:28.1"}},
                 .ports = {{8332, "bitcoin-rpc", "rpc"}, {8333, "tcp", "p2p"}},
                 .environment = {{"BITCOIN_NETWORK", "regtest"}, {"BITCOIN_RPC_USER", "paygress"}},
                 .consumer_environment = {"BITCOIN_NETWORK", "BITCOIN_EXTRA_ARGS"},
                 .data_path = "/data",
                 .open_files_max = 0,
                 .tier = "standard",
                 .replication = Checkpointed,
                 .cpu_millicores_min = 1000,
                 .memory_mb_min = 2048,
                 .storage_gb_min = 50});
  all.push_back({.slug = "agent-sandbox",
                 .images = {{"docker", "ghcr.io/dhananjaypurohit/paygress-agent-sandbox:0.1.0"}},
                 .ports = {{8080, "http", "sandbox-exec"}},
                 .environment = {{"WORKSPACE", "/workspace"},
                                 {"PYTHONUNBUFFERED", "1"},
                                 {"NODE_ENV", "production"},
                                 {"EXEC_USER", "root"},
                                 {"EXEC_PASS", std::string(kPasswordInValue)}},
                 .consumer_environment = {"NODE_ENV"},
                 .data_path = "/workspace",
                 .open_files_max = 0,
                 .tier = "basic",
                 .replication = None,
                 .cpu_millicores_min = 500,
                 .memory_mb_min = 1024,
                 .storage_gb_min = 5});
  all.push_back({.slug = "openclaw",
                 .images = {{"docker", "ghcr.io/openclaw/openclaw:latest"}},
                 .ports = {{18789, "http", "openclaw-gateway"}},
                 .environment = {{"OPENCLAW_GATEWAY_PORT", "18789"},
                                 {"OPENCLAW_GATEWAY_HOST", "0.0.0.0"},
                                 {"OPENCLAW_CONFIG_DIR", "/data/.openclaw"}},
                 .consumer_environment = {"OPENCLAW_GATEWAY_TOKEN"},
                 .data_path = "/data/.openclaw",
                 .open_files_max = 0,
                 .tier = "standard",
                 .replication = Checkpointed,
                 .cpu_millicores_min = 1000,
                 .memory_mb_min = 2048,
                 .storage_gb_min = 5});
  all.push_back({.slug = "hello",
                 .images = {{"docker", ""}, {"sandbox", ""}},
                 .ports = {{8080, "http", "hello-http"}},
                 .environment = {},
                 .consumer_environment = {},
                 .data_path = {},
                 .open_files_max = 0,
                 .tier = "basic",
                 .replication = None,
                 .cpu_millicores_min = 100,
                 .memory_mb_min = 64,
                 .storage_gb_min = 1});
  return all;
}

bool is_slug(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax && text.front() != '-' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool is_variable(std::string_view text) {
  if (text.empty() || text.size() > kNameMax || (text.front() >= '0' && text.front() <= '9'))
    return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// What every engine can carry: one line.
bool is_value(std::string_view text) {
  return text.size() <= kVariableBytesMax &&
         text.find_first_of(std::string_view("\0\n\r", 3)) == text.npos;
}

template <class List, class Key>
bool are_distinct(const List& list, const Key& key) {
  std::set<std::decay_t<decltype(key(*list.begin()))>> seen;
  return std::ranges::all_of(list, [&](const auto& e) { return seen.insert(key(e)).second; });
}

// Empty when the template can be used.
std::string what_is_wrong_with(const Template& t) {
  if (!is_slug(t.slug)) return "slug: a-z, 0-9 and '-' only";
  for (const auto& image : t.images)
    if (std::ranges::find(kEngines, image.engine) == kEngines.end())
      return "images: docker, kvm, lxd, proxmox or sandbox, not \"" + image.engine + "\"";
  if (!are_distinct(t.images, [](const auto& i) { return i.engine; }))
    return "images: an engine is named twice";
  if (t.ports.size() > kTemplatePortsMax) return "ports: too many";
  for (const auto& port : t.ports)
    if (port.container_port == 0 || port.label.empty()) return "ports: a number and a label each";
  if (!are_distinct(t.ports, [](const auto& p) { return p.container_port; }))
    return "ports: one is named twice";
  if (t.environment.size() > kTemplateVariablesMax ||
      t.consumer_environment.size() > kTemplateVariablesMax)
    return "environment: too many variables";
  for (const auto& variable : t.environment)
    if (!is_variable(variable.name) || !is_value(variable.value))
      return "environment: a name of A-Z, a-z, 0-9 and '_', and one line each";
  for (const auto& name : t.consumer_environment)
    if (!is_variable(name)) return "consumer_environment: names of A-Z, a-z, 0-9 and '_'";
  if (!t.data_path.empty() && (!t.data_path.starts_with('/') || t.data_path == "/" ||
                               t.data_path.find("..") != t.data_path.npos))
    return "data_path: an absolute path in the workload, not its root";
  if (std::max({t.cpu_millicores_min, t.memory_mb_min, t.storage_gb_min, t.open_files_max}) >
      kMinimumMax)
    return "a minimum is too large";
  return {};
}

// The file's images win; those of engines it does not name stay.
void keep_images(Template& changed, const Template& known) {
  for (const auto& image : known.images)
    if (changed.image_for(image.engine) == nullptr) changed.images.push_back(image);
  std::ranges::sort(changed.images, {}, [](const auto& i) { return i.engine; });
}

}  // namespace

const std::string* Template::image_for(std::string_view engine) const {
  for (const auto& image : images)
    if (image.engine == engine) return &image.image;
  return nullptr;
}

const TemplateRegistry& TemplateRegistry::built_in() {
  static const TemplateRegistry registry = [] {
    TemplateRegistry made;
    for (Template& t : make_built_in()) {
      PG_CHECK(what_is_wrong_with(t).empty());
      made.templates_.emplace(t.slug, std::move(t));
    }
    return made;
  }();
  return registry;
}

const Template* TemplateRegistry::find(std::string_view slug) const {
  const auto it = templates_.find(slug);
  return it == templates_.end() ? nullptr : &it->second;
}

void TemplateRegistry::withdraw(std::string_view slug, std::string_view engine) {
  const auto it = templates_.find(slug);
  if (it == templates_.end()) return;
  std::erase_if(it->second.images, [&](const auto& image) { return image.engine == engine; });
}

Result<void> TemplateRegistry::extend(std::string_view text) {
  const auto tree = json::parse_tree(text, {kTemplateFileBytesMax, 8});
  if (!tree) return std::unexpected(tree.error());
  const json::Node* version = tree->find("version");
  const json::Node* list = tree->find("templates");
  if (version == nullptr || version->text != std::to_string(kTemplateFileVersion))
    return fail("this program reads version 1", "version");
  if (list == nullptr || list->kind != json::Kind::Array)
    return fail("must be a list of templates", "templates");
  auto changed = templates_;
  for (size_t i = 0; i < list->items.size(); ++i) {
    const std::string where = "templates[" + std::to_string(i) + "]";
    const json::Node* slug = list->items[i].find("slug");
    const auto known = changed.find(slug == nullptr ? std::string() : slug->text);
    Template read = known == changed.end() ? Template{} : known->second;
    json::Reading in(json::Reading::Mode::Everything);
    json::read(in, json::Where{}, list->items[i], read);
    if (!in.errors.empty())
      return fail(in.errors.front().message, where + "." + in.errors.front().where);
    if (!in.unknown.empty())
      return fail("is not a known key", where + "." + in.unknown.front().name);
    if (const std::string wrong = what_is_wrong_with(read); !wrong.empty())
      return fail(wrong, where);
    if (known != changed.end()) keep_images(read, known->second);
    changed[read.slug] = std::move(read);
    if (changed.size() > kTemplatesMax) return fail("too many templates", "templates");
  }
  templates_ = std::move(changed);
  return {};
}

Result<std::map<std::string, std::string>> environment_of(
    const Template& info, const std::vector<EnvironmentVariable>& wanted,
    const std::string& password) {
  std::map<std::string, std::string> all;
  for (const auto& variable : info.environment) {
    std::string value = variable.value;
    for (size_t at; (at = value.find(kPasswordInValue)) != value.npos;)
      value.replace(at, kPasswordInValue.size(), password);
    all[variable.name] = std::move(value);
  }
  std::string taken;
  for (const auto& name : info.consumer_environment) taken += (taken.empty() ? "" : ", ") + name;
  std::set<std::string> seen;
  for (const auto& variable : wanted) {
    if (std::ranges::find(info.consumer_environment, variable.name) ==
        info.consumer_environment.end())
      return fail("Template " + info.slug + " takes " +
                  (taken.empty() ? "no variables" : "only these variables: " + taken));
    if (!is_value(variable.value) || !seen.insert(variable.name).second)
      return fail("Variable " + variable.name + " must be one line of at most 4096 bytes, once");
    all[variable.name] = variable.value;
  }
  return all;
}

}  // namespace paygress::market
