// A tiny deterministic world: one RelayPool, some RelayModels, links that can be cut. Everything
// sent arrives at once and in order; time passes only when told.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/nostr/relay_pool.h"
#include "sim/models/relay.h"
#include "tests/core/nostr/relay_fixture.h"

namespace paygress::nostr {

class PoolWorld {
 public:
  static constexpr int64_t kStart = 1'800'000'000;
  static constexpr int kStepsMax = 200'000;

  // Of the relays the first `own` are the pool's own; all when nothing is said.
  explicit PoolWorld(size_t relays, sim::RelayOptions options = {}, uint64_t seed = 1,
                     std::optional<size_t> own = {})
      : seed_(seed), own_(own.value_or(relays)), up_(relays, true), links_(relays) {
    const auto no_crypto = [](const Event&) { return Result<void>{}; };
    for (size_t i = 0; i < relays; ++i) {
      if (own) options.url = "wss://relay-" + std::to_string(i) + ".example";
      models_.push_back(std::make_unique<sim::RelayModel>(options, no_crypto));
    }
    make_pool({});
  }

  RelayPool& pool() { return *pool_; }
  sim::RelayModel& relay(size_t i) { return *models_[i]; }
  Now now{1'000'000_ms, UnixSeconds{kStart}};

  // What the pool said since the start (a restart of the pool does not clear it).
  std::vector<pool::Delivered> delivered;
  std::vector<pool::Answered> answered;
  std::vector<pool::QueryAnswered> queries;
  std::vector<pool::Echoed> echoes;
  std::set<PublishId> reached;
  std::map<std::pair<RelayIndex, std::string>, std::vector<std::optional<Micros>>> continuity;
  size_t sent_messages = 0;
  size_t sent_events = 0;
  bool lie_about_oks = false;  // every OK is followed by one for another id

  std::map<EventId, int> deliveries() const {
    std::map<EventId, int> count;
    for (const auto& d : delivered) ++count[d.event->id];
    return count;
  }

  // The provider's process dies; what it made durable comes back.
  void restart_pool(const std::vector<EventId>& processed) {
    std::vector<std::optional<UnixSeconds>> last;
    for (uint32_t i = 0; i < models_.size(); ++i) {
      last.push_back(pool_->last_connected({i}));
      hang_up(i);
    }
    queue_.clear();
    admitted_.clear();
    make_pool(last);
    pool_->load_seen(processed);
  }

  void cut(size_t i) {
    up_[i] = false;
    if (!links_[i]) return;
    const LinkId link = *links_[i];
    hang_up(i);
    pool_->handle_link_down(now, link, LinkDown::Closed, "cut");
    settle();
  }
  void mend(size_t i) { up_[i] = true; }
  void restart_relay(size_t i) {
    models_[i]->restart();
    const bool was_up = up_[i];
    cut(i);
    up_[i] = was_up;
  }

  // Somebody else publishes to one relay.
  void publish_elsewhere(size_t i, const Event& event) {
    inject(i, event);
    settle();
  }

  // As publish_elsewhere, without waiting for what comes of it.
  void inject(size_t i, const Event& event) {
    const sim::ConnectionId other{1'000'000 + i};
    models_[i]->connect(other);
    carry(i, models_[i]->handle(now.wall, other, Publish{event}));
    models_[i]->disconnect(other);
  }

  // One round: what the pool wants, and one message to it. False when there was neither.
  bool step() {
    auto outputs = pool_->take_outputs();
    for (auto& output : outputs) handle(std::move(output));
    if (queue_.empty()) return !outputs.empty();
    auto [link, message] = std::move(queue_.front());
    queue_.pop_front();
    hand_in(link, std::move(message));
    return true;
  }

  // Does what the pool wants until it wants nothing more at this instant.
  void settle() {
    for (int steps = 0;; ++steps) {
      ASSERT_LT(steps, kStepsMax) << "pool and relays do not come to rest";
      if (step()) continue;
      const auto deadline = pool_->next_deadline();
      if (!deadline || *deadline > now.mono) break;
      pool_->handle_timer(now);
    }
    pool_->check_invariants();
  }

  void pass(Micros duration) {
    const Micros end = now.mono + duration;
    settle();
    for (int steps = 0;; ++steps) {
      ASSERT_LT(steps, kStepsMax) << "time does not pass";
      const auto deadline = pool_->next_deadline();
      if (!deadline || *deadline > end) break;
      move_clock(std::max(now.mono, *deadline));
      pool_->handle_timer(now);
      settle();
      if (::testing::Test::HasFatalFailure()) return;
    }
    move_clock(end);
  }

 private:
  void make_pool(const std::vector<std::optional<UnixSeconds>>& last) {
    std::vector<RelayConfig> configs;
    for (size_t i = 0; i < own_; ++i)
      configs.push_back({models_[i]->options().url, i < last.size() ? last[i] : std::nullopt});
    pool_ = std::make_unique<RelayPool>(configs, RandomStream(seed_, ++pools_, "pool"));
  }

