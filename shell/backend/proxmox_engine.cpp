#include "shell/backend/proxmox_engine.h"

#include <unistd.h>
#include <boost/json.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

#include "shell/backend/calls.h"
#include "shell/backend/labels.h"
#include "shell/backend/run_program.h"
#include "shell/net/loop.h"

namespace paygress::backend {
namespace {

namespace json = boost::json;
using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::Object;
using workload::Outcome;
using workload::Running;
using workload::Spec;
using workload::Verb;

constexpr std::string_view kLabelPrefix = "paygress.";
// Tags are the one thing that is told of containers on a node that does not answer.
constexpr const char* kTag = "paygress";
constexpr std::string_view kNameTag = "name-";
constexpr const char* kPorts = "ports";
constexpr int kShutdownSeconds = 20;  // from the shutdown to its force
constexpr int kNumbersTriedMax = 20;  // numbers that somebody took meanwhile
constexpr Micros kAnswerMargin = 500'000_us;
constexpr auto kNextLook = std::chrono::milliseconds(500);
constexpr auto kForwarderLimit = std::chrono::seconds(20);

Answer done(const Call& call, std::string message = {}) {
  return answer_to(call, Outcome::Done, Fault::None, std::move(message));
}
Answer failed(const Call& call, Fault fault, std::string message) {
  return answer_to(call, Outcome::Failed, fault, std::move(message));
}
Answer unseen(const Call& call, const std::string& node) {
  return failed(call, Fault::Unreachable, node + " does not answer, or it is being moved there");
}
// What the API said, as the answer to a call that is not about something else's absence.
Answer answer_from(const Call& call, const ProxmoxReply& reply) {
  Fault fault = reply.fault;
  if (fault == Fault::NotFound) fault = Fault::Internal;
  return answer_to(call, reply.outcome, fault, reply.message);
}

// A missing or different member reads as nothing: what the API adds or leaves out is no error.
std::string text_at(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? json::value_to<std::string>(*value) : "";
}
// Numbers come as numbers or, from some versions, as text.
uint64_t number_at(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr) return 0;
  if (value->is_string()) return std::strtoull(value->get_string().c_str(), nullptr, 10);
  boost::system::error_code bad;
  const auto number = value->to_number<uint64_t>(bad);
  return bad ? 0 : number;
}

// In the configuration they stand between semicolons; older lists have commas or spaces.
std::vector<std::string> tags_of(const json::object& row) {
  std::string text = text_at(row, "tags");
  std::ranges::replace_if(text, [](char c) { return c == ';' || c == ','; }, ' ');
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}
bool has_tag(const json::object& row, std::string_view tag) {
  const auto tags = tags_of(row);
  return std::ranges::find(tags, tag) != tags.end();
}

// The published ports as "<address> <host port>:<container port> ...".
std::string ports_text(const Spec& spec) {
  std::string text = spec.address;
  if (spec.ssh_host_port) text += " " + std::to_string(*spec.ssh_host_port) + ":22";
  for (const auto& port : spec.ports)
    text += " " + std::to_string(port.host_port) + ":" + std::to_string(port.container_port);
  return text;
}

std::string description_of(const Spec& spec) {
  auto lines = label_texts(spec.labels);
  lines[kPorts] = ports_text(spec);
  std::string text;
  for (const auto& [name, value] : lines)
    text += std::string(kLabelPrefix) + name + "=" + value + "\n";
  return text;
}

std::string line_of(const std::string& description, std::string_view name) {
  const std::string key = std::string(kLabelPrefix) + std::string(name) + "=";
  size_t at = description.starts_with(key) ? 0 : description.find("\n" + key);
  if (at == description.npos) return {};
  at = description.find('=', at) + 1;
  return description.substr(at, description.find('\n', at) - at);
}

// Thousandths of a processor as the API's decimal number.
std::string processors(uint64_t millicores) {
  std::string fraction = std::to_string(millicores % 1000 + 1000).substr(1);
  return std::to_string(millicores / 1000) + "." + fraction;
}

}  // namespace

