// A model of a Nostr relay: the peer, never us. Pure and deterministic; behind real sockets it is
// the embedded relay of `paygress dev`. Kept honest by tests/conformance/relay.
//
// NIP-01: storage with replacement (newest wins, at equal time the lowest id), ephemeral events,
// filters with limit (newest first, ties lowest id first), EOSE, OK, CLOSED. NIP-40: expired events
// are neither taken nor served. NIP-42: off unless asked for. Not modelled: NIP-09, 45, 50, 77.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/nostr/message.h"
#include "sim/models/audience.h"
#include "sim/models/event_store.h"

namespace paygress::sim {

// What a relay refuses or cuts off; the defaults are the strictest of the relays in use.
struct RelayLimits {
  size_t stored_events = 20'000;  // over it the oldest regular event is dropped
  size_t connections = 1'024;
  size_t subscriptions = 20;  // per connection
  size_t filters = 10;        // per REQ
  size_t results = 500;       // stored events per filter, whatever `limit` says; silent
  size_t subscription_bytes = nostr::kSubscriptionBytesMax;
  size_t event_bytes = nostr::kEventBytesMax;
  size_t tags = 2'000;
  Seconds oldest{3 * 365 * 86'400};  // created_at window
  Seconds newest_ahead = 900_s;
};

// Misbehaviour, each on its own. Changed at any time through RelayModel::faults().
struct RelayFaults {
  bool drop_ok = false;            // EVENTs are handled, their OK never comes
  bool refuse_events = false;      // OK false "error: ..."; nothing stored
  bool accept_and_forget = false;  // OK true, neither stored nor passed on
  bool store_and_refuse = false;   // OK false "error: ..."; stored and passed on all the same
  bool equivocate = false;         // each connection is shown another half of the events
  bool no_eose = false;
  bool close_requests = false;     // every REQ is answered by CLOSED "error: ..."
  bool ignore_filters = false;     // sends everything to every subscription
  bool duplicate_sends = false;    // each EVENT goes out twice
  bool forget_at_restart = false;  // restart() empties the store
  std::set<PubKey> withheld;       // events of these authors are stored, never sent
};

struct RelayOptions {
  std::string url = "ws://relay.model";
  RelayLimits limits;
  bool auth_for_private_reads = false;  // kinds 4 and 1059 only to their authenticated parties
  uint64_t seed = 0;                    // of the AUTH challenges
};

class RelayModel {
 public:
  // Real verification, or the fake one of a simulation's fast tier.
  using Verify = std::function<Result<void>(const nostr::Event&)>;
  using Replies = std::vector<std::pair<ConnectionId, nostr::WireMessage>>;

  RelayModel(RelayOptions options, Verify verify);

  // An AUTH challenge when NIP-42 is on. Over the limit a connection is not known, and what
  // it says is answered by a NOTICE.
  Replies connect(ConnectionId connection);
  void disconnect(ConnectionId connection);
  // Answers to the sender, and events to every connection with a matching subscription.
  Replies handle(UnixSeconds now, ConnectionId connection, const nostr::ClientMessage& message);
  // To every connection with a matching subscription; neither verified nor stored.
  Replies pass_on(const nostr::Event& event) const;
  // Sends old events again, stored and replaced ones, to whoever asked for such: `count` of them,
  // drawn from `random`.
  Replies replay(size_t count, RandomStream& random) const;
  // All connections are gone; the store too with forget_at_restart.
  void restart();

  RelayFaults& faults() { return faults_; }
  const RelayOptions& options() const { return options_; }
  size_t stored() const { return store_.size(); }
  bool has(const EventId& id) const { return store_.contains(id); }

 private:
  struct Connection {
    std::string challenge;
    std::set<PubKey> authenticated;
  };

  void publish(UnixSeconds now, ConnectionId from, const nostr::Event& event, Replies& out);
  std::optional<std::string> refusal(UnixSeconds now, const nostr::Event& event) const;
  void broadcast(const nostr::Event& event, Replies& out) const;
  void subscribe(UnixSeconds now, ConnectionId from, const nostr::Subscribe& message, Replies& out);
  std::optional<std::string> refusal(ConnectionId from, const nostr::Subscribe& message) const;
  void send_stored(UnixSeconds now, ConnectionId to, const nostr::Subscribe& message,
                   Replies& out) const;
  void authenticate(UnixSeconds now, ConnectionId from, const nostr::Event& event, Replies& out);
  bool hides(ConnectionId from, const nostr::Event& event) const;
  void send_event(ConnectionId to, const std::string& subscription, const nostr::Event& event,
                  Replies& out) const;
  bool may_read(const Connection& connection, const nostr::Event& event) const;

  RelayOptions options_;
  Verify verify_;
  RelayFaults faults_;
  std::map<ConnectionId, Connection> connections_;
  EventStore store_;
  Audience audience_;
};

}  // namespace paygress::sim
