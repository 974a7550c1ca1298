// What a relay says: events, answers, and NIP-42. The link and the clock are in relay_session.cpp.
#include <algorithm>
#include <type_traits>

#include "core/nostr/relay_session.h"

namespace paygress::nostr {

namespace {
constexpr Micros kRateLimitedPause = 5'000_ms;  // relays that are too busy say so
}

void RelaySession::on_message(Now now, const RelayMessage& message,
                              std::optional<UnixSeconds> known_time) {
  if (link_ != Link::Up) return;
  std::visit(
      [&](const auto& m) {
        using T = std::decay_t<decltype(m)>;
        if constexpr (std::is_same_v<T, EventFor<VerifiedEvent>>) on_event(now, m);
        if constexpr (std::is_same_v<T, KnownEvent>) on_known(now, m, known_time);
        if constexpr (std::is_same_v<T, Ok>) on_ok(now, m);
        if constexpr (std::is_same_v<T, EndOfStored>) on_eose(now, m);
        if constexpr (std::is_same_v<T, Closed>) on_closed(now, m);
        if constexpr (std::is_same_v<T, Notice>) ++stats_.notices;
        if constexpr (std::is_same_v<T, AuthChallenge>) on_challenge(now, m);
      },
      message);
  if (link_ == Link::Up) note_contact(now);
  finish(now);
}

void RelaySession::on_event(Now now, const EventFor<VerifiedEvent>& message) {
  ++stats_.events;
  Entry* owner = owner_of(message.subscription);
  if (owner == nullptr || !owner->second.wants(message.subscription, *message.event))
    return count_stray(now);
  owner->second.on_stored(now, message.subscription, message.event->id, message.event->created_at);
  outputs_.push_back(session::Arrived{owner->first, message.event});
}

void RelaySession::on_known(Now now, const KnownEvent& message, std::optional<UnixSeconds> time) {
  ++stats_.events;
  Entry* owner = owner_of(message.subscription);
  if (owner == nullptr) return count_stray(now);
  owner->second.on_stored(now, message.subscription, message.id, time);
  outputs_.push_back(session::Known{owner->first, message.id});
}

void RelaySession::count_stray(Now now) {
  ++stats_.strays;
  if (++strays_here_ > kStrayMessagesMax)
    drop_link(now, LinkDown::Refused, "too many stray events");
}

void RelaySession::on_ok(Now now, const Ok& message) {
  if (auth_ == Auth::Sent && message.id == auth_event_) return on_auth_answer(now, message);
  const auto it = std::find(unanswered_.begin(), unanswered_.end(), message.id);
  if (it == unanswered_.end()) {
    ++stats_.late_oks;
    return;
  }
  unanswered_.erase(it);
  const Reason reason = message.accepted ? Reason::None : reason_of(message.text);
  // The relay has it: that is all we wanted (strfry says true here, others false).
  const bool accepted = message.accepted || reason == Reason::Duplicate;
  if (reason == Reason::AuthRequired && auth_ != Auth::Done) want_auth(now, message.text);
  if (reason == Reason::RateLimited) {
    const auto burst = int64_t{timing_.publish_burst} * timing_.publish_interval.value;
    bucket_ = now.mono + Micros{burst} + kRateLimitedPause;
  }
  outputs_.push_back(
      session::Answered{message.id, accepted, message.text.substr(0, kRelayTextMax)});
}

void RelaySession::on_eose(Now now, const EndOfStored& message) {
  Entry* owner = owner_of(message.subscription);
  if (owner == nullptr) return;
  owner->second.on_eose(now, message.subscription, message.finished);
  settle(owner->second);
  const bool live = owner->second.state() == SubscriptionState::Live;
  if (live && owner->second.truncated()) ++stats_.truncated;
}

void RelaySession::on_closed(Now now, const Closed& message) {
  ++stats_.closed;
  Entry* owner = owner_of(message.subscription);
  // Of what is not open: a relay that repeats itself must not push our next REQ further away.
  if (owner == nullptr || !owner->second.is_open(message.subscription)) return;
  RelaySubscription& subscription = owner->second;
  const Reason reason = reason_of(message.text);
  set_text(message.text.empty() ? "subscription closed" : std::string_view(message.text));
  if (reason == Reason::AuthRequired && auth_ != Auth::Done) {
    subscription.on_closed_auth(message.subscription);
    want_auth(now, message.text);
  } else {
    // Refused to an authenticated key too: try again later, with a new AUTH if it asks again.
    if (auth_ == Auth::Done && reason == Reason::AuthRequired) auth_ = Auth::None;
    // One that says that we ask too much, or must not, says the same on another connection.
    const bool may_be_the_connection = reason == Reason::None || reason == Reason::Error;
    if (subscription.is_query() && may_be_the_connection) ++refused_queries_;
    subscription.on_closed(now, message.subscription, jitter_);
  }
  settle(subscription);
}

// --- NIP-42 ------------------------------------------------------------------------------------

void RelaySession::on_challenge(Now now, const AuthChallenge& message) {
  if (message.challenge.empty() || message.challenge.size() > kChallengeBytesMax) return;
  if (message.challenge == challenge_) return;
  challenge_ = message.challenge;  // the newest replaces: a flood costs one string
  // An AUTH made for the old challenge is void, one that succeeded stands until the relay objects.
  if (auth_ == Auth::Wanted || auth_ == Auth::Signing || auth_ == Auth::Sent) {
    auth_ = Auth::None;
    want_auth(now, "auth required");
  } else if (auth_ == Auth::None && hold_until_) {
    want_auth(now, "auth required");
  }
}

void RelaySession::want_auth(Now now, std::string_view text) {
  if (auth_ != Auth::None) return;
  auth_before_ = true;
  if (challenge_.empty()) {
    auth_ = Auth::Wanted;
    auth_by_ = now.mono + timing_.auth_timeout;
    return;
  }
  if (now.mono >= auth_window_end_) auth_attempts_ = 0;
  if (auth_attempts_ >= kAuthAttemptsMax) return fail_auth(now, text);
  if (auth_attempts_++ == 0) auth_window_end_ = now.mono + kAuthWindow;
  auth_ = Auth::Signing;
  auth_by_ = now.mono + timing_.auth_timeout;
  if (hold_until_) hold_until_ = auth_by_;
  Draft draft{now.wall, kind::kRelayAuth, {{"relay", url_}, {"challenge", challenge_}}, ""};
  outputs_.push_back(session::SignAuth{std::move(draft)});
}

void RelaySession::on_auth_signed(Now now, const Event& event) {
  // Signed for a challenge that has been replaced meanwhile: its own draft is on the way.
  const std::string* challenge = tag_value(event.tags, "challenge");
  if (auth_ != Auth::Signing || challenge == nullptr || *challenge != challenge_) return;
  auth_ = Auth::Sent;
  auth_event_ = event.id;
  send(Authenticate{event});
  finish(now);
}

void RelaySession::on_auth_answer(Now now, const Ok& message) {
  if (!message.accepted)
    return fail_auth(now, message.text.empty() ? "auth refused" : std::string_view(message.text));
  auth_ = Auth::Done;
  auth_by_.reset();
  hold_until_.reset();
  for (auto& [name, subscription] : subscriptions_) subscription.on_auth_done();
  outputs_.push_back(session::Authenticated{});
}

void RelaySession::fail_auth(Now now, std::string_view text) {
  auth_ = Auth::None;
  auth_by_.reset();
  hold_until_.reset();
  set_text(text);
  for (auto& [name, subscription] : subscriptions_) subscription.on_auth_failed(now, jitter_);
}

}  // namespace paygress::nostr
