// All relays together: subscriptions and queries over many relays, each event delivered once;
// publishing tracked until enough relays accepted it.
//
// The pool does no input or output. Its owner calls handle_* with what happened and handle_timer
// when next_deadline() has come, takes the outputs after EVERY call, and does them in order.
//
// The relays given to the constructor are the pool's own: they have the first indices and stay.
// Others may be added and dropped at run time, and are used only by what names them.
//
// Events come in verified. The stage in front of it that saves verifying twice (admission.h) may
// remember an event only AFTER it was handed in and delivered(id) is true: an event that was
// verified but wanted by no subscription of ours must not be turned into a KnownEvent, whose
// content nobody here has seen.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "core/nostr/relay_session.h"
#include "core/nostr/seen_set.h"

namespace paygress::nostr {

// The caller's name for one publish; never reused while tracked.
struct PublishId {
  uint64_t value = 0;
  auto operator<=>(const PublishId&) const = default;
};
BOOST_DESCRIBE_STRUCT(PublishId, (), (value))

// One connection: what happens on an earlier connection to the same relay is ignored.
struct LinkId {
  RelayIndex relay;
  uint64_t attempt = 0;
  auto operator<=>(const LinkId&) const = default;
};
BOOST_DESCRIBE_STRUCT(LinkId, (), (relay, attempt))

inline constexpr size_t kRelaysMax = 32;         // own and added ones
inline constexpr size_t kPublishesMax = 1024;    // tracked at a time
inline constexpr size_t kSeenIdsMax = 131072;    // more than admission.h remembers
inline constexpr Micros kOkTimeout = 10'000_ms;  // then it is sent again
inline constexpr BackoffPolicy kResendBackoff{2'000_ms, 60'000_ms, 500_ms};
inline constexpr Micros kQueryTimeout = 10'000_ms;

struct RelayConfig {
  std::string url;
  std::optional<UnixSeconds> last_connected;  // what last_connected() said before the restart
};

struct SubscribeOptions {
  std::optional<Backfill> backfill;
  std::vector<RelayIndex> relays;  // empty: the own ones
  // Every arrival is delivered, from each relay and however often: for events that mean something
  // by when and from where they come. They are verified anew each time, so delivered(id) is false;
  // no subscription without `repeat` may want the same kinds.
  bool repeat = false;
};

struct QueryOptions {
  Micros timeout = kQueryTimeout;
  std::vector<RelayIndex> relays;  // empty: the own ones
  bool repeat = false;             // what is known already is delivered too
};

struct PublishOptions {
  size_t quorum = 1;               // resent until so many relays accepted it; 1..number of relays
  std::vector<RelayIndex> relays;  // empty: the own ones
  bool urgent = false;             // ahead of what waits for the rate limit (heartbeats)
  // At or after it the event is sent to no relay any more; looked at before each sending.
  std::optional<Micros> not_after = {};
};

namespace pool {
struct OpenLink {  // answered by handle_link_up or handle_link_down
  LinkId link;
};
struct CloseLink {  // not answered
  LinkId link;
};
struct Ping {  // answered by handle_pong
  LinkId link;
};
struct Send {
  LinkId link;
  ClientMessage message;
};
struct SignAuth {  // answered by handle_auth_signed
  LinkId link;
  Draft draft;
};
// Once per event id, over all relays, subscriptions, queries and (load_seen) restarts; with
// `repeat` at each arrival.
struct Delivered {
  RelayIndex relay;
  std::string subscription;
  VerifiedEvent event;
};
// A tracked publish came back on one of our long-lived subscriptions: the relay passes it on. Once
// per relay.
struct Echoed {
  PublishId publish;
  RelayIndex relay;
};
// Every answer of a relay, "duplicate:" counted as accepted (NIP-01).
struct Answered {
  PublishId publish;
  RelayIndex relay;
  bool accepted;
  std::string text;
};
// `quorum` relays accepted. Said once; nothing is resent any more; tracked until forget().
struct Reached {
  PublishId publish;
};
// Once per relay asked. Complete: everything stored was read, up to EOSE of the last page.
// Otherwise the relay proves nothing: not connected, refused, too slow.
struct QueryAnswered {
  std::string query;
  RelayIndex relay;
  bool complete;
};
// That long-lived subscription has been Live on that relay since then (failover.md rule 11), or is
// interrupted. Not said when it ends by unsubscribe.
struct Continuity {
  RelayIndex relay;
  std::string subscription;
  std::optional<Micros> since;
};
struct HealthChanged {
  RelayIndex relay;
  RelayStatus status;
};
}  // namespace pool
using PoolOutput =
    std::variant<pool::OpenLink, pool::CloseLink, pool::Ping, pool::Send, pool::SignAuth,
                 pool::Delivered, pool::Echoed, pool::Answered, pool::Reached, pool::QueryAnswered,
                 pool::Continuity, pool::HealthChanged>;

class RelayPool {
 public:
  // At most kRelaysMax relays. `jitter` seeds one stream per relay.
  RelayPool(std::vector<RelayConfig> relays, RandomStream jitter, SessionTiming timing = {},
            size_t seen_max = kSeenIdsMax);

