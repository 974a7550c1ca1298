#include "shell/backend/sandbox_engine.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "core/base/check.h"
#include "shell/backend/calls.h"
#include "shell/backend/guard_group.h"
#include "shell/backend/machine.h"
#include "shell/backend/port_check.h"
#include "shell/backend/run_program.h"
#include "shell/backend/sandbox_command.h"
#include "shell/backend/sandbox_files.h"
#include "shell/backend/sandbox_layout.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::Labels;
using workload::Object;
using workload::Outcome;
using workload::Running;
using workload::Verb;

constexpr uint64_t kPidsMax = 512;
constexpr auto kProbeLimit = 10s;
constexpr auto kStartLimit = 20s;        // until the supervisor has made the sandbox
constexpr auto kListenLimit = 10s;       // until the workload listens on its ports
constexpr auto kStopLimit = 14s;         // the supervisor's grace, and time for it to write down
constexpr auto kKillLimit = 5s;
constexpr size_t kLogTailBytes = 400;

Answer done(const Call& call, std::string message = {}) {
  return answer_to(call, Outcome::Done, Fault::None, std::move(message));
}
Answer failed(const Call& call, Fault fault, std::string message) {
  return answer_to(call, Outcome::Failed, fault, std::move(message));
}

std::string log_tail(const fs::path& state) {
  std::string log = read_small_file(state / kLogFile);
  if (log.size() > kLogTailBytes) log.erase(0, log.size() - kLogTailBytes);
  return log;
}

// The run that is under way, also when its supervisor has not written it down yet.
std::optional<Run> current_run(const fs::path& state) {
  std::optional<Run> run;
  wait_until([&] { return (run = read_run(state)) || !is_locked(state); }, kKillLimit);
  return is_locked(state) ? run : std::nullopt;
}

}  // namespace

SandboxEngine::SandboxEngine(SandboxConfig config, InstallId install, SandboxHost host)
    : config_(std::move(config)), install_(install), host_(std::move(host)) {
  PG_CHECK(config_.root.is_absolute() && config_.supervisor.is_absolute());
  std::error_code error;
  fs::create_directories(config_.root, error);
  fs::permissions(config_.root, fs::perms::owner_all, error);
  sweep_leftovers(config_.root);
}

fs::path SandboxEngine::state(const std::string& name) const {
  return config_.root / name / "state";
}

// A guarded one's freezer group is inside the guard's, so the guard's freezing reaches it.
CgroupHost SandboxEngine::cgroups(const StoredObject& object) const {
  CgroupHost host = host_.cgroups;
  if (object.guard_group.empty()) return host;
  if (host.v2) host.memory = host.cpu = host.pids = object.guard_group;
  host.freezer = object.guard_group;
  return host;
}

std::vector<fs::path> SandboxEngine::groups(const StoredObject& object) const {
  return cgroup_paths(cgroups(object), group_name(object.spec.name));
}

std::string SandboxEngine::group_name(const std::string& name) const {
  return install_.hex().substr(0, 8) + "-" + name;
}

Answer SandboxEngine::handle(const Call& call) {
  if (auto wrong = what_is_wrong_with(call, Guarding::Possible); !wrong.empty())
    return failed(call, Fault::Invalid, wrong);
  switch (call.verb) {
    case Verb::Probe: return probe(call);
    case Verb::Capacity: return capacity(call);
    case Verb::List: return list(call);
    case Verb::Create: return create(call);
    default: break;
  }
  auto stored = read_object(config_.root, call.name);
  if (!stored) return failed(call, Fault::Internal, to_string(stored.error()));
  // What another install made is as invisible as what does not exist.
  const bool ours = stored->has_value() && (**stored).spec.labels.install == install_;
  if (call.verb == Verb::Inspect) {
    Answer answer = done(call);
    Object absent;
    absent.name = call.name;
    absent.running = Running::Absent;
    answer.objects.push_back(ours ? view(call.name, **stored) : absent);
    return answer;
  }
  if (!ours) {
    if (call.verb == Verb::Stop || call.verb == Verb::Remove) return done(call);
    return failed(call, Fault::NotFound, "no such object");
  }
  const std::string& group = (**stored).guard_group;
  if (const auto why = group.empty() ? std::string() : guard_forbids(call.verb, group);
      !why.empty())
    return failed(call, Fault::Busy, why);
  switch (call.verb) {
    case Verb::Start: return start(call, **stored);
    case Verb::Pause: return pause(call, **stored);
    case Verb::Resume: return resume(call, **stored);
    case Verb::Stop: return stop(call, **stored);
    case Verb::Remove: return remove(call, **stored);
    default: break;
  }
  return failed(call, Fault::Invalid, "not a call of an engine");
}

