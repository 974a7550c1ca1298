#include "shell/guard/keeper.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace paygress::guard {

using workload::GroupState;
using workload::GuardAnswered;
using workload::GuardGroup;
using workload::Outcome;

namespace {

constexpr timespec kDyingStep = {0, 1'000'000};

}  // namespace

Keeper::Keeper(Freezer freezer, std::filesystem::path file, std::string boot)
    : freezer_(std::move(freezer)), file_(std::move(file)), boot_(std::move(boot)) {}

void Keeper::begin(Micros now) {
  std::map<std::string, Micros> known;
  std::ifstream in(file_);
  std::string boot;
  if (in >> boot && boot == boot_) {
    std::string name;
    for (Micros deadline; in >> name >> deadline.value;) known[name] = deadline;
  }
  for (const std::string& name : freezer_.names()) {
    const auto found = known.find(name);
    groups_[name] = found == known.end() ? 0_us : found->second;
    freezer_.set_frozen(name, groups_[name] <= now);
  }
  save();
}

void Keeper::take(uint64_t client, const Request& request, Micros now, std::vector<Reply>& out) {
  std::visit([&](const auto& r) { perform(client, r, now, out); }, request);
}

std::string Keeper::ensure(const std::string& name) {
  if (groups_.contains(name)) return {};
  if (groups_.size() >= workload::kGuardGroupsMax) return "the guard keeps too many groups";
  if (!freezer_.make(name) || !freezer_.set_frozen(name, true)) return "cannot make the group";
  groups_[name] = 0_us;
  return {};
}

void Keeper::perform(uint64_t client, const workload::GuardHold& r, Micros now,
                     std::vector<Reply>& out) {
  const auto refuse = [&](std::string why) {
    answer(client, r.id, Outcome::Failed, std::move(why), r.name, now, out);
  };
  if (r.until <= now) return refuse("the deadline has passed");
  if (r.until - now > workload::kGuardHoldMax) return refuse("the deadline is too far ahead");
  if (auto wrong = ensure(r.name); !wrong.empty()) return refuse(std::move(wrong));
  Micros& deadline = groups_[r.name];
  if (deadline > 0_us && deadline <= now)
    return refuse("its deadline has passed: it must be frozen before it can be held again");
  const bool killing =
      std::ranges::any_of(waiting_, [&](const Waiting& w) { return w.kill && w.name == r.name; });
  if (killing) return refuse("it is being killed");
  const Micros before = std::exchange(deadline, std::max(deadline, r.until));
  // A restarted guard must find what it promised.
  if (deadline != before && !save()) {
    deadline = before;
    return refuse("the deadline cannot be written down");
  }
  if (freezer_.state(r.name) != GroupState::Thawed && !freezer_.set_frozen(r.name, false))
    return refuse("the kernel does not thaw it");
  answer(client, r.id, Outcome::Done, {}, r.name, now, out);
}

void Keeper::begin_freeze(Waiting waiting, Micros now, std::vector<Reply>& out) {
  if (auto wrong = ensure(waiting.name); !wrong.empty())
    return answer(waiting.client, waiting.id, Outcome::Failed, std::move(wrong), waiting.name, now,
                  out);
  groups_[waiting.name] = 0_us;
  freezer_.set_frozen(waiting.name, true);
  // Frozen first: when this fails, a restarted guard may thaw until the old deadline.
  const bool saved = save();
  if (!saved)
    return answer(waiting.client, waiting.id, Outcome::Failed, "the freeze cannot be written down",
                  waiting.name, now, out);
  waiting.give_up_at = now + workload::kGuardConfirm;
  if (!settle(waiting, now, out)) waiting_.push_back(std::move(waiting));
}

void Keeper::perform(uint64_t client, const workload::GuardFreeze& r, Micros now,
                     std::vector<Reply>& out) {
  begin_freeze({client, r.id, r.name, false, {}}, now, out);
}

void Keeper::perform(uint64_t client, const workload::GuardKill& r, Micros now,
                     std::vector<Reply>& out) {
  begin_freeze({client, r.id, r.name, true, {}}, now, out);
}

