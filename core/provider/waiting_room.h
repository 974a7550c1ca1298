// Requests that came before what decides on them was read: their token's mint, right after a start
// and after it was away; the offers of those who are to stand by with us. They wait for a moment
// instead of being refused, and so does a stop of one of them. Nothing of them is a record yet; a
// crash forgets them, and their relays bring them again.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "core/cashu/redeemer.h"
#include "core/provider/inputs.h"
#include "core/provider/records.h"

namespace paygress::provider {

// Since it came: then a waiting request is decided, by what is known. Long enough for a reading of
// a mint that fails and the one after it.
inline constexpr int64_t kPatienceSeconds = 25;
inline constexpr Seconds kPatience{kPatienceSeconds};
static_assert(kPatience > cashu::kMintReadTimeout + cashu::kRefreshUnreadMint);
inline constexpr size_t kWaitingMax = 256;  // requests waiting at a time; others are refused

struct Waiting {
  Micros until;
  RequestKey key;
  PrivateMessage message;
};

class WaitingRoom {
 public:
  // False when it is full.
  bool enter(Waiting request);
  bool contains(const RequestKey& key) const;
  bool any(const std::function<bool(const Waiting&)>& what) const;
  size_t size() const { return waiting_.size(); }

  // Takes out, in the order of their coming, the first `most` that `ready` holds for.
  std::vector<Waiting> take(size_t most, const std::function<bool(const Waiting&)>& ready);
  // Takes out those that waited long enough.
  std::vector<Waiting> take_due(Now now);
  std::optional<Micros> next_deadline() const;

 private:
  std::deque<Waiting> waiting_;  // by `until`: who waits again keeps its place
};

}  // namespace paygress::provider
