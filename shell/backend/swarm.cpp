#include "shell/backend/swarm.h"

#include <utility>

#include "shell/backend/shadow.h"

namespace paygress::backend {

using workload::Fault;
using workload::Running;
using workload::Verb;

namespace {

constexpr Micros kSwarmLooksAgain = 200'000_us;
constexpr Micros kSwarmStartSettles = 300'000_us;  // what cannot start has ended by then

bool is_question(Verb verb) {
  return verb == Verb::Probe || verb == Verb::Capacity || verb == Verb::List ||
         verb == Verb::Inspect;
}

// A task of it runs or may come to run.
bool is_on(const SwarmObject& seen) {
  return seen.active || (seen.service && seen.service->wanted && !seen.started);
}

}  // namespace

SwarmBackend::SwarmBackend(net::Loop& loop, DockerConfig config, InstallId install)
    : DockerClient(loop, config.socket, install), config_(std::move(config)) {}

void SwarmBackend::run(const Op& op) {
  with_version(op, [this, op] {
    switch (op->call.verb) {
      case Verb::Probe: return probe(op);
      case Verb::Capacity: return capacity(op);
      case Verb::List:
        return look(op, {}, [this, op](View& view) {
          for (auto& seen : view.objects) op->answer.objects.push_back(std::move(seen.object));
          done(op);
        });
      case Verb::Create: return create(op);
      case Verb::Remove: return remove(op);
      default: break;
    }
    inspect(op, [this, op](const SwarmObject* seen, const SwarmNodes& nodes) {
      const Verb verb = op->call.verb;
      if (verb == Verb::Inspect) {
        workload::Object absent;
        absent.name = op->call.name;
        absent.running = Running::Absent;
        op->answer.objects = {seen ? seen->object : absent};
        return done(op);
      }
      if (!seen && verb == Verb::Stop) return done(op);
      if (!seen) return fail_as(op, Fault::NotFound, "no such service");
      if (verb == Verb::Start) return start(op, *seen, nodes);
      if (verb != Verb::Stop) return fail_as(op, Fault::Refused, "a swarm pauses nothing");
      halt(op, *seen, [this, op] { done(op); });
    });
  });
}

// A manager that finds no majority answers with 5xx, also to what it may have done nevertheless.
void SwarmBackend::fail_from(const Op& op, const net::Answered& answered) {
  const std::string message =
      std::to_string(answered.status) + ": " + docker_message(answered.body);
  if (answered.status >= 500 && is_question(op->call.verb))
    return fail_as(op, Fault::Unreachable, message);
  if (answered.status >= 500) return unknown(op, message);
  const Fault fault = fault_of(answered);
  fail_as(op, fault == Fault::NotFound ? Fault::Internal : fault, message);
}

void SwarmBackend::look(const Op& op, const std::string& name, Looked looked) {
  auto paths = swarm_queries(install_, name);
  paths.push_back("/nodes");  // last: whoever answered before them may not do so any more
  const auto bodies = std::make_shared<std::vector<std::string>>();
  ask_next(op, std::move(paths), bodies, [this, op, bodies, looked = std::move(looked)] {
    auto nodes = parse_swarm_nodes(bodies->back());
    if (!nodes) return fail_as(op, Fault::Internal, to_string(nodes.error()));
    bodies->pop_back();
    auto objects = parse_swarm_objects(*bodies, *nodes);
    if (!objects) return fail_as(op, Fault::Internal, to_string(objects.error()));
    for (auto& seen : *objects) complete(seen.object);
    View view{*std::move(nodes), *std::move(objects)};
    looked(view);
  });
}

void SwarmBackend::ask_next(const Op& op, std::vector<std::string> paths, const Bodies& bodies,
                            Next next) {
  if (bodies->size() == paths.size()) return next();
  const std::string path = paths[bodies->size()];
  send(op, {.method = "GET", .path = path, .body = {}, .on_line = {}},
       [this, op, paths = std::move(paths), bodies,
        next = std::move(next)](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         bodies->push_back(answered.body);
         ask_next(op, paths, bodies, next);
       });
}

void SwarmBackend::inspect(const Op& op, Seen seen) {
  look(op, op->call.name, [op, seen = std::move(seen)](View& view) {
    // The swarm's filter of names takes beginnings, too.
    for (const auto& object : view.objects)
      if (object.object.name == op->call.name) return seen(&object, view.nodes);
    seen(nullptr, view.nodes);
  });
}

void SwarmBackend::complete(workload::Object& object) const {
  const auto member = config_.members.find(object.node);
  if (member == config_.members.end())
    object.node.clear();
  else
    object.address = member->second.address;
}

void SwarmBackend::list_nodes(const Op& op, std::function<void(const SwarmNodes&)> seen) {
  send(op, {.method = "GET", .path = "/nodes", .body = {}, .on_line = {}},
       [this, op, seen = std::move(seen)](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto nodes = parse_swarm_nodes(answered.body);
         if (!nodes) return fail_as(op, Fault::Internal, to_string(nodes.error()));
         seen(*nodes);
       });
}

void SwarmBackend::probe(const Op& op) {
  send(op, {.method = "GET", .path = "/info", .body = {}, .on_line = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto info = parse_docker_info(answered.body);
         const auto swarm = parse_swarm_info(answered.body);
         if (!info) return fail_as(op, Fault::Internal, to_string(info.error()));
         if (!swarm) return fail_as(op, Fault::Internal, to_string(swarm.error()));
         if (!swarm->manager)
           return fail_as(op, Fault::Refused,
                          "docker.members is set, and this engine manages no swarm (`docker swarm "
                          "init`)" +
                              (swarm->error.empty() ? "" : ": " + swarm->error));
         if (swarm->history < 1)
           return fail_as(op, Fault::Refused,
                          "the swarm forgets at once how a task ended: `docker "
                          "swarm update --task-history-limit 5`");
         op->answer.message = "engine " + version_->engine + ", API 1." +
                              std::to_string(version_->minor) +
                              "; disk space and swap are not limited";
         for (const auto& missing : info->missing) op->answer.message += "; " + missing;
         probe_nodes(op);
       });
}

void SwarmBackend::probe_nodes(const Op& op) {
  list_nodes(op, [this, op](const SwarmNodes& nodes) {
    std::map<std::string, bool> found;  // ours, and whether it answers
    std::string unused;
    for (const auto& [id, node] : nodes) {
      if (!is_member(node)) {
        unused += " " + node.name;
        continue;
      }
      bool& answers = found[node.name];
      if (node.ready && std::exchange(answers, true))
        return fail_as(op, Fault::Refused,
                       "two machines of the swarm call themselves " + node.name +
                           ": nobody could tell which has what");
    }
    std::string names;
    for (const auto& [name, member] : config_.members) {
      const auto there = found.find(name);
      names += (names.empty() ? "" : ", ") + name;
      if (there == found.end())
        names += " (is not in the swarm)";
      else if (!there->second)
        names += " (does not answer)";
    }
    if (found.empty())
      return fail_as(op, Fault::Refused,
                     "docker.members names no machine of the swarm; there is:" + unused);
    op->answer.message += "; a swarm of " + names;
    if (!unused.empty())
      op->answer.message +=
          "; not used, because docker.members does not say where they are "
          "reached:" +
          unused;
    done(op);
  });
}

// The sum of the members that answer.
void SwarmBackend::capacity(const Op& op) {
  list_nodes(op, [this, op](const SwarmNodes& nodes) {
    workload::NodeCapacity sum;
    for (const auto& [id, node] : nodes) {
      if (!is_member(node) || !node.ready || !node.active) continue;
      sum.cpu_millicores += node.capacity.cpu_millicores;
      sum.memory_mb += node.capacity.memory_mb;
    }
    op->answer.capacity = sum;
    done(op);
  });
}

void SwarmBackend::create(const Op& op) {
  if (op->call.spec->encrypted) return fail_as(op, Fault::Refused, "a swarm cannot encrypt");
  inspect(op, [this, op](const SwarmObject* seen, const SwarmNodes&) {
    const auto& spec = *op->call.spec;
    if (!seen || seen->object.unfinished) return make(op);
    if (!seen->service) return fail_as(op, Fault::Busy, "one of this name is being removed");
    if (seen->object.labels.spec_digest != spec.labels.spec_digest)
      return fail_as(op, Fault::Conflict, "another spec was made under this name");
    op->answer.serves_ssh = seen->serves_ssh;
    op->answer.message = "it was there already";
    done(op);
  });
}

void SwarmBackend::make(const Op& op) {
  const auto& spec = *op->call.spec;
  if (spec.image.empty())
    return fail_as(op, Fault::Invalid, "no image is known for " + spec.template_slug);
  const Next found = [this, op] {
    const auto& wanted = *op->call.spec;
    op->answer.serves_ssh =
        op->image.serves_ssh && wanted.ssh_host_port && !wanted.root_password.empty();
    op->answer.serves_ssh ? make_secret(op, false) : make_service(op, {});
  };
  // Here it is only looked at: the machine that runs it pulls it for itself.
  look_up_image(op, spec.image, found, [this, op, found] {
    pull(op, op->call.spec->image,
         [this, op, found] { look_up_image(op, op->call.spec->image, found); });
  });
}

// The whole of /etc/shadow: a file that is mounted there cannot be added to.
void SwarmBackend::make_secret(const Op& op, bool again) {
  const std::string hash = shadow_hash(op->call.spec->root_password);
  if (hash.empty()) return fail_as(op, Fault::Internal, "the password cannot be hashed");
  send(op,
       {.method = "POST",
        .path = "/secrets/create",
        .body = swarm_secret_body(*op->call.spec, with_root_hash({}, hash)),
        .on_line = {}},
       [this, op, again](const net::Answered& answered) {
         if (answered.status == 409 && !again) return forget_old_secret(op);
         if (answered.status != 201) return fail_from(op, answered);
         const auto id = parse_docker_id(answered.body);
         if (!id) return fail_as(op, Fault::Internal, to_string(id.error()));
         make_service(op, *id);
       });
}

// Whoever made it died before he made the service.
void SwarmBackend::forget_old_secret(const Op& op) {
  inspect(op, [this, op](const SwarmObject* seen, const SwarmNodes&) {
    if (!seen || seen->secret.empty())
      return fail_as(op, Fault::Conflict, "another secret has this name");
    send(op, {.method = "DELETE", .path = "/secrets/" + seen->secret, .body = {}, .on_line = {}},
         [this, op](const net::Answered& answered) {
           if (answered.status != 204 && answered.status != 404) return fail_from(op, answered);
           make_secret(op, true);
         });
  });
}

void SwarmBackend::make_service(const Op& op, const std::string& secret) {
  const SwarmOptions options{op->image, config_.network, secret};
  send(op,
       {.method = "POST",
        .path = "/services/create",
        .body = swarm_service_body(*op->call.spec, options),
        .on_line = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status == 409)
           return fail_as(op, Fault::Conflict, "another service has this name");
         if (answered.status != 201) return fail_from(op, answered);
         done(op);
       });
}

