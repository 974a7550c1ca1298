#include "sim/world/swarm.h"

#include <algorithm>
#include <array>

#include "core/base/random.h"
#include "sim/world/fault_budget.h"

namespace paygress::sim {
namespace {

constexpr uint32_t kLikely = 750'000;
constexpr uint32_t kHalf = 500'000;
constexpr Micros kQuietStart{1'000'000};                       // so that every provider has begun
constexpr std::array<uint32_t, 3> kIntensities{50, 100, 250};  // percent
constexpr uint32_t kRecoveryCrashesMax = 3;
constexpr uint32_t kStepMax = 12;
constexpr Seconds kStopWithin{900};
// What a mint that refuses for no reason may say: spent, pending, not balanced, no proof of its
// own, keyset not known, something.
constexpr std::array<int64_t, 6> kRefusals{11001, 11002, 11005, 10001, 12001, 11000};

// How strongly each class of faults is on, in percent.
using Intensities = std::array<uint32_t, kFaultClasses>;

class Draw {
 public:
  Draw(const Scenario& scenario, uint64_t seed) : scenario_(scenario), seed_(seed) {}

  Plan plan(Tier tier) {
    plan_.scenario = scenario_.name;
    plan_.seed = seed_;
    plan_.tier = tier;
    plan_.length = micros(scenario_.length);
    plan_.settle = micros(scenario_.settle);
    plan_.delay_min = scenario_.delay_min;
    plan_.delay_max = scenario_.delay_max;
    plan_.liars = scenario_.liars;
    nodes();
    if (scenario_.standbys_max > 0 && stream(0, "profile").chance_ppm(kLikely))
      plan_.profile = "fast";
    purchases();
    faults();
    frozen();
    withdrawals();
    return std::move(plan_);
  }

