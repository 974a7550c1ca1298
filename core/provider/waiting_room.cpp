#include "core/provider/waiting_room.h"

#include <algorithm>
#include <utility>

namespace paygress::provider {

bool WaitingRoom::enter(Waiting request) {
  if (waiting_.size() >= kWaitingMax) return false;
  const auto place = std::ranges::upper_bound(waiting_, request.until, {}, &Waiting::until);
  waiting_.insert(place, std::move(request));
  return true;
}

bool WaitingRoom::contains(const RequestKey& key) const {
  return any([&](const Waiting& request) { return request.key == key; });
}

bool WaitingRoom::any(const std::function<bool(const Waiting&)>& what) const {
  return std::any_of(waiting_.begin(), waiting_.end(), what);
}

std::vector<Waiting> WaitingRoom::take(size_t most,
                                       const std::function<bool(const Waiting&)>& ready) {
  std::vector<Waiting> taken;
  std::deque<Waiting> staying;
  for (Waiting& request : waiting_) {
    if (taken.size() < most && ready(request))
      taken.push_back(std::move(request));
    else
      staying.push_back(std::move(request));
  }
  waiting_ = std::move(staying);
  return taken;
}

std::vector<Waiting> WaitingRoom::take_due(Now now) {
  std::vector<Waiting> taken;
  while (!waiting_.empty() && waiting_.front().until <= now.mono) {
    taken.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return taken;
}

std::optional<Micros> WaitingRoom::next_deadline() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.front().until;
}

}  // namespace paygress::provider