std::string ProxmoxEngine::path_of(const Container& container) {
  return "/nodes/" + container.node + "/lxc/" + std::to_string(container.vmid);
}

bool ProxmoxEngine::in_range(uint32_t vmid) const {
  return vmid >= api_.config().vmid_first && vmid <= api_.config().vmid_last;
}

std::string ProxmoxEngine::image_of(const Spec& spec) const {
  const auto& images = api_.config().images;
  if (const auto it = images.find(spec.image); it != images.end()) return it->second;
  const auto any = images.find(kAnyImage);
  return spec.template_slug.empty() && any != images.end() ? any->second : std::string();
}

Answer ProxmoxEngine::handle(const Call& call) {
  if (auto wrong = what_is_wrong_with(call); !wrong.empty())
    return failed(call, Fault::Invalid, wrong);
  const Micros until = net::Loop::now().mono + bounded_deadline(call) - kAnswerMargin;
  switch (call.verb) {
    case Verb::Probe: return probe(call, until);
    case Verb::Capacity: return capacity(call, until);
    case Verb::Create: return create(call, until);
    default: break;
  }
  const Found found = find(call.verb == Verb::List ? "" : call.name, until);
  if (found.reply.outcome != Outcome::Done) return answer_from(call, found.reply);
  // Its creation may be one of ours whose answer was lost: nothing is proved absent meanwhile.
  if (call.verb != Verb::List && found.containers.empty() && found.nameless)
    return failed(call, Fault::Busy, "a container is being made that may be this one");
  if (call.verb == Verb::List || call.verb == Verb::Inspect) {
    Answer answer = done(call);
    for (const auto& container : found.containers) answer.objects.push_back(container.object);
    if (call.verb == Verb::Inspect && answer.objects.empty()) {
      answer.objects.emplace_back();
      answer.objects.back().name = call.name;
      answer.objects.back().running = Running::Absent;
    }
    return answer;
  }
  if (found.containers.empty()) {
    if (call.verb == Verb::Stop || call.verb == Verb::Remove) return done(call);
    return failed(call, Fault::NotFound, "no such container");
  }
  const Container& container = found.containers.front();
  if (container.unseen) return unseen(call, container.node);
  switch (call.verb) {
    case Verb::Start: return start(call, container, until);
    case Verb::Stop: return stop(call, container, until);
    case Verb::Remove: return remove(call, container, until);
    default: break;
  }
  return failed(call, Fault::Refused, "containers cannot be paused over the API");
}

// --- looking -------------------------------------------------------------------------------------

std::optional<ProxmoxEngine::Container> ProxmoxEngine::look(const std::string& node,
                                                            const json::object& row,
                                                            ProxmoxReply& reply,
                                                            Micros until) const {
  Container container;
  container.vmid = static_cast<uint32_t>(number_at(row, "vmid"));
  container.node = node;
  const ProxmoxReply config = api_.ask("GET", path_of(container) + "/config", {}, until);
  if (config.fault == Fault::NotFound) return std::nullopt;  // deleted since it was listed
  if (config.outcome != Outcome::Done || !config.data.is_object()) {
    reply = config;
    return std::nullopt;
  }
  const auto& object = config.data.get_object();
  container.object.name = text_at(object, "hostname");
  const std::string description = text_at(object, "description");
  container.object.labels =
      labels_of([&](std::string_view name) { return line_of(description, name); });
  container.ports = line_of(description, kPorts);
  container.object.running =
      text_at(row, "status") == "running" ? Running::Running : Running::Stopped;
  if (clustered()) container.object.node = node;
  container.lock = text_at(object, "lock");
  return container;
}

