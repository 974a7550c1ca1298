// The existing network's policy, tick for tick, for comparison and nothing else.
#include <algorithm>

#include "core/base/check.h"
#include "sim/members/brain.h"
#include "sim/members/event.h"

namespace paygress::sim::members {
namespace {

using namespace failover;

constexpr Micros kBeatEvery = 60'000_ms;
constexpr Micros kWatchEvery = 30'000_ms;
constexpr Seconds kSilent{180};
constexpr Micros kPerIndex = 30'000_ms;

class TimeoutOnly final : public Brain {
 public:
  TimeoutOnly(const Plan& plan, uint32_t member)
      : plan_(plan),
        member_(member),
        self_(key_of(plan.member_number(member))),
        primary_(key_of(plan.member_number(0))) {
    PG_CHECK(plan.all_workloads().size() == 1);
  }

  void start(Now now, Step& out) override {
    created_ = now.wall;
    watch_due_ = now.mono + kWatchEvery;
    if (member_ != 0) return;
    runs_ = true;
    out.outputs.push_back(failover::Run{lease_of(0), 0});
    beat(now, out);
  }

  void heard(Now now, const Heard& heard, Step&) override {
    if (std::holds_alternative<market::Promotion>(heard.message)) peer_promoted_ = true;
    if (heard.author != primary_) return;
    if (std::holds_alternative<market::Heartbeat>(heard.message))
      newest_beat_ = std::max(newest_beat_.value_or(heard.created_at), heard.created_at);
    if (std::holds_alternative<market::Revocation>(heard.message)) schedule(now);
  }

  void answered(Now now, QueryNo id, uint32_t, bool, Step& out) override {
    if (!asked_ || *asked_ != id || ++answers_ < plan_.relays) return;
    asked_.reset();
    scheduled_ = false;
    if (peer_promoted_) {
      slot_ = false;
      return;
    }
    starting_ = true;
    out.outputs.push_back(failover::Run{lease_of(0), 1});
    (void)now;
  }

  // The announcement comes after the container.
  void workload(Now, uint32_t, WorkloadNews news, bool, Step& out) override {
    if (news == WorkloadNews::StartFailed || news == WorkloadNews::CannotRun) starting_ = false;
    if (news != WorkloadNews::Running || !starting_) return;
    starting_ = false;
    slot_ = false;
    runs_ = true;
    out.outputs.push_back(Publish{
        PublishNo{++numbers_}, lease_of(0), market::Promotion{"w", self_, {}, 1, 1, {}}, {}});
  }

  void timer(Now now, Step& out) override {
    if (beat_due_ && *beat_due_ <= now.mono) beat(now, out);
    if (promote_due_ && *promote_due_ <= now.mono) {
      promote_due_.reset();
      asked_ = QueryNo{++numbers_};
      answers_ = 0;
      out.outputs.push_back(Query{*asked_, lease_of(0), 10'000_ms});
    }
    if (watch_due_ > now.mono) return;
    watch_due_ = now.mono + kWatchEvery;
    if (elapsed(newest_beat_.value_or(created_), now.wall) >= kSilent) schedule(now);
  }

  std::optional<Micros> next_deadline() const override {
    Micros next = watch_due_;
    if (beat_due_) next = std::min(next, *beat_due_);
    if (promote_due_) next = std::min(next, *promote_due_);
    return next;
  }
  Phase phase(uint32_t) const override { return runs_ ? Phase::Holding : Phase::Armed; }
  uint64_t phase_changes() const override { return runs_ ? 1 : 0; }
  bool may_run(Now, uint32_t) const override { return runs_; }

  // Nobody is told; the provider's heartbeats go on.
  void leave(Now, uint32_t, Step&) override { slot_ = starting_ = runs_ = false; }
  void unbroken(Now, uint32_t, std::optional<Micros>, Step&) override {}
  void receipt(Now, PublishNo, uint32_t, bool, Step&) override {}
  void guard_state(Now, std::span<const GuardDeadline>, Step&) override {}
  void guard_hold(Now, const GuardDeadline&, Step&) override {}
  void guard_lost(Now, Step&) override {}

 private:
  void beat(Now now, Step& out) {
    beat_due_ = now.mono + kBeatEvery;
    out.outputs.push_back(PublishBeat{PublishNo{++numbers_}, {market::Hold{{}, 0}}});
  }
  void schedule(Now now) {
    if (member_ == 0 || !slot_ || scheduled_ || starting_) return;
    scheduled_ = true;
    promote_due_ = now.mono + Micros{(member_ - 1) * kPerIndex.value};
  }

  const Plan& plan_;
  const uint32_t member_;
  const PubKey self_;
  const PubKey primary_;
  UnixSeconds created_;
  std::optional<UnixSeconds> newest_beat_;
  Micros watch_due_;
  std::optional<Micros> beat_due_;
  std::optional<Micros> promote_due_;
  std::optional<QueryNo> asked_;
  uint32_t answers_ = 0;
  uint64_t numbers_ = 0;
  bool slot_ = true;
  bool scheduled_ = false;
  bool starting_ = false;
  bool runs_ = false;
  bool peer_promoted_ = false;
};

}  // namespace

std::unique_ptr<Brain> make_timeout_only(const Plan& plan, uint32_t member) {
  return std::make_unique<TimeoutOnly>(plan, member);
}

}  // namespace paygress::sim::members
