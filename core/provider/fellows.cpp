#include "core/provider/fellows.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/market/events.h"

namespace paygress::provider {
namespace {

constexpr std::string_view kPrefix = "fellows-";

}  // namespace

bool Fellows::is_fresh(Now now, const PubKey& key) const {
  const auto it = fellows_.find(key);
  return it != fellows_.end() && it->second.read_at + kFellowFresh > now.mono;
}

bool Fellows::is_read(Now now, const std::vector<PubKey>& keys) const {
  return std::all_of(keys.begin(), keys.end(), [&](const PubKey& key) {
    return is_fresh(now, key) || (!wanted_.contains(key) && !asked_.contains(key));
  });
}

bool Fellows::read(Now now, const std::vector<PubKey>& keys) {
  for (const PubKey& key : keys)
    if (!is_fresh(now, key) && !asked_.contains(key) && wanted_.size() < kFellowsAskedMax)
      wanted_.insert(key);
  ask(now);
  return is_read(now, keys);
}

bool Fellows::knows_rules(const PubKey& key) const {
  const auto it = fellows_.find(key);
  return it == fellows_.end() || !it->second.offer || it->second.offer->has_profile;
}

// One query at a time: a relay grants few subscriptions.
void Fellows::ask(Now now) {
  if (wanted_.empty() || !asked_.empty()) return;
  asked_ = std::exchange(wanted_, {});
  awaited_ = pool_.relay_count();
  nostr::Filter offers = market::offers_filter();
  offers.authors.assign(asked_.begin(), asked_.end());
  nostr::QueryOptions options;
  options.timeout = kFellowsQueryTimeout;
  options.repeat = true;  // an offer that is known already was forgotten here
  const std::string name = std::string(kPrefix) + std::to_string(++queries_);
  if (!pool_.query(now, name, {std::move(offers)}, options)) end_query(now);
}

bool Fellows::handle(Now now, const nostr::PoolOutput& output) {
  if (const auto* delivered = std::get_if<nostr::pool::Delivered>(&output)) {
    if (!delivered->subscription.starts_with(kPrefix)) return false;
    note(delivered->event);
    return true;
  }
  const auto* answered = std::get_if<nostr::pool::QueryAnswered>(&output);
  if (answered == nullptr || !answered->query.starts_with(kPrefix)) return false;
  if (answered->query == std::string(kPrefix) + std::to_string(queries_) && awaited_ > 0 &&
      --awaited_ == 0)
    end_query(now);
  return true;
}

// Each relay knows only its own newest.
void Fellows::note(const nostr::VerifiedEvent& event) {
  const auto offer = market::read_offer(event);
  if (!offer || !asked_.contains(event->pubkey)) return;
  const Offer seen{event->created_at, event->id, offer->profile.has_value()};
  std::optional<Offer>& known = fellows_[event->pubkey].offer;
  const auto age = [](const Offer& o) { return std::pair(-o.published.value, o.event); };
  if (!known || age(seen) < age(*known)) known = seen;
}

void Fellows::end_query(Now now) {
  awaited_ = 0;
  for (const PubKey& key : std::exchange(asked_, {})) fellows_[key].read_at = now.mono;
  while (fellows_.size() > kFellowsMax) forget_oldest();
  ask(now);
}

void Fellows::forget_oldest() {
  fellows_.erase(std::min_element(
      fellows_.begin(), fellows_.end(),
      [](const auto& a, const auto& b) { return a.second.read_at < b.second.read_at; }));
}

void Fellows::check_invariants() const {
  PG_CHECK(fellows_.size() <= kFellowsMax);
  PG_CHECK(wanted_.size() <= kFellowsAskedMax && asked_.size() <= kFellowsAskedMax);
  PG_CHECK(asked_.empty() == (awaited_ == 0));
  PG_CHECK(wanted_.empty() || !asked_.empty());
}

}  // namespace paygress::provider