ProxmoxEngine::Found ProxmoxEngine::find(const std::string& name, Micros until) const {
  Found found;
  std::vector<std::string> away;
  for (const std::string& node : api_.config().nodes) {
    const ProxmoxReply list = api_.ask("GET", "/nodes/" + node + "/lxc", {}, until);
    if (list.fault == Fault::Unreachable && away.size() + 1 < api_.config().nodes.size()) {
      away.push_back(node);
      continue;
    }
    found.reply = list;
    if (list.outcome != Outcome::Done) return found;
    if (!list.data.is_array()) {
      found.reply = {Outcome::Failed, Fault::Internal, "the list of containers is none", {}};
      return found;
    }
    find_on(node, list.data.get_array(), name, until, found);
    if (found.reply.outcome != Outcome::Done) return found;
  }
  if (clustered()) find_unseen(away, name, until, found);
  std::ranges::sort(found.containers, {}, [](const Container& c) { return c.object.name; });
  return found;
}

void ProxmoxEngine::find_on(const std::string& node, const json::array& rows,
                            const std::string& name, Micros until, Found& found) const {
  for (const auto& row : rows) {
    if (!row.is_object()) continue;
    // The name in the list is the hostname. One that is being made has none yet, or "CT<vmid>".
    const std::string listed = text_at(row.get_object(), "name");
    const bool unnamed = listed.empty() || listed.starts_with("CT");
    if (!unnamed && !name.empty() && listed != name) continue;
    if (!unnamed && name.empty() && !has_tag(row.get_object(), kTag)) continue;
    const auto container = look(node, row.get_object(), found.reply, until);
    if (found.reply.outcome != Outcome::Done) return;
    found.nameless |= container && in_range(container->vmid) && container->object.name.empty() &&
                      !container->lock.empty();
    if (!container || (!name.empty() && container->object.name != name)) continue;
    if (container->object.labels.install == install_)
      found.containers.push_back(*container);
    else
      found.name_of_others = true;
  }
}

// After the nodes' own lists: one that moves meanwhile may be in none of these.
void ProxmoxEngine::find_unseen(const std::vector<std::string>& away, const std::string& name,
                                Micros until, Found& found) const {
  found.reply = api_.ask("GET", "/cluster/resources", {{"type", "vm"}}, until);
  if (found.reply.outcome != Outcome::Done) return;
  if (!found.reply.data.is_array()) {
    found.reply = {Outcome::Failed, Fault::Internal, "the cluster's list is none", {}};
    return;
  }
  const json::array rows = found.reply.data.get_array();
  for (const auto& value : rows) {
    if (!value.is_object()) continue;
    const auto& row = value.get_object();
    Container container;
    container.vmid = static_cast<uint32_t>(number_at(row, "vmid"));
    container.node = text_at(row, "node");
    container.object.node = container.node;
    container.unseen = true;
    const bool answers = std::ranges::find(away, container.node) == away.end();
    found.nameless |= !answers && in_range(container.vmid) && text_at(row, "tags").empty() &&
                      !text_at(row, "lock").empty();
    if (!has_tag(row, install_.hex())) continue;
    for (const std::string& tag : tags_of(row))
      if (tag.starts_with(kNameTag)) container.object.name = tag.substr(kNameTag.size());
    if (!name.empty() && container.object.name != name) continue;
    if (std::ranges::none_of(found.containers, [&](const Container& there) {
          return there.object.name == container.object.name;
        }))
      found.containers.push_back(container);
  }
}

