#include "sim/models/relay.h"

#include <algorithm>
#include <string_view>

#include "core/base/random.h"

namespace paygress::sim {

using namespace nostr;

namespace {

constexpr int64_t kAuthAgeMax = 600;  // NIP-42: about ten minutes

// NIP-40. A value that is not a number does not expire.
bool is_expired(const Event& event, UnixSeconds now) {
  const std::string* text = tag_value(event.tags, "expiration");
  if (text == nullptr || text->empty() || text->size() > 18) return false;
  int64_t time = 0;
  for (char c : *text) {
    if (c < '0' || c > '9') return false;
    time = time * 10 + (c - '0');
  }
  return UnixSeconds{time} <= now;
}

bool is_private(uint16_t kind) { return kind == kind::kEncryptedDirect || kind == kind::kGiftWrap; }

// A reader that names none of the private kinds, or nobody's, is not refused: it is sent no such
// event.
bool asks_for_private(const Filter& filter) {
  return std::any_of(filter.kinds.begin(), filter.kinds.end(), is_private);
}

size_t rough_bytes(const Event& event) {
  size_t bytes = 350 + event.content.size();
  for (const auto& tag : event.tags)
    for (const auto& value : tag) bytes += value.size() + 3;
  return bytes;
}

}  // namespace

RelayModel::RelayModel(RelayOptions options, Verify verify)
    : options_(std::move(options)),
      verify_(std::move(verify)),
      store_(options_.limits.stored_events) {
  PG_CHECK(verify_ != nullptr);
  PG_CHECK(options_.limits.results > 0);
}

RelayModel::Replies RelayModel::connect(ConnectionId connection) {
  if (connections_.size() >= options_.limits.connections) return {};
  Connection& state = connections_[connection];
  state = {};
  audience_.leave(connection);
  if (!options_.auth_for_private_reads) return {};
  RandomStream stream(options_.seed, connection.value, "relay-challenge");
  state.challenge = std::to_string(stream.next());
  return {{connection, AuthChallenge{state.challenge}}};
}

void RelayModel::disconnect(ConnectionId connection) {
  connections_.erase(connection);
  audience_.leave(connection);
}

void RelayModel::restart() {
  connections_.clear();
  audience_.clear();
  if (faults_.forget_at_restart) store_.clear();
}

RelayModel::Replies RelayModel::handle(UnixSeconds now, ConnectionId connection,
                                       const ClientMessage& message) {
  Replies out;
  const auto it = connections_.find(connection);
  if (it == connections_.end()) {
    out.emplace_back(connection, Notice{"error: not connected"});
  } else if (const auto* event = std::get_if<Publish>(&message)) {
    publish(now, connection, event->event, out);
  } else if (const auto* request = std::get_if<Subscribe>(&message)) {
    subscribe(now, connection, *request, out);
  } else if (const auto* close = std::get_if<Unsubscribe>(&message)) {
    audience_.unsubscribe({connection, close->subscription});
  } else if (const auto* auth = std::get_if<Authenticate>(&message)) {
    authenticate(now, connection, auth->event, out);
  }
  return out;
}

// --- EVENT -------------------------------------------------------------------------------------

void RelayModel::publish(UnixSeconds now, ConnectionId from, const Event& event, Replies& out) {
  const auto answer = [&](bool accepted, std::string text) {
    if (!faults_.drop_ok) out.emplace_back(from, Ok{event.id, accepted, std::move(text)});
  };
  if (faults_.refuse_events) return answer(false, "error: could not store");
  if (auto text = refusal(now, event)) return answer(false, std::move(*text));
  if (faults_.accept_and_forget) return answer(true, "");
  if (store_.contains(event.id)) return answer(true, "duplicate: have this event");
  if (replacement_of(event.kind) != Replacement::Ephemeral) {
    if (std::string text = store_.insert(event); !text.empty())
      return answer(false, std::move(text));
  }
  if (faults_.store_and_refuse)
    answer(false, "error: could not store");
  else
    answer(true, "");
  broadcast(event, out);
}

std::optional<std::string> RelayModel::refusal(UnixSeconds now, const Event& event) const {
  const RelayLimits& limits = options_.limits;
  if (event.tags.size() > limits.tags) return "invalid: too many tags";
  if (rough_bytes(event) > limits.event_bytes) return "invalid: event too large";
  if (event.created_at < now - limits.oldest) return "invalid: created_at too far in the past";
  if (event.created_at > now + limits.newest_ahead)
    return "invalid: created_at too far in the future";
  if (is_expired(event, now)) return "invalid: event expired";
  if (event.kind == kind::kRelayAuth) return "invalid: this kind is for AUTH";
  if (auto ok = verify_(event); !ok) return "invalid: " + ok.error().message;
  return std::nullopt;
}

bool RelayModel::hides(ConnectionId from, const Event& event) const {
  if (faults_.withheld.contains(event.pubkey)) return true;
  return faults_.equivocate && (mix64(from.value) + event.id.bytes[0]) % 2 == 0;
}

void RelayModel::send_event(ConnectionId to, const std::string& subscription, const Event& event,
                            Replies& out) const {
  if (hides(to, event)) return;
  for (int copies = faults_.duplicate_sends ? 2 : 1; copies > 0; --copies)
    out.emplace_back(to, EventFor<Event>{subscription, event});
}

void RelayModel::broadcast(const Event& event, Replies& out) const {
  for (const auto& [id, subscription] :
       faults_.ignore_filters ? audience_.all() : audience_.listeners(event))
    if (may_read(connections_.at(id), event)) send_event(id, subscription, event, out);
}

RelayModel::Replies RelayModel::pass_on(const Event& event) const {
  Replies out;
  broadcast(event, out);
  return out;
}

RelayModel::Replies RelayModel::replay(size_t count, RandomStream& random) const {
  Replies out;
  for (size_t i = 0; i < count && store_.known() > 0; ++i)
    broadcast(store_.nth_known(random.below(store_.known())), out);
  return out;
}

// --- REQ ---------------------------------------------------------------------------------------

std::optional<std::string> RelayModel::refusal(ConnectionId from, const Subscribe& message) const {
  const RelayLimits& limits = options_.limits;
  const std::string& id = message.subscription;
  if (faults_.close_requests) return "error: shutting down idle subscription";
  if (id.empty() || id.size() > limits.subscription_bytes) return "invalid: subscription id length";
  if (message.filters.empty()) return "invalid: no filter";
  if (message.filters.size() > limits.filters) return "invalid: too many filters";
  if (!audience_.contains({from, id}) && audience_.count_of(from) >= limits.subscriptions)
    return "rate-limited: too many subscriptions";
  const bool needs_auth =
      options_.auth_for_private_reads && connections_.at(from).authenticated.empty() &&
      std::any_of(message.filters.begin(), message.filters.end(), asks_for_private);
  if (needs_auth) return "auth-required: private messages are for their parties";
  return std::nullopt;
}

void RelayModel::subscribe(UnixSeconds now, ConnectionId from, const Subscribe& message,
                           Replies& out) {
  const Audience::Seat seat{from, message.subscription};
  if (auto text = refusal(from, message)) {
    audience_.unsubscribe(seat);
    out.emplace_back(from, Closed{message.subscription, std::move(*text)});
    return;
  }
  audience_.subscribe(seat, message.filters);
  send_stored(now, from, message, out);
  if (!faults_.no_eose) out.emplace_back(from, EndOfStored{message.subscription, std::nullopt});
}

// NIP-01: `limit` newest of each filter; their union, newest first.
void RelayModel::send_stored(UnixSeconds now, ConnectionId to, const Subscribe& message,
                             Replies& out) const {
  const Connection& connection = connections_.at(to);
  const auto may_see = [&](const Event& event) {
    return !is_expired(event, now) && may_read(connection, event);
  };
  EventStore::InOrder found;
  for (const auto& filter : message.filters) {
    const size_t asked = filter.limit ? size_t{*filter.limit} : options_.limits.results;
    const size_t limit = std::min(asked, options_.limits.results);
    if (faults_.ignore_filters)
      store_.newest(limit, may_see, found);
    else
      store_.find(filter, limit, may_see, found);
  }
  for (const auto& [time, id] : found) send_event(to, message.subscription, store_.at(id), out);
}

// --- AUTH (NIP-42) -----------------------------------------------------------------------------

void RelayModel::authenticate(UnixSeconds now, ConnectionId from, const Event& event,
                              Replies& out) {
  Connection& connection = connections_.at(from);
  const std::string* challenge = tag_value(event.tags, "challenge");
  const std::string* relay = tag_value(event.tags, "relay");
  std::string text;
  if (event.kind != kind::kRelayAuth) {
    text = "invalid: kind is not 22242";
  } else if (connection.challenge.empty() || challenge == nullptr ||
             *challenge != connection.challenge) {
    text = "invalid: challenge does not match";
  } else if (relay == nullptr || *relay != options_.url) {
    text = "invalid: relay url does not match";
  } else if (event.created_at < now - Seconds{kAuthAgeMax} ||
             event.created_at > now + Seconds{kAuthAgeMax}) {
    text = "invalid: created_at is not now";
  } else if (auto ok = verify_(event); !ok) {
    text = "invalid: " + ok.error().message;
  } else {
    connection.authenticated.insert(event.pubkey);
  }
  out.emplace_back(from, Ok{event.id, text.empty(), text});
}

bool RelayModel::may_read(const Connection& connection, const Event& event) const {
  if (!options_.auth_for_private_reads || !is_private(event.kind)) return true;
  if (connection.authenticated.contains(event.pubkey)) return true;
  for (const auto& tag : event.tags) {
    if (tag.size() < 2 || tag[0] != "p") continue;
    const auto party = PubKey::parse(tag[1]);
    if (party && connection.authenticated.contains(*party)) return true;
  }
  return false;
}

}  // namespace paygress::sim
