#include "sim/members/plan.h"

#include <algorithm>

#include "core/base/random.h"

namespace paygress::sim::members {
namespace {

class Draw {
 public:
  Draw(uint64_t seed, std::string_view purpose) : stream_(seed, 0, purpose) {}
  Micros between(Micros low, Micros high) { return {stream_.between(low.value, high.value)}; }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(stream_.below(n)); }
  bool chance(uint32_t percent) { return stream_.chance_ppm(percent * 10'000); }

 private:
  RandomStream stream_;
};

Micros times(Micros m, int64_t n) { return {m.value * n}; }

Fault draw_fault(Draw& draw, const Plan& plan, FaultKind kind) {
  const failover::Profile& p = plan.profile;
  Fault fault;
  fault.kind = kind;
  fault.member = draw.below(plan.members);
  fault.relay = draw.below(plan.relays);
  fault.way = draw.chance(50) ? 3 : 1 + draw.below(2);
  fault.from = draw.between({0}, plan.heal_at - p.heartbeat);
  const Micros longest = draw.chance(50) ? times(p.silence, 3) : p.fence;
  fault.until = std::min(plan.heal_at, fault.from + draw.between({1'000}, longest));
  switch (kind) {
    case FaultKind::SlowLink: fault.amount = draw.between(plan.leg_max, times(p.delay, 3)); break;
    case FaultKind::RelayDown: fault.amount = {draw.below(2)}; break;
    case FaultKind::ClockStep:
      fault.amount = draw.between({-600'000'000}, {600'000'000});
      break;
    case FaultKind::SlowCreate:
      fault.amount = draw.between(plan.create, times(p.silence, 2));
      break;
    default: break;
  }
  return fault;
}

// Which kinds a history has is drawn first: a mix of everything hides what only some do.
std::vector<FaultKind> draw_kinds(Draw& draw) {
  std::vector<FaultKind> kinds;
  for (int i = 0; i <= static_cast<int>(FaultKind::GuardCrash); ++i)
    if (draw.chance(45)) kinds.push_back(static_cast<FaultKind>(i));
  if (kinds.empty()) kinds = {FaultKind::CutMember, FaultKind::HostCrash};
  return kinds;
}

void draw_losses(Draw& draw, Plan& plan) {
  if (draw.chance(50)) {
    const uint32_t alive = draw.below(plan.members);
    for (uint32_t m = 0; m < plan.members; ++m)
      if (m != alive && draw.chance(40)) plan.lost_members.push_back(m);
  }
  if (draw.chance(20)) plan.lost_engines.push_back(draw.below(plan.members));
  const failover::Quorums q = failover::quorums(plan.relays, plan.faulty);
  const uint32_t spare = plan.relays - std::max(q.write, q.read);
  if (spare > 0 && draw.chance(50)) {
    const uint32_t first = draw.below(plan.relays);
    for (uint32_t i = 0; i < 1 + draw.below(spare); ++i)
      plan.lost_relays.push_back((first + i) % plan.relays);
  }
}

}  // namespace

Plan hostile_plan(uint64_t seed) {
  Draw draw(seed, "plan");
  Plan plan;
  plan.seed = seed;
  plan.profile = draw.chance(50) ? failover::kDefaultProfile : failover::kFastProfile;
  plan.members = 2 + draw.below(3);
  plan.relays = 1 + draw.below(5);
  plan.faulty = plan.relays >= 4 && draw.chance(30) ? 1 : 0;
  const Micros half = {plan.profile.delay.value * 4 / 10};
  plan.leg_max = draw.between({20'000}, draw.chance(70) ? Micros{300'000} : half);
  plan.create = draw.between({200'000}, {20'000'000});
  plan.lockstep = draw.chance(15);
  if (draw.chance(40)) plan.freeze_max = {plan.profile.stop.value * 8 / 10};
  const Micros boots_max = draw.chance(80) ? Micros{5'000'000} : times(plan.profile.silence, 3);
  for (uint32_t m = 0; m < plan.members; ++m) plan.boots.push_back(draw.between({0}, boots_max));
  plan.heal_at = times(plan.profile.silence, 4 + static_cast<int64_t>(draw.below(8)));
  plan.end_at = plan.heal_at + times(plan.profile.silence, 12);
  const std::vector<FaultKind> kinds = draw_kinds(draw);
  const uint32_t count = 1 + draw.below(draw.chance(50) ? 6 : 24);
  for (uint32_t i = 0; i < count; ++i)
    plan.faults.push_back(
        draw_fault(draw, plan, kinds[draw.below(static_cast<uint32_t>(kinds.size()))]));
  draw_losses(draw, plan);
  return plan;
}

Plan plain_plan(uint64_t seed, const failover::Profile& profile) {
  Draw draw(seed, "plain plan");
  Plan plan;
  plan.seed = seed;
  plan.profile = profile;
  plan.members = 2 + draw.below(3);
  plan.relays = 3;
  plan.leg_max = 200'000_us;
  plan.create = 5'000'000_us;
  const Micros at = times(profile.silence, 2) + draw.between({0}, times(profile.heartbeat, 2));
  for (uint32_t m = 0; m < plan.members; ++m) plan.boots.push_back(draw.between({0}, {5'000'000}));
  plan.faults.push_back({FaultKind::HostCrash, at, at + times(profile.silence, 4), 0, 0, 3, {}});
  plan.heal_at = at + times(profile.silence, 4);
  plan.end_at = plan.heal_at + times(profile.silence, 4);
  plan.lost_members = {0};
  return plan;
}

}  // namespace paygress::sim::members
