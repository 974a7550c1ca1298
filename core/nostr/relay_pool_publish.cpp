// Publishing: one event to many relays until enough of them have it. Per relay, a target goes
//   Ready (for the rate limit) -> InFlight -> Accepted, or Waiting (for its backoff) -> Ready ...
// While the link is down a target is Waiting without a time; link up makes it Ready.
#include <algorithm>

#include "core/nostr/relay_pool.h"

namespace paygress::nostr {

namespace {

// Not in the list of NIP-01, but what strfry says when it has a newer replaceable event: sending
// the old one again can only fail again.
bool is_superseded(std::string_view text) { return text.starts_with("replaced:"); }

}  // namespace

Result<void> RelayPool::make_room() {
  if (publishes_.size() < kPublishesMax) return {};
  for (const auto& [id, tracked] : publishes_) {
    if (!tracked.reached) continue;
    forget(id);
    return {};
  }
  return fail("too many events wait for their relays");
}

Result<void> RelayPool::publish(Now now, PublishId id, Event event, const PublishOptions& options) {
  if (publishes_.contains(id)) return fail("publish id in use");
  if (publish_of_.contains(event.id)) return fail("event is being published");
  const auto targets = named(options.relays);
  if (!targets) return std::unexpected(targets.error());
  if (options.quorum < 1 || options.quorum > targets->size()) return fail("quorum not reachable");
  if (auto ok = make_room(); !ok) return ok;

  PG_CHECK(publish_of_.insert(event.id, id));
  Tracked& tracked = publishes_[id];
  tracked.event = std::move(event);
  tracked.quorum = options.quorum;
  tracked.urgent = options.urgent;
  tracked.not_after = options.not_after;
  for (const auto relay : *targets) tracked.targets[relay] = {};
  for (const auto relay : *targets) {
    if (at(relay).up) make_ready(id, relay);
    send_ready(now, relay);
  }
  return {};
}

void RelayPool::forget(PublishId id) {
  const auto it = publishes_.find(id);
  if (it == publishes_.end()) return;
  for (const auto& [relay, unused] : it->second.targets) wait(id, relay, std::nullopt);
  PG_CHECK(publish_of_.erase(it->second.event.id));
  publishes_.erase(it);
}

void RelayPool::stop_sending(PublishId id) {
  const auto it = publishes_.find(id);
  if (it == publishes_.end()) return;
  it->second.stopped = true;
  for (auto& [relay, t] : it->second.targets)
    if (t.state == TargetState::Ready || t.due) wait(id, relay, std::nullopt);
}

RelayPool::Target& RelayPool::target(PublishId id, RelayIndex relay) {
  const auto it = publishes_.find(id);
  PG_CHECK(it != publishes_.end());
  const auto found = it->second.targets.find(relay);
  PG_CHECK(found != it->second.targets.end());
  return found->second;
}

// Takes the target out of every queue; `due` puts it into that of the clock.
void RelayPool::wait(PublishId id, RelayIndex relay, std::optional<Micros> due) {
  Target& t = target(id, relay);
  if (t.due) PG_CHECK(due_.erase({*t.due, id, relay}) == 1);
  if (t.state == TargetState::Ready)
    PG_CHECK(at(relay).ready.erase({!publishes_[id].urgent, t.place, id}) == 1);
  t.state = TargetState::Waiting;
  t.due = due;
  if (due) due_.insert({*due, id, relay});
}

void RelayPool::make_ready(PublishId id, RelayIndex relay) {
  wait(id, relay, std::nullopt);
  const Tracked& tracked = publishes_[id];
  if (tracked.reached || tracked.stopped || !at(relay).up) return;
  Target& t = target(id, relay);
  t.state = TargetState::Ready;
  t.place = ++places_;
  at(relay).ready.insert({!tracked.urgent, t.place, id});
}

void RelayPool::send_ready(Now now, RelayIndex relay) {
  Relay& r = at(relay);
  bool sent = false;
  while (!r.ready.empty()) {
    const auto ready_at = r.session.publish_ready_at();
    if (!ready_at || *ready_at > now.mono) break;
    const PublishId id = std::get<PublishId>(*r.ready.begin());
    if (const auto& limit = publishes_[id].not_after; limit && *limit <= now.mono) {
      stop_sending(id);
      continue;
    }
    // Without an OK it counts as not arrived, and is sent again: the same event, so at-least-once.
    Target& t = target(id, relay);
    wait(id, relay, now.mono + kOkTimeout + t.backoff.next(jitter_));
    t.state = TargetState::InFlight;
    r.session.publish(now, publishes_[id].event);
    sent = true;
  }
  if (!sent) return;
  for (auto& output : r.session.take_outputs()) on_output(now, relay, std::move(output));
}

// The link is up, or AUTH succeeded: nothing has to wait for its backoff any more.
void RelayPool::resend_all(RelayIndex relay) {
  for (const auto& [id, tracked] : publishes_) {
    const auto it = tracked.targets.find(relay);
    if (it != tracked.targets.end() && it->second.state == TargetState::Waiting)
      make_ready(id, relay);
  }
}

void RelayPool::on_answer(Now now, RelayIndex relay, const session::Answered& answer) {
  const PublishId* found = publish_of_.find(answer.id);
  if (found == nullptr) return;  // forgotten meanwhile
  const PublishId id = *found;
  Tracked& tracked = publishes_[id];
  if (!tracked.targets.contains(relay)) return;  // of an earlier publish of the same event
  Target& t = target(id, relay);
  outputs_.push_back(pool::Answered{id, relay, answer.accepted, answer.text});
  if (t.state == TargetState::Accepted || t.state == TargetState::Superseded) return;
  if (!answer.accepted && !is_superseded(answer.text)) {
    const bool again = !tracked.reached && !tracked.stopped;
    wait(id, relay, again ? std::optional(now.mono + t.backoff.next(jitter_)) : std::nullopt);
    return;
  }
  wait(id, relay, std::nullopt);
  t.state = answer.accepted ? TargetState::Accepted : TargetState::Superseded;
  if (!answer.accepted) return;
  ++tracked.accepted;
  if (tracked.reached || tracked.accepted < tracked.quorum) return;
  tracked.reached = true;
  outputs_.push_back(pool::Reached{id});
}

// The stored copy that a query brings says that the relay has it, not that it passes it on.
void RelayPool::on_sighting(RelayIndex relay, const std::string& subscription, const EventId& id) {
  const RelaySubscription* found_on = at(relay).session.find(subscription);
  if (found_on == nullptr || found_on->is_query()) return;
  const PublishId* found = publish_of_.find(id);
  if (found == nullptr) return;
  const auto it = publishes_[*found].targets.find(relay);
  if (it == publishes_[*found].targets.end() || it->second.echoed) return;
  it->second.echoed = true;
  outputs_.push_back(pool::Echoed{*found, relay});
}

// The relay is gone. What it had accepted does not count any more, except for what was reached.
void RelayPool::drop_target(PublishId id, Tracked& tracked, RelayIndex relay) {
  const auto it = tracked.targets.find(relay);
  if (it == tracked.targets.end()) return;
  const bool accepted = it->second.state == TargetState::Accepted;
  wait(id, relay, std::nullopt);
  tracked.targets.erase(it);
  tracked.accepted -= accepted;
  if (tracked.reached) tracked.quorum = std::min(tracked.quorum, tracked.accepted);
}

void RelayPool::check_invariants() const {
  PG_CHECK(relays_.size() <= kRelaysMax && own_count_ <= relays_.size());
  PG_CHECK(publishes_.size() <= kPublishesMax);
  PG_CHECK(publish_of_.size() == publishes_.size());
  size_t due = 0;
  size_t ready = 0;
  for (const auto& [id, tracked] : publishes_) {
    size_t accepted = 0;
    for (const auto& [relay, t] : tracked.targets) {
      accepted += t.state == TargetState::Accepted;
      ready += t.state == TargetState::Ready;
      due += t.due.has_value();
      PG_CHECK(!t.due || due_.contains({*t.due, id, relay}));
      const bool timed = t.state == TargetState::Waiting || t.state == TargetState::InFlight;
      PG_CHECK(!t.due || timed);
      PG_CHECK(at(relay).up || t.state != TargetState::InFlight);
    }
    PG_CHECK(accepted == tracked.accepted);
    PG_CHECK(tracked.reached == (accepted >= tracked.quorum));
  }
  PG_CHECK(due == due_.size());
  for (const auto& [index, relay] : relays_) {
    PG_CHECK(is_own(index) || relay.uses > 0);
    ready -= relay.ready.size();
    relay.session.check_invariants();
    PG_CHECK(relay.up == relay.session.publish_ready_at().has_value());
  }
  PG_CHECK(ready == 0);
}

}  // namespace paygress::nostr
