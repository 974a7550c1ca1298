// Every fact that survives. The provider's state is exactly the fold of these, in order.
//
// The variant's indices are the journal's format (core/base/codec.h): alternatives and members are
// only ever added at the end.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/cashu/redeem.h"
#include "core/failover/outputs.h"
#include "core/lease/records.h"
#include "core/market/wire_types.h"
#include "core/provider/inputs.h"
#include "core/workload/workload.h"

namespace paygress::provider {

// Identity of a request: H(sender, request_id), or H(sender, rumor id) for a client without one.
using RequestKey = OpaqueId<struct RequestKeyTag, 16>;

enum class RequestKind : uint8_t { Spawn, TopUp, Status, Stop, Unreadable };

struct Installed {  // the first record of every ledger
  InstallId install;
  PubKey provider;
  std::string seed_fingerprint;  // of the wallet's seed: a start with another one is refused
  UnixSeconds at;
};
struct Booted {
  uint64_t count = 0;
  lease::BootId machine;
  UnixSeconds at;
};
// A private message was looked at; that very event is not processed again. Kept kSeenFor.
struct MessageSeen {
  EventId event;
  UnixSeconds at;
};
// In one batch with the operation and the reservation of a paid request, or with its refusal.
struct RequestOpened {
  RequestKey key;
  PubKey requester;
  EventId event;  // for the `e` tag of a kind 4 reply
  Transport transport = Transport::Nip17;
  std::optional<market::RequestId> request_id;
  RequestKind kind = RequestKind::Spawn;
  std::optional<LeaseId> lease;
  std::optional<OpId> op;  // nothing: refused before anything was touched
  std::string pod;         // as a top-up named it
  UnixSeconds at;
};
// The final answer. Sent until a relay quorum took it, and again whenever it is asked for again.
struct RequestAnswered {
  RequestKey key;
  std::string reply;
  UnixSeconds at;
};
struct AnswerDelivered {
  RequestKey key;
};
struct RequestForgotten {
  RequestKey key;
};
// Event timestamps of ours never repeat or go back, over restarts and clock steps too.
struct Stamped {
  UnixSeconds created_at;
};
// Up to here everything that relay had was read.
struct RelayRead {
  std::string url;
  UnixSeconds until;
};
// We were up and our heartbeat was taken; for the offer's uptime over 30 days.
struct UptimeHour {
  UnixSeconds hour;
  Seconds up;
};
// In one batch with the reservation of a warm-standby spawn: who its members are, which relays they
// share, and the numbers that all keep.
struct TermsFrozen {
  LeaseId lease;
  failover::Terms terms;
};
// What the owner is told unasked (a take-over): sent until a relay quorum took it. `reply` holds
// secrets.
struct NoticeOwed {
  RequestKey key;
  LeaseId lease;
  std::string reply;
  UnixSeconds at;
};
struct NoticeTaken {
  RequestKey key;
};
// The operator's word: this ledger misses the end of what it has done (recovery.h). It ended at
// batch `ended`; the high-water mark said `marked`, 0 when there was none.
struct RecoveryBegan {
  uint64_t ended = 0;
  uint64_t marked = 0;
  UnixSeconds at;
};
struct RecoveryEnded {  // and that it is taken as it is now
  UnixSeconds at;
};

BOOST_DESCRIBE_STRUCT(Installed, (), (install, provider, seed_fingerprint, at))
BOOST_DESCRIBE_STRUCT(Booted, (), (count, machine, at))
BOOST_DESCRIBE_STRUCT(MessageSeen, (), (event, at))
BOOST_DESCRIBE_STRUCT(RequestOpened, (),
                      (key, requester, event, transport, request_id, kind, lease, op, pod, at))
BOOST_DESCRIBE_STRUCT(RequestAnswered, (), (key, reply, at))
BOOST_DESCRIBE_STRUCT(AnswerDelivered, (), (key))
BOOST_DESCRIBE_STRUCT(RequestForgotten, (), (key))
BOOST_DESCRIBE_STRUCT(Stamped, (), (created_at))
BOOST_DESCRIBE_STRUCT(RelayRead, (), (url, until))
BOOST_DESCRIBE_STRUCT(UptimeHour, (), (hour, up))
BOOST_DESCRIBE_STRUCT(TermsFrozen, (), (lease, terms))
BOOST_DESCRIBE_STRUCT(NoticeOwed, (), (key, lease, reply, at))
BOOST_DESCRIBE_STRUCT(NoticeTaken, (), (key))
BOOST_DESCRIBE_STRUCT(RecoveryBegan, (), (ended, marked, at))
BOOST_DESCRIBE_STRUCT(RecoveryEnded, (), (at))

using OwnRecord = std::variant<Installed, Booted, MessageSeen, RequestOpened, RequestAnswered,
                               AnswerDelivered, RequestForgotten, Stamped, RelayRead, UptimeHour,
                               TermsFrozen, NoticeOwed, NoticeTaken, RecoveryBegan, RecoveryEnded>;
using Record = std::variant<OwnRecord, lease::LeaseRecord, workload::WorkloadRecord,
                            cashu::RedeemRecord, failover::FailoverRecord>;

}  // namespace paygress::provider