 private:
  RandomStream stream(uint64_t entity, std::string_view purpose) const {
    return RandomStream(seed_, entity, purpose);
  }
  // Whole seconds and tenths: a plan is read by people.
  static Micros time(RandomStream& random, Micros low, Micros high) {
    const Micros drawn{random.between(low.value, std::max(low, high).value)};
    return {drawn.value - drawn.value % 100'000};
  }

  void nodes() {
    for (uint32_t i = 0; i < scenario_.relays; ++i) plan_.relays.push_back(i);
    for (uint32_t i = 0; i < scenario_.consumers; ++i) plan_.consumers.push_back(i);
    const int64_t offset = scenario_.clock_offset_max.value;
    const int64_t drift = scenario_.clock_drift_ppm_max;
    for (uint32_t i = 1; i <= scenario_.providers; ++i) {
      RandomStream random = stream(i, "clock");
      plan_.providers.push_back(
          {i, micros(Seconds{random.between(-offset, offset)}), random.between(-drift, drift)});
    }
  }

  void purchases() {
    for (uint32_t consumer : plan_.consumers) {
      RandomStream random = stream(consumer, "purchases");
      for (size_t i = 0; i < scenario_.spawns_per_consumer; ++i) {
        Purchase p;
        p.consumer = consumer;
        p.at = time(random, Micros{5'000'000}, {plan_.length.value / 2});
        p.provider = plan_.providers[random.below(plan_.providers.size())].number;
        p.sats = static_cast<uint64_t>(random.between(static_cast<int64_t>(scenario_.sats_min),
                                                      static_cast<int64_t>(scenario_.sats_max)));
        if (random.below(4) == 0) p.tier = "big";
        p.top_ups = static_cast<uint32_t>(scenario_.top_ups_per_lease);
        p.nip04 = scenario_.nip04;
        if (random.below(100) < scenario_.stops_percent)
          p.stop_after = Micros{random.between(100'000, micros(kStopWithin).value)};
        if (scenario_.patient_percent > 0)
          p.patient = random.below(100) < scenario_.patient_percent;
        if (scenario_.standbys_max > 0) standbys(p, i);
        plan_.purchases.push_back(p);
      }
    }
    std::ranges::sort(plan_.purchases, {},
                      [](const Purchase& p) { return std::tuple(p.at, p.consumer, p.sats); });
  }

  // One in five stays plain. Half of the others name who is to stand by, the rest let it be chosen.
  void standbys(Purchase& p, size_t which) {
    RandomStream random = stream(p.consumer * 1'000 + which, "standbys");
    if (random.below(5) == 0) return;
    const auto count = static_cast<uint32_t>(random.between(
        1, static_cast<int64_t>(std::min(scenario_.standbys_max, plan_.providers.size() - 1))));
    if (random.chance_ppm(kHalf)) {
      p.standbys = count;
      return;
    }
    while (p.standby.size() < count) {
      const NodeName other = provider(random);
      if (other.number != p.provider && std::ranges::find(p.standby, other) == p.standby.end())
        p.standby.push_back(other);
    }
  }

  void withdrawals() {
    RandomStream random = stream(0, "withdrawals");
    const uint64_t count = random.below(scenario_.withdrawals_max + 1);
    for (uint64_t i = 0; i < count; ++i) {
      WithdrawalLine w;
      w.at = time(random, kQuietStart, plan_.length);
      w.provider = provider(random).number;
      if (random.chance_ppm(kHalf)) w.sats = static_cast<uint64_t>(random.between(1, 100));
      w.pays = w.sats > 0 && scenario_.operators_pay;
      plan_.withdrawals.push_back(w);
    }
    std::ranges::sort(plan_.withdrawals, {},
                      [](const WithdrawalLine& w) { return std::tuple(w.at, w.provider, w.sats); });
  }

  Intensities intensities() const {
    Intensities all;
    all.fill(100);
    if (!scenario_.swarm) return all;
    RandomStream random = stream(0, "swarm");
    for (uint32_t& one : all) {
      const uint32_t strength = kIntensities[random.below(kIntensities.size())];
      one = random.chance_ppm(kLikely) ? strength : 0;
    }
    return all;
  }

  void faults() {
    const Intensities strength = intensities();
    for (const FaultChance& chance : scenario_.faults) {
      const FaultInfo& info = info_of(chance.kind);
      RandomStream random = stream(name64(info.name), "faults");
      const bool left_out = scenario_.swarm && !random.chance_ppm(kLikely);
      const uint32_t percent = strength[static_cast<size_t>(info.klass)];
      if (left_out || percent == 0) continue;
      // Twice the mean at most, in thousandths; the rest of the division is one more with its
      // chance.
      const uint64_t twice = uint64_t{2} * chance.mean * percent;
      const uint64_t most = twice / 1000 + (random.below(1000) < twice % 1000 ? 1 : 0);
      const uint64_t count = random.below(most + 1);
      for (uint64_t i = 0; i < count; ++i) {
        const Fault fault = draw(chance, info, random);
        if (may_lie(plan_, fault)) plan_.faults.push_back(fault);
      }
    }
    std::ranges::sort(plan_.faults, {}, [](const Fault& f) {
      return std::tuple(f.at, f.kind, f.node, f.peer, f.amount);
    });
  }

  Fault draw(const FaultChance& chance, const FaultInfo& info, RandomStream& random) {
    Fault f;
    f.kind = chance.kind;
    f.at = time(random, kQuietStart, {plan_.length.value - 1'000'000});
    f.node = node(info, random);
    if (info.lasts)
      f.lasts =
          time(random, Micros{1'000'000}, std::min(micros(chance.lasts_max), plan_.length - f.at));
    if (chance.amount_max > 0) f.amount = random.between(1, chance.amount_max);
    if (f.kind == FaultKind::MintRefuse) f.amount = kRefusals[random.below(kRefusals.size())];
    const bool minus = random.chance_ppm(kHalf);
    if (info.klass == FaultClass::Clock && minus) f.amount = -f.amount;
    if (info.klass == FaultClass::Link) f.peer = peer(random);
    if (f.kind == FaultKind::Withhold) f.peer = provider(random);
    if (f.kind == FaultKind::Cut || f.kind == FaultKind::Clog)
      f.way = static_cast<Way>(random.below(3));
    if (f.kind == FaultKind::Crash) {
      if (random.chance_ppm(kLikely)) f.step = static_cast<uint32_t>(random.below(kStepMax) / 2);
      if (random.chance_ppm(kHalf / 2))
        f.again = static_cast<uint32_t>(random.between(1, kRecoveryCrashesMax));
    }
    if (f.kind == FaultKind::Crash || f.kind == FaultKind::HostLoss)
      f.keeps = static_cast<CrashKeeps>(random.below(5));
    return f;
  }

  NodeName provider(RandomStream& random) {
    return {Role::Provider, plan_.providers[random.below(plan_.providers.size())].number};
  }
  NodeName node(const FaultInfo& info, RandomStream& random) {
    if (info.role == Role::Relay)
      return {Role::Relay, plan_.relays[random.below(plan_.relays.size())]};
    if (info.role == Role::Mint) return {Role::Mint, 0};
    if (info.klass == FaultClass::Link && random.chance_ppm(kHalf))
      return {Role::Consumer, plan_.consumers[random.below(plan_.consumers.size())]};
    if (info.klass == FaultClass::Mint && random.chance_ppm(kHalf)) return {Role::Mint, 0};
    return provider(random);
  }
  // The other end of a link: one relay, now and then all of them.
  NodeName peer(RandomStream& random) {
    const size_t which = random.below(plan_.relays.size() + 1);
    if (which == plan_.relays.size()) return {};
    return {Role::Relay, plan_.relays[which]};
  }

  // In half of the histories a relay, a provider, or both stay as broken as they are.
  void frozen() {
    if (!scenario_.freezes) return;
    RandomStream random = stream(0, "frozen");
    if (random.chance_ppm(kHalf) && plan_.relays.size() > 2)
      plan_.frozen.push_back({Role::Relay, plan_.relays[random.below(plan_.relays.size())]});
    if (random.chance_ppm(kHalf) && plan_.providers.size() > 1)
      plan_.frozen.push_back(provider(random));
  }

  const Scenario& scenario_;
  uint64_t seed_;
  Plan plan_;
};

}  // namespace

Plan draw_plan(const Scenario& scenario, uint64_t seed, Tier tier) {
  Plan plan = Draw(scenario, seed).plan(tier);
  PG_CHECK(beyond_budget(plan).empty());
  return plan;
}

}  // namespace paygress::sim
