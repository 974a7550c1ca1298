#include "core/nostr/relay_watches.h"

#include <algorithm>
#include <utility>

#include "core/nostr/relay_url.h"

namespace paygress::nostr {
namespace {

constexpr std::string_view kWatchPrefix = "w-";
constexpr std::string_view kQueryPrefix = "q-";

size_t bytes_of(const std::vector<Filter>& filters) {
  size_t bytes = 0;
  for (const Filter& filter : filters) bytes += to_json(filter).size();
  return bytes;
}

template <class T>
void unite(std::vector<T>& into, const std::vector<T>& from) {
  into.insert(into.end(), from.begin(), from.end());
  std::sort(into.begin(), into.end());
  into.erase(std::unique(into.begin(), into.end()), into.end());
}

bool same_shape(const Filter& a, const Filter& b) {
  const auto name = [](const auto& x, const auto& y) { return x.first == y.first; };
  return a.kinds == b.kinds && a.authors.empty() == b.authors.empty() &&
         a.limit.has_value() == b.limit.has_value() && a.ids.empty() && b.ids.empty() &&
         std::equal(a.tags.begin(), a.tags.end(), b.tags.begin(), b.tags.end(), name);
}

void merge(Filter& into, const Filter& from) {
  unite(into.authors, from.authors);
  for (const auto& [name, values] : from.tags) unite(into.tags[name], values);
  if (into.limit) into.limit = std::min(*into.limit + *from.limit, kBundleLimitMax);
}

}  // namespace

bool RelayWatches::is_ours(std::string_view subscription) {
  return subscription.starts_with(kWatchPrefix) || subscription.starts_with(kQueryPrefix);
}

// --- watches -----------------------------------------------------------------------------------

std::optional<std::string> RelayWatches::refusal(const WatchSpec& spec) const {
  const size_t bytes = bytes_of(spec.filters);
  if (spec.relays.empty()) return "no relays are named";
  if (bytes > kBundleBytesMax || spec.filters.size() > kFiltersMax) return "too much to watch";
  size_t added = 0;
  for (const std::string& url : spec.relays) {
    const auto relay = pool_.find_relay(url);
    const auto host = relay ? hosts_.find(*relay) : hosts_.end();
    if (!relay)
      ++added;
    else if (host != hosts_.end() && host->second.bundles.size() >= kBundlesMax &&
             !bundle_with_room(host->second, bytes))
      return "too many workloads are watched on " + url;
  }
  if (pool_.room_for_relays() < added) return "too many relays are in use";
  return std::nullopt;
}

std::optional<uint64_t> RelayWatches::bundle_with_room(const Host& host, size_t bytes) const {
  for (const auto& [number, bundle] : host.bundles) {
    size_t sum = bytes;
    for (const WatchId watch : bundle.watches) sum += watches_.at(watch).bytes;
    if (sum <= kBundleBytesMax) return number;
  }
  return std::nullopt;
}

Result<std::vector<RelayIndex>> RelayWatches::add(Now now, WatchId id, WatchSpec spec) {
  PG_CHECK(!watches_.contains(id));
  if (auto why = refusal(spec)) return fail(*std::move(why));
  Watch watch{std::move(spec), {}, 0};
  watch.bytes = bytes_of(watch.spec.filters);
  for (const std::string& url : watch.spec.relays) {
    const auto relay = pool_.add_relay(now, url);
    PG_CHECK(relay.has_value());
    watch.relays.push_back(*relay);
  }
  const Watch& added = watches_.emplace(id, std::move(watch)).first->second;
  for (const RelayIndex relay : added.relays) {
    Host& host = hosts_[relay];
    host.since[id] = std::nullopt;
    const auto found = bundle_with_room(host, added.bytes);
    const uint64_t number = found ? *found : ++bundles_;
    host.bundles[number].watches.insert(id);
    renew(now, relay, number, host.bundles[number]);
    set_pings(now, relay);
  }
  return added.relays;
}

void RelayWatches::remove(Now now, WatchId id) {
  const auto it = watches_.find(id);
  if (it == watches_.end()) return;
  const std::vector<RelayIndex> relays = it->second.relays;
  watches_.erase(it);
  for (const RelayIndex relay : relays) {
    Host& host = hosts_.at(relay);
    host.since.erase(id);
    for (auto b = host.bundles.begin(); b != host.bundles.end();) {
      b->second.watches.erase(id);
      for (Edition& edition : b->second.editions) {
        edition.covers.erase(id);
        if (b->second.watches.empty()) pool_.unsubscribe(now, edition.name);
      }
      b = b->second.watches.empty() ? host.bundles.erase(b) : std::next(b);
    }
    set_pings(now, relay);
    pool_.drop_relay(now, relay);
  }
}

// The union of all filters of a bundle, by shape.
std::vector<Filter> RelayWatches::merged(const Bundle& bundle) const {
  std::vector<Filter> all;
  for (const WatchId watch : bundle.watches) {
    for (const Filter& filter : watches_.at(watch).spec.filters) {
      const auto same = [&](const Filter& f) { return same_shape(f, filter); };
      const auto it = std::find_if(all.begin(), all.end(), same);
      if (it == all.end())
        all.push_back(filter);
      else
        merge(*it, filter);
    }
  }
  return all;
}

// One more REQ, with everybody in it. What is not live yet makes place; what is stays until then.
void RelayWatches::renew(Now now, RelayIndex relay, uint64_t number, Bundle& bundle) {
  std::erase_if(bundle.editions, [&](const Edition& edition) {
    if (!edition.live) pool_.unsubscribe(now, edition.name);
    return !edition.live;
  });
  PG_CHECK(bundle.editions.size() <= 1);
  Edition next{
      std::string(kWatchPrefix) + std::to_string(number) + "-" + std::to_string(++editions_),
      bundle.watches, std::nullopt};
  SubscribeOptions options;
  options.relays = {relay};
  options.repeat = true;
  PG_CHECK(pool_.subscribe(now, next.name, merged(bundle), options).has_value());
  bundle.editions.push_back(std::move(next));
}

void RelayWatches::on_continuity(Now now, const pool::Continuity& change) {
  const auto host = hosts_.find(change.relay);
  if (host == hosts_.end()) return;
  for (auto& [number, bundle] : host->second.bundles) {
    const auto it = std::find_if(bundle.editions.begin(), bundle.editions.end(),
                                 [&](const Edition& e) { return e.name == change.subscription; });
    if (it == bundle.editions.end()) continue;
    it->live = change.since;
    settle(change.relay, host->second, bundle);
    if (!bundle.editions.back().live) return;
    while (bundle.editions.size() > 1) {
      pool_.unsubscribe(now, bundle.editions.front().name);
      bundle.editions.erase(bundle.editions.begin());
    }
    return;
  }
}

void RelayWatches::settle(RelayIndex relay, Host& host, const Bundle& bundle) {
  for (const WatchId watch : bundle.watches) {
    std::optional<Micros> covered;
    for (const Edition& edition : bundle.editions)
      if (edition.live && edition.covers.contains(watch) && (!covered || *edition.live < *covered))
        covered = edition.live;
    auto& since = host.since.at(watch);
    if (covered.has_value() == since.has_value()) continue;
    since = covered;
    outputs_.push_back(watch::Continuity{watch, relay, since});
  }
}

void RelayWatches::set_pings(Now now, RelayIndex relay) {
  std::optional<Micros> limit;
  for (const auto& [watch, since] : hosts_.at(relay).since) {
    const Micros own = watches_.at(watch).spec.ping_limit;
    if (!limit || own < *limit) limit = own;
  }
  pool_.set_ping_limit(now, relay, limit);
}

// --- queries -----------------------------------------------------------------------------------

Result<void> RelayWatches::ask(Now now, QueryId id, const std::vector<RelayIndex>& relays,
                               std::vector<Filter> filters, Micros timeout) {
  if (waiting_ + relays.size() > kQueriesWaitingMax) return fail("too many queries wait");
  for (const RelayIndex relay : relays) {
    if (!pool_.has_relay(relay)) {
      outputs_.push_back(watch::Answered{id, relay, false});
      continue;
    }
    Host& host = hosts_[relay];
    host.waiting.push_back({id, filters, now.mono + timeout});
    ++waiting_;
    pump(now, relay, host);
  }
  return {};
}

void RelayWatches::pump(Now now, RelayIndex relay, Host& host) {
  while (!host.waiting.empty() && host.asking.size() < kQueriesAtOnceMax) {
    Waiting next = std::move(host.waiting.front());
    host.waiting.pop_front();
    --waiting_;
    const std::string name = std::string(kQueryPrefix) + std::to_string(next.query.value) + "-" +
                             std::to_string(relay.value);
    QueryOptions options;
    options.timeout = next.until - now.mono;
    options.relays = {relay};
    options.repeat = true;
    const bool asked = options.timeout > Micros{0} && pool_.has_relay(relay) &&
                       pool_.query(now, name, next.filters, options).has_value();
    if (asked)
      host.asking.emplace(name, next.query);
    else
      outputs_.push_back(watch::Answered{next.query, relay, false});
  }
}

bool RelayWatches::handle(Now now, const PoolOutput& output) {
  if (const auto* change = std::get_if<pool::Continuity>(&output)) {
    if (!is_ours(change->subscription)) return false;
    on_continuity(now, *change);
    return true;
  }
  const auto* answer = std::get_if<pool::QueryAnswered>(&output);
  if (answer == nullptr || !is_ours(answer->query)) return false;
  const auto host = hosts_.find(answer->relay);
  if (host == hosts_.end()) return true;
  const auto asked = host->second.asking.find(answer->query);
  if (asked == host->second.asking.end()) return true;
  outputs_.push_back(watch::Answered{asked->second, answer->relay, answer->complete});
  host->second.asking.erase(asked);
  pump(now, answer->relay, host->second);
  return true;
}

void RelayWatches::handle_timer(Now now) {
  for (auto& [relay, host] : hosts_) {
    std::erase_if(host.waiting, [&](const Waiting& query) {
      if (query.until > now.mono) return false;
      --waiting_;
      outputs_.push_back(watch::Answered{query.query, relay, false});
      return true;
    });
  }
  std::erase_if(hosts_, [](const auto& entry) {
    const Host& host = entry.second;
    return host.since.empty() && host.asking.empty() && host.waiting.empty();
  });
}

std::optional<Micros> RelayWatches::next_deadline() const {
  std::optional<Micros> next;
  for (const auto& [relay, host] : hosts_)
    for (const Waiting& query : host.waiting)
      if (!next || query.until < *next) next = query.until;
  return next;
}

std::vector<WatchOutput> RelayWatches::take_outputs() { return std::exchange(outputs_, {}); }

void RelayWatches::check_invariants() const {
  size_t waiting = 0;
  for (const auto& [relay, host] : hosts_) {
    waiting += host.waiting.size();
    PG_CHECK(host.asking.size() <= kQueriesAtOnceMax && host.bundles.size() <= kBundlesMax);
    size_t bundled = 0;
    for (const auto& [number, bundle] : host.bundles) {
      bundled += bundle.watches.size();
      PG_CHECK(!bundle.watches.empty());
      PG_CHECK(!bundle.editions.empty() && bundle.editions.size() <= 2);
      // The newest one has everybody, so that everybody is covered in the end.
      for (const WatchId watch : bundle.watches) {
        PG_CHECK(bundle.editions.back().covers.contains(watch));
        PG_CHECK(host.since.contains(watch) && watches_.contains(watch));
      }
    }
    PG_CHECK(bundled == host.since.size());
  }
  PG_CHECK(waiting == waiting_);
  for (const auto& [id, w] : watches_)
    for (const RelayIndex relay : w.relays)
      PG_CHECK(pool_.has_relay(relay) && hosts_.at(relay).since.contains(id));
}

}  // namespace paygress::nostr
