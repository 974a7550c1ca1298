// Rules that can be switched off, one at a time, to show that they are missed: by tests, the
// simulator, and nobody else. Production runs with all of them on.
#pragma once

#include <boost/describe.hpp>

namespace paygress::failover {

struct RulePolicy {
  bool self_fencing = true;             // 1, 2: stop when the newest counting heartbeat is too old
  bool guard = true;                    // 6: the deadline is also held by the guard
  bool guarded_start = true;            // 7: nothing starts without a confirmed, unexpired deadline
  bool revoke_after_pause = true;       // 2: revoke only what is confirmed not to run
  bool restarted_holder_claims = true;  // 8: a restarted holder is fenced, with one exception
  bool epochs_named = true;             // 12, 13: revocations and possible holders name their epoch
  bool increasing_timestamps = true;    // 1: (kept by whoever stamps the events)
  bool no_wall_age = true;              // 9: our wall clock does not judge a heartbeat's age
  bool claim = true;                    // 13, 14: claim before promoting
  bool read_after_claim = true;         // 14: read again once the claim is published
  bool promote_before_ttl = true;       // 15: never promote on an old claim
  bool echo = true;                     // an OK alone is a promise
  bool unbroken_subscriptions =
      true;           // a relay counts for reading only after an unbroken T_silence
  bool holds = true;  // 1: heartbeats name what their author holds
  bool ranks = true;  // 16: the better rank goes on, the other withdraws
  bool failed_query_is_no_silence = true;  // 11: a query that failed proves nothing
  bool void_claims_end = true;             // 16: a claim is void some time after it was first seen
  bool arming = true;                      // 10: never claim before the holder was heard of

  bool operator==(const RulePolicy&) const = default;
};
BOOST_DESCRIBE_STRUCT(RulePolicy, (),
                      (self_fencing, guard, guarded_start, revoke_after_pause,
                       restarted_holder_claims, epochs_named, increasing_timestamps, no_wall_age,
                       claim, read_after_claim, promote_before_ttl, echo, unbroken_subscriptions,
                       holds, ranks, failed_query_is_no_silence, void_claims_end, arming))

}  // namespace paygress::failover
