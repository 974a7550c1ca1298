#include "shell/backend/sandbox_engine.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "core/base/check.h"
#include "shell/backend/calls.h"
#include "shell/backend/guard_group.h"
#include "shell/backend/keeper.h"
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
using workload::Running;
using workload::Verb;

constexpr uint64_t kPidsMax = 512;
constexpr auto kProbeLimit = 60s;
constexpr auto kStartLimit = 60s;   // until the supervisor has made the sandbox
constexpr auto kListenLimit = 10s;  // until the workload listens on its ports
constexpr auto kStopLimit = 14s;    // the supervisor's grace, and time for it to write down
constexpr auto kKillLimit = 20s;
// The run that is under way, also when its supervisor has not written it down yet.
std::optional<Run> current_run(const fs::path& state) {
  std::optional<Run> run;
  wait_until([&] { return (run = read_run(state)) || !is_locked(state); }, kKillLimit);
  return is_locked(state) ? run : std::nullopt;
}

}  // namespace

SandboxEngine::SandboxEngine(SandboxConfig config, InstallId install, SandboxHost host)
    : ObjectEngine(std::move(config.root), std::move(config.supervisor), install,
                   Guarding::Possible),
      host_(std::move(host)) {}

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

Answer SandboxEngine::probe(const Call& call) {
  if (host_.bwrap.empty())
    return failed(call, Fault::Unreachable, "the package bubblewrap is needed");
  if (auto why = unusable(call)) return *why;
  std::vector<std::string> argv = {"bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts"};
  if (!host_.root) argv.insert(argv.end(), {"--unshare-user", "--uid", "0", "--gid", "0"});
  argv.insert(argv.end(),
              {"--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "true"});
  const auto result = run_program(argv, kProbeLimit);
  if (result.status != 0)
    return failed(call, Fault::Refused, "bubblewrap does not work here: " + result.output);
  return done(call, what_is_missing(host_));
}

Running SandboxEngine::running_state(const StoredObject& object) const {
  const auto run = read_run(state(object.spec.name));
  const bool frozen = is_frozen(groups(object));
  const bool halted = cgroups(object).freezer.empty() && run && namespace_is_stopped(run->init);
  return frozen || halted ? Running::Paused : Running::Running;
}

Answer SandboxEngine::make(const Call& call) {
  if (call.spec->encrypted) return failed(call, Fault::Refused, "sandboxes cannot encrypt");
  if (call.spec->guarded && !host_.root)
    return failed(call, Fault::Refused, "only root can put a sandbox into the guard's group");
  if (auto ok = check_sandbox_spec(*call.spec, host_); !ok)
    return failed(call, Fault::Invalid, to_string(ok.error()));
  if (auto ok = make_sandbox(root_, *call.spec, call.guard_group, host_); !ok)
    return failed(call, Fault::Internal, to_string(ok.error()));
  Answer answer = done(call);
  answer.serves_ssh = sandbox_serves_ssh(*call.spec, host_);
  return answer;
}

Answer SandboxEngine::start(const Call& call, const StoredObject& object) {
  const fs::path dir = state(call.name);
  if (auto why = not_startable(call, object, sandbox_ports(object.spec, host_))) return *why;
  if (!is_locked(dir))
    if (auto why = launch(call, object)) return *why;
  return await_ports(call, object);
}

// Why it does not run.
std::optional<Answer> SandboxEngine::launch(const Call& call, const StoredObject& object) const {
  const fs::path dir = state(call.name);
  const auto its_groups = groups(object);
  const Limits limits{object.spec.memory_mb, object.spec.cpu_millicores, kPidsMax};
  if (auto ok = make_cgroups(cgroups(object), group_name(call.name), limits); !ok)
    return failed(call, Fault::Internal, to_string(ok.error()));
  thaw(its_groups);  // a group left frozen by a run that ended frozen
  if (!write_groups(call.name, its_groups))
    return failed(call, Fault::Internal, "cannot write the list of groups");
  const auto started = run_supervisor(call.name, kStartLimit);
  // Frozen on its way, it still may run when the guard lets it: nobody can say that it failed.
  if (started.status != 0 && !object.guard_group.empty() && is_locked(dir))
    return uncertain(call, "the guard froze it while it started");
  if (started.status == 0 || started.status == kRunsAlready) return std::nullopt;
  return failed(call, Fault::Internal, started.output + log_tail(call.name));
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
  if (is_locked(dir) && frozen()) return uncertain(call, "the guard froze it while it started");
  const Answer answer = launched(call, in_time, "it does not listen on its port");
  if (answer.outcome != workload::Outcome::Done) kill_all(object);
  return answer;
}

Answer SandboxEngine::pause(const Call& call, const StoredObject& object) {
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

Answer SandboxEngine::resume(const Call& call, const StoredObject& object) {
  const auto run = current_run(state(call.name));
  if (!run) return failed(call, Fault::Conflict, "it does not run");
  thaw(groups(object));
  signal_namespace(run->init, SIGCONT);
  return done(call);
}

Answer SandboxEngine::stop(const Call& call, const StoredObject& object) {
  const fs::path dir = state(call.name);
  if (!is_locked(dir)) return done(call);
  if (const auto run = current_run(dir)) send_signal(run->supervisor, SIGTERM);
  if (wait_until([&] { return !is_locked(dir); }, kStopLimit) || kill_all(object))
    return done(call);
  return uncertain(call, "it does not end");
}

bool SandboxEngine::kill_all(const StoredObject& object) const {
  const fs::path dir = state(object.spec.name);
  const auto run = current_run(dir);
  if (run) send_signal(run->init, SIGKILL);
  thaw(groups(object));  // v1 delivers no signal while frozen
  return wait_until([&] { return !is_locked(dir); }, kKillLimit);
}

Answer SandboxEngine::remove(const Call& call, const StoredObject& object) {
  const auto its_groups = groups(object);
  if (!kill_all(object)) return uncertain(call, "it does not end");
  // A group is free a moment after its last member died.
  if (!wait_until([&] { return remove_cgroups(its_groups); }, kKillLimit))
    return uncertain(call, "its control groups remain");
  if (auto ok = delete_object(root_, call.name); !ok)
    return failed(call, Fault::Internal, to_string(ok.error()));
  PG_CHECK(!fs::exists(root_ / call.name));
  return done(call);
}

}  // namespace paygress::backend
