#include "sim/models/backend.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/base/check.h"

namespace paygress::sim {
namespace {

using workload::Answer;
using workload::Call;
using workload::Fault;
using workload::NodeCapacity;
using workload::Outcome;
using workload::Running;
using workload::Verb;

constexpr int32_t kKilled = 137;          // 128 + SIGKILL, as engines report it
constexpr Micros kListKept{120'000'000};  // an old list is no older than that
constexpr int32_t kTerminated = 143;      // 128 + SIGTERM

void fail_with(Answer& answer, Fault fault, std::string message) {
  answer.outcome = Outcome::Failed;
  answer.fault = fault;
  answer.message = std::move(message);
}

}  // namespace

bool applies(BackendFault fault, Verb verb) {
  switch (fault) {
    case BackendFault::None: return false;
    case BackendFault::Dies: return verb == Verb::Start;
    case BackendFault::Ignored: return verb == Verb::Stop || verb == Verb::Remove;
    case BackendFault::StaleList: return verb == Verb::List;
    case BackendFault::Late: return verb == Verb::Create;
    case BackendFault::FailedButDone: return verb == Verb::Create || verb == Verb::Start;
    case BackendFault::AnswerLost:
    case BackendFault::Hang:
    case BackendFault::Refused: return true;
  }
  return false;
}

BackendModel::BackendModel(BackendModelConfig config, uint64_t seed, uint64_t entity)
    : config_(std::move(config)), stream_(seed, entity, "backend faults") {
  PG_CHECK(!config_.install.is_zero());
}

void BackendModel::plan_fault(Verb verb, BackendFault fault, std::string name, uint32_t count) {
  PG_CHECK(count > 0 && applies(fault, verb));
  PG_CHECK(planned_.size() < kPlannedFaultsMax);
  planned_.push_back({verb, fault, std::move(name), count});
}

BackendFault BackendModel::draw_fault(const Call& call) {
  for (auto it = planned_.begin(); it != planned_.end(); ++it) {
    if (it->verb != call.verb || (!it->name.empty() && it->name != call.name)) continue;
    const BackendFault fault = it->fault;
    if (--it->count == 0) planned_.erase(it);
    return fault;
  }
  for (const auto& [fault, ppm] : config_.fault_ppm)
    if (applies(fault, call.verb) && stream_.chance_ppm(ppm)) return fault;
  return BackendFault::None;
}

// Carries out what was to happen by itself until now.
void BackendModel::settle(Now now) {
  PG_CHECK(now.mono >= last_seen_);
  last_seen_ = now.mono;
  for (auto& [name, object] : objects_) {
    if (!object.dies_at || *object.dies_at > now.mono) continue;
    if (object.paused || is_frozen(object, now)) continue;
    object.stopped_at = object.dies_wall;
    object.exit_code = kKilled;
    object.runs_from.reset();
    object.dies_at.reset();
    say(object);
  }
}

void BackendModel::say(const Object& object) {
  if (object.spec.labels.install == config_.install && noticed_.size() < kNoticesMax)
    noticed_.push_back({object.spec.labels.lease});
}

bool BackendModel::is_cut_off(const Object& object) const {
  return object.member && cut_off_.contains(members_.at(*object.member).first);
}

const BackendModel::Object* BackendModel::find(const std::string& name, Now now) const {
  const auto it = objects_.find(name);
  return it == objects_.end() || it->second.exists_from > now.mono ? nullptr : &it->second;
}

BackendModel::Object* BackendModel::find_ours(InstallId install, const std::string& name, Now now) {
  const auto it = objects_.find(name);
  const bool visible = it != objects_.end() && it->second.exists_from <= now.mono &&
                       it->second.spec.labels.install == install;
  return visible ? &it->second : nullptr;
}

bool BackendModel::is_frozen(const Object& object, Now now) const {
  return object.spec.guarded && !thawed_(object.spec.name, now).value_or(false);
}

Running BackendModel::state_of(const Object& object, Now now) const {
  if (!object.runs_from || *object.runs_from > now.mono) return Running::Stopped;
  if (object.paused || is_frozen(object, now)) return Running::Paused;
  return object.dies_at && *object.dies_at <= now.mono ? Running::Stopped : Running::Running;
}

workload::Object BackendModel::view(const std::string& name, const Object& object, Now now) const {
  workload::Object seen;
  seen.name = name;
  seen.labels = object.spec.labels;
  seen.running = state_of(object, now);
  if (seen.running == Running::Stopped) {
    seen.stopped_at = object.stopped_at;
    seen.exit_code = object.exit_code;
  }
  if (object.member) std::tie(seen.node, seen.address) = members_.at(*object.member);
  if (is_cut_off(object)) {  // only its name is known then
    seen = {};
    seen.name = name;
  }
  return seen;
}

NodeCapacity BackendModel::free_capacity() const {
  NodeCapacity free = config_.capacity;
  const auto take = [](uint64_t& left, uint64_t used) { left -= std::min(left, used); };
  for (const auto& [name, object] : objects_) {
    take(free.cpu_millicores, object.spec.cpu_millicores);
    take(free.memory_mb, object.spec.memory_mb);
    take(free.storage_gb, object.spec.storage_gb);
  }
  return free;
}

BackendReply BackendModel::handle(const Call& call, Now now) {
  return handle_as(config_.install, call, now);
}

BackendReply BackendModel::handle_as(InstallId install, const Call& call, Now now) {
  settle(now);
  Answer answer;
  answer.id = call.id;
  answer.verb = call.verb;
  answer.name = call.name;
  answer.outcome = Outcome::Done;
  Micros due = now.mono + config_.call_latency;
  if (unreachable_) {
    fail_with(answer, Fault::Unreachable, "the engine does not answer");
    return {answer, due};
  }
  const BackendFault fault = draw_fault(call);
  if (fault == BackendFault::Hang) return {std::nullopt, due};
  if (fault == BackendFault::Refused) {
    fail_with(answer, Fault::Busy, "the engine is busy");
    return {answer, due};
  }
  if (fault == BackendFault::Ignored) return {answer, due};
  // No engine shows what is much older: then it says how things are.
  if (fault == BackendFault::StaleList && now.mono - last_list_at_ <= kListKept) {
    answer.objects = last_list_;
    return {answer, due};
  }
  ++version_;
  carry_out(install, call, now, due, answer);
  if (fault == BackendFault::Dies && answer.outcome == Outcome::Done)
    if (Object* object = find_ours(install, call.name, now); object && object->runs_from) {
      object->dies_at = *object->runs_from + config_.dies_after;
      object->dies_wall = {now.wall.value + (*object->dies_at - now.mono).value / 1'000'000};
    }
  if (fault == BackendFault::FailedButDone) fail_with(answer, Fault::Internal, "it went wrong");
  if (fault == BackendFault::Late && answer.outcome == Outcome::Done)
    if (const auto it = objects_.find(call.name);
        it != objects_.end() && it->second.exists_from > now.mono)
      it->second.exists_from = it->second.exists_from + config_.late_after;
  if (fault == BackendFault::AnswerLost || fault == BackendFault::Late) return {std::nullopt, due};
  return {answer, due};
}

void BackendModel::carry_out(InstallId install, const Call& call, Now now, Micros& due,
                             Answer& answer) {
  Object* object = find_ours(install, call.name, now);
  if (object && is_cut_off(*object))
    return fail_with(answer, Fault::Unreachable, "its member does not answer");
  switch (call.verb) {
    case Verb::Probe: return;
    case Verb::Capacity: answer.capacity = free_capacity(); return;
    case Verb::Create: return create(install, call, now, due, answer);
    case Verb::List:
      for (const auto& [name, other] : objects_)
        if (other.exists_from <= now.mono && other.spec.labels.install == install)
          answer.objects.push_back(view(name, other, now));
      last_list_ = answer.objects;
      last_list_at_ = now.mono;
      return;
    case Verb::Inspect: {
      workload::Object absent;
      absent.name = call.name;
      absent.running = Running::Absent;
      answer.objects.push_back(object ? view(call.name, *object, now) : absent);
      return;
    }
    case Verb::Stop:
    case Verb::Remove:
      if (!object) return;
      if (object->runs_from && is_frozen(*object, now))
        return fail_with(answer, Fault::Busy, "the guard has frozen it");
      if (call.verb == Verb::Remove)
        objects_.erase(call.name);
      else
        halt(*object, kTerminated, now.wall, now);
      return;
    case Verb::Start:
    case Verb::Pause:
    case Verb::Resume:
      if (!object) return fail_with(answer, Fault::NotFound, "no such object");
      return change(call.verb, *object, now, due, answer);
  }
}

void BackendModel::create(InstallId install, const Call& call, Now now, Micros& due,
                          Answer& answer) {
  if (!call.spec || call.spec->name != call.name || call.spec->labels.install != install)
    return fail_with(answer, Fault::Invalid, "not a usable spec");
  if (call.spec->guarded && (!thawed_ || !thawed_(call.name, now)))
    return fail_with(answer, Fault::Refused, "the guard has no group for it");
  answer.serves_ssh = config_.serves_ssh && call.spec->ssh_host_port.has_value();
  const Micros made = now.mono + config_.create_latency;
  if (const auto it = objects_.find(call.name); it != objects_.end()) {
    const auto& labels = it->second.spec.labels;
    due = std::max(due, it->second.exists_from);
    if (labels.install != install || labels.spec_digest != call.spec->labels.spec_digest)
      fail_with(answer, Fault::Conflict, "another object has this name");
    return;
  }
  const NodeCapacity free = free_capacity();
  if (call.spec->cpu_millicores > free.cpu_millicores || call.spec->memory_mb > free.memory_mb ||
      call.spec->storage_gb > free.storage_gb)
    return fail_with(answer, Fault::Quota, "the node is full");
  Object object;
  object.spec = *call.spec;
  object.exists_from = made;
  if (!members_.empty()) object.member = placed_++ % members_.size();
  objects_.emplace(call.name, std::move(object));
  due = made;
}

namespace {
bool wants_any_of(const workload::Spec& spec, const std::set<uint16_t>& taken) {
  return (spec.ssh_host_port && taken.contains(*spec.ssh_host_port)) ||
         std::any_of(spec.ports.begin(), spec.ports.end(),
                     [&](const auto& port) { return taken.contains(port.host_port); });
}
}  // namespace

void BackendModel::change(Verb verb, Object& object, Now now, Micros& due, Answer& answer) {
  if (verb != Verb::Pause && is_frozen(object, now))
    return fail_with(answer, Fault::Busy, "the guard has frozen it");
  const Running running = state_of(object, now);
  if (verb == Verb::Start) {
    due = now.mono + config_.start_latency;
    if (running == Running::Paused) return fail_with(answer, Fault::Conflict, "it is paused");
    if (object.runs_from) return;
    if (wants_any_of(object.spec, foreign_ports_))
      return fail_with(answer, Fault::PortTaken, "a port is in use");
    object.runs_from = due;
    object.paused = false;
    object.stopped_at.reset();
    object.exit_code.reset();
    return;
  }
  if (running == Running::Stopped) return fail_with(answer, Fault::Conflict, "it does not run");
  object.paused = verb == Verb::Pause;
}

void BackendModel::halt(Object& object, std::optional<int32_t> exit_code,
                        std::optional<UnixSeconds> when, Now now) {
  if (!object.runs_from) return;
  // A start that was still under way never came to run, so there is no end of it to report.
  const bool ran = *object.runs_from <= now.mono;
  object.runs_from.reset();
  object.dies_at.reset();
  object.paused = false;
  object.stopped_at = ran ? when : std::nullopt;
  object.exit_code = ran ? exit_code : std::nullopt;
}

void BackendModel::reboot_host(Now now) {
  settle(now);
  ++version_;
  std::erase_if(objects_, [&](const auto& entry) { return entry.second.exists_from > now.mono; });
  for (auto& [name, object] : objects_) halt(object, std::nullopt, std::nullopt, now);
}

void BackendModel::guard_killed(const std::string& name, Now now) {
  settle(now);
  ++version_;
  const auto it = objects_.find(name);
  if (it != objects_.end() && it->second.spec.guarded) halt(it->second, kKilled, now.wall, now);
}

bool BackendModel::has_processes(const std::string& name, Now now) const {
  const Object* object = find(name, now);
  return object != nullptr && object->runs_from.has_value();
}

bool BackendModel::exit_workload(const std::string& name, int32_t exit_code, Now now) {
  settle(now);
  const Object* object = find(name, now);
  if (!object || state_of(*object, now) != Running::Running) return false;
  ++version_;
  halt(objects_.at(name), exit_code, now.wall, now);
  say(*object);
  return true;
}

bool BackendModel::executes(const std::string& name, Now now) const {
  return running(name, now) == Running::Running;
}

std::optional<Micros> BackendModel::next_change(Now now) const {
  std::optional<Micros> next;
  const auto sooner = [&](Micros at) {
    if (at > now.mono && (!next || at < *next)) next = at;
  };
  for (const auto& [name, object] : objects_) {
    sooner(object.exists_from);
    if (object.runs_from) sooner(*object.runs_from);
    if (object.dies_at) sooner(*object.dies_at);
  }
  return next;
}

bool BackendModel::lose_object(const std::string& name, Now now) {
  settle(now);
  ++version_;
  const Object* object = find(name, now);
  if (object == nullptr) return false;
  say(*object);
  return objects_.erase(name) == 1;
}

Running BackendModel::running(const std::string& name, Now now) const {
  const Object* object = find(name, now);
  return object ? state_of(*object, now) : Running::Absent;
}

std::vector<std::string> BackendModel::running_names(Now now) const {
  std::vector<std::string> names;
  for (const auto& [name, object] : objects_)
    if (object.exists_from <= now.mono && state_of(object, now) != Running::Stopped)
      names.push_back(name);
  return names;
}

std::vector<std::string> BackendModel::names(Now now) const {
  std::vector<std::string> names;
  for (const auto& [name, object] : objects_)
    if (object.exists_from <= now.mono) names.push_back(name);
  return names;
}

const workload::Spec* BackendModel::spec(const std::string& name, Now now) const {
  const Object* object = find(name, now);
  return object ? &object->spec : nullptr;
}

}  // namespace paygress::sim
