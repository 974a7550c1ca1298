#include "shell/backend/docker.h"

#include <sys/statvfs.h>

#include <utility>

#include "shell/backend/guard_group.h"
#include "shell/backend/volume_key.h"

namespace paygress::backend {

using workload::Fault;
using workload::Running;
using workload::Verb;

namespace {

constexpr Micros kLookAgain = 100'000_us;
constexpr unsigned kVolumeLanes = 4;
constexpr Micros kStartSettles = 300'000_us;  // a process that cannot start has ended by then

}  // namespace

DockerBackend::DockerBackend(net::Loop& loop, DockerConfig config, InstallId install)
    : DockerClient(loop, config.socket, install), config_(std::move(config)) {
  if (config_.volume_directory.empty()) return;
  pool_ = std::make_unique<net::WorkerPool>(loop, kVolumeLanes);
  for (unsigned i = 0; i < kVolumeLanes; ++i)
    lanes_.push_back(pool_->make_queue(net::WorkerPool::Order::Serial, kCallsOutstandingMax));
}

void DockerBackend::listen(Hear hear) {
  events_ = std::make_unique<DockerEvents>(loop_, config_.socket, install_, std::move(hear));
}

void DockerBackend::fail_from(const Op& op, const net::Answered& answered) {
  const std::string message = docker_message(answered.body);
  Fault fault = fault_of(answered);
  // A network or a volume that is gone is no proof that the container is.
  if (fault == Fault::NotFound && message.find("No such container") == message.npos) {
    fault = Fault::Internal;
    network_id_.clear();
  }
  fail_as(op, fault, std::to_string(answered.status) + ": " + message);
}

void DockerBackend::run(const Op& op) {
  with_version(op, [this, op] {
    switch (op->call.verb) {
      case Verb::Probe: return probe(op);
      case Verb::Capacity: return capacity(op);
      case Verb::List: return list(op);
      case Verb::Create: return create(op);
      default: break;
    }
    inspect(op, op->call.name, [this, op](const DockerContainer* container) {
      const Verb verb = op->call.verb;
      if (!container) return answer_absent(op);
      if (verb == Verb::Inspect) {
        op->answer.objects = {container->object};
        return done(op);
      }
      const std::string& group = container->guard_group;
      if (const auto why = group.empty() ? std::string() : guard_forbids(verb, group); !why.empty())
        return fail_as(op, Fault::Busy, why);
      if (verb == Verb::Start) return start(op, *container);
      change(op, *container);
    });
  });
}

void DockerBackend::answer_absent(const Op& op) {
  const Verb verb = op->call.verb;
  if (verb == Verb::Stop) return done(op);
  if (verb == Verb::Remove) return remove_volume(op, [this, op] { tidy_network(op); });
  find_volume(op, [this, op, verb](const workload::Object* volume) {
    workload::Object absent;
    absent.name = op->call.name;
    absent.running = Running::Absent;
    op->answer.objects = {volume ? *volume : absent};
    if (verb == Verb::Inspect) return done(op);
    if (volume) return fail_as(op, Fault::Conflict, "its create did not come to its end");
    fail_as(op, Fault::NotFound, "no such container");
  });
}

void DockerBackend::inspect(const Op& op, const std::string& name, Seen seen) {
  send(op, {.method = "GET", .path = container_path(name) + "/json", .body = {}, .on_line = {}},
       [this, op, seen = std::move(seen)](const net::Answered& answered) {
         if (answered.status == 404) return seen(nullptr);
         if (answered.status != 200) return fail_from(op, answered);
         auto container = parse_docker_container(answered.body);
         if (!container) return fail_as(op, Fault::Internal, to_string(container.error()));
         if (!container->guard_group.empty() && group_stands(container->guard_group) &&
             container->object.running == Running::Running)
           container->frozen_by_guard = true;
         if (container->frozen_by_guard) container->object.running = Running::Paused;
         const bool ours = container->object.labels.install == install_;
         if (!ours && op->call.verb == Verb::Create)
           return fail_as(op, Fault::Conflict, "another container has this name");
         seen(ours ? &*container : nullptr);
       });
}

void DockerBackend::probe(const Op& op) {
  send(op, {.method = "GET", .path = "/info", .body = {}, .on_line = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         const auto info = parse_docker_info(answered.body);
         if (!info) return fail_as(op, Fault::Internal, to_string(info.error()));
         tell_probe(op, *info);
       });
}

void DockerBackend::tell_probe(const Op& op, const DockerInfo& info) {
  op->answer.message = "engine " + version_->engine + ", API 1." + std::to_string(version_->minor) +
                       "; disk space is not limited";
  for (const auto& missing : info.missing) op->answer.message += "; " + missing;
  const auto tell = [this, op, told = std::make_shared<bool>(false)](const Result<void>& works) {
    if (std::exchange(*told, true)) return;
    if (works)
      op->answer.encrypts = workload::Encrypts::Data;
    else
      op->answer.message += "; no volume is encrypted: " + to_string(works.error());
    done(op);
  };
  if (!has_volumes()) return tell(fail("no directory for volumes is configured"));
  auto tried = std::make_shared<Result<void>>();
  const Work attempt = [tried, keys = config_.key_directory, install = install_,
                        directory = config_.volume_directory]() -> Result<void> {
    *tried = open_key_directory(keys);
    if (*tried) *tried = try_luks(directory, keys, install);
    return {};
  };
  work_on(op, Fault::Internal, attempt, [tell, tried] { tell(*tried); });
  // What hangs there is no reason to do without the engine.
  later(Micros{time_left(op).value / 2}, [tell] { tell(fail("trying it takes too long")); });
}

void DockerBackend::capacity(const Op& op) {
  send(op, {.method = "GET", .path = "/info", .body = {}, .on_line = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         auto info = parse_docker_info(answered.body);
         if (!info) return fail_as(op, Fault::Internal, to_string(info.error()));
         struct statvfs disk{};
         // The socket is local, so the engine's directory usually is too.
         if (statvfs(info->root_dir.c_str(), &disk) == 0)
           info->capacity.storage_gb = uint64_t{disk.f_bavail} * disk.f_frsize >> 30;
         op->answer.capacity = info->capacity;
         done(op);
       });
}

void DockerBackend::list(const Op& op) {
  send(op,
       {.method = "GET",
        .path = "/containers/json?all=1&filters=" + install_filter(install_),
        .body = {},
        .on_line = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 200) return fail_from(op, answered);
         auto names = parse_docker_names(answered.body);
         if (!names) return fail_as(op, Fault::Internal, to_string(names.error()));
         op->names.assign(names->rbegin(), names->rend());
         list_next(op);
       });
}