Answer SandboxEngine::probe(const Call& call) const {
  if (host_.bwrap.empty())
    return failed(call, Fault::Unreachable, "the package bubblewrap is needed");
  if (access(config_.supervisor.c_str(), X_OK) != 0)
    return failed(call, Fault::Unreachable, "cannot run " + config_.supervisor.string());
  if (access(config_.root.c_str(), W_OK) != 0)
    return failed(call, Fault::Unreachable, "cannot write to " + config_.root.string());
  std::vector<std::string> argv = {"bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts"};
  if (!host_.root) argv.insert(argv.end(), {"--unshare-user", "--uid", "0", "--gid", "0"});
  argv.insert(argv.end(),
              {"--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "true"});
  const auto result = run_program(argv, kProbeLimit);
  if (result.status != 0)
    return failed(call, Fault::Refused, "bubblewrap does not work here: " + result.output);
  return done(call, what_is_missing(host_));
}

Answer SandboxEngine::capacity(const Call& call) const {
  const auto capacity = machine_capacity(config_.root);
  if (!capacity) return failed(call, Fault::Internal, to_string(capacity.error()));
  Answer answer = done(call);
  answer.capacity = *capacity;
  return answer;
}

Object SandboxEngine::view(const std::string& name, const StoredObject& stored) const {
  Object object;
  object.name = name;
  object.labels = stored.spec.labels;
  const fs::path dir = state(name);
  if (is_locked(dir)) {
    const auto run = read_run(dir);
    const bool frozen = is_frozen(groups(stored));
    const bool halted = cgroups(stored).freezer.empty() && run && namespace_is_stopped(run->init);
    object.running = frozen || halted ? Running::Paused : Running::Running;
    return object;
  }
  object.running = Running::Stopped;
  if (const auto exit = read_exit(dir)) {
    object.exit_code = exit->code;
    object.stopped_at = UnixSeconds{exit->unix_s};
  }
  return object;
}

Answer SandboxEngine::list(const Call& call) const {
  Answer answer = done(call);
  for (const auto& name : object_names(config_.root)) {
    const auto stored = read_object(config_.root, name);
    if (!stored) return failed(call, Fault::Internal, to_string(stored.error()));
    // Removed since its name was read.
    if (!stored->has_value()) continue;
    const Labels& labels = (**stored).spec.labels;
    if (labels.install == install_) answer.objects.push_back(view(name, **stored));
  }
  return answer;
}

Answer SandboxEngine::create(const Call& call) const {
  const auto stored = read_object(config_.root, call.name);
  if (!stored) return failed(call, Fault::Internal, to_string(stored.error()));
  if (stored->has_value()) {
    const Labels& labels = (**stored).spec.labels;
    if (labels.install != install_ || labels.spec_digest != call.spec->labels.spec_digest)
      return failed(call, Fault::Conflict, "another object has this name");
    if ((**stored).guard_group != call.guard_group)
      return failed(call, Fault::Conflict, "it is in another guard's group");
    Answer adopted = done(call, "it was there already");
    adopted.serves_ssh = (**stored).serves_ssh;
    return adopted;
  }
  if (call.spec->labels.install != install_)
    return failed(call, Fault::Invalid, "the spec carries another install");
  if (call.spec->guarded && !host_.root)
    return failed(call, Fault::Refused, "only root can put a sandbox into the guard's group");
  if (auto ok = check_sandbox_spec(*call.spec, host_); !ok)
    return failed(call, Fault::Invalid, to_string(ok.error()));
  if (auto ok = make_sandbox(config_.root, *call.spec, call.guard_group, host_); !ok)
    return failed(call, Fault::Internal, to_string(ok.error()));
  Answer answer = done(call);
  answer.serves_ssh = sandbox_serves_ssh(*call.spec, host_);
  return answer;
}

Answer SandboxEngine::start(const Call& call, const StoredObject& object) const {
  const fs::path dir = state(call.name);
  const auto its_groups = groups(object);
  if (is_locked(dir)) {
    if (view(call.name, object).running == Running::Paused)
      return failed(call, Fault::Conflict, "it is paused: resume it");
    return done(call, "it was running already");
  }
  for (uint16_t port : sandbox_ports(object.spec, host_)) {
    const auto free = port_is_free(object.spec.address, port);
    if (!free) return failed(call, Fault::Invalid, to_string(free.error()));
    if (!*free)
      return failed(call, Fault::PortTaken, "port " + std::to_string(port) + " is in use");
  }
  const Limits limits{object.spec.memory_mb, object.spec.cpu_millicores, kPidsMax};
  std::string group_lines;
  for (const auto& group : its_groups) group_lines += group.string() + "\n";
  if (auto ok = make_cgroups(cgroups(object), group_name(call.name), limits); !ok)
    return failed(call, Fault::Internal, to_string(ok.error()));
  thaw(its_groups);  // a group left frozen by a run that ended frozen
  if (!write_file_whole(dir / kGroupsFile, group_lines, 0600))
    return failed(call, Fault::Internal, "cannot write the list of groups");
  const auto started = run_program({config_.supervisor.string(), dir.string()}, kStartLimit);
  // Frozen on its way, it still may run when the guard lets it: nobody can say that it failed.
  if (started.status != 0 && !object.guard_group.empty() && is_locked(dir))
    return answer_to(call, Outcome::Unknown, Fault::None, "the guard froze it while it started");
  if (started.status != 0)
    return failed(call, Fault::Internal, started.output + log_tail(dir));
  return await_ports(call, object);
}

Answer SandboxEngine::await_ports(const Call& call, const StoredObject& object) const {
  const fs::path dir = state(call.name);
  const auto ports = sandbox_ports(object.spec, host_);
  size_t listening = 0;
  const auto frozen = [&] {
    return !object.guard_group.empty() && !guard_forbids(Verb::Start, object.guard_group).empty();
  };
  const auto settled = [&] {
    while (listening < ports.size() && port_listens(object.spec.address, ports[listening]))
      ++listening;
    return listening == ports.size() || !is_locked(dir) || frozen();
  };
  const bool in_time = wait_until(settled, kListenLimit);
  if (is_locked(dir) && frozen())
    return answer_to(call, Outcome::Unknown, Fault::None, "the guard froze it while it started");
  if (in_time && is_locked(dir)) return done(call);
  kill_all(object);
  const std::string what = in_time ? "it ended at once: " : "it does not listen on its port: ";
  return failed(call, Fault::Internal, what + log_tail(dir));
}

Answer SandboxEngine::pause(const Call& call, const StoredObject& object) const {
  const auto run = current_run(state(call.name));
  if (!run) return failed(call, Fault::Conflict, "it does not run");
  if (!cgroups(object).freezer.empty()) {
    if (freeze(groups(object))) return done(call);
    return failed(call, Fault::Internal, "the freezer does not freeze it");
  }
  // A process that is being started can miss the signal, so it is sent until all have stopped.
  const auto stopped = [&] {
    signal_namespace(run->init, SIGSTOP);
    return namespace_is_stopped(run->init);
  };
  if (wait_until(stopped, kKillLimit)) return done(call);
  return failed(call, Fault::Internal, "its processes do not stop");
}

Answer SandboxEngine::resume(const Call& call, const StoredObject& object) const {
  const auto run = current_run(state(call.name));
  if (!run) return failed(call, Fault::Conflict, "it does not run");
  thaw(groups(object));
  signal_namespace(run->init, SIGCONT);
  return done(call);
}

Answer SandboxEngine::stop(const Call& call, const StoredObject& object) const {
  const fs::path dir = state(call.name);
  if (!is_locked(dir)) return done(call);
  if (const auto run = current_run(dir)) send_signal(run->supervisor, SIGTERM);
  if (wait_until([&] { return !is_locked(dir); }, kStopLimit) || kill_all(object))
    return done(call);
  return answer_to(call, Outcome::Unknown, Fault::None, "it does not end");
}

bool SandboxEngine::kill_all(const StoredObject& object) const {
  const fs::path dir = state(object.spec.name);
  const auto run = current_run(dir);
  if (run) send_signal(run->init, SIGKILL);
  thaw(groups(object));  // v1 delivers no signal while frozen
  return wait_until([&] { return !is_locked(dir); }, kKillLimit);
}

Answer SandboxEngine::remove(const Call& call, const StoredObject& object) const {
  const auto its_groups = groups(object);
  if (!kill_all(object))
    return answer_to(call, Outcome::Unknown, Fault::None, "it does not end");
  // A group is free a moment after its last member died.
  if (!wait_until([&] { return remove_cgroups(its_groups); }, kKillLimit))
    return answer_to(call, Outcome::Unknown, Fault::None, "its control groups remain");
  if (auto ok = delete_object(config_.root, call.name); !ok)
    return failed(call, Fault::Internal, to_string(ok.error()));
  PG_CHECK(!fs::exists(config_.root / call.name));
  return done(call);
}

}  // namespace paygress::backend