void SwarmBackend::update(const Op& op, const SwarmService& service, std::string body, Next next) {
  send(op,
       {.method = "POST",
        .path = swarm_update_path(service),
        .body = std::move(body),
        .on_line = {}},
       [this, op, next = std::move(next)](const net::Answered& answered) {
         // It changed since it was looked at: what is true now decides.
         if (docker_message(answered.body).find("out of sequence") != std::string::npos)
           return later(kSwarmLooksAgain, [this, op] { run(op); });
         if (answered.status != 200) return fail_from(op, answered);
         next();
       });
}

void SwarmBackend::start(const Op& op, const SwarmObject& seen, const SwarmNodes& nodes) {
  if (!seen.service) return fail_as(op, Fault::Conflict, "it was never completed");
  if (seen.away) return away(op);
  if (is_on(seen)) return await_start(op);
  std::string node;
  if (const auto last = nodes.find(seen.node); last != nodes.end() && last->second.active) {
    if (!last->second.ready) return away(op);
    node = seen.node;
  }
  std::vector<std::string> avoid;
  for (const auto& [id, other] : nodes)
    if (node.empty() && !is_member(other)) avoid.push_back(id);
  update(op, *seen.service, swarm_update_body(*seen.service, SwarmStep::Start, node, avoid),
         [this, op] { await_start(op); });
}

