#include "shell/backend/object_engine.h"

#include <unistd.h>

#include "core/base/check.h"
#include "shell/backend/guard_group.h"
#include "shell/backend/machine.h"
#include "shell/backend/port_check.h"
#include "shell/backend/sandbox_layout.h"

namespace paygress::backend {

namespace fs = std::filesystem;
using workload::Fault;
using workload::Labels;
using workload::Object;
using workload::Outcome;
using workload::Running;
using workload::Verb;

namespace {
constexpr size_t kLogTailBytes = 400;
}  // namespace

ObjectEngine::ObjectEngine(fs::path root, fs::path supervisor, InstallId install, Guarding guarding)
    : root_(std::move(root)),
      supervisor_(std::move(supervisor)),
      install_(install),
      guarding_(guarding) {
  PG_CHECK(root_.is_absolute() && supervisor_.is_absolute());
  std::error_code error;
  fs::create_directories(root_, error);
  fs::permissions(root_, fs::perms::owner_all, error);
  sweep_leftovers(root_);
}

ObjectEngine::Answer ObjectEngine::done(const Call& call, std::string message) {
  return answer_to(call, Outcome::Done, Fault::None, std::move(message));
}

ObjectEngine::Answer ObjectEngine::failed(const Call& call, Fault fault, std::string message) {
  return answer_to(call, Outcome::Failed, fault, std::move(message));
}

ObjectEngine::Answer ObjectEngine::uncertain(const Call& call, std::string message) {
  return answer_to(call, Outcome::Unknown, Fault::None, std::move(message));
}

std::string ObjectEngine::group_name(const std::string& name) const {
  return install_.hex().substr(0, 8) + "-" + name;
}

std::string ObjectEngine::log_tail(const std::string& name) const {
  std::string log = read_small_file(state(name) / kLogFile);
  if (log.size() > kLogTailBytes) log.erase(0, log.size() - kLogTailBytes);
  return log;
}

std::optional<ObjectEngine::Answer> ObjectEngine::unusable(const Call& call) const {
  if (access(supervisor_.c_str(), X_OK) != 0)
    return failed(call, Fault::Unreachable, "cannot run " + supervisor_.string());
  if (access(root_.c_str(), W_OK) != 0)
    return failed(call, Fault::Unreachable, "cannot write to " + root_.string());
  return std::nullopt;
}

std::optional<ObjectEngine::Answer> ObjectEngine::not_startable(
    const Call& call, const StoredObject& object, const std::vector<uint16_t>& ports) const {
  if (is_locked(state(call.name))) {
    if (view(call.name, object).running == Running::Paused)
      return failed(call, Fault::Conflict, "it is paused: resume it");
    if (fs::exists(state(call.name) / kServedFile)) return done(call, "it was running already");
    return std::nullopt;
  }
  for (const uint16_t port : ports) {
    const auto free = port_is_free(object.spec.address, port);
    if (!free) return failed(call, Fault::Invalid, to_string(free.error()));
    if (!*free)
      return failed(call, Fault::PortTaken, "port " + std::to_string(port) + " is in use");
  }
  return std::nullopt;
}

ProgramResult ObjectEngine::run_supervisor(const std::string& name,
                                           std::chrono::milliseconds limit) const {
  unlink((state(name) / kServedFile).c_str());  // of the run before
  return run_program({supervisor_.string(), state(name).string()}, limit);
}

ObjectEngine::Answer ObjectEngine::launched(const Call& call, bool in_time,
                                            const std::string& silence) const {
  const bool serves = in_time && is_locked(state(call.name));
  if (serves && write_file_whole(state(call.name) / kServedFile, "", 0600)) return done(call);
  const std::string what = serves    ? "its directory cannot be written"
                           : in_time ? "it ended at once"
                                     : silence;
  return failed(call, Fault::Internal, what + ": " + log_tail(call.name));
}

bool ObjectEngine::write_groups(const std::string& name,
                                const std::vector<fs::path>& groups) const {
  std::string lines;
  for (const auto& group : groups) lines += group.string() + "\n";
  return write_file_whole(state(name) / kGroupsFile, lines, 0600);
}

ObjectEngine::Answer ObjectEngine::handle(const Call& call) {
  if (auto wrong = what_is_wrong_with(call, guarding_); !wrong.empty())
    return failed(call, Fault::Invalid, wrong);
  switch (call.verb) {
    case Verb::Probe: return probe(call);
    case Verb::Capacity: return capacity(call);
    case Verb::List: return list(call);
    case Verb::Create: return create(call);
    default: break;
  }
  auto stored = read_object(root_, call.name);
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
  if (ours) return act(call, **stored);
  if (call.verb == Verb::Stop || call.verb == Verb::Remove) return done(call);
  return failed(call, Fault::NotFound, "no such object");
}

ObjectEngine::Answer ObjectEngine::act(const Call& call, const StoredObject& object) {
  const std::string& group = object.guard_group;
  if (const auto why = group.empty() ? std::string() : guard_forbids(call.verb, group);
      !why.empty())
    return failed(call, Fault::Busy, why);
  switch (call.verb) {
    case Verb::Start: return start(call, object);
    case Verb::Pause: return pause(call, object);
    case Verb::Resume: return resume(call, object);
    case Verb::Stop: return stop(call, object);
    case Verb::Remove: return remove(call, object);
    default: break;
  }
  return failed(call, Fault::Invalid, "not a call of an engine");
}

ObjectEngine::Answer ObjectEngine::capacity(const Call& call) const {
  const auto capacity = machine_capacity(root_);
  if (!capacity) return failed(call, Fault::Internal, to_string(capacity.error()));
  Answer answer = done(call);
  answer.capacity = *capacity;
  return answer;
}

Object ObjectEngine::view(const std::string& name, const StoredObject& stored) const {
  Object object;
  object.name = name;
  object.labels = stored.spec.labels;
  const fs::path dir = state(name);
  if (is_locked(dir)) {
    object.running = running_state(stored);
    return object;
  }
  object.running = Running::Stopped;
  if (const auto exit = read_exit(dir)) {
    object.exit_code = exit->code;
    object.stopped_at = UnixSeconds{exit->unix_s};
  }
  return object;
}

ObjectEngine::Answer ObjectEngine::list(const Call& call) const {
  Answer answer = done(call);
  for (const auto& name : object_names(root_)) {
    const auto stored = read_object(root_, name);
    if (!stored) return failed(call, Fault::Internal, to_string(stored.error()));
    if (!stored->has_value()) continue;  // removed since its name was read
    const Labels& labels = (**stored).spec.labels;
    if (labels.install == install_) answer.objects.push_back(view(name, **stored));
  }
  return answer;
}

ObjectEngine::Answer ObjectEngine::create(const Call& call) {
  const auto stored = read_object(root_, call.name);
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
  return make(call);
}

}  // namespace paygress::backend
