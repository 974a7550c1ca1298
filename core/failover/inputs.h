// What fail-over is told. Decoded and verified before it gets here: the author signed, and the
// message speaks for its author (core/market/events.h refuses others).
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <variant>
#include <vector>

#include "core/base/ids.h"
#include "core/market/messages.h"

namespace paygress::failover {

// Whatever a member writes, epochs above are not believed, and nobody claims one: counting on does
// not overflow.
inline constexpr uint64_t kEpochMax = uint64_t{1} << 48;

// A relay of some workload's set; given by Failover::relay_no(url), stable for one run.
struct RelayNo {
  uint32_t value = 0;
  auto operator<=>(const RelayNo&) const = default;
};
BOOST_DESCRIBE_STRUCT(RelayNo, (), (value))

// One published event or one query of ours; unique for one run.
struct PublishNo {
  uint64_t value = 0;
  auto operator<=>(const PublishNo&) const = default;
};
BOOST_DESCRIBE_STRUCT(PublishNo, (), (value))
struct QueryNo {
  uint64_t value = 0;
  auto operator<=>(const QueryNo&) const = default;
};
BOOST_DESCRIBE_STRUCT(QueryNo, (), (value))

// An event of another member; each event once, by any relay, in any order.
struct Heard {
  PubKey author;
  UnixSeconds created_at;
  EventId event;
  std::variant<market::Heartbeat, market::Claim, market::Promotion, market::Revocation> message;
};
BOOST_DESCRIBE_STRUCT(Heard, (), (author, created_at, event, message))

// What the engine says of a lease's workload. A word like "may be running" is not said at all.
//   Running     seen running
//   Stopped     confirmed: it does not run, and no start that is under way can still make it run
//   Absent      confirmed: as Stopped, and there is nothing left of it
//   StartFailed it could not be started, and as Stopped
//   CannotRun   it cannot be brought to run or kept running (restart policy exhausted, engine gone,
//               no answer to a start for too long); whether it runs is not said
enum class WorkloadNews : uint8_t { Running, Stopped, Absent, StartFailed, CannotRun };
BOOST_DESCRIBE_ENUM(WorkloadNews, Running, Stopped, Absent, StartFailed, CannotRun)

// A deadline that the guard holds: it freezes the lease's workload at it, unless told of a later
// one before. Monotonic (CLOCK_BOOTTIME), of this boot.
struct GuardDeadline {
  LeaseId lease;
  Micros deadline;
};
BOOST_DESCRIBE_STRUCT(GuardDeadline, (), (lease, deadline))

}  // namespace paygress::failover
