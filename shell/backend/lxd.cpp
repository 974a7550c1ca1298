#include "shell/backend/lxd.h"

#include <algorithm>
#include <utility>

#include "shell/backend/docker_json.h"

namespace paygress::backend {

using workload::Fault;
using workload::Running;
using workload::Verb;

namespace {

constexpr size_t kReplyBytesMax = size_t{32} << 20;
constexpr Micros kLookAgain = 200'000_us;
constexpr Micros kStartSettles = 300'000_us;  // an init that cannot start has ended by then
constexpr Seconds kWaitAtOnce{20};            // of one question for an operation's end
constexpr Seconds kStopPatience{10};
constexpr Seconds kStatePatience{30};

Fault fault_of(int status) {
  switch (status) {
    case 400: return Fault::Invalid;
    case 401:
    case 403: return Fault::Refused;
    case 404: return Fault::NotFound;
    case 409: return Fault::Conflict;
    case 412:
    case 503: return Fault::Busy;
    default: return Fault::Internal;
  }
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

std::string lxd_instance_path(std::string_view name) {
  return "/1.0/instances/" + url_encode(name);
}

LxdBackend::LxdBackend(net::Loop& loop, LxdConfig config, InstallId install)
    : EngineClient(loop, install), config_(std::move(config)) {}

void LxdBackend::run(const Op& op) {
  with_project(op, [this, op] {
    switch (op->call.verb) {
      case Verb::Probe: return probe(op);
      case Verb::Capacity: return capacity(op);
      case Verb::List: return list(op);
      case Verb::Create: return create(op);
      default: break;
    }
    inspect(op, [this, op](const LxdInstance* instance) {
      const Verb verb = op->call.verb;
      if (verb == Verb::Inspect) {
        workload::Object absent;
        absent.name = op->call.name;
        absent.running = Running::Absent;
        op->answer.objects = {instance ? instance->object : absent};
        return done(op);
      }
      if (!instance && (verb == Verb::Stop || verb == Verb::Remove)) return done(op);
      if (!instance) return fail_as(op, Fault::NotFound, "no such instance");
      act_on(op, *instance);
    });
  });
}

void LxdBackend::fail_from(const Op& op, const net::Answered& answered) {
  const std::string error = lxd_message(answered.body);
  if (is_busy(error)) return again(op);
  fail_as(op, is_away(answered) ? Fault::Unreachable : fault_of(answered.status),
          std::to_string(answered.status) + ": " + error);
}

// Only a cluster's member can be: what a lone server could not reach is something else.
bool LxdBackend::is_away(const net::Answered& answered) const {
  return has_members() && is_lxd_member_away(lxd_message(answered.body));
}

// Of an operation: LXD gives no numbers there, so its words decide what can.
void LxdBackend::fail_with(const Op& op, const std::string& error) {
  if (is_busy(error)) return again(op);
  Fault fault = Fault::Internal;
  // The proxy of a port that is taken ends at once, and LXD may only see that it is gone.
  if (has(error, "address already in use") || has(error, "starting proxy device"))
    fault = Fault::PortTaken;
  if (has(error, "no space left") || has(error, "quota")) fault = Fault::Quota;
  fail_as(op, fault, error);
}

bool LxdBackend::is_busy(const std::string& error) const {
  return has(error, "Instance is busy") || has(error, "instance is busy");
}

void LxdBackend::again(const Op& op) {
  later(kLookAgain, [this, op] {
    if (time_left(op) <= 0_us) return unknown(op, "the instance stayed busy");
    run(op);
  });
}

void LxdBackend::send(const Op& op, Request request, Handler handler) {
  net::HttpCall http;
  http.method = request.method;
  http.url = "http://lxd" + request.path;
  if (request.scope == Scope::Project)
    http.url += (has(request.path, "?") ? "&project=" : "?project=") + url_encode(config_.project);
  http.unix_socket = config_.socket.string();
  http.headers = std::move(request.headers);
  const auto is_type = [](const auto& header) { return header.first == "Content-Type"; };
  if (!request.body.empty() && std::ranges::none_of(http.headers, is_type))
    http.headers.emplace_back("Content-Type", "application/json");
  http.body = std::move(request.body);
  http.response_bytes_max = kReplyBytesMax;
  exchange(op, std::move(http), std::move(handler));
}

void LxdBackend::with_project(const Op& op, Next next) {
  if (ready_ && op->call.verb != Verb::Probe) return next();
  const auto make = [this, op, next] {
    send(op,
         {.method = "POST",
          .path = "/1.0/projects",
          .body = lxd_project_body(config_.project),
          .scope = Scope::Server},
         [this, op, next](const net::Answered& answered) {
           // 409 or 400: somebody was faster.
           const bool there = has(lxd_message(answered.body), "already exists");
           if (answered.status / 100 != 2 && !there) return fail_from(op, answered);
           ready_ = true;
           next();
         });
  };
  const auto look = [this, op, next, make] {
    send(op,
         {.method = "GET",
          .path = "/1.0/projects/" + url_encode(config_.project),
          .body = {},
          .scope = Scope::Server},
         [this, op, next, make](const net::Answered& answered) {
           if (answered.status == 404) return make();
           if (answered.status != 200) return fail_from(op, answered);
           ready_ = true;
           next();
         });
  };
  send(op, {.method = "GET", .path = "/1.0", .body = {}, .scope = Scope::Server},
       [this, op, look](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto server = parse_lxd_server(answered.body);
         if (!server) return fail_as(op, Fault::Internal, to_string(server.error()));
         if (!server->trusted)
           return fail_as(op, Fault::Refused,
                          "the server does not trust us: the provider's user "
                          "must be in the group of its socket");
         op->answer.message = "LXD " + server->version;
         clustered_ = server->clustered;
         look();
       });
}

void LxdBackend::operate(const Op& op, Request request, Ended ended) {
  send(op, std::move(request), [this, op, ended = std::move(ended)](const net::Answered& answered) {
    // It passed on to a member what it was asked, and does not know what became of that.
    if (answered.status / 100 == 5 && is_away(answered))
      return unknown(op, lxd_message(answered.body));
    if (answered.status != 202) return fail_from(op, answered);
    const auto path = parse_lxd_started(answered.body);
    if (!path) return fail_as(op, Fault::Internal, to_string(path.error()));
    wait_for(op, *path, ended);
  });
}

void LxdBackend::wait_for(const Op& op, const std::string& path, Ended ended) {
  const int64_t wait = std::min(kWaitAtOnce.value, time_left(op).value / 1'000'000);
  send(op,
       {.method = "GET",
        .path = path + "/wait?timeout=" + std::to_string(std::max<int64_t>(wait, 0)),
        .body = {}},
       [this, op, path, ended = std::move(ended)](const net::Answered& answered) {
         // The server forgot it: it was started anew, or took minutes to be asked.
         if (answered.status == 404) return unknown(op, "the server lost the operation");
         if (answered.status != 200 && is_away(answered))
           return unknown(op, lxd_message(answered.body));
         if (answered.status != 200) return fail_from(op, answered);
         const auto operation = parse_lxd_operation(answered.body);
         if (!operation) return fail_as(op, Fault::Internal, to_string(operation.error()));
         if (operation->state == LxdOperation::State::UnderWay) return wait_for(op, path, ended);
         ended(*operation);
       });
}

void LxdBackend::after_others(const Op& op, Next next) {
  send(op, {.method = "GET", .path = "/1.0/operations?recursion=1", .body = {}},
       [this, op, next](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto operations = parse_lxd_operations(answered.body);
         if (!operations) return fail_as(op, Fault::Internal, to_string(operations.error()));
         for (const auto& other : *operations)
           if (std::ranges::find(other.instances, op->call.name) != other.instances.end())
             return wait_for(op, other.path, [this, op](const LxdOperation&) { run(op); });
         next();
       });
}

void LxdBackend::inspect(const Op& op, Seen seen) {
  send(op, {.method = "GET", .path = lxd_instance_path(op->call.name), .body = {}},
       [this, op, seen = std::move(seen)](const net::Answered& answered) {
         if (answered.status == 404) return seen(nullptr);
         if (answered.status != 200) return fail_from(op, answered);
         auto instance = parse_lxd_instance(answered.body);
         if (!instance) return fail_as(op, Fault::Internal, to_string(instance.error()));
         complete(instance->object);
         const bool ours = instance->object.labels.install == install_;
         if (!ours && op->call.verb == Verb::Create)
           return fail_as(op, Fault::Conflict, "another instance has this name");
         seen(ours ? &*instance : nullptr);
       });
}

void LxdBackend::complete(workload::Object& object) const {
  const auto member = config_.members.find(object.node);
  if (member == config_.members.end())
    object.node.clear();
  else
    object.address = member->second.address;
}

void LxdBackend::probe(const Op& op) {
  send(op, {.method = "GET", .path = "/1.0/storage-pools", .body = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto pools = parse_lxd_paths(answered.body);
         if (!pools) return fail_as(op, Fault::Internal, to_string(pools.error()));
         if (pools->empty())
           return fail_as(op, Fault::Refused, "there is no storage pool: run `lxd init`");
         op->options.pool = config_.pool.empty() ? pools->front() : config_.pool;
         probe_pool(op);
       });
}

void LxdBackend::probe_pool(const Op& op) {
  send(op,
       {.method = "GET", .path = "/1.0/storage-pools/" + url_encode(op->options.pool), .body = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status == 404)
           return fail_as(
               op, Fault::Refused,
               "there is no storage pool " + op->options.pool + ": name one in lxd.pool");
         if (answered.status != 200) return fail_from(op, answered);
         const auto driver = parse_lxd_pool_driver(answered.body);
         if (!driver) return fail_as(op, Fault::Internal, to_string(driver.error()));
         op->answer.message += ", pool " + op->options.pool + " (" + *driver + ")";
         if (*driver == "dir" || *driver == "cephfs")
           op->answer.message += "; disk space is not limited";
         probe_network(op);
       });
}

void LxdBackend::probe_network(const Op& op) {
  if (config_.network.empty()) {
    op->answer.message += "; workloads have no network card";
    return probe_members(op);
  }
  send(op, {.method = "GET", .path = "/1.0/networks/" + url_encode(config_.network), .body = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status == 404)
           return fail_as(op, Fault::Refused,
                          "there is no network " + config_.network +
                              ": run `lxd init`, or name one in lxd.network");
         if (answered.status != 200) return fail_from(op, answered);
         probe_members(op);
       });
}

// What lands on a member whose address is not known could not be told to its buyer.
void LxdBackend::probe_members(const Op& op) {
  if (clustered_ != has_members())
    return fail_as(op, Fault::Refused,
                   clustered_ ? "the server is in a cluster: name its members in lxd.members"
                              : "the server is in no cluster: take lxd.members out");
  if (!clustered_) return done(op);
  send(op,
       {.method = "GET",
        .path = "/1.0/cluster/members?recursion=1",
        .body = {},
        .scope = Scope::Server},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto members = parse_lxd_members(answered.body);
         if (!members) return fail_as(op, Fault::Internal, to_string(members.error()));
         std::string names;
         for (const LxdMember& member : *members) {
           if (member.placed_on && !config_.members.contains(member.name))
             return fail_as(op, Fault::Refused,
                            "lxd.members does not say where " + member.name +
                                " is reached: name it there, or have nothing placed on it (`lxc "
                                "cluster set " +
                                member.name + " scheduler.instance manual`)");
           names += (names.empty() ? "" : ", ") + member.name +
                    (member.online ? "" : " (does not answer)");
         }
         op->answer.message += "; a cluster of " + names;
         done(op);
       });
}

