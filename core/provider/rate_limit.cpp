#include "core/provider/rate_limit.h"

#include <algorithm>
#include <utility>

namespace paygress::provider {
namespace {
constexpr Seconds kWindow{60};
}

RateLimit::Window& RateLimit::window(Now now, const PubKey& key) {
  const auto it = windows_.find(key);
  if (it != windows_.end()) {
    if (now.mono >= it->second.from + micros(kWindow)) it->second = Window{now.mono, 0, false};
    return it->second;
  }
  if (windows_.size() >= kLimitedKeysMax) {
    windows_.erase(std::min_element(
        windows_.begin(), windows_.end(),
        [](const auto& a, const auto& b) { return a.second.from < b.second.from; }));
  }
  return windows_.emplace(key, Window{now.mono, 0, false}).first->second;
}

bool RateLimit::allow(Now now, const PubKey& key) {
  return ++window(now, key).requests <= kRequestsPerMinute;
}

bool RateLimit::allow_complaint(Now now, const PubKey& key) {
  if (std::exchange(window(now, key).complained, true)) return false;
  if (now.mono >= complaints_from_ + micros(kWindow)) {
    complaints_from_ = now.mono;
    complaints_ = 0;
  }
  return ++complaints_ <= kComplaintsPerMinute;
}

}  // namespace paygress::provider