Answer ProxmoxEngine::probe(const Call& call, Micros until) const {
  const ProxmoxConfig& config = api_.config();
  const ProxmoxReply version = api_.ask("GET", "/version", {}, until);
  if (version.outcome != Outcome::Done) return answer_from(call, version);
  std::string message = "Proxmox VE";
  if (version.data.is_object()) message += " " + text_at(version.data.get_object(), "version");
  size_t answering = 0;
  for (const std::string& node : config.nodes) {
    const ProxmoxReply storages =
        api_.ask("GET", "/nodes/" + node + "/storage", {{"content", "rootdir"}}, until);
    if (clustered() && storages.fault == Fault::Unreachable) {
      message += "; " + node + " does not answer";
      continue;
    }
    if (storages.outcome != Outcome::Done) return answer_from(call, storages);
    bool there = false;
    if (storages.data.is_array())
      for (const auto& row : storages.data.get_array())
        there |= row.is_object() && text_at(row.get_object(), "storage") == config.storage;
    if (!there)
      return failed(call, Fault::Refused,
                    "the node " + node + " has no storage " + config.storage +
                        " for containers: name one in proxmox_storage");
    ++answering;
  }
  if (answering == 0) return failed(call, Fault::Unreachable, message);
  if (config.forwarder.empty())
    message += "; no port is published: proxmox.forwarder is not set";
  else if (access(config.forwarder.c_str(), X_OK) != 0)
    return failed(call, Fault::Refused, "cannot run " + config.forwarder.string());
  return done(call, message);
}

ProxmoxEngine::Free ProxmoxEngine::free_on(const std::string& node, Micros until) const {
  Free free;
  const std::string path = "/nodes/" + node;
  const ProxmoxReply status = api_.ask("GET", path + "/status", {}, until);
  free.reply = status;
  if (status.outcome != Outcome::Done) return free;
  const ProxmoxReply storage =
      api_.ask("GET", path + "/storage/" + api_.config().storage + "/status", {}, until);
  free.reply = storage;
  if (storage.outcome != Outcome::Done) return free;
  if (!status.data.is_object() || !storage.data.is_object()) {
    free.reply = {Outcome::Failed, Fault::Internal, "the node's status is none", {}};
    return free;
  }
  const auto part = [&status](const char* key) {
    const auto* value = status.data.get_object().if_contains(key);
    return value != nullptr && value->is_object() ? value->get_object() : json::object();
  };
  free.capacity.cpu_millicores = number_at(part("cpuinfo"), "cpus") * 1000;
  free.capacity.memory_mb = number_at(part("memory"), "free") >> 20;
  free.capacity.storage_gb = number_at(storage.data.get_object(), "avail") >> 30;
  free.shares_storage = number_at(storage.data.get_object(), "shared") == 1;
  return free;
}

// The sum of the nodes that answer.
Answer ProxmoxEngine::capacity(const Call& call, Micros until) const {
  workload::NodeCapacity sum;
  uint64_t shared_gb = 0;
  std::optional<ProxmoxReply> problem;
  bool any = false;
  for (const std::string& node : api_.config().nodes) {
    const Free free = free_on(node, until);
    if (free.reply.outcome != Outcome::Done) {
      problem = free.reply;
      continue;
    }
    any = true;
    sum.cpu_millicores += free.capacity.cpu_millicores;
    sum.memory_mb += free.capacity.memory_mb;
    if (free.shares_storage)
      shared_gb = free.capacity.storage_gb;  // the same for all of them
    else
      sum.storage_gb += free.capacity.storage_gb;
  }
  if (!any) return answer_from(call, *problem);
  sum.storage_gb += shared_gb;
  Answer answer = done(call);
  answer.capacity = sum;
  return answer;
}

// --- making and ending ---------------------------------------------------------------------------

