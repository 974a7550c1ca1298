#include "core/nostr/relay_pool.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/nostr/relay_url.h"

namespace paygress::nostr {

RelayPool::RelayPool(std::vector<RelayConfig> relays, RandomStream jitter, SessionTiming timing,
                     size_t seen_max)
    : timing_(timing), jitter_(jitter), seen_(seen_max) {
  PG_CHECK(relays.size() <= kRelaysMax);
  for (auto& config : relays) make_relay(std::move(config.url), config.last_connected);
  own_count_ = next_relay_;
}

void RelayPool::make_relay(std::string url, std::optional<UnixSeconds> last_connected) {
  const RelayIndex index{next_relay_++};
  auto canonical = canonical_relay_url(url);
  RandomStream own(jitter_.next(), index.value, "relay-session");
  RelaySession session(url, last_connected, own, timing_);
  Relay relay{url, canonical ? *std::move(canonical) : url, 0, std::move(session), 0, false, {}};
  relays_.emplace(index, std::move(relay));
}

RelayPool::Relay& RelayPool::at(RelayIndex relay) {
  const auto it = relays_.find(relay);
  PG_CHECK(it != relays_.end());
  return it->second;
}

const RelayPool::Relay& RelayPool::at(RelayIndex relay) const {
  const auto it = relays_.find(relay);
  PG_CHECK(it != relays_.end());
  return it->second;
}

RelayPool::Relay* RelayPool::current(LinkId link) {
  const auto it = relays_.find(link.relay);
  return it != relays_.end() && it->second.attempt == link.attempt ? &it->second : nullptr;
}

Result<std::vector<RelayIndex>> RelayPool::named(const std::vector<RelayIndex>& relays) const {
  std::set<RelayIndex> set(relays.begin(), relays.end());
  for (const RelayIndex relay : set)
    if (!has_relay(relay)) return fail("no such relay");
  if (set.empty())
    for (uint32_t i = 0; i < own_count_; ++i) set.insert(RelayIndex{i});
  return std::vector<RelayIndex>(set.begin(), set.end());
}

void RelayPool::start(Now now) {
  started_ = true;
  for (auto& [index, relay] : relays_) {
    relay.session.start(now);
    collect(now, index);
  }
}

void RelayPool::stop(Now now) {
  started_ = false;
  for (auto& [index, relay] : relays_) {
    relay.session.stop(now);
    collect(now, index);
  }
}

std::optional<RelayIndex> RelayPool::find_relay(std::string_view url) const {
  const auto canonical = canonical_relay_url(url);
  for (const auto& [index, relay] : relays_)
    if (canonical && relay.canonical == *canonical) return index;
  return std::nullopt;
}

Result<RelayIndex> RelayPool::add_relay(Now now, std::string_view url) {
  auto canonical = canonical_relay_url(url);
  if (!canonical) return std::unexpected(canonical.error());
  if (const auto present = find_relay(*canonical)) {
    ++at(*present).uses;
    return *present;
  }
  if (relays_.size() >= kRelaysMax) return fail("too many relays are in use");
  const RelayIndex index{next_relay_};
  make_relay(*std::move(canonical), std::nullopt);
  Relay& relay = at(index);
  relay.uses = 1;
  if (started_) {
    relay.session.start(now);
    collect(now, index);
  }
  return index;
}

void RelayPool::drop_relay(Now now, RelayIndex index) {
  Relay& relay = at(index);
  PG_CHECK(relay.uses > 0);
  if (--relay.uses > 0 || is_own(index)) return;
  relay.session.stop(now);
  collect(now, index);
  for (auto& [id, tracked] : publishes_) drop_target(id, tracked, index);
  relays_.erase(index);
}

void RelayPool::set_ping_limit(Now now, RelayIndex relay, std::optional<Micros> limit) {
  at(relay).session.set_ping_limit(now, limit);
}

void RelayPool::load_seen(std::span<const EventId> ids) {
  for (const auto& id : ids) seen_.insert(id, std::nullopt);
}

// --- subscriptions -----------------------------------------------------------------------------

Result<void> RelayPool::check_request(const std::string& name,
                                      const std::vector<Filter>& filters) const {
  if (name.empty() || name.size() > kSubscriptionNameMax) return fail("subscription name length");
  // '.' and '~' separate the name from what the session adds to it on the wire.
  if (name.find_first_of(".~") != std::string::npos) return fail("subscription name has . or ~");
  if (filters.empty() || filters.size() > kFiltersMax) return fail("number of filters");
  return {};
}

Result<void> RelayPool::subscribe_on(Now now, const std::string& name, const SubscriptionSpec& spec,
                                     const std::vector<RelayIndex>& relays) {
  if (auto ok = check_request(name, spec.filters); !ok) return ok;
  const auto targets = named(relays);
  if (!targets) return std::unexpected(targets.error());
  for (const auto relay : *targets)
    if (!at(relay).session.has_room(name)) return fail("too many subscriptions");
  for (const auto relay : *targets) {
    PG_CHECK(at(relay).session.subscribe(now, name, spec));
    collect(now, relay);
  }
  return {};
}

Result<void> RelayPool::subscribe(Now now, const std::string& name,
                                  const std::vector<Filter>& filters,
                                  const SubscribeOptions& options) {
  auto ok = subscribe_on(now, name, {filters, options.backfill, std::nullopt}, options.relays);
  if (ok && options.repeat) repeating_.insert(name);
  return ok;
}

Result<void> RelayPool::query(Now now, const std::string& name, const std::vector<Filter>& filters,
                              const QueryOptions& options) {
  for (const auto& [index, relay] : relays_)
    if (relay.session.find(name) != nullptr) return fail("subscription name in use");
  if (options.repeat) repeating_.insert(name);
  auto ok = subscribe_on(now, name, {filters, std::nullopt, options.timeout}, options.relays);
  if (!ok) repeating_.erase(name);
  return ok;
}

void RelayPool::unsubscribe(Now now, const std::string& name) {
  repeating_.erase(name);
  for (auto& [index, relay] : relays_) {
    relay.session.unsubscribe(now, name);
    collect(now, index);
  }
}

// --- what happened -----------------------------------------------------------------------------

void RelayPool::handle_link_up(Now now, LinkId link) {
  Relay* relay = current(link);
  if (relay == nullptr) return;
  relay->session.on_link_up(now);
  collect(now, link.relay);
}

void RelayPool::handle_link_down(Now now, LinkId link, LinkDown reason, std::string_view text) {
  Relay* relay = current(link);
  if (relay == nullptr) return;
  relay->session.on_link_down(now, reason, text);
  collect(now, link.relay);
}

void RelayPool::handle_message(Now now, LinkId link, const RelayMessage& message) {
  Relay* relay = current(link);
  if (relay == nullptr) return;
  const auto* known = std::get_if<KnownEvent>(&message);
  relay->session.on_message(now, message,
                            known != nullptr ? seen_.created_at(known->id) : std::nullopt);
  collect(now, link.relay);
}

void RelayPool::handle_pong(Now now, LinkId link) {
  Relay* relay = current(link);
  if (relay == nullptr) return;
  relay->session.on_pong(now);
  collect(now, link.relay);
}

void RelayPool::handle_auth_signed(Now now, LinkId link, const Event& event) {
  Relay* relay = current(link);
  if (relay == nullptr) return;
  relay->session.on_auth_signed(now, event);
  collect(now, link.relay);
}

void RelayPool::handle_timer(Now now) {
  for (auto& [index, relay] : relays_) {
    const auto deadline = relay.session.next_deadline();
    if (!deadline || *deadline > now.mono) continue;
    relay.session.on_timer(now);
    collect(now, index);
  }
  while (!due_.empty() && std::get<Micros>(*due_.begin()) <= now.mono) {
    const auto [time, id, relay] = *due_.begin();
    make_ready(id, relay);  // a resend that is due, or an OK that is overdue
  }
  for (const auto& [index, relay] : relays_) send_ready(now, index);
}

std::optional<Micros> RelayPool::next_deadline() const {
  std::optional<Micros> earliest;
  const auto consider = [&](const std::optional<Micros>& time) {
    if (time && (!earliest || *time < *earliest)) earliest = time;
  };
  for (const auto& [index, relay] : relays_) {
    consider(relay.session.next_deadline());
    if (!relay.ready.empty()) consider(relay.session.publish_ready_at());
  }
  if (!due_.empty()) consider(std::get<Micros>(*due_.begin()));
  return earliest;
}

// --- what a session wants ----------------------------------------------------------------------

void RelayPool::collect(Now now, RelayIndex relay) {
  for (auto& output : at(relay).session.take_outputs()) on_output(now, relay, std::move(output));
  send_ready(now, relay);
}

void RelayPool::on_output(Now now, RelayIndex relay, SessionOutput output) {
  std::visit(
      [&](auto& o) {
        using T = std::decay_t<decltype(o)>;
        if constexpr (std::is_same_v<T, session::OpenLink>) {
          ++at(relay).attempt;
          outputs_.push_back(pool::OpenLink{link_of(relay)});
        } else if constexpr (std::is_same_v<T, session::CloseLink>) {
          outputs_.push_back(pool::CloseLink{link_of(relay)});
          ++at(relay).attempt;  // what is still under way on it belongs to nobody
        } else if constexpr (std::is_same_v<T, session::Ping>) {
          outputs_.push_back(pool::Ping{link_of(relay)});
        } else if constexpr (std::is_same_v<T, session::Send>) {
          outputs_.push_back(pool::Send{link_of(relay), std::move(o.message)});
        } else if constexpr (std::is_same_v<T, session::SignAuth>) {
          outputs_.push_back(pool::SignAuth{link_of(relay), std::move(o.draft)});
        } else if constexpr (std::is_same_v<T, session::Arrived>) {
          on_arrival(relay, std::move(o));
        } else if constexpr (std::is_same_v<T, session::Known>) {
          on_sighting(relay, o.subscription, o.id);
        } else if constexpr (std::is_same_v<T, session::Answered>) {
          on_answer(now, relay, o);
        } else if constexpr (std::is_same_v<T, session::QueryEnded>) {
          const auto asks = [&](const auto& r) { return r.second.session.find(o.subscription); };
          if (std::none_of(relays_.begin(), relays_.end(), asks)) repeating_.erase(o.subscription);
          outputs_.push_back(pool::QueryAnswered{std::move(o.subscription), relay, o.complete});
        } else if constexpr (std::is_same_v<T, session::Continuity>) {
          outputs_.push_back(pool::Continuity{relay, std::move(o.subscription), o.live_since});
        } else if constexpr (std::is_same_v<T, session::Authenticated>) {
          resend_all(relay);
        } else {
          static_assert(std::is_same_v<T, session::HealthChanged>);
          on_health(relay, o.status);
        }
      },
      output);
}

void RelayPool::on_arrival(RelayIndex relay, session::Arrived arrived) {
  on_sighting(relay, arrived.subscription, arrived.event->id);
  if (repeating_.contains(arrived.subscription) ||
      seen_.insert(arrived.event->id, arrived.event->created_at))
    outputs_.push_back(
        pool::Delivered{relay, std::move(arrived.subscription), std::move(arrived.event)});
}

void RelayPool::on_health(RelayIndex relay, const RelayStatus& status) {
  Relay& r = at(relay);
  const bool up = r.session.publish_ready_at().has_value();
  if (up != r.up) {
    r.up = up;
    if (up) {
      resend_all(relay);
    } else {
      // Whatever was under way is not known to have arrived.
      for (auto& [id, tracked] : publishes_) {
        const auto it = tracked.targets.find(relay);
        if (it == tracked.targets.end()) continue;
        const auto state = it->second.state;
        if (state == TargetState::Ready || state == TargetState::InFlight)
          wait(id, relay, std::nullopt);
      }
    }
  }
  outputs_.push_back(pool::HealthChanged{relay, status});
}

std::vector<PoolOutput> RelayPool::take_outputs() { return std::exchange(outputs_, {}); }

size_t RelayPool::live_count() const {
  return static_cast<size_t>(std::count_if(relays_.begin(), relays_.end(), [&](const auto& entry) {
    return is_own(entry.first) && entry.second.session.status().health == RelayHealth::Live;
  }));
}

std::optional<Micros> RelayPool::live_since(RelayIndex relay, const std::string& name) const {
  const RelaySubscription* subscription = at(relay).session.find(name);
  return subscription == nullptr ? std::nullopt : subscription->live_since();
}

}  // namespace paygress::nostr