void LxdBackend::capacity(const Op& op) {
  op->answer.capacity = workload::NodeCapacity{};
  op->members = {""};
  if (has_members()) op->members.clear();
  for (const auto& [name, member] : config_.members) op->members.push_back(name);
  find_pool(op);
}

// The sum of the members that answer.
void LxdBackend::capacity_of_next(const Op& op) {
  if (op->members.empty()) return done(op);
  const std::string name = op->members.back();
  op->members.pop_back();
  const std::string target = name.empty() ? "" : "?target=" + url_encode(name);
  send(op, {.method = "GET", .path = "/1.0/resources" + target, .body = {}, .scope = Scope::Server},
       [this, op, name, target](const net::Answered& answered) {
         if (answered.status != 200 && is_away(answered)) {
           log_.warn("{} does not answer: what it has is not counted", name);
           return capacity_of_next(op);
         }
         if (answered.status != 200) return fail_from(op, answered);
         const auto node = parse_lxd_resources(answered.body);
         if (!node) return fail_as(op, Fault::Internal, to_string(node.error()));
         op->answer.capacity->cpu_millicores += node->cpu_millicores;
         op->answer.capacity->memory_mb += node->memory_mb;
         free_space(op, target, [this, op] { capacity_of_next(op); });
       });
}

void LxdBackend::free_space(const Op& op, const std::string& target, Next next) {
  send(op,
       {.method = "GET",
        .path = "/1.0/storage-pools/" + url_encode(op->options.pool) + "/resources" + target,
        .body = {}},
       [this, op, next = std::move(next)](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto free_gb = parse_lxd_free_gb(answered.body);
         if (!free_gb) return fail_as(op, Fault::Internal, to_string(free_gb.error()));
         op->answer.capacity->storage_gb += *free_gb;
         next();
       });
}

