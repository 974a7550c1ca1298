#include "core/failover/evidence.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/base/planted.h"

namespace paygress::failover {
namespace {

constexpr Micros kAlways{std::numeric_limits<int64_t>::min() / 2};

}  // namespace

RelayMask Evidence::counted(Micros now) const {
  RelayMask mask = 0;
  for (size_t i = 0; i < since_.size(); ++i) {
    if (!since_[i]) continue;
    if (!policy_.unbroken_subscriptions || *since_[i] + terms_.profile.silence <= now)
      mask |= bit_of(i);
  }
  return mask;
}

void Evidence::set_unbroken(size_t relay, std::optional<Micros> since) {
  since_.at(relay) = since;
  unbroken_from_ = compute_unbroken_from();
}

std::optional<Micros> Evidence::compute_unbroken_from() const {
  std::array<Micros, kRelaysMax> from;
  size_t healthy = 0;
  for (const auto& since : since_)
    if (since) from[healthy++] = *since;
  const size_t needed = terms_.quorums.read;
  if (healthy < needed) return std::nullopt;
  if (needed == 0) return kAlways;
  std::nth_element(from.begin(), from.begin() + (needed - 1), from.begin() + healthy);
  return from[needed - 1];
}

std::optional<Micros> Evidence::readable_at() const { return silent_at(kAlways); }

std::optional<Micros> Evidence::silent_at(Micros quiet_from) const {
  if (!unbroken_from_) return std::nullopt;
  const Micros silence =
      planted(Bug::failover_early_silence) ? terms_.profile.fence : terms_.profile.silence;
  if (!policy_.unbroken_subscriptions) return quiet_from + silence;
  return std::max(*unbroken_from_, quiet_from) + silence;
}

}  // namespace paygress::failover
