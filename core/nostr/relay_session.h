// One relay as a state machine without input or output of its own: what happened goes in, what is
// to be done comes out of take_outputs(). Connects, stays connected, authenticates when asked to
// (NIP-42), subscribes again after everything that ends a subscription, reads what the relay has
// stored completely, and paces what is published.
//
//   Waiting -> Connecting -> Up -> (link lost, no pong, flood) -> Waiting ...
//   per subscription: Idle -> Sent -> Paging -> Live; see relay_subscription.h
//
// Never gives up and never drops a subscription: CLOSED is normal on a healthy socket, and a client
// that forgets it listens to nothing without noticing (nostr.md fact 7).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/nostr/backoff.h"
#include "core/nostr/drafts.h"
#include "core/nostr/relay_subscription.h"

namespace paygress::nostr {

// Copied into every message that a relay's text ends up in, so that none can be long.
inline constexpr size_t kRelayTextMax = 200;
inline constexpr size_t kSubscriptionsMax = 12;  // with queries; relays allow 20, and pages
inline constexpr size_t kSubscriptionNameMax = 40;
inline constexpr size_t kFiltersMax = 10;      // per subscription
inline constexpr size_t kAuthAttemptsMax = 3;  // per connection and kAuthWindow: no loop
inline constexpr Micros kAuthWindow = 600'000_ms;
inline constexpr size_t kStrayMessagesMax = 4096;  // per connection, then it is closed
inline constexpr size_t kUnansweredMax = 512;      // EVENTs whose OK is awaited
// So many queries in a row answered by CLOSED, without a reason or with an error: the connection is
// made anew, for a relay that counts subscriptions which we have closed refuses on this connection
// for ever. Doubled each time that did not help.
inline constexpr size_t kRefusedQueriesMin = 4;
inline constexpr size_t kRefusedQueriesMax = 256;
inline constexpr BackoffPolicy kConnectBackoff{1'000_ms, 60'000_ms};

struct SessionTiming {
  Micros connect_timeout = 15'000_ms;
  Micros ping_interval_min = 25'000_ms;  // the interval is drawn anew for each ping
  Micros ping_interval_max = 30'000_ms;
  Micros pong_timeout = 20'000_ms;   // half-open sockets die here
  Micros auth_timeout = 10'000_ms;   // from the draft to the relay's OK
  Micros challenge_wait = 3'000_ms;  // for the challenge of a relay that wanted AUTH before
  Micros healthy_after = 60'000_ms;  // Up and Live for so long resets the connect backoff
  Micros publish_interval = 333_ms;  // token bucket, per relay: relays refuse about 8 a second
  uint32_t publish_burst = 6;
};

enum class LinkDown : uint8_t {
  Closed,   // by the peer, or lost
  Failed,   // could not be made: DNS, TCP, TLS, timeout
  Refused,  // HTTP 403, 429 and the like: backoff up to 5 minutes
};

enum class RelayHealth : uint8_t {
  Stopped,
  Waiting,  // for the next connect
  Connecting,
  Syncing,   // link up; some subscription is not Live yet
  Live,      // link up, every long-lived subscription Live
  Impaired,  // link up; some subscription refused, unproven or without AUTH
};
std::string_view to_string(RelayHealth health);

struct RelayStatus {
  RelayHealth health = RelayHealth::Stopped;
  std::string text;  // the last reason given by the relay or the link, at most kRelayTextMax
  bool operator==(const RelayStatus&) const = default;
};

// What one relay did, as counters that only grow.
struct SessionStats {
  uint64_t connects = 0;
  uint64_t events = 0;
  uint64_t strays = 0;    // events of no subscription of ours, or that its filters do not want
  uint64_t late_oks = 0;  // OKs for what was not sent, or was answered before
  uint64_t closed = 0;    // CLOSED messages
  uint64_t notices = 0;
  uint64_t truncated = 0;  // backfills that kPagesMax pages did not exhaust
};

namespace session {
struct OpenLink {};   // answered by on_link_up or on_link_down
struct CloseLink {};  // not answered; the link counts as gone
struct Ping {};       // a WebSocket ping frame; answered by on_pong
struct Send {
  ClientMessage message;
};
struct SignAuth {  // answered by on_auth_signed
  Draft draft;
};
struct Arrived {  // wanted by that subscription
  std::string subscription;
  VerifiedEvent event;
};
struct Known {
  std::string subscription;
  EventId id;
};
struct Answered {  // one per EVENT sent, at most
  EventId id;
  bool accepted;
  std::string text;
};
struct QueryEnded {  // the query is gone
  std::string subscription;
  bool complete;
};
// live_since() of a long-lived subscription is another than the last time this was said.
struct Continuity {
  std::string subscription;
  std::optional<Micros> live_since;
};
struct Authenticated {};
struct HealthChanged {
  RelayStatus status;
};
}  // namespace session
using SessionOutput =
    std::variant<session::OpenLink, session::CloseLink, session::Ping, session::Send,
                 session::SignAuth, session::Arrived, session::Known, session::Answered,
                 session::QueryEnded, session::Continuity, session::Authenticated,
                 session::HealthChanged>;

class RelaySession {
 public:
  // `url` is what the AUTH event names. `last_connected` is what the session said before a restart.
  RelaySession(std::string url, std::optional<UnixSeconds> last_connected, RandomStream jitter,
               SessionTiming timing = {});

