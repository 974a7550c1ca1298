#include "core/failover/evidence.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/base/planted.h"

namespace paygress::failover {

RelayMask Evidence::counted(Micros now) const {
  RelayMask mask = 0;
  for (size_t i = 0; i < since_.size(); ++i) {
    if (!since_[i]) continue;
    if (!policy_.unbroken_subscriptions || *since_[i] + terms_.profile.silence <= now)
      mask |= bit_of(i);
  }
  return mask;
}

std::optional<Micros> Evidence::readable_at() const {
  return silent_at(Micros{std::numeric_limits<int64_t>::min() / 2});
}

std::optional<Micros> Evidence::silent_at(Micros quiet_from) const {
  std::array<Micros, kRelaysMax> from;
  size_t healthy = 0;
  for (const auto& since : since_) {
    if (!since) continue;
    from[healthy++] = policy_.unbroken_subscriptions ? std::max(*since, quiet_from) : quiet_from;
  }
  const size_t needed = terms_.quorums.read;
  if (healthy < needed) return std::nullopt;
  const Micros silence =
      planted(Bug::failover_early_silence) ? terms_.profile.fence : terms_.profile.silence;
  if (needed == 0) return quiet_from + silence;
  std::nth_element(from.begin(), from.begin() + (needed - 1), from.begin() + healthy);
  return from[needed - 1] + silence;
}

}  // namespace paygress::failover