void LxdBackend::list(const Op& op) {
  send(op, {.method = "GET", .path = "/1.0/instances?recursion=1", .body = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         auto instances = parse_lxd_instances(answered.body);
         if (!instances) return fail_as(op, Fault::Internal, to_string(instances.error()));
         for (auto& instance : *instances) {
           if (instance.seen && instance.object.labels.install != install_) continue;
           complete(instance.object);
           op->answer.objects.push_back(std::move(instance.object));
         }
         done(op);
       });
}

// Start, Pause, Resume, Stop and Remove of an instance that is there.
void LxdBackend::act_on(const Op& op, const LxdInstance& instance) {
  const Verb verb = op->call.verb;
  const Running running = instance.object.running;
  if (verb == Verb::Stop || verb == Verb::Remove) {
    if (verb == Verb::Stop && running == Running::Stopped) return done(op);
    const bool halt = verb == Verb::Stop && running == Running::Running;
    return after_others(op, [this, op, halt, verb] {
      if (halt) return stop(op);
      if (verb == Verb::Remove) return remove(op);
      // Frozen, or in a state that only a hard stop ends: nothing in it would hear a signal.
      change_state(op, LxdAction::Kill, [this, op] { confirm_stopped(op, true); });
    });
  }
  // Its state is on its way to another: what is true then decides.
  if (running == Running::Unknown) return again(op);
  const bool paused = running == Running::Paused;
  if (verb == Verb::Start) {
    if (paused) return fail_as(op, Fault::Conflict, "it is paused: resume it");
    if (running == Running::Running) return done(op);
    if (!instance.prepared) return fail_as(op, Fault::Conflict, "it was never completed");
    return after_others(op, [this, op] { start(op); });
  }
  if (running == Running::Stopped) return fail_as(op, Fault::Conflict, "it does not run");
  if (paused == (verb == Verb::Pause)) return done(op);
  change_state(op, verb == Verb::Pause ? LxdAction::Freeze : LxdAction::Unfreeze,
               [this, op] { done(op); });
}