  void start(Now now);
  void stop(Now now);

  // Adds, or replaces when `name` is there. The name begins the subscription id on the wire. False
  // when there are kSubscriptionsMax. Preconditions: a name of 1..kSubscriptionNameMax bytes, and
  // 1..kFiltersMax filters.
  bool subscribe(Now now, const std::string& name, SubscriptionSpec spec);
  bool has_room(const std::string& name) const;
  void unsubscribe(Now now, const std::string& name);

  // From now on a ping at least every `limit`, each answered within `limit`, or the link is taken
  // for dead; nothing: as the timing says.
  void set_ping_limit(Now now, std::optional<Micros> limit);

  // Publishing: one EVENT when publish_ready_at() <= now (nothing: the link is not up).
  std::optional<Micros> publish_ready_at() const;
  void publish(Now now, const Event& event);

  void on_link_up(Now now);
  void on_link_down(Now now, LinkDown reason, std::string_view text);
  // `known_time`: created_at of a KnownEvent, when remembered.
  void on_message(Now now, const RelayMessage& message, std::optional<UnixSeconds> known_time = {});
  void on_pong(Now now);
  void on_auth_signed(Now now, const Event& event);
  void on_timer(Now now);
  std::optional<Micros> next_deadline() const { return deadline_; }

  std::vector<SessionOutput> take_outputs();

  const RelayStatus& status() const { return status_; }
  const SessionStats& stats() const { return stats_; }
  // Wall time up to which everything the relay had was read: advances only while every subscription
  // with a backfill is Live, so that a backfill cut short is read again. Make it durable.
  std::optional<UnixSeconds> last_connected() const { return last_connected_; }
  const RelaySubscription* find(const std::string& name) const;
  void check_invariants() const;

 private:
  enum class Link : uint8_t { Stopped, Waiting, Connecting, Up };
  enum class Auth : uint8_t { None, Wanted, Signing, Sent, Done };
  using Entry = std::map<std::string, RelaySubscription>::value_type;

  void on_event(Now now, const EventFor<VerifiedEvent>& message);
  void on_known(Now now, const KnownEvent& message, std::optional<UnixSeconds> time);
  void on_ok(Now now, const Ok& message);
  void on_eose(Now now, const EndOfStored& message);
  void on_closed(Now now, const Closed& message);
  void on_challenge(Now now, const AuthChallenge& message);
  void on_auth_answer(Now now, const Ok& message);
  void count_stray(Now now);

  void become_waiting(Now now, LinkDown reason, std::string_view text);
  void drop_link(Now now, LinkDown reason, std::string_view text);
  void want_auth(Now now, std::string_view text);
  void fail_auth(Now now, std::string_view text);
  void pump(Now now);
  void settle(RelaySubscription& subscription);
  void lose_link();
  void connect(Now now);
  void end_query(const std::string& name, bool complete);
  void end_queries(Now now);
  void leave_what_refuses_queries(Now now);
  void remove(std::map<std::string, RelaySubscription>::iterator it);
  void note_contact(Now now);
  void finish(Now now);
  std::optional<Micros> compute_deadline() const;
  RelayHealth compute_health() const;
  void set_text(std::string_view text);
  Entry* owner_of(std::string_view wire_id);
  Micros draw_ping_interval();
  template <class T>
  void send(T message) {
    outputs_.push_back(session::Send{ClientMessage(std::move(message))});
  }

  std::string url_;
  SessionTiming timing_;
  RandomStream jitter_;
  Link link_ = Link::Stopped;
  Auth auth_ = Auth::None;
  Backoff connect_backoff_{kConnectBackoff};
  Backoff refused_backoff_{kRefusedBackoff};
  std::optional<Micros> link_due_;  // next connect, or the end of this one's patience
  std::optional<Micros> ping_due_;
  std::optional<Micros> pong_by_;
  std::optional<Micros> auth_by_;
  std::optional<Micros> hold_until_;  // REQs wait for the challenge until then
  std::optional<Micros> live_from_;
  std::string challenge_;
  EventId auth_event_;
  size_t auth_attempts_ = 0;
  Micros auth_window_end_;
  std::optional<Micros> ping_limit_;
  bool auth_before_ = false;  // this relay wanted AUTH on an earlier connection
  size_t strays_here_ = 0;
  std::map<std::string, RelaySubscription> subscriptions_;
  std::map<std::string, Micros> query_ends_;
  size_t refused_queries_ = 0;  // in a row on this connection
  size_t refused_queries_limit_ = kRefusedQueriesMin;
  std::deque<EventId> unanswered_;
  Micros bucket_;                   // when the publish bucket will be full again
  std::optional<Micros> deadline_;  // compute_deadline(): asked of every session at every step
  uint32_t editions_ = 0;
  std::optional<UnixSeconds> last_connected_;
  std::string text_;
  RelayStatus status_;
  SessionStats stats_;
  std::vector<SessionOutput> outputs_;
};

}  // namespace paygress::nostr