Answer ProxmoxEngine::create(const Call& call, Micros until) {
  const Spec& spec = *call.spec;
  if (spec.labels.install != install_)
    return failed(call, Fault::Invalid, "the spec carries another install");
  if (spec.guarded) return failed(call, Fault::Refused, "containers of Proxmox cannot be guarded");
  if (spec.encrypted) return failed(call, Fault::Refused, "this backend cannot encrypt");
  // Before the look: who makes one of this name is to be seen.
  const std::lock_guard lock(mutations_);
  for (;;) {
    const Found found = find(call.name, until);
    if (found.reply.outcome != Outcome::Done) return answer_from(call, found.reply);
    if (found.name_of_others)
      return failed(call, Fault::Conflict, "another container has this name");
    if (found.containers.empty() && !found.nameless) return make(call, until);
    if (!found.containers.empty()) {
      const Container& there = found.containers.front();
      if (there.unseen) return unseen(call, there.node);
      if (there.object.labels.spec_digest != spec.labels.spec_digest)
        return failed(call, Fault::Conflict, "another object has this name");
      if (there.lock.empty()) break;
    }
    // Being made, perhaps by a call of ours whose answer was lost.
    if (net::Loop::now().mono >= until)
      return failed(call, Fault::Busy, "a container is being made that may be this one");
    std::this_thread::sleep_for(kNextLook);
  }
  Answer answer = done(call, "it was there already");
  answer.serves_ssh = spec.ssh_host_port.has_value() && !api_.config().forwarder.empty();
  return answer;
}

Form ProxmoxEngine::form_of(const Spec& spec, uint32_t vmid) const {
  const ProxmoxConfig& config = api_.config();
  const uint64_t cores = std::max<uint64_t>(1, (spec.cpu_millicores + 999) / 1000);
  Form form{
      {"vmid", std::to_string(vmid)},
      {"hostname", spec.name},
      {"ostemplate", image_of(spec)},
      {"cores", std::to_string(cores)},
      {"cpulimit", processors(spec.cpu_millicores)},
      {"memory", std::to_string(spec.memory_mb)},
      {"swap", "0"},
      {"rootfs", config.storage + ":" + std::to_string(spec.storage_gb)},
      {"net0", "name=eth0,bridge=" + config.bridge + ",ip=dhcp,firewall=1"},
      {"unprivileged", "1"},
      {"onboot", "0"},
      {"start", "0"},
      {"tags", std::string(kTag) + ";" + install_.hex() + ";" + std::string(kNameTag) + spec.name},
      {"description", description_of(spec)}};
  if (!config.pool.empty()) form["pool"] = config.pool;
  if (!spec.root_password.empty()) form["password"] = spec.root_password;
  return form;
}

// `mutations_` is held.
Answer ProxmoxEngine::make(const Call& call, Micros until) {
  const Spec& spec = *call.spec;
  if (image_of(spec).empty())
    return failed(call, Fault::Invalid, "no template is configured for " + spec.image);
  const ProxmoxReply all = api_.ask("GET", "/cluster/resources", {{"type", "vm"}}, until);
  if (all.outcome != Outcome::Done) return answer_from(call, all);
  std::set<uint32_t> taken;
  if (all.data.is_array())
    for (const auto& row : all.data.get_array())
      if (row.is_object()) taken.insert(static_cast<uint32_t>(number_at(row.get_object(), "vmid")));
  // Where most memory is free.
  std::string node = api_.config().nodes.front();
  if (clustered()) {
    std::optional<uint64_t> most;
    for (const std::string& candidate : api_.config().nodes) {
      const Free free = free_on(candidate, until);
      if (free.reply.outcome != Outcome::Done || (most && free.capacity.memory_mb <= *most))
        continue;
      most = free.capacity.memory_mb;
      node = candidate;
    }
    if (!most) return failed(call, Fault::Unreachable, "no node of the cluster answers");
  }
  int tries = 0;
  for (uint32_t vmid = api_.config().vmid_first; vmid <= api_.config().vmid_last; ++vmid) {
    if (taken.contains(vmid)) continue;
    const std::string path = "/nodes/" + node + "/lxc";
    const ProxmoxTask task = api_.perform("POST", path, form_of(spec, vmid), until);
    if (task.outcome == Outcome::Done) {
      Answer answer = done(call, task.message);
      answer.serves_ssh = spec.ssh_host_port.has_value() && !api_.config().forwarder.empty();
      return answer;
    }
    // Nothing reserves a number: somebody else was faster, on this node or another.
    const bool collided = task.fault == Fault::Conflict;
    if (!collided || ++tries >= kNumbersTriedMax) return answer_from(call, task);
  }
  return failed(call, Fault::Quota, "every number of the configured range is in use");
}