// The list says neither when a container stopped nor how: each one is asked.
void DockerBackend::list_next(const Op& op) {
  if (op->names.empty()) return list_volumes(op);
  const std::string name = op->names.back();
  op->names.pop_back();
  inspect(op, name, [this, op](const DockerContainer* container) {
    if (container) op->answer.objects.push_back(container->object);
    list_next(op);
  });
}

void DockerBackend::start(const Op& op, const DockerContainer& container) {
  if (container.object.running == Running::Paused)
    return fail_as(op, Fault::Conflict, "it is paused: resume it");
  if (container.object.running == Running::Running) return done(op);
  with_open_volume(op, container.object.labels.lease, [this, op] { start_container(op); });
}

void DockerBackend::start_container(const Op& op) {
  send(op,
       {.method = "POST",
        .path = container_path(op->call.name) + "/start",
        .body = {},
        .on_line = {}},
       [this, op](const net::Answered& answered) {
         if (answered.status != 204 && answered.status != 304) return fail_from(op, answered);
         // "Started" is also said of what ends at once; a paid workload that does is not running.
         later(kStartSettles, [this, op] {
           inspect(op, op->call.name, [this, op](const DockerContainer* after) {
             if (!after) return fail_as(op, Fault::NotFound, "it was removed");
             if (after->object.running != Running::Stopped) return done(op);
             fail_as(op, Fault::Internal,
                     "it ended at once with exit code " +
                         std::to_string(after->object.exit_code.value_or(-1)));
           });
         });
       });
}

// Pause, Resume, Stop and Remove of a container that is there.
void DockerBackend::change(const Op& op, const DockerContainer& container) {
  const Verb verb = op->call.verb;
  const Running running = container.object.running;
  // What the guard froze is no business of the engine's own freezer.
  const bool paused = running == Running::Paused && !container.frozen_by_guard;
  if (verb == Verb::Pause || verb == Verb::Resume) {
    if (running == Running::Stopped) return fail_as(op, Fault::Conflict, "it does not run");
    if (paused == (verb == Verb::Pause)) return done(op);
  }
  const auto carry_on = [this, op, verb] {
    if (verb == Verb::Stop) return stop(op);
    if (verb == Verb::Remove) return remove(op);
    done(op);
  };
  // A paused container takes no signal, so stop and remove resume it first.
  if (verb != Verb::Pause && !paused) return carry_on();
  const std::string action = verb == Verb::Pause ? "/pause" : "/unpause";
  send(
      op,
      {.method = "POST", .path = container_path(op->call.name) + action, .body = {}, .on_line = {}},
      [this, op, carry_on](const net::Answered& answered) {
        if (answered.status != 204) return fail_from(op, answered);
        carry_on();
      });
}

void DockerBackend::stop(const Op& op) {
  send(op,
       {.method = "POST",
        .path = container_path(op->call.name) + "/stop?t=10",
        .body = {},
        .on_line = {}},
       [this, op](const net::Answered& answered) {
         const bool stopped = answered.status == 204 || answered.status == 304;
         if (!stopped && answered.status != 404) return fail_from(op, answered);
         confirm_stopped(op, false);
       });
}

// The engine's word that it stopped is not believed: what goes on running goes on costing.
void DockerBackend::confirm_stopped(const Op& op, bool killed) {
  inspect(op, op->call.name, [this, op, killed](const DockerContainer* container) {
    if (!container || container->object.running == Running::Stopped) return done(op);
    if (killed) return later(kLookAgain, [this, op] { confirm_stopped(op, true); });
    log_.warn("{} runs after it was stopped: killing it", op->call.name);
    send(op,
         {.method = "POST",
          .path = container_path(op->call.name) + "/kill?signal=KILL",
          .body = {},
          .on_line = {}},
         [this, op](const net::Answered& answered) {
           // 409: it has ended meanwhile.
           if (answered.status != 204 && answered.status != 404 && answered.status != 409)
             return fail_from(op, answered);
           confirm_stopped(op, true);
         });
  });
}

void DockerBackend::remove(const Op& op) {
  send(op,
       {.method = "DELETE",
        .path = container_path(op->call.name) + "?force=1&v=1",
        .body = {},
        .on_line = {}},
       [this, op](const net::Answered& answered) {
         // 409: somebody's removal is under way; whether it succeeds is seen below.
         if (answered.status != 204 && answered.status != 404 && answered.status != 409)
           return fail_from(op, answered);
         confirm_removed(op);
       });
}

void DockerBackend::confirm_removed(const Op& op) {
  inspect(op, op->call.name, [this, op](const DockerContainer* container) {
    if (!container) return remove_volume(op, [this, op] { tidy_network(op); });
    later(kLookAgain, [this, op] { confirm_removed(op); });
  });
}

}  // namespace paygress::backend