void SwarmBackend::await_start(const Op& op) {
  inspect(op, [this, op](const SwarmObject* seen, const SwarmNodes&) {
    if (!seen) return fail_as(op, Fault::NotFound, "it was removed");
    if (!seen->service) return fail_as(op, Fault::Internal, "its service was removed");
    if (seen->away) return away(op);
    if (seen->object.running == Running::Running && seen->object.node.empty())
      return withdraw(op, *seen, "its machine is none of docker.members");
    if (seen->object.running == Running::Running)
      return later(kSwarmStartSettles, [this, op] { confirm_start(op); });
    if (!is_on(*seen)) return fail_start(op, *seen);
    const bool nowhere = seen->active && seen->object.running == Running::Stopped;
    if (nowhere && !seen->problem.empty()) return withdraw(op, *seen, seen->problem);
    later(kSwarmLooksAgain, [this, op] { await_start(op); });
  });
}

// "Started" is also said of what ends at once; a paid workload that does is not running.
void SwarmBackend::confirm_start(const Op& op) {
  inspect(op, [this, op](const SwarmObject* seen, const SwarmNodes&) {
    if (!seen) return fail_as(op, Fault::NotFound, "it was removed");
    if (seen->object.running == Running::Stopped) return fail_start(op, *seen);
    done(op);
  });
}