Answer ProxmoxEngine::start(const Call& call, const Container& found, Micros until) const {
  if (found.object.running == Running::Running) return forward(call, found, until);
  const ProxmoxTask task = api_.perform("POST", path_of(found) + "/status/start", {}, until);
  // Started by a call whose answer was lost.
  if (task.outcome != Outcome::Done && task.fault != Fault::Conflict)
    return answer_from(call, task);
  return forward(call, found, until);
}

// Asked for again after each start: the container may have got another address.
Answer ProxmoxEngine::forward(const Call& call, const Container& found, Micros until) const {
  const std::string forwarder = api_.config().forwarder.string();
  if (forwarder.empty()) return done(call);
  std::string address;
  while (address.empty() && net::Loop::now().mono < until) {
    const ProxmoxReply reply = api_.ask("GET", path_of(found) + "/interfaces", {}, until);
    if (reply.outcome == Outcome::Done && reply.data.is_array())
      for (const auto& row : reply.data.get_array())
        if (row.is_object() && text_at(row.get_object(), "name") == "eth0")
          address = text_at(row.get_object(), "inet");
    if (address.empty()) std::this_thread::sleep_for(kNextLook);
  }
  if (address.empty()) return answer_to(call, Outcome::Unknown, Fault::None, "it has no address");
  address = address.substr(0, address.find('/'));
  std::istringstream words(found.ports);
  std::string host;
  words >> host;
  for (std::string pair; words >> pair;) {
    const size_t colon = std::min(pair.find(':'), pair.size() - 1);
    const auto result = run_program(
        {forwarder, "add", call.name, host, pair.substr(0, colon), address, pair.substr(colon + 1)},
        kForwarderLimit);
    if (result.status != 0)
      return failed(call, Fault::Internal, "the forwarder failed: " + result.output);
  }
  return done(call);
}

Answer ProxmoxEngine::stop(const Call& call, const Container& found, Micros until) const {
  if (found.object.running != Running::Running) return done(call);
  const ProxmoxTask task =
      api_.perform("POST", path_of(found) + "/status/shutdown",
                   {{"timeout", std::to_string(kShutdownSeconds)}, {"forceStop", "1"}}, until);
  if (task.outcome == Outcome::Done || task.fault == Fault::Conflict) return done(call);
  return answer_from(call, task);
}

Answer ProxmoxEngine::remove(const Call& call, const Container& found, Micros until) {
  const std::string forwarder = api_.config().forwarder.string();
  if (!forwarder.empty()) {
    const auto result = run_program({forwarder, "remove", call.name}, kForwarderLimit);
    if (result.status != 0)
      return failed(call, Fault::Internal, "the forwarder failed: " + result.output);
  }
  const std::lock_guard lock(mutations_);
  // Looked at again under the lock: between the list and now the number may have become another's.
  ProxmoxReply reply;
  reply.outcome = Outcome::Done;
  const auto now = look(found.node, {{"vmid", found.vmid}, {"status", ""}}, reply, until);
  if (reply.outcome != Outcome::Done) return answer_from(call, reply);
  if (now && (now->object.name != call.name || now->object.labels.install != install_))
    return failed(call, Fault::Conflict, "the number is another container's by now");
  if (now) {
    const ProxmoxTask task =
        api_.perform("DELETE", path_of(found),
                     {{"force", "1"}, {"purge", "1"}, {"destroy-unreferenced-disks", "1"}}, until);
    if (task.outcome != Outcome::Done && task.fault != Fault::NotFound)
      return answer_from(call, task);
  }
  // It may have moved since it was found.
  const Found left = find(call.name, until);
  if (left.reply.outcome != Outcome::Done) return answer_from(call, left.reply);
  if (left.containers.empty()) return done(call);
  return answer_to(call, Outcome::Unknown, Fault::None, "it is still listed");
}

}  // namespace paygress::backend