  void move_clock(Micros mono) {
    now.wall += UnixSeconds{mono.value / 1'000'000 - now.mono.value / 1'000'000};
    now.mono = mono;
  }

  sim::ConnectionId connection(LinkId link) const {
    return {pools_ << 48 | uint64_t{link.relay.value} << 32 | link.attempt};
  }

  void hang_up(size_t i) {
    if (!links_[i]) return;
    models_[i]->disconnect(connection(*links_[i]));
    by_connection_.erase(connection(*links_[i]));
    links_[i].reset();
  }

  void carry(size_t i, sim::RelayModel::Replies replies) {
    for (auto& [to, message] : replies) {
      const auto it = by_connection_.find(to);
      if (it == by_connection_.end() || model_of(it->second) != i) continue;
      const bool ok = std::holds_alternative<Ok>(message);
      queue_.emplace_back(it->second, std::move(message));
      if (ok && lie_about_oks)
        queue_.emplace_back(it->second, Ok{numbered<EventId>(77'777), true, "lie"});
    }
  }

  // The stage in front of the pool (core/nostr/admission.h), with its rule about what to remember.
  void hand_in(LinkId link, WireMessage message) {
    auto* event = std::get_if<EventFor<Event>>(&message);
    if (event == nullptr) {
      std::visit(
          [&](auto& m) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(m)>, EventFor<Event>>)
              pool_->handle_message(now, link, std::move(m));
          },
          message);
    } else if (admitted_.contains(event->event.id)) {
      pool_->handle_message(now, link, KnownEvent{event->subscription, event->event.id});
    } else {
      const EventId id = event->event.id;
      pool_->handle_message(now, link,
                            EventFor<VerifiedEvent>{event->subscription,
                                                    ModelWitness::vouch(std::move(event->event))});
      if (pool_->delivered(id)) admitted_.insert(id);
    }
  }

  void handle(PoolOutput output) {
    std::visit([&](auto& o) { on(o); }, output);
  }
  // An added relay is found by its URL; own ones, which may all have the same, by their place.
  size_t model_of(LinkId link) {
    const auto known = places_.find(link.relay);
    if (known != places_.end()) return known->second;
    size_t i = link.relay.value;
    if (!pool_->is_own(link.relay))
      for (i = 0; i < models_.size() && models_[i]->options().url != pool_->url(link.relay);) ++i;
    EXPECT_LT(i, models_.size());
    return places_[link.relay] = i;
  }
  void on(pool::OpenLink& o) {
    const size_t i = model_of(o.link);
    if (!up_[i]) return pool_->handle_link_down(now, o.link, LinkDown::Failed, "unreachable");
    links_[i] = o.link;
    by_connection_[connection(o.link)] = o.link;
    auto replies = models_[i]->connect(connection(o.link));
    pool_->handle_link_up(now, o.link);
    carry(i, std::move(replies));
  }
  void on(pool::CloseLink& o) {
    if (links_[model_of(o.link)] == o.link) hang_up(model_of(o.link));
  }
  void on(pool::Ping& o) {
    if (links_[model_of(o.link)] == o.link) pool_->handle_pong(now, o.link);
  }
  void on(pool::Send& o) {
    const size_t i = model_of(o.link);
    ++sent_messages;
    sent_events += std::holds_alternative<Publish>(o.message);
    if (links_[i] == o.link) carry(i, models_[i]->handle(now.wall, connection(o.link), o.message));
  }
  void on(pool::SignAuth& o) {
    Event event = numbered_event(500'000 + ++signatures_, o.draft.kind, o.draft.created_at.value,
                                 o.draft.tags, kOwner);
    pool_->handle_auth_signed(now, o.link, event);
  }
  void on(pool::Delivered& o) { delivered.push_back(std::move(o)); }
  void on(pool::Echoed& o) { echoes.push_back(o); }
  void on(pool::Answered& o) { answered.push_back(std::move(o)); }
  void on(pool::Reached& o) { EXPECT_TRUE(reached.insert(o.publish).second); }
  void on(pool::QueryAnswered& o) { queries.push_back(std::move(o)); }
  void on(pool::Continuity& o) { continuity[{o.relay, o.subscription}].push_back(o.since); }
  void on(pool::HealthChanged&) {}

 public:
  static constexpr uint64_t kOwner = 42;  // the author of what the pool's owner signs

 private:
  uint64_t seed_;
  size_t own_;
  uint64_t pools_ = 0;
  uint64_t signatures_ = 0;
  std::vector<std::unique_ptr<sim::RelayModel>> models_;
  std::vector<bool> up_;
  std::vector<std::optional<LinkId>> links_;
  std::map<sim::ConnectionId, LinkId> by_connection_;
  std::map<RelayIndex, size_t> places_;
  std::unique_ptr<RelayPool> pool_;
  std::deque<std::pair<LinkId, WireMessage>> queue_;
  std::set<EventId> admitted_;
};

}  // namespace paygress::nostr
