// Many long-lived interests ("watches"), each on its own set of relays, over few subscriptions:
// relays limit the REQs of a connection, and a provider may hold a hundred warm-standby workloads.
//
// On each relay watches share subscriptions (bundles), each with the union of its watches' filters.
// A watch is told since when a relay has covered it WITHOUT INTERRUPTION (failover.md rule 11).
// That somebody else's watch comes or goes is no interruption: the REQ that includes the newcomer
// is opened beside the old one, which is closed only when the new one is Live.
//
// Relays are added to the pool for the watches that need them, and dropped with the last.
//
// Functions with a Now change the pool: take the pool's outputs after them, and hand every pool
// output to handle().
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/nostr/relay_pool.h"

namespace paygress::nostr {

struct WatchId {
  uint64_t value = 0;
  auto operator<=>(const WatchId&) const = default;
};
struct QueryId {
  uint64_t value = 0;
  auto operator<=>(const QueryId&) const = default;
};

inline constexpr size_t kBundlesMax = 3;  // per relay; each may be there twice meanwhile
inline constexpr size_t kBundleBytesMax = 40 * 1024;  // of filters: a frame stays below 64 KiB
inline constexpr size_t kQueriesAtOnceMax = 3;        // per relay; others wait their turn
static_assert(2 * kBundlesMax + kQueriesAtOnceMax < kSubscriptionsMax, "with the owner's own");
inline constexpr size_t kQueriesWaitingMax = 1024;  // in all
inline constexpr uint32_t kBundleLimitMax = 500;    // `limit` of a merged filter

// Filters of different watches with the same kinds and tag names are merged, `limit`s added: what
// arrives is a superset of what was asked for, and the reader must judge it. No since, no until; at
// most kFiltersMax different shapes over all watches.
struct WatchSpec {
  std::vector<std::string> relays;  // canonical and distinct (relay_url.h)
  std::vector<Filter> filters;
  Micros ping_limit;  // D: see RelaySession::set_ping_limit
};

namespace watch {
// This relay has covered the watch since then, or does not.
struct Continuity {
  WatchId watch;
  RelayIndex relay;
  std::optional<Micros> since;
};
// Once for each relay asked. See pool::QueryAnswered; also incomplete when it waited too long.
struct Answered {
  QueryId query;
  RelayIndex relay;
  bool complete;
};
}  // namespace watch
using WatchOutput = std::variant<watch::Continuity, watch::Answered>;

class RelayWatches {
 public:
  // The pool must outlive this object.
  explicit RelayWatches(RelayPool& pool) : pool_(pool) {}

  // Why such a watch could not be added now; nothing: it could.
  std::optional<std::string> refusal(const WatchSpec& spec) const;
  // The relays' indices, in the order of spec.relays. Error: refusal(); then nothing has changed.
  // Precondition: the id is not in use.
  Result<std::vector<RelayIndex>> add(Now now, WatchId id, WatchSpec spec);
  // No effect when it is not known. Queries go on.
  void remove(Now now, WatchId id);

  // Asks these relays for what is stored, known events included. Error: kQueriesWaitingMax.
  Result<void> ask(Now now, QueryId id, const std::vector<RelayIndex>& relays,
                   std::vector<Filter> filters, Micros timeout = kQueryTimeout);

  // True: this output was for the watches. Delivered is never taken: see is_ours.
  bool handle(Now now, const PoolOutput& output);
  // A subscription or query of ours, by the name that pool::Delivered says.
  static bool is_ours(std::string_view subscription);

  void handle_timer(Now now);
  std::optional<Micros> next_deadline() const;
  std::vector<WatchOutput> take_outputs();
  void check_invariants() const;

 private:
  struct Edition {
    std::string name;
    std::set<WatchId> covers;
    std::optional<Micros> live;
  };
  struct Bundle {
    std::set<WatchId> watches;
    std::vector<Edition> editions;  // oldest first; at most two, and of two the first is live
  };
  struct Waiting {
    QueryId query;
    std::vector<Filter> filters;
    Micros until;
  };
  struct Host {  // one relay
    std::map<uint64_t, Bundle> bundles;
    std::map<WatchId, std::optional<Micros>> since;
    std::map<std::string, QueryId> asking;
    std::deque<Waiting> waiting;
  };
  struct Watch {
    WatchSpec spec;
    std::vector<RelayIndex> relays;
    size_t bytes = 0;
  };

  std::optional<uint64_t> bundle_with_room(const Host& host, size_t bytes) const;
  void renew(Now now, RelayIndex relay, uint64_t number, Bundle& bundle);
  void on_continuity(Now now, const pool::Continuity& change);
  void settle(RelayIndex relay, Host& host, const Bundle& bundle);
  void pump(Now now, RelayIndex relay, Host& host);
  void set_pings(Now now, RelayIndex relay);
  std::vector<Filter> merged(const Bundle& bundle) const;

  RelayPool& pool_;
  std::map<WatchId, Watch> watches_;
  std::map<RelayIndex, Host> hosts_;
  uint64_t editions_ = 0;
  uint64_t bundles_ = 0;
  size_t waiting_ = 0;
  std::vector<WatchOutput> outputs_;
};

}  // namespace paygress::nostr
