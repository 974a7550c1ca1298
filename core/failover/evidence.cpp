#include "core/failover/evidence.h"

#include <algorithm>
#include <limits>

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
  std::vector<Micros> from;
  for (const auto& since : since_) {
    if (!since) continue;
    from.push_back(policy_.unbroken_subscriptions ? std::max(*since, quiet_from) : quiet_from);
  }
  const size_t needed = terms_.quorums.read;
  if (from.size() < needed) return std::nullopt;
  if (needed == 0) return quiet_from + terms_.profile.silence;
  std::nth_element(from.begin(), from.begin() + static_cast<ptrdiff_t>(needed - 1), from.end());
  return from[needed - 1] + terms_.profile.silence;
}

}  // namespace paygress::failover
