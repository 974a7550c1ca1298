#include "sim/models/guard.h"

#include <algorithm>
#include <utility>

namespace paygress::sim {

using workload::GroupState;
using workload::GuardGroup;
using workload::Outcome;

GuardModel::GuardModel(GuardModelConfig config, BackendModel& engine)
    : config_(config), engine_(engine) {
  engine.set_guard([this](const std::string& name, Now now) { return thawed(name, now); });
}

GuardReply GuardModel::answer(CallId id, Outcome outcome, std::string message, Now now) const {
  const Micros due = now.mono + config_.latency;
  return {{id, outcome, std::move(message), {}, due}, due};
}

GuardReply GuardModel::with_group(CallId id, const std::string& name, Now now) const {
  GuardReply out = answer(id, Outcome::Done, {}, now);
  out.answer.groups.push_back(view(name, groups_.at(name), now));
  return out;
}

Micros GuardModel::frozen_from(const Group& group) const {
  return group.deadline ? *group.deadline + config_.freezing_takes : group.frozen_from;
}

GuardGroup GuardModel::view(const std::string& name, const Group& group, Now now) const {
  GuardGroup out{name, GroupState::Thawed, group.deadline.value_or(0_us),
                 engine_.has_processes(name, now)};
  if (!group.deadline || now.mono >= *group.deadline) out.state = GroupState::Freezing;
  if (!*thawed(name, now)) out.state = GroupState::Frozen;
  return out;
}

std::optional<bool> GuardModel::thawed(const std::string& name, Now now) const {
  const auto it = groups_.find(name);
  if (it == groups_.end()) return std::nullopt;
  return !freezes_ || now.mono < frozen_from(it->second);
}

std::optional<Micros> GuardModel::next_change(Now now) const {
  std::optional<Micros> next;
  for (const auto& [name, group] : groups_)
    if (const Micros at = frozen_from(group); at > now.mono && (!next || at < *next)) next = at;
  return next;
}

GuardModel::Group* GuardModel::get_or_make(const std::string& name, Now now) {
  const auto it = groups_.find(name);
  if (it != groups_.end()) return &it->second;
  if (groups_.size() >= workload::kGuardGroupsMax) return nullptr;
  return &groups_.emplace(name, Group{std::nullopt, now.mono}).first->second;
}

void GuardModel::freeze(Group& group, Now now) {
  if (group.deadline)
    group.frozen_from = std::min(frozen_from(group), now.mono + config_.freezing_takes);
  group.deadline.reset();
}

GuardReply GuardModel::handle(const workload::GuardHold& e, Now now) {
  if (unreachable_) return answer(e.id, Outcome::Unknown, "unreachable", now);
  if (e.until <= now.mono) return answer(e.id, Outcome::Failed, "the deadline has passed", now);
  if (e.until > now.mono + workload::kGuardHoldMax)
    return answer(e.id, Outcome::Failed, "too far ahead", now);
  Group* group = get_or_make(e.name, now);
  if (group == nullptr) return answer(e.id, Outcome::Failed, "too many groups", now);
  if (group->deadline && *group->deadline <= now.mono)
    return answer(e.id, Outcome::Failed, "its deadline has passed", now);
  group->deadline = std::max(group->deadline.value_or(0_us), e.until);
  return with_group(e.id, e.name, now);
}

// Answered when it stands, as a guard does that waits for the kernel.
GuardReply GuardModel::handle(const workload::GuardFreeze& e, Now now) {
  if (unreachable_) return answer(e.id, Outcome::Unknown, "unreachable", now);
  Group* group = get_or_make(e.name, now);
  if (group == nullptr) return answer(e.id, Outcome::Failed, "too many groups", now);
  freeze(*group, now);
  GuardReply out = with_group(e.id, e.name, now);
  if (!freezes_) {
    out.answer.outcome = Outcome::Failed;
    out.answer.message = "not confirmed";
    return out;
  }
  out.due = std::max(out.due, group->frozen_from);
  out.answer.now = out.due;
  out.answer.groups.front().state = GroupState::Frozen;
  return out;
}

GuardReply GuardModel::handle(const workload::GuardKill& e, Now now) {
  GuardReply out = handle(workload::GuardFreeze{e.id, e.name}, now);
  if (out.answer.groups.empty()) return out;
  engine_.guard_killed(e.name, now);
  out.answer.outcome = Outcome::Done;
  out.answer.message.clear();
  out.answer.groups.front().populated = false;
  return out;
}

GuardReply GuardModel::handle(const workload::GuardRelease& e, Now now) {
  if (unreachable_) return answer(e.id, Outcome::Unknown, "unreachable", now);
  if (engine_.has_processes(e.name, now))
    return answer(e.id, Outcome::Failed, "processes are in it", now);
  groups_.erase(e.name);
  return answer(e.id, Outcome::Done, {}, now);
}

GuardReply GuardModel::handle(const workload::GuardQuery& e, Now now) {
  if (unreachable_) return answer(e.id, Outcome::Unknown, "unreachable", now);
  GuardReply out = answer(e.id, Outcome::Done, {}, now);
  for (const auto& [name, group] : groups_) out.answer.groups.push_back(view(name, group, now));
  return out;
}

void GuardModel::restart_process(bool file_lost, Now now) {
  if (!file_lost) return;
  for (auto& [name, group] : groups_) freeze(group, now);
}

}  // namespace paygress::sim