  void start(Now now);
  void stop(Now now);
  // Ids that were processed before a restart: they are not delivered again.
  void load_seen(std::span<const EventId> ids);

  // A relay that is not one of our own, or another use of one that is known under this URL
  // (relay_url.h). Error: no relay URL, or kRelaysMax are in use.
  Result<RelayIndex> add_relay(Now now, std::string_view url);
  // One use less; without any use the link is closed and subscriptions, queries (as incomplete)
  // and publishes end there. Indices are never used again. Own relays stay.
  void drop_relay(Now now, RelayIndex relay);
  // See RelaySession::set_ping_limit.
  void set_ping_limit(Now now, RelayIndex relay, std::optional<Micros> limit);

  // A long-lived subscription; a present `name` is replaced. Events are matched against the filters
  // again here: a relay may send anything. Error: too many, name or filters out of bounds.
  Result<void> subscribe(Now now, const std::string& name, const std::vector<Filter>& filters,
                         const SubscribeOptions& options = {});
  void unsubscribe(Now now, const std::string& name);
  // Asks for what is stored, once. Without `repeat` only events that were never delivered before
  // are delivered: the answer is "there is nothing newer than you know", not a copy of the store.
  Result<void> query(Now now, const std::string& name, const std::vector<Filter>& filters,
                     const QueryOptions& options = {});

  // Sends the event to each relay until `quorum` of them accepted it, over reconnects and for ever:
  // only forget() ends it. Error: kPublishesMax are tracked and none of them is done, or the id or
  // event is tracked already, or the quorum is not reachable with the relays named.
  Result<void> publish(Now now, PublishId id, Event event, const PublishOptions& options = {});
  void forget(PublishId id);
  // Not sent any more, but still tracked: answers and echoes are reported until forget().
  void stop_sending(PublishId id);

  void handle_link_up(Now now, LinkId link);
  void handle_link_down(Now now, LinkId link, LinkDown reason, std::string_view text);
  void handle_message(Now now, LinkId link, const RelayMessage& message);
  void handle_pong(Now now, LinkId link);
  void handle_auth_signed(Now now, LinkId link, const Event& event);
  void handle_timer(Now now);
  // Monotonic; nothing when only an input can change anything.
  std::optional<Micros> next_deadline() const;

  std::vector<PoolOutput> take_outputs();