void LxdBackend::change_state(const Op& op, LxdAction action, Next next) {
  const Seconds patience = action == LxdAction::Stop ? kStopPatience : kStatePatience;
  operate(op,
          {.method = "PUT",
           .path = lxd_instance_path(op->call.name) + "/state",
           .body = lxd_state_body(action, patience)},
          [this, op, action, next = std::move(next)](const LxdOperation& ended) {
            if (ended.state == LxdOperation::State::Success) return next();
            // It did not stop by itself in time: it is not asked again.
            if (action == LxdAction::Stop && !is_busy(ended.error)) {
              log_.info("{} did not stop when asked ({}): killing it", op->call.name, ended.error);
              return change_state(op, LxdAction::Kill, next);
            }
            if (action == LxdAction::Kill && has(ended.error, "already stopped")) return next();
            if (action == LxdAction::Start && has(ended.error, "already running")) return next();
            fail_with(op, ended.error);
          });
}

void LxdBackend::start(const Op& op) {
  change_state(op, LxdAction::Start, [this, op] {
    // "Started" is also said of what ends at once; a paid workload that does is not running.
    later(kStartSettles, [this, op] {
      inspect(op, [this, op](const LxdInstance* after) {
        if (!after) return fail_as(op, Fault::NotFound, "it was removed");
        if (after->object.running == Running::Stopped)
          return fail_as(op, Fault::Internal, "it ended at once");
        done(op);
      });
    });
  });
}

void LxdBackend::stop(const Op& op) {
  change_state(op, LxdAction::Stop, [this, op] { confirm_stopped(op, false); });
}

// The server's word that it stopped is not believed: what goes on running goes on costing.
void LxdBackend::confirm_stopped(const Op& op, bool killed) {
  inspect(op, [this, op, killed](const LxdInstance* instance) {
    if (!instance || instance->object.running == Running::Stopped) return done(op);
    if (killed || instance->object.running == Running::Unknown)
      return later(kLookAgain, [this, op, killed] { confirm_stopped(op, killed); });
    log_.warn("{} runs after it was stopped: killing it", op->call.name);
    change_state(op, LxdAction::Kill, [this, op] { confirm_stopped(op, true); });
  });
}

void LxdBackend::remove(const Op& op) {
  inspect(op, [this, op](const LxdInstance* instance) {
    if (!instance) return done(op);
    if (instance->object.running != Running::Stopped)
      return change_state(op, LxdAction::Kill,
                          [this, op] { later(kLookAgain, [this, op] { remove(op); }); });
    operate(op, {.method = "DELETE", .path = lxd_instance_path(op->call.name), .body = {}},
            [this, op](const LxdOperation& ended) {
              if (ended.state != LxdOperation::State::Success) return fail_with(op, ended.error);
              confirm_removed(op);
            });
  });
}

void LxdBackend::confirm_removed(const Op& op) {
  inspect(op, [this, op](const LxdInstance* instance) {
    if (!instance) return done(op);
    later(kLookAgain, [this, op] { confirm_removed(op); });
  });
}

}  // namespace paygress::backend
