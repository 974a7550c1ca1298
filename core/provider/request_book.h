// Who asked for what, and what the answer was: the same request has the same answer, however often,
// late, re-wrapped or relayed it comes (money-sagas.md flaws 1, 7 and 8).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/lookup.h"
#include "core/provider/records.h"

namespace paygress::provider {

inline constexpr Seconds kRequestAgeMax{600};  // a request never seen before
inline constexpr Seconds kRequestFutureMax{900};
inline constexpr Seconds kRefusalKept{1500};         // 600 + 900: longer than it could be fresh
inline constexpr Seconds kRequestKept{30 * 86400};   // after its answer
inline constexpr Seconds kSeenFor{3 * 86400 + 900};  // gift wraps are dated back up to two days
inline constexpr size_t kSeenMax = 100'000;

struct Request {
  RequestOpened opened;
  std::optional<RequestAnswered> answer;
  bool delivered = false;  // a relay quorum took the answer
};
BOOST_DESCRIBE_STRUCT(Request, (), (opened, answer, delivered))

class RequestBook {
 public:
  static RequestKey key_of(const PubKey& sender, const std::optional<market::RequestId>& id,
                           const EventId& message);
  // Derived, not counted: the same request makes the same lease (flaw 15).
  static LeaseId lease_of(const RequestKey& key);

  const Request* find(const RequestKey& key) const;
  const Request* by_op(const OpId& op) const;  // the first request with that token
  const Request* spawn_of(const LeaseId& lease) const;
  // Stops of this lease that wait for its end.
  std::vector<RequestKey> stops_of(const LeaseId& lease) const;
  bool seen(const EventId& event) const { return seen_.contains(event); }
  std::vector<EventId> seen_events() const;  // oldest first, for the relay pool's memory
  const std::map<RequestKey, Request>& all() const { return requests_; }

  // Records that are due: forgotten requests. Call it now and then; it looks only at what is due.
  std::vector<OwnRecord> forget(UnixSeconds now) const;

  // The only function that changes state. Records of other machines are ignored.
  void apply(const OwnRecord& record);
  void check_invariants() const;

  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.requests_, self.ops_, self.spawns_, self.stops_, self.forgettable_,
                    self.seen_, self.seen_order_);
  }

 private:
  UnixSeconds forget_at(const Request& request) const;
  void index_forget(const RequestKey& key);

  std::map<RequestKey, Request> requests_;
  std::map<OpId, RequestKey> ops_;
  std::map<LeaseId, RequestKey> spawns_;
  std::map<LeaseId, std::set<RequestKey>> stops_;  // unanswered
  std::set<std::pair<UnixSeconds, RequestKey>> forgettable_;
  LookupMap<EventId, UnixSeconds, IdHash> seen_;
  std::set<std::pair<UnixSeconds, EventId>> seen_order_;
};

}  // namespace paygress::provider
