#include "core/nostr/relay_session.h"

#include <algorithm>
#include <utility>

namespace paygress::nostr {

namespace {

std::string_view default_text(LinkDown reason) {
  switch (reason) {
    case LinkDown::Closed: return "closed";
    case LinkDown::Failed: return "connect failed";
    case LinkDown::Refused: return "refused";
  }
  return "closed";
}

bool is_due(const std::optional<Micros>& time, Now now) { return time && *time <= now.mono; }

}  // namespace

std::string_view to_string(RelayHealth health) {
  switch (health) {
    case RelayHealth::Stopped: return "stopped";
    case RelayHealth::Waiting: return "waiting";
    case RelayHealth::Connecting: return "connecting";
    case RelayHealth::Syncing: return "syncing";
    case RelayHealth::Live: return "live";
    case RelayHealth::Impaired: return "impaired";
  }
  return "unknown";
}

RelaySession::RelaySession(std::string url, std::optional<UnixSeconds> last_connected,
                           RandomStream jitter, SessionTiming timing)
    : url_(std::move(url)), timing_(timing), jitter_(jitter), last_connected_(last_connected) {
  PG_CHECK(timing_.publish_burst > 0 && timing_.publish_interval > Micros{0});
  PG_CHECK(Micros{0} < timing_.ping_interval_min);
  PG_CHECK(timing_.ping_interval_min <= timing_.ping_interval_max);
}

void RelaySession::start(Now now) {
  if (link_ != Link::Stopped) return;
  connect(now);
  finish(now);
}

void RelaySession::stop(Now now) {
  if (link_ == Link::Stopped) return;
  if (link_ != Link::Waiting) outputs_.push_back(session::CloseLink{});
  lose_link();
  link_ = Link::Stopped;
  link_due_.reset();
  finish(now);
}

bool RelaySession::subscribe(Now now, const std::string& name, SubscriptionSpec spec) {
  PG_CHECK(!name.empty() && name.size() <= kSubscriptionNameMax);
  PG_CHECK(!spec.filters.empty() && spec.filters.size() <= kFiltersMax);
  if (!has_room(name)) return false;
  const auto present = subscriptions_.find(name);
  const bool is_new = present == subscriptions_.end();
  if (!is_new && present->second.spec() == spec && !spec.query_timeout) return true;

  // Another REQ under an id in use could not be told from the one before by its EOSE.
  std::string wire_id = name;
  if (!is_new || spec.query_timeout) wire_id += "." + std::to_string(++editions_);
  if (!is_new) remove(present);
  if (spec.query_timeout) query_ends_[name] = now.mono + *spec.query_timeout;
  const bool resumes = is_new && link_ == Link::Stopped;
  subscriptions_.try_emplace(name, std::move(wire_id), std::move(spec), resumes);
  finish(now);
  return true;
}

bool RelaySession::has_room(const std::string& name) const {
  return subscriptions_.contains(name) || subscriptions_.size() < kSubscriptionsMax;
}

void RelaySession::unsubscribe(Now now, const std::string& name) {
  const auto it = subscriptions_.find(name);
  if (it == subscriptions_.end()) return;
  remove(it);
  finish(now);
}

void RelaySession::remove(std::map<std::string, RelaySubscription>::iterator it) {
  const RelaySubscription& subscription = it->second;
  const auto state = subscription.state();
  if (link_ == Link::Up) {
    if (subscription.page_open()) send(Unsubscribe{subscription.page_id()});
    if (state != SubscriptionState::Idle && state != SubscriptionState::Refused)
      send(Unsubscribe{subscription.wire_id()});
  }
  query_ends_.erase(it->first);
  subscriptions_.erase(it);
}

// --- the link ----------------------------------------------------------------------------------

void RelaySession::connect(Now now) {
  link_ = Link::Connecting;
  link_due_ = now.mono + timing_.connect_timeout;
  ++stats_.connects;
  outputs_.push_back(session::OpenLink{});
}

Micros RelaySession::draw_ping_interval() {
  const Micros drawn{
      jitter_.between(timing_.ping_interval_min.value, timing_.ping_interval_max.value)};
  return ping_limit_ ? std::min(drawn, *ping_limit_) : drawn;
}

void RelaySession::set_ping_limit(Now now, std::optional<Micros> limit) {
  PG_CHECK(!limit || *limit > Micros{0});
  ping_limit_ = limit;
  if (limit && ping_due_) ping_due_ = std::min(*ping_due_, now.mono + *limit);
  deadline_ = compute_deadline();
}

void RelaySession::on_link_up(Now now) {
  if (link_ != Link::Connecting) return;
  link_ = Link::Up;
  link_due_.reset();
  ping_due_ = now.mono + draw_ping_interval();
  if (auth_before_) hold_until_ = now.mono + timing_.challenge_wait;
  finish(now);
}

void RelaySession::on_link_down(Now now, LinkDown reason, std::string_view text) {
  if (link_ != Link::Connecting && link_ != Link::Up) return;
  become_waiting(now, reason, text);
  finish(now);
}

void RelaySession::drop_link(Now now, LinkDown reason, std::string_view text) {
  PG_CHECK(link_ == Link::Connecting || link_ == Link::Up);
  outputs_.push_back(session::CloseLink{});
  become_waiting(now, reason, text);
}

void RelaySession::become_waiting(Now now, LinkDown reason, std::string_view text) {
  if (live_from_ && now.mono - *live_from_ >= timing_.healthy_after) {
    connect_backoff_.reset();
    refused_backoff_.reset();
  }
  lose_link();
  link_ = Link::Waiting;
  auto& backoff = reason == LinkDown::Refused ? refused_backoff_ : connect_backoff_;
  link_due_ = now.mono + backoff.next(jitter_);
  set_text(text.empty() ? default_text(reason) : text);
}

// Everything that belonged to the connection.
void RelaySession::lose_link() {
  for (auto& [name, subscription] : subscriptions_) subscription.on_link_lost();
  ping_due_.reset();
  pong_by_.reset();
  auth_by_.reset();
  hold_until_.reset();
  live_from_.reset();
  auth_ = Auth::None;
  auth_attempts_ = 0;
  challenge_.clear();
  strays_here_ = 0;
  refused_queries_ = 0;
  unanswered_.clear();
}

void RelaySession::on_pong(Now now) {
  if (link_ != Link::Up) return;
  pong_by_.reset();
  note_contact(now);
  finish(now);
}

// --- publishing --------------------------------------------------------------------------------

std::optional<Micros> RelaySession::publish_ready_at() const {
  if (link_ != Link::Up) return std::nullopt;
  // The bucket holds `burst` events: ready while it is at most burst - 1 intervals from being full.
  const auto allowance = (int64_t{timing_.publish_burst} - 1) * timing_.publish_interval.value;
  return bucket_ - Micros{allowance};
}

void RelaySession::publish(Now now, const Event& event) {
  const auto ready = publish_ready_at();
  PG_CHECK(ready && *ready <= now.mono);
  bucket_ = std::max(bucket_, now.mono) + timing_.publish_interval;
  if (std::find(unanswered_.begin(), unanswered_.end(), event.id) == unanswered_.end()) {
    if (unanswered_.size() >= kUnansweredMax) unanswered_.pop_front();
    unanswered_.push_back(event.id);
  }
  send(Publish{event});
}

// --- time --------------------------------------------------------------------------------------

void RelaySession::on_timer(Now now) {
  if (is_due(link_due_, now)) {
    if (link_ == Link::Waiting) {
      connect(now);
    } else if (link_ == Link::Connecting) {
      drop_link(now, LinkDown::Failed, "connect timeout");
    }
  }
  if (link_ == Link::Up && is_due(pong_by_, now)) drop_link(now, LinkDown::Closed, "no pong");
  if (link_ == Link::Up && is_due(ping_due_, now)) {
    outputs_.push_back(session::Ping{});
    const Micros patience =
        ping_limit_ ? std::min(timing_.pong_timeout, *ping_limit_) : timing_.pong_timeout;
    if (!pong_by_) pong_by_ = now.mono + patience;
    ping_due_ = now.mono + draw_ping_interval();
  }
  if (link_ == Link::Up && is_due(auth_by_, now))
    fail_auth(now, challenge_.empty() ? "auth required, no challenge" : "auth not answered");
  if (is_due(hold_until_, now)) hold_until_.reset();
  for (auto& [name, subscription] : subscriptions_) {
    const bool was_unproven = subscription.state() == SubscriptionState::Unproven;
    subscription.on_timer(now, jitter_);
    if (!was_unproven && subscription.state() == SubscriptionState::Unproven)
      set_text("no EOSE for " + name);
    settle(subscription);
  }
  finish(now);
}

std::optional<Micros> RelaySession::compute_deadline() const {
  std::optional<Micros> earliest;
  const auto consider = [&](const std::optional<Micros>& time) {
    if (time && (!earliest || *time < *earliest)) earliest = time;
  };
  for (const auto& time : {link_due_, ping_due_, pong_by_, auth_by_, hold_until_}) consider(time);
  for (const auto& [name, subscription] : subscriptions_) consider(subscription.deadline());
  for (const auto& [name, end] : query_ends_) consider(end);
  return earliest;
}

// --- what every input ends with ----------------------------------------------------------------

void RelaySession::settle(RelaySubscription& subscription) {
  if (link_ != Link::Up) return;
  if (auto page = subscription.release_page()) send(Unsubscribe{std::move(*page)});
}

// One page at a time over all subscriptions: relays limit the REQs of a connection.
void RelaySession::pump(Now now) {
  if (link_ != Link::Up || hold_until_) return;
  bool page_open = false;
  for (const auto& [name, subscription] : subscriptions_) page_open |= subscription.page_open();
  for (auto& [name, subscription] : subscriptions_) {
    if (subscription.state() == SubscriptionState::Idle) {
      send(subscription.request(now, last_connected_));
    } else if (subscription.wants_page() && !page_open) {
      send(subscription.next_page(now));
      page_open = true;
    }
  }
}

void RelaySession::end_query(const std::string& name, bool complete) {
  const auto it = subscriptions_.find(name);
  PG_CHECK(it != subscriptions_.end() && it->second.is_query());
  remove(it);
  outputs_.push_back(session::QueryEnded{name, complete});
}

void RelaySession::end_queries(Now now) {
  std::vector<std::pair<std::string, bool>> ended;
  for (const auto& [name, end] : query_ends_) {
    const auto it = subscriptions_.find(name);
    PG_CHECK(it != subscriptions_.end());
    const auto state = it->second.state();
    if (state == SubscriptionState::Live) {
      refused_queries_ = 0;
      refused_queries_limit_ = kRefusedQueriesMin;
      ended.emplace_back(name, !it->second.truncated());
    } else if (link_ != Link::Up || state == SubscriptionState::Refused ||
               state == SubscriptionState::Unproven || end <= now.mono) {
      ended.emplace_back(name, false);
    }
  }
  for (const auto& [name, complete] : ended) end_query(name, complete);
}

void RelaySession::leave_what_refuses_queries(Now now) {
  if (link_ != Link::Up || refused_queries_ < refused_queries_limit_) return;
  refused_queries_limit_ = std::min(2 * refused_queries_limit_, kRefusedQueriesMax);
  drop_link(now, LinkDown::Closed, "queries refused: " + text_);
  end_queries(now);
}

RelayHealth RelaySession::compute_health() const {
  switch (link_) {
    case Link::Stopped: return RelayHealth::Stopped;
    case Link::Waiting: return RelayHealth::Waiting;
    case Link::Connecting: return RelayHealth::Connecting;
    case Link::Up: break;
  }
  auto health = RelayHealth::Live;
  for (const auto& [name, subscription] : subscriptions_) {
    if (subscription.is_query()) continue;
    const auto state = subscription.state();
    if (state == SubscriptionState::Refused || state == SubscriptionState::Unproven)
      return RelayHealth::Impaired;
    if (state != SubscriptionState::Live) health = RelayHealth::Syncing;
  }
  return health;
}

// Contact with a relay that is read completely moves the point up to which it was read.
void RelaySession::note_contact(Now now) {
  bool any = false;
  for (const auto& [name, subscription] : subscriptions_) {
    if (!subscription.spec().backfill) continue;
    if (subscription.state() != SubscriptionState::Live) return;
    any = true;
  }
  if (any) last_connected_ = now.wall;
}

void RelaySession::finish(Now now) {
  end_queries(now);
  leave_what_refuses_queries(now);
  pump(now);
  deadline_ = compute_deadline();
  for (auto& [name, subscription] : subscriptions_)
    if (!subscription.is_query() && subscription.take_continuity())
      outputs_.push_back(session::Continuity{name, subscription.live_since()});
  const RelayHealth health = compute_health();
  if (health != RelayHealth::Live) live_from_.reset();
  if (health == RelayHealth::Live && !live_from_) live_from_ = now.mono;
  if (health == status_.health) return;
  if (health == RelayHealth::Live) text_.clear();
  status_ = {health, text_};
  outputs_.push_back(session::HealthChanged{status_});
}

void RelaySession::set_text(std::string_view text) {
  text_ = std::string(text.substr(0, kRelayTextMax));
}

RelaySession::Entry* RelaySession::owner_of(std::string_view wire_id) {
  for (auto& entry : subscriptions_)
    if (entry.second.owns(wire_id)) return &entry;
  return nullptr;
}

std::vector<SessionOutput> RelaySession::take_outputs() { return std::exchange(outputs_, {}); }

const RelaySubscription* RelaySession::find(const std::string& name) const {
  const auto it = subscriptions_.find(name);
  return it == subscriptions_.end() ? nullptr : &it->second;
}

void RelaySession::check_invariants() const {
  PG_CHECK(subscriptions_.size() <= kSubscriptionsMax);
  PG_CHECK(unanswered_.size() <= kUnansweredMax);
  PG_CHECK(challenge_.size() <= kChallengeBytesMax && text_.size() <= kRelayTextMax);
  PG_CHECK(auth_attempts_ <= kAuthAttemptsMax);
  PG_CHECK(refused_queries_ < refused_queries_limit_);
  PG_CHECK((link_ == Link::Up) == ping_due_.has_value());
  PG_CHECK((link_ == Link::Waiting || link_ == Link::Connecting) == link_due_.has_value());
  PG_CHECK(link_ == Link::Up || auth_ == Auth::None);
  size_t queries = 0;
  size_t pages = 0;
  for (const auto& [name, subscription] : subscriptions_) {
    const bool idle = subscription.state() == SubscriptionState::Idle;
    PG_CHECK(link_ == Link::Up || (idle && !subscription.page_open()));
    PG_CHECK(!idle || link_ != Link::Up || hold_until_);
    queries += subscription.is_query();
    pages += subscription.page_open();
  }
  PG_CHECK(queries == query_ends_.size() && pages <= 1);
  PG_CHECK(deadline_ == compute_deadline());
}

}  // namespace paygress::nostr
