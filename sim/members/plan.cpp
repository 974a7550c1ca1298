#include "sim/members/plan.h"

#include <algorithm>
#include <array>
#include <numeric>

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
    case FaultKind::Withhold:
    case FaultKind::RelayDown: fault.amount = {draw.below(2)}; break;
    case FaultKind::ClockStep: fault.amount = draw.between({-600'000'000}, {600'000'000}); break;
    case FaultKind::SlowCreate:
      fault.amount = draw.between(plan.create, times(p.silence, 2));
      break;
    default: break;
  }
  return fault;
}

// The primary is lost, and most of what else goes wrong does so while the others take over.
void focus(Draw& draw, Plan& plan) {
  const failover::Profile& p = plan.profile;
  const Micros lost = p.silence + draw.between({0}, p.silence);
  const FaultKind how = draw.chance(60) ? FaultKind::HostCrash : FaultKind::CutMember;
  const Micros until = std::min(plan.heal_at, lost + draw.between(p.silence, times(p.silence, 4)));
  const Micros silent = lost + p.silence - p.heartbeat;
  for (Fault& fault : plan.faults) {
    if (fault.kind == FaultKind::ClockStep || draw.chance(30)) continue;
    const Micros from = silent + draw.between({0}, p.heartbeat + times(p.delay, 4));
    fault.until = std::min(plan.heal_at, from + (fault.until - fault.from));
    fault.from = std::min(from, fault.until);
  }
  plan.faults.push_back({how, lost, until, 0, 0, 3, {}, {}});
}

