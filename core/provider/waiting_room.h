// Requests that came before what decides on them was read: their token's mint, right after a start
// and after it was away; the offers of those who are to stand by with us. They wait for a moment
// instead of being refused. Nothing of them is a record yet; a crash forgets them, and their relays
// bring them again.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "core/cashu/redeemer.h"
#include "core/provider/inputs.h"
#include "core/provider/records.h"

namespace paygress::provider {

// Then a waiting request is refused. Long enough for a reading that fails and the one after it.
inline constexpr int64_t kMintPatienceSeconds = 25;
inline constexpr Seconds kMintPatience{kMintPatienceSeconds};
static_assert(kMintPatience > cashu::kMintReadTimeout + cashu::kRefreshUnreadMint);
inline constexpr size_t kWaitingMax = 256;  // requests waiting at a time; others are refused

class WaitingRoom {
 public:
  // False when it is full.
  bool enter(Now now, const RequestKey& key, PrivateMessage message);
  bool contains(const RequestKey& key) const;
  size_t size() const { return waiting_.size(); }

  // Takes out, in the order of their coming, all that `ready` holds for.
  std::vector<PrivateMessage> take(const std::function<bool(const PrivateMessage&)>& ready);
  // Takes out those that waited long enough.
  std::vector<PrivateMessage> take_due(Now now);
  std::optional<Micros> next_deadline() const;

 private:
  struct Entry {
    Micros until;  // never descends along the queue: everybody waits equally long
    RequestKey key;
    PrivateMessage message;
  };
  std::deque<Entry> waiting_;
};

}  // namespace paygress::provider
