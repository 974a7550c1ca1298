#include "core/nostr/relay_subscription.h"

#include <algorithm>

namespace paygress::nostr {

namespace {

UnixSeconds since_of(const Backfill& backfill, UnixSeconds now,
                     std::optional<UnixSeconds> last_connected) {
  const UnixSeconds earliest = now - backfill.longest;
  if (!last_connected) return earliest;
  // A wall clock that was set back must not push `since` into the future.
  return std::max(earliest, std::min(*last_connected, now) - backfill.overlap);
}

}  // namespace

RelaySubscription::RelaySubscription(std::string wire_id, SubscriptionSpec spec, bool resumes)
    : wire_id_(std::move(wire_id)), spec_(std::move(spec)), resumes_(resumes) {
  PG_CHECK(!wire_id_.empty());
  PG_CHECK(!spec_.filters.empty());
}

std::optional<Micros> RelaySubscription::deadline() const {
  std::optional<Micros> earliest;
  for (const auto& time : {eose_by_, stored_by_, retry_at_})
    if (time && (!earliest || *time < *earliest)) earliest = time;
  return earliest;
}

Subscribe RelaySubscription::request(Now now, std::optional<UnixSeconds> last_connected) {
  PG_CHECK(state_ == SubscriptionState::Idle && !page_.open);
  sent_ = spec_.filters;
  if (spec_.backfill) {
    if (!resumes_) last_connected.reset();
    for (auto& filter : sent_) filter.since = since_of(*spec_.backfill, now.wall, last_connected);
  }
  state_ = SubscriptionState::Sent;
  page_ = {};
  page_filter_ = 0;
  largest_page_ = 0;
  pages_ = 0;
  truncated_ = false;
  await_eose(now);
  return {wire_id_, sent_};
}

void RelaySubscription::await_eose(Now now) {
  eose_by_ = now.mono + kEoseTimeout;
  stored_by_ = now.mono + kStoredTimeout;
}

std::string RelaySubscription::page_id() const {
  return wire_id_ + "~" + std::to_string(page_number_);
}

Subscribe RelaySubscription::next_page(Now now) {
  PG_CHECK(wants_page());
  PG_CHECK(page_filter_ < sent_.size());
  Filter filter = sent_[page_filter_];
  if (page_.until) filter.until = page_.until;
  page_.open = true;
  page_.over = false;
  ++page_number_;
  ++pages_;
  await_eose(now);
  return {page_id(), {std::move(filter)}};
}

std::optional<std::string> RelaySubscription::release_page() {
  if (!page_.open || (state_ == SubscriptionState::Paging && !page_.over)) return std::nullopt;
  page_.open = false;
  return page_id();
}

bool RelaySubscription::owns(std::string_view wire_id) const {
  return wire_id == wire_id_ || (page_.open && wire_id == page_id());
}

bool RelaySubscription::is_open(std::string_view wire_id) const {
  PG_CHECK(owns(wire_id));
  return wire_id != wire_id_ ||
         (state_ != SubscriptionState::Idle && state_ != SubscriptionState::NeedsAuth &&
          state_ != SubscriptionState::Refused);
}

bool RelaySubscription::wants(std::string_view wire_id, const Event& event) const {
  PG_CHECK(owns(wire_id));
  if (wire_id == wire_id_) return matches_any(sent_, event);
  return matches(sent_[page_filter_], event) && (!page_.until || event.created_at <= *page_.until);
}

void RelaySubscription::on_stored(Now now, std::string_view wire_id, const EventId& id,
                                  std::optional<UnixSeconds> created_at) {
  const bool first = state_ == SubscriptionState::Sent && wire_id == wire_id_;
  const bool paged = state_ == SubscriptionState::Paging && page_.open && wire_id == page_id();
  if (!first && !paged) return;
  eose_by_ = now.mono + kEoseTimeout;
  count(id, created_at);
}

void RelaySubscription::count(const EventId& id, std::optional<UnixSeconds> created_at) {
  ++page_.events;
  if (!created_at || (page_.until && *created_at > *page_.until)) return;
  const bool repeated = page_.until == created_at && page_.boundary.contains(id);
  if (!repeated) ++page_.fresh;
  if (!page_.oldest || *created_at < *page_.oldest) {
    page_.oldest = created_at;
    page_.at_oldest.clear();
  }
  if (*created_at == *page_.oldest && page_.at_oldest.size() < kBoundaryIdsMax)
    page_.at_oldest.insert(id);
}

void RelaySubscription::on_eose(Now now, std::string_view wire_id, std::optional<bool> finished) {
  if (state_ == SubscriptionState::Sent && wire_id == wire_id_) {
    live_since_ = now.mono;
    state_ = SubscriptionState::Paging;
    if (page_.events == 0 || finished == true) {
      become_live();
    } else if (sent_.size() == 1) {
      end_page(false);
    } else {
      // Which filter an event answered is not known: each is read again by itself, from the top.
      page_from_top(0);
    }
  } else if (state_ == SubscriptionState::Paging && page_.open && wire_id == page_id()) {
    end_page(finished == true);
  }
  if (state_ == SubscriptionState::Paging) {
    eose_by_.reset();
    stored_by_.reset();
  }
}

// The answer that page_ counted is over: goes on where it ended, or with the next filter.
void RelaySubscription::end_page(bool finished) {
  PG_CHECK(state_ == SubscriptionState::Paging);
  largest_page_ = std::max(largest_page_, page_.events);
  const Filter& filter = sent_[page_filter_];
  const bool unreadable = page_.events > 0 && !page_.oldest;
  if (pages_ >= kPagesMax || unreadable) truncated_ = true;
  if (pages_ >= kPagesMax) return become_live();
  if (finished || filter.limit || page_.events == 0 || unreadable)
    return page_from_top(page_filter_ + 1);

  if (page_.fresh > 0) {
    std::set<EventId> boundary = std::move(page_.at_oldest);
    if (page_.until == page_.oldest) boundary.merge(page_.boundary);
    if (filter.since && *page_.oldest < *filter.since) return page_from_top(page_filter_ + 1);
    return page_from(*page_.oldest, std::move(boundary));
  }
  // Nothing but the boundary again. Shorter than other pages: the relay has no more. As long as
  // them: one second may fill the relay's whole cap, so go on below it.
  if (page_.events < largest_page_) return page_from_top(page_filter_ + 1);
  const UnixSeconds below = *page_.until - 1_s;
  if (below < UnixSeconds{0} || (filter.since && below < *filter.since))
    return page_from_top(page_filter_ + 1);
  page_from(below, {});
}

void RelaySubscription::page_from(UnixSeconds until, std::set<EventId> boundary) {
  const bool open = page_.open;
  page_ = {};
  page_.open = page_.over = open;
  page_.until = until;
  page_.boundary = std::move(boundary);
}

void RelaySubscription::page_from_top(size_t filter) {
  while (filter < sent_.size() && sent_[filter].limit) ++filter;
  if (filter >= sent_.size()) return become_live();
  const bool open = page_.open;
  page_ = {};
  page_.open = page_.over = open;
  page_filter_ = filter;
}

void RelaySubscription::become_live() {
  state_ = SubscriptionState::Live;
  eose_by_.reset();
  stored_by_.reset();
  refused_.reset();
  resumes_ = true;
}

void RelaySubscription::become_retrying(Now now, SubscriptionState state, RandomStream& jitter) {
  PG_CHECK(state == SubscriptionState::Refused || state == SubscriptionState::Unproven);
  state_ = state;
  live_since_.reset();
  eose_by_.reset();
  stored_by_.reset();
  retry_at_ = now.mono + refused_.next(jitter);
}

void RelaySubscription::on_closed_auth(std::string_view wire_id) {
  if (wire_id != wire_id_) page_.open = false;
  state_ = SubscriptionState::NeedsAuth;
  live_since_.reset();
  eose_by_.reset();
  stored_by_.reset();
  retry_at_.reset();
}

void RelaySubscription::on_closed(Now now, std::string_view wire_id, RandomStream& jitter) {
  const bool live = wire_id == wire_id_;
  if (!live) page_.open = false;
  become_retrying(now, live ? SubscriptionState::Refused : SubscriptionState::Unproven, jitter);
}

void RelaySubscription::on_auth_done() {
  if (state_ == SubscriptionState::NeedsAuth) state_ = SubscriptionState::Idle;
}

void RelaySubscription::on_auth_failed(Now now, RandomStream& jitter) {
  if (state_ == SubscriptionState::NeedsAuth)
    become_retrying(now, SubscriptionState::Refused, jitter);
}

void RelaySubscription::on_link_lost() {
  state_ = SubscriptionState::Idle;
  page_ = {};
  live_since_.reset();
  eose_by_.reset();
  stored_by_.reset();
  retry_at_.reset();
}

void RelaySubscription::on_timer(Now now, RandomStream& jitter) {
  const auto due = [&](const std::optional<Micros>& time) { return time && *time <= now.mono; };
  if (due(retry_at_)) {
    retry_at_.reset();
    state_ = SubscriptionState::Idle;
  } else if (due(eose_by_) || due(stored_by_)) {
    become_retrying(now, SubscriptionState::Unproven, jitter);
  }
}

}  // namespace paygress::nostr
