#include "core/provider/waiting_room.h"

#include <algorithm>
#include <utility>

namespace paygress::provider {

bool WaitingRoom::enter(Now now, const RequestKey& key, PrivateMessage message) {
  if (waiting_.size() >= kWaitingMax) return false;
  waiting_.push_back({now.mono + micros(kMintPatience), key, std::move(message)});
  return true;
}

bool WaitingRoom::contains(const RequestKey& key) const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const Entry& entry) { return entry.key == key; });
}

std::vector<PrivateMessage> WaitingRoom::take(
    const std::function<bool(const PrivateMessage&)>& ready) {
  std::vector<PrivateMessage> taken;
  std::deque<Entry> staying;
  for (Entry& entry : waiting_) {
    if (ready(entry.message))
      taken.push_back(std::move(entry.message));
    else
      staying.push_back(std::move(entry));
  }
  waiting_ = std::move(staying);
  return taken;
}

std::vector<PrivateMessage> WaitingRoom::take_due(Now now) {
  std::vector<PrivateMessage> taken;
  while (!waiting_.empty() && waiting_.front().until <= now.mono) {
    taken.push_back(std::move(waiting_.front().message));
    waiting_.pop_front();
  }
  return taken;
}

std::optional<Micros> WaitingRoom::next_deadline() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.front().until;
}

}  // namespace paygress::provider