// Faults at the very moments of a take-over.
void strike_claimants(Draw& draw, Plan& plan, const std::vector<FaultKind>& kinds) {
  using failover::Phase;
  constexpr std::array kPhases{Phase::Doubting,  Phase::Claiming, Phase::Reading,
                               Phase::Promoting, Phase::Holding,  Phase::Withdrawing,
                               Phase::Fencing};
  for (uint32_t i = 0; i < 1 + draw.below(5); ++i) {
    const FaultKind kind =
        draw.chance(40) ? FaultKind::Pause : kinds[draw.below(static_cast<uint32_t>(kinds.size()))];
    Fault fault = draw_fault(draw, plan, kind);
    fault.when = kPhases[draw.below(kPhases.size())];
    fault.from = draw.chance(70) ? Micros{0} : fault.from;
    const Micros longest = draw.chance(50) ? plan.profile.delay : times(plan.profile.claim_ttl, 3);
    fault.until = fault.from + draw.between({1'000}, longest);
    if (kind == FaultKind::Pause) {  // asleep with a claim in hand, and then awake
      fault.when = draw.chance(60) ? Phase::Reading : Phase::Claiming;
      fault.from = {};
      fault.until = draw.between(plan.profile.claim_ttl, times(plan.profile.claim_ttl, 4));
    }
    plan.faults.push_back(fault);
  }
}

// The holder writes where the others do not hear it, and they hear where it does not write.
void split_views(Draw& draw, Plan& plan) {
  const failover::Quorums q = failover::quorums(plan.relays, plan.faulty);
  const Micros from = times(plan.profile.heartbeat, 2);
  const bool mute = draw.chance(70);
  for (uint32_t r = 0; r < plan.relays; ++r) {
    if (r < q.relays - q.write) {
      plan.faults.push_back({FaultKind::CutLink, from, plan.heal_at, 0, r, 3, {}, {}});
      continue;
    }
    for (uint32_t m = 1; m < plan.members; ++m)
      plan.faults.push_back({FaultKind::Withhold, from, plan.heal_at, m, r, 3, {mute ? 1 : 0}, {}});
  }
}

// A standby comes back from a long cut to relays that have all forgotten everything.
void amnesia(Plan& plan) {
  Draw draw(plan.seed, "amnesia");
  if (!draw.chance(8)) return;
  const failover::Profile& p = plan.profile;
  const Micros at = draw.between(times(p.silence, 2), plan.heal_at - p.heartbeat);
  const uint32_t standby = 1 + draw.below(plan.members - 1);
  plan.faults.push_back(
      {FaultKind::CutMember, at - p.silence - p.heartbeat, at, standby, 0, 3, {}, {}});
  for (uint32_t r = 0; r < plan.relays; ++r)
    plan.faults.push_back({FaultKind::RelayDown, at - p.retry, at, 0, r, 3, {1}, {}});
}

// The leases of some members end, often of whoever holds; one at least was paid for longer.
void end_leases(Plan& plan) {
  Draw draw(plan.seed, "lease ends");
  if (!draw.chance(15)) return;
  const uint32_t stays = draw.below(plan.members);
  for (uint32_t m = 0; m < plan.members; ++m) {
    if (m == stays || draw.chance(40)) continue;
    const Micros at = draw.between(plan.profile.heartbeat, plan.heal_at);
    Fault fault{FaultKind::LeaseEnd, at, at, m, 0, 3, {}, {}};
    if (draw.chance(40)) fault.when = failover::Phase::Holding;
    plan.faults.push_back(fault);
    if (fault.when || draw.chance(50)) continue;
    const Micros back = std::min(plan.heal_at, at + draw.between({1'000'000}, plan.profile.fence));
    plan.faults.push_back({FaultKind::EngineHang, at, back, m, 0, 3, {}, {}});  // removes nothing
  }
}

// Somebody has the key of a member, and writes what he likes. Another one is left to go on.
void liar(Plan& plan) {
  Draw draw(plan.seed, "liar");
  if (!draw.chance(8)) return;
  const uint32_t who = draw.below(plan.members);
  const auto lost = [](const std::vector<uint32_t>& all, uint32_t m) {
    return std::find(all.begin(), all.end(), m) != all.end();
  };
  bool another = false;
  for (uint32_t m = 0; m < plan.members; ++m)
    another |= m != who && !lost(plan.lost_members, m) && !lost(plan.lost_engines, m);
  if (!another) return;
  const Micros silence = plan.profile.silence;
  const Micros from = draw.between({0}, {plan.heal_at.value / 2});
  const Micros until = std::min(plan.heal_at, from + draw.between(silence, times(silence, 6)));
  plan.faults.push_back({FaultKind::Lies, from, until, who, 0, 3, {}, {}});
  if (!lost(plan.lost_members, who)) plan.lost_members.push_back(who);
}

// Which kinds a history has is drawn first: a mix of everything hides what only some do.
std::vector<FaultKind> draw_kinds(Draw& draw) {
  std::vector<FaultKind> kinds;
  for (int i = 0; i <= static_cast<int>(FaultKind::Withhold); ++i)
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

// What does not last is said to take a second: as the text reads it.
void normalise(Plan& plan) {
  for (Fault& fault : plan.faults)
    if (!word_of(fault.kind).lasts) fault.until = fault.from + Micros{1'000'000};
}

}  // namespace

uint32_t Plan::member_number(uint32_t place) const {
  return member_numbers.empty() ? place : member_numbers.at(place);
}

uint32_t Plan::relay_number(uint32_t place) const {
  return relay_numbers.empty() ? place : relay_numbers.at(place);
}

std::vector<std::vector<uint32_t>> Plan::all_workloads() const {
  if (!workloads.empty()) return workloads;
  std::vector<uint32_t> everybody(members);
  std::iota(everybody.begin(), everybody.end(), 0);
  return {everybody};
}

std::string Plan::workload_id(const std::vector<uint32_t>& of_members) const {
  return "w" + std::to_string(member_number(of_members.front()));
}

Plan hostile_plan(uint64_t seed) {
  Draw draw(seed, "plan");
  Plan plan;
  plan.seed = seed;
  plan.profile = draw.chance(50) ? failover::kDefaultProfile : failover::kFastProfile;
  if (draw.chance(15)) plan.profile.backoff = {};  // allowed: then ranks alone decide
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
  if (draw.chance(50)) focus(draw, plan);
  if (draw.chance(40)) strike_claimants(draw, plan, kinds);
  if (draw.chance(10)) split_views(draw, plan);
  draw_losses(draw, plan);
  amnesia(plan);
  end_leases(plan);
  liar(plan);
  normalise(plan);
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
  plan.heal_at = at + times(profile.silence, 4);
  plan.faults.push_back({FaultKind::HostCrash, at, plan.heal_at, 0, 0, 3, {}, {}});
  plan.end_at = plan.heal_at + times(profile.silence, 12);
  plan.lost_members = {0};
  return plan;
}

// Mostly trouble of every kind; and often enough only the loss, so that a sweep says how long a
// take-over takes. Half of the quiet ones have the fast profile.
Plan failover_plan(uint64_t seed) {
  Draw draw(seed, "kind of history");
  if (!draw.chance(15)) return hostile_plan(seed);
  return plain_plan(seed, draw.chance(50) ? failover::kDefaultProfile : failover::kFastProfile);
}

// --- a fleet -------------------------------------------------------------------------------------

namespace {

// So many faults of a kind per provider or relay and day, in tenths; the longest, in silences.
struct Daily {
  FaultKind kind;
  uint32_t tenths;
  int64_t lasts_max;
};
constexpr std::array kDaily{
    Daily{FaultKind::HostCrash, 10, 20}, Daily{FaultKind::Crash, 20, 4},
    Daily{FaultKind::Pause, 10, 4},      Daily{FaultKind::CutMember, 10, 6},
    Daily{FaultKind::CutLink, 20, 20},   Daily{FaultKind::SlowLink, 10, 10},
    Daily{FaultKind::EngineHang, 5, 3},  Daily{FaultKind::FailCreate, 5, 10},
    Daily{FaultKind::Exhaust, 5, 1},     Daily{FaultKind::GuardCrash, 5, 1},
    Daily{FaultKind::ClockStep, 10, 1},  Daily{FaultKind::RelayDown, 5, 10},
    Daily{FaultKind::RelayDeaf, 5, 4},   Daily{FaultKind::Withhold, 10, 4}};

uint64_t count_of(Draw& draw, uint64_t per_day_tenths, Micros length) {
  constexpr uint64_t kDay = 86'400;
  const uint64_t tenths = per_day_tenths * static_cast<uint64_t>(length.value / 1'000'000) / kDay;
  return tenths / 10 + (draw.below(10) < tenths % 10 ? 1 : 0);
}

}  // namespace

// Relays fail one at a time by the odds, not by rule: liveness is owed when all has healed.
Plan fleet_plan(uint64_t seed, uint32_t providers, Micros length) {
  Draw draw(seed, "fleet");
  Plan plan;
  plan.scenario = "failover-fleet";
  plan.seed = seed;
  plan.members = providers;
  plan.relays = 3;
  plan.leg_max = 200'000_us;
  plan.end_at = length;
  plan.heal_at = length - times(plan.profile.silence, 12);
  for (uint32_t m = 0; m < providers; ++m) {
    plan.boots.push_back(draw.between({0}, {5'000'000}));
    plan.workloads.push_back({m, (m + 1) % providers, (m + 2) % providers});
  }
  for (const Daily& daily : kDaily) {
    const bool of_relay = word_of(daily.kind).role == Role::Relay;
    const uint64_t nodes = of_relay ? plan.relays : providers;
    for (uint64_t n = count_of(draw, daily.tenths * nodes, plan.heal_at); n > 0; --n) {
      Fault fault = draw_fault(draw, plan, daily.kind);
      const Micros longest = times(plan.profile.silence, daily.lasts_max);
      fault.until = std::min(plan.heal_at, fault.from + draw.between({1'000'000}, longest));
      plan.faults.push_back(fault);
    }
  }
  const uint32_t lost = draw.below(3);
  const uint32_t first = draw.below(providers);
  if (lost > 0) plan.lost_members.push_back(first);
  if (lost > 1) plan.lost_members.push_back((first + providers / 2) % providers);
  normalise(plan);
  return plan;
}

}  // namespace paygress::sim::members
