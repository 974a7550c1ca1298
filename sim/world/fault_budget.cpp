#include "sim/world/fault_budget.h"

#include <algorithm>
#include <cstdlib>
#include <set>

namespace paygress::sim {
namespace {

bool overlap(const Fault& a, const Fault& b) {
  return a.at <= b.at + b.lasts + kLieLingers && b.at <= a.at + a.lasts + kLieLingers;
}

}  // namespace

bool may_lie(const Plan& plan, const Fault& fault) {
  if (!info_of(fault.kind).lies) return true;
  std::set<NodeName> liars{fault.node};
  for (const Fault& other : plan.faults)
    if (info_of(other.kind).lies && overlap(fault, other)) liars.insert(other.node);
  return liars.size() <= plan.liars;
}

std::string beyond_budget(const Plan& plan) {
  for (const Fault& fault : plan.faults) {
    if (!may_lie(plan, fault)) return "too many relays lie at once: " + to_text(fault);
    if (fault.kind == FaultKind::ClockDrift && std::llabs(fault.amount) > kDriftMaxPpm)
      return "a clock may drift by " + std::to_string(kDriftMaxPpm) + " ppm: " + to_text(fault);
    if (fault.at >= plan.length) return "it happens after everything healed: " + to_text(fault);
  }
  for (const ProviderLine& p : plan.providers)
    if (std::llabs(p.clock_drift_ppm) > kDriftMaxPpm)
      return "a clock may drift by " + std::to_string(kDriftMaxPpm) +
             " ppm: " + to_text(NodeName{Role::Provider, p.number});
  if (plan.relays.empty()) return "there is no relay";
  for (const Purchase& purchase : plan.purchases)
    if (purchase.sats == 0) return "somebody pays nothing";
  const auto frozen = [&](Role role) {
    return static_cast<size_t>(
        std::ranges::count_if(plan.frozen, [&](NodeName n) { return n.role == role; }));
  };
  const size_t lost = frozen(Role::Relay);
  if (lost > 0 && lost * 2 >= plan.relays.size()) return "half of the relays are frozen";
  if (frozen(Role::Provider) >= std::max<size_t>(plan.providers.size(), 1))
    return "every provider is frozen";
  return {};
}

}  // namespace paygress::sim
