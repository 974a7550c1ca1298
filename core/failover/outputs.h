// What fail-over asks for. An output may be carried out only when the records of its step, and of
// every step before, are durable.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/failover/inputs.h"
#include "core/failover/records.h"

namespace paygress::failover {

// --- events of ours ------------------------------------------------------------------------------
// The publisher gives each event a timestamp (created_at and the message's own time) that is higher
// than every earlier one of ours, over restarts and clock steps too; signs it; and sends it to each
// relay of the set(s), again over reconnects, until the relay answers OK or Forget. It reports
// every OK and every echo on our own subscription (handle_ok, handle_echo). An event replaces the
// earlier one of the same lease and kind: the earlier one is not sent any more, but its OKs and
// echoes are still reported until Forget.

// ONE heartbeat for all that this provider holds, to the relay sets of all of them and to the
// provider's own relays. Capacity and the rest of the message is the provider's business.
struct PublishBeat {
  PublishNo id;
  std::vector<market::Hold> holds;
};
struct Publish {
  PublishNo id;
  LeaseId lease;
  std::variant<market::Claim, market::Promotion, market::Revocation> message;
  // Monotonic. At or after it the event is sent to no relay any more; looked at immediately before
  // each sending, by the clock of that moment (rule 15: a paused daemon must not wake and promote).
  std::optional<Micros> not_after;
};
struct Forget {
  PublishNo id;
};
BOOST_DESCRIBE_STRUCT(PublishBeat, (), (id, holds))
BOOST_DESCRIBE_STRUCT(Publish, (), (id, lease, message, not_after))
BOOST_DESCRIBE_STRUCT(Forget, (), (id))

// --- reading -------------------------------------------------------------------------------------
// Subscribe, on the lease's relays, to the members' heartbeats and to the claims, promotions and
// revocations of the workload, our own included; until Unwatch.
struct Watch {
  LeaseId lease;
};
struct Unwatch {
  LeaseId lease;
};
// Ask each relay of the lease for what is stored of the same. Answered once per relay by
// handle_query_answer, after everything that the answer brought was handed in. A query replaces the
// earlier one of the same lease. A relay that did not answer within `timeout` (D: there and back)
// is reported as incomplete.
struct Query {
  QueryNo id;
  LeaseId lease;
  Micros timeout;
};
BOOST_DESCRIBE_STRUCT(Watch, (), (lease))
BOOST_DESCRIBE_STRUCT(Unwatch, (), (lease))
BOOST_DESCRIBE_STRUCT(Query, (), (id, lease, timeout))

// --- the workload; answered by handle_workload ---------------------------------------------------
// May run now: create it if need be, start it, keep it running; until Pause, Kill or Remove.
struct Run {
  LeaseId lease;
  uint64_t epoch = 0;
};
// Must not run: abort a start in progress, pause what runs. Answered by Stopped or Absent.
struct Pause {
  LeaseId lease;
};
// The pause was not confirmed in time: kill. Answered by Stopped or Absent.
struct Kill {
  LeaseId lease;
};
// Another provider holds the workload: delete the copy. Answered by Absent.
struct Remove {
  LeaseId lease;
};
BOOST_DESCRIBE_STRUCT(Run, (), (lease, epoch))
BOOST_DESCRIBE_STRUCT(Pause, (), (lease))
BOOST_DESCRIBE_STRUCT(Kill, (), (lease))
BOOST_DESCRIBE_STRUCT(Remove, (), (lease))

// --- the guard -----------------------------------------------------------------------------------
// The workload may run until `deadline`, then it is frozen. Answered by handle_guard_hold when the
// guard took it; refused, and not answered, at or after the deadline that it holds already.
struct GuardHold {
  LeaseId lease;
  Micros deadline;
};
// Freeze now, and hold no deadline any more: the next GuardHold begins anew.
struct GuardFreeze {
  LeaseId lease;
};
// Nothing is left to be guarded.
struct GuardRelease {
  LeaseId lease;
};
BOOST_DESCRIBE_STRUCT(GuardHold, (), (lease, deadline))
BOOST_DESCRIBE_STRUCT(GuardFreeze, (), (lease))
BOOST_DESCRIBE_STRUCT(GuardRelease, (), (lease))

// --- people --------------------------------------------------------------------------------------
//   TookOver      the workload runs here now: the way in, and the remaining time (rule 18)
//   Superseded    another member holds it; our copy is stopped and will be deleted
//   Fenced        our copy is stopped; whoever wins a claim runs it
//   NeverStarted  the holder was never heard of: nobody runs it (rule 10)
enum class News : uint8_t { TookOver, Superseded, Fenced, NeverStarted };
BOOST_DESCRIBE_ENUM(News, TookOver, Superseded, Fenced, NeverStarted)
struct TellOwner {
  LeaseId lease;
  News news = News::TookOver;
  uint64_t epoch = 0;
};
enum class Weight : uint8_t { Info, Warning, Alarm };
struct TellOperator {
  LeaseId lease;
  Weight weight = Weight::Info;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(TellOwner, (), (lease, news, epoch))
BOOST_DESCRIBE_STRUCT(TellOperator, (), (lease, weight, text))

using Output = std::variant<PublishBeat, Publish, Forget, Watch, Unwatch, Query, Run, Pause, Kill,
                            Remove, GuardHold, GuardFreeze, GuardRelease, TellOwner, TellOperator>;

// What one call produced. Records first (durable, as one batch), then the outputs in order.
struct Step {
  std::vector<FailoverRecord> records;
  std::vector<Output> outputs;
};

}  // namespace paygress::failover