  size_t relay_count() const { return own_count_; }  // of our own
  size_t live_count() const;                         // of our own
  // The relay in use under this URL; and how many more could be added.
  std::optional<RelayIndex> find_relay(std::string_view url) const;
  size_t room_for_relays() const { return kRelaysMax - relays_.size(); }
  bool has_relay(RelayIndex relay) const { return relays_.contains(relay); }
  bool is_own(RelayIndex relay) const { return relay.value < own_count_; }
  const std::string& url(RelayIndex relay) const { return at(relay).url; }
  const RelayStatus& status(RelayIndex relay) const { return at(relay).session.status(); }
  const SessionStats& stats(RelayIndex relay) const { return at(relay).session.stats(); }
  std::optional<UnixSeconds> last_connected(RelayIndex relay) const {
    return at(relay).session.last_connected();
  }
  // Since when that relay's subscription has been Live without interruption (failover.md rule 11).
  std::optional<Micros> live_since(RelayIndex relay, const std::string& name) const;
  // True when the event was delivered upward (or loaded): what admission may remember.
  bool delivered(const EventId& id) const { return seen_.contains(id); }
  size_t publish_count() const { return publishes_.size(); }
  void check_invariants() const;

 private:
  enum class TargetState : uint8_t { Waiting, Ready, InFlight, Accepted, Superseded };
  struct Target {
    TargetState state = TargetState::Waiting;
    std::optional<Micros> due;  // Waiting: resend; InFlight: no OK until then; also in due_
    uint64_t place = 0;         // Ready: its place in the relay's queue
    Backoff backoff{kResendBackoff};
    bool echoed = false;
  };
  struct Tracked {
    Event event;
    size_t quorum = 1;
    bool urgent = false;
    std::optional<Micros> not_after;
    bool reached = false;
    bool stopped = false;  // sent no more
    size_t accepted = 0;
    std::map<RelayIndex, Target> targets;
  };
  struct Relay {
    std::string url;  // as it was given
    std::string canonical;
    size_t uses = 0;  // of an added one
    RelaySession session;
    uint64_t attempt = 0;
    bool up = false;
    std::set<std::tuple<bool, uint64_t, PublishId>> ready;  // (not urgent, place, id)
  };
  using Due = std::tuple<Micros, PublishId, RelayIndex>;

  Relay& at(RelayIndex relay);
  const Relay& at(RelayIndex relay) const;
  void make_relay(std::string url, std::optional<UnixSeconds> last_connected);
  // The relays named, each once and in order; the own ones when none is.
  Result<std::vector<RelayIndex>> named(const std::vector<RelayIndex>& relays) const;
  LinkId link_of(RelayIndex relay) const { return {relay, at(relay).attempt}; }
  Relay* current(LinkId link);
  Result<void> check_request(const std::string& name, const std::vector<Filter>& filters) const;
  Result<void> subscribe_on(Now now, const std::string& name, const SubscriptionSpec& spec,
                            const std::vector<RelayIndex>& relays);

  void collect(Now now, RelayIndex relay);
  void on_arrival(RelayIndex relay, session::Arrived arrived);
  void on_output(Now now, RelayIndex relay, SessionOutput output);
  void on_sighting(RelayIndex relay, const std::string& subscription, const EventId& id);
  void on_answer(Now now, RelayIndex relay, const session::Answered& answer);
  void on_health(RelayIndex relay, const RelayStatus& status);

  Result<void> make_room();
  void make_ready(PublishId id, RelayIndex relay);
  void wait(PublishId id, RelayIndex relay, std::optional<Micros> due);
  void send_ready(Now now, RelayIndex relay);
  void resend_all(RelayIndex relay);
  void drop_target(PublishId id, Tracked& tracked, RelayIndex relay);
  Target& target(PublishId id, RelayIndex relay);

  std::map<RelayIndex, Relay> relays_;
  uint32_t own_count_ = 0;
  uint32_t next_relay_ = 0;
  bool started_ = false;
  SessionTiming timing_;
  std::set<std::string> repeating_;  // names of subscriptions and queries with `repeat`
  RandomStream jitter_;
  SeenSet seen_;
  std::map<PublishId, Tracked> publishes_;
  LookupMap<EventId, PublishId, IdHash> publish_of_;
  std::set<Due> due_;
  uint64_t places_ = 0;
  std::vector<PoolOutput> outputs_;
};

}  // namespace paygress::nostr