void SwarmBackend::fail_start(const Op& op, const SwarmObject& seen) {
  const bool port = says_port_taken(seen.problem);
  fail_as(op, port ? Fault::PortTaken : Fault::Internal, "it ended at once: " + seen.problem);
}

void SwarmBackend::withdraw(const Op& op, const SwarmObject& seen, const std::string& why) {
  update(op, *seen.service, swarm_update_body(*seen.service, SwarmStep::Halt, seen.node),
         [this, op, why] {
           const bool port = why.find("port already in use") != std::string::npos;
           fail_as(op, port ? Fault::PortTaken : Fault::Quota, why);
         });
}

void SwarmBackend::halt(const Op& op, const SwarmObject& seen, Next halted) {
  if (seen.away) return away(op);
  if (!is_on(seen)) return halted();
  if (!seen.service || !seen.service->wanted) return await_halt(op, std::move(halted));
  update(op, *seen.service, swarm_update_body(*seen.service, SwarmStep::Halt, seen.node),
         [this, op, halted = std::move(halted)] { await_halt(op, halted); });
}

void SwarmBackend::await_halt(const Op& op, Next halted) {
  inspect(op, [this, op, halted = std::move(halted)](const SwarmObject* seen, const SwarmNodes&) {
    if (!seen || (!seen->away && !is_on(*seen))) return halted();
    if (seen->away) return away(op);
    later(kSwarmLooksAgain, [this, op, halted] { await_halt(op, halted); });
  });
}

// One part after the other, until a look finds nothing.
void SwarmBackend::remove(const Op& op) {
  inspect(op, [this, op](const SwarmObject* seen, const SwarmNodes&) {
    if (!seen) return done(op);
    if (seen->away || is_on(*seen)) return halt(op, *seen, [this, op] { remove(op); });
    if (seen->service) return erase(op, "/services/" + seen->service->id);
    erase(op, "/secrets/" + seen->secret);
  });
}

void SwarmBackend::erase(const Op& op, const std::string& path) {
  send(op, {.method = "DELETE", .path = path, .body = {}, .on_line = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status / 100 != 2 && answered.status != 404) return fail_from(op, answered);
         later(kSwarmLooksAgain, [this, op] { remove(op); });
       });
}

}  // namespace paygress::backend
