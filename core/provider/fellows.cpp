#include "core/provider/fellows.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/failover/profile.h"
#include "core/market/events.h"

namespace paygress::provider {
namespace {

constexpr std::string_view kPrefix = "offers-";  // after "inbox": a relay is asked in this order

// One offer of each, whatever else its author publishes.
nostr::Filter offers_of(const std::set<PubKey>& keys) {
  nostr::Filter filter;
  filter.kinds = {nostr::kind::kOffer};
  filter.authors.assign(keys.begin(), keys.end());
  for (const PubKey& key : keys) filter.tags["d"].push_back(market::offer_d(key));
  return filter;
}

}  // namespace

bool Fellows::is_fresh(Now now, const PubKey& key) const {
  const auto it = fellows_.find(key);
  return it != fellows_.end() && it->second.read_at &&
         *it->second.read_at + kFellowFresh > now.mono;
}

bool Fellows::read(Now now, const std::vector<PubKey>& keys) {
  bool all = true;
  for (const PubKey& key : keys) {
    if (is_fresh(now, key)) continue;
    all = false;
    if (!asked_.contains(key) && wanted_.size() < kFellowsWantedMax) wanted_.insert(key);
  }
  ask(now);
  return all;
}

bool Fellows::is_settled(Now now, const std::vector<PubKey>& keys) const {
  return std::all_of(keys.begin(), keys.end(), [&](const PubKey& key) {
    return is_fresh(now, key) ||
           (!paused_until_ && !wanted_.contains(key) && !asked_.contains(key));
  });
}

bool Fellows::knows_rules(const PubKey& key) const {
  const auto it = fellows_.find(key);
  return it == fellows_.end() || !it->second.offer || it->second.offer->has_profile;
}

std::string Fellows::query_name() const { return std::string(kPrefix) + std::to_string(queries_); }

// One query at a time: a relay grants few subscriptions, and the watches have a claim on theirs.
void Fellows::ask(Now now) {
  if (wanted_.empty() || !asked_.empty() || paused_until_) return;
  while (!wanted_.empty() && asked_.size() < kFellowsAskedMax)
    asked_.insert(wanted_.extract(wanted_.begin()));
  for (const PubKey& key : asked_) fellows_[key];
  while (fellows_.size() > kFellowsMax) forget_oldest();
  awaited_ = pool_.relay_count();
  complete_ = 0;
  ++queries_;
  nostr::QueryOptions options;
  options.timeout = kFellowsQueryTimeout;
  options.repeat = true;  // an offer that is known already was forgotten here
  if (!pool_.query(now, query_name(), {offers_of(asked_)}, options)) end_query(now, false);
}

bool Fellows::handle(Now now, const nostr::PoolOutput& output) {
  if (const auto* delivered = std::get_if<nostr::pool::Delivered>(&output)) {
    if (!delivered->subscription.starts_with(kPrefix)) return false;
    note(delivered->event);
    return true;
  }
  const auto* answered = std::get_if<nostr::pool::QueryAnswered>(&output);
  if (answered == nullptr || !answered->query.starts_with(kPrefix)) return false;
  if (asked_.empty() || answered->query != query_name()) return true;
  --awaited_;
  if (answered->complete) ++complete_;
  const auto quorum = failover::quorums(static_cast<uint32_t>(pool_.relay_count())).read;
  if (complete_ >= quorum || awaited_ == 0) end_query(now, complete_ >= quorum);
  return true;
}

// Each relay knows only its own newest.
void Fellows::note(const nostr::VerifiedEvent& event) {
  const auto offer = market::read_offer(event);
  if (!offer || !asked_.contains(event->pubkey)) return;
  const Offer seen{event->created_at, event->id, offer->profile.has_value()};
  std::optional<Offer>& known = fellows_.at(event->pubkey).offer;
  const auto age = [](const Offer& o) { return std::pair(-o.published.value, o.event); };
  if (!known || age(seen) < age(*known)) known = seen;
}

void Fellows::end_query(Now now, bool read) {
  pool_.unsubscribe(now, query_name());  // where it is not over
  for (const PubKey& key : std::exchange(asked_, {}))
    if (read) fellows_.at(key).read_at = now.mono;
  if (!read) paused_until_ = now.mono + kFellowsPause;
  news_ = true;
  ask(now);
}

void Fellows::handle_timer(Now now) {
  if (!paused_until_ || *paused_until_ > now.mono) return;
  paused_until_.reset();
  news_ = true;
  ask(now);
}

// Never one that is asked for: there are more fellows than that.
void Fellows::forget_oldest() {
  const auto age = [&](const auto& entry) {
    return std::pair(asked_.contains(entry.first), entry.second.read_at);
  };
  fellows_.erase(std::min_element(fellows_.begin(), fellows_.end(),
                                  [&](const auto& a, const auto& b) { return age(a) < age(b); }));
}

void Fellows::check_invariants() const {
  PG_CHECK(fellows_.size() <= kFellowsMax && wanted_.size() <= kFellowsWantedMax);
  PG_CHECK(asked_.size() <= kFellowsAskedMax);
  PG_CHECK(asked_.empty() || (awaited_ > 0 && !paused_until_));
  PG_CHECK(wanted_.empty() || !asked_.empty() || paused_until_);
  for (const PubKey& key : asked_) PG_CHECK(fellows_.contains(key));
}

}  // namespace paygress::provider