bool Keeper::settle(const Waiting& waiting, Micros now, std::vector<Reply>& out) {
  const auto finish = [&](Outcome outcome, std::string message) {
    answer(waiting.client, waiting.id, outcome, std::move(message), waiting.name, now, out);
    return true;
  };
  const bool frozen = freezer_.state(waiting.name) == GroupState::Frozen;
  if (frozen && !waiting.kill) return finish(Outcome::Done, {});
  if (waiting.kill) {
    let_die(waiting.name);
    if (!freezer_.populated(waiting.name)) return finish(Outcome::Done, {});
  }
  if (now < waiting.give_up_at) return false;
  return finish(Outcome::Failed, waiting.kill ? "processes are left in it"
                                              : "the kernel has not frozen every process yet");
}

// Every process has SIGKILL pending before any is thawed, so none of them runs again. One that
// enters meanwhile is killed too, and the group is frozen again before this returns.
void Keeper::let_die(const std::string& name) {
  freezer_.kill_all(name);
  if (!freezer_.v2()) freezer_.set_frozen(name, false);
  for (Micros waited; waited < kDyingTime && freezer_.populated(name); waited += 1'000_us) {
    freezer_.kill_all(name);
    ::nanosleep(&kDyingStep, nullptr);
  }
  freezer_.set_frozen(name, true);
}

void Keeper::perform(uint64_t client, const workload::GuardRelease& r, Micros now,
                     std::vector<Reply>& out) {
  const auto known = groups_.find(r.name);
  if (known == groups_.end()) return answer(client, r.id, Outcome::Done, {}, r.name, now, out);
  if (freezer_.populated(r.name) || !freezer_.remove(r.name))
    return answer(client, r.id, Outcome::Failed, "processes are in it", r.name, now, out);
  groups_.erase(known);
  save();  // a line too many names a group that is not there
  answer(client, r.id, Outcome::Done, {}, r.name, now, out);
}

void Keeper::perform(uint64_t client, const workload::GuardQuery& r, Micros now,
                     std::vector<Reply>& out) {
  GuardAnswered all{r.id, Outcome::Done, {}, {}, now};
  for (const auto& [name, deadline] : groups_) all.groups.push_back(view(name));
  out.push_back({client, std::move(all)});
}

void Keeper::tick(Micros now, std::vector<Reply>& out) {
  for (const auto& [name, deadline] : groups_)
    if (deadline <= now && freezer_.state(name) != GroupState::Frozen)
      freezer_.set_frozen(name, true);
  std::erase_if(waiting_, [&](const Waiting& w) { return settle(w, now, out); });
}

std::optional<Micros> Keeper::next_tick(Micros now) const {
  if (groups_.empty()) return std::nullopt;
  Micros next = now + (waiting_.empty() ? kLookEvery : 5'000_us);
  for (const auto& [name, deadline] : groups_)
    if (deadline > now) next = std::min(next, deadline);
  return next;
}

void Keeper::freeze_all() const {
  for (const auto& [name, deadline] : groups_) freezer_.set_frozen(name, true);
}

void Keeper::forget_client(uint64_t client) {
  std::erase_if(waiting_, [&](const Waiting& w) { return w.client == client && !w.kill; });
}

GuardGroup Keeper::view(const std::string& name) const {
  return {name, freezer_.state(name), groups_.at(name), freezer_.populated(name)};
}

void Keeper::answer(uint64_t client, CallId id, Outcome outcome, std::string message,
                    const std::string& name, Micros now, std::vector<Reply>& out) const {
  GuardAnswered said{id, outcome, std::move(message), {}, now};
  if (groups_.contains(name)) said.groups.push_back(view(name));
  out.push_back({client, std::move(said)});
}

// Not synced: the file means something only until the next boot.
bool Keeper::save() const {
  const std::filesystem::path draft = file_.string() + ".new";
  {
    std::ofstream out(draft, std::ios::trunc);
    out << boot_ << "\n";
    for (const auto& [name, deadline] : groups_) out << name << " " << deadline.value << "\n";
    if (!out.flush()) return false;
  }
  return ::rename(draft.c_str(), file_.c_str()) == 0;
}

}  // namespace paygress::guard
