#include "core/provider/announcer.h"

#include <algorithm>

#include "core/nostr/drafts.h"

namespace paygress::provider {

void Announcer::start(Now now, nostr::RelayPool& pool) {
  pool_ = &pool;
  started_at_ = now.mono;
  offer_due_ = inbox_due_ = now.mono;
}

void Announcer::handle_timer(Now now, const Vitals& vitals, Step& out) {
  if (inbox_due_ && *inbox_due_ <= now.mono) {
    inbox_due_ = now.mono + micros(kInboxListEvery);
    sign(nostr::kind::kInboxRelays,
         nostr::inbox_relays_draft(settings_.relays, stamp(now, nostr::kind::kInboxRelays, out)),
         out);
  }
  if (offer_due_ && *offer_due_ <= now.mono) {
    offer_due_ = now.mono + micros(kOfferEvery);
    sign(nostr::kind::kOffer,
         market::offer_draft(offer(now, vitals), stamp(now, nostr::kind::kOffer, out)), out);
  }
}

std::optional<Micros> Announcer::next_deadline() const {
  std::optional<Micros> next;
  for (const auto& due : {offer_due_, inbox_due_})
    if (due && (!next || *due < *next)) next = due;
  return next;
}

void Announcer::sign(uint16_t kind, nostr::Draft draft, Step& out) {
  const CallId id = calls_.next();
  signing_.emplace(id, kind);
  out.effects.push_back(SignEvent{id, std::move(draft)});
}

void Announcer::on_signed(Now now, const EventSigned& answer, Step& out) {
  const auto it = signing_.find(answer.id);
  if (it == signing_.end()) return;
  const uint16_t kind = it->second;
  signing_.erase(it);
  if (const auto old = newest_.find(kind); old != newest_.end()) {
    pool_->forget(old->second);
  }
  const nostr::PublishId publish{next_publish_++};
  nostr::PublishOptions options;
  options.quorum = pool_->relay_count();  // resent until every relay has the newest
  if (auto ok = pool_->publish(now, publish, answer.event, options); !ok)
    return out.tell(Level::Warning, "an announcement was not sent: " + to_string(ok.error()));
  newest_[kind] = publish;
}

void Announcer::note_beat(Now now, RelayIndex relay, Step& out) {
  heartbeat_taken_[relay] = now.mono;
  note_up(now, out);
}

bool Announcer::quorum_lost(Now now) const {
  const Micros oldest = now.mono - micros(settings_.heartbeat_interval + kRelayDelay);
  if (started_at_ > oldest) return false;
  const auto fresh = [&](const auto& taken) { return taken.second >= oldest; };
  const auto relays = std::count_if(heartbeat_taken_.begin(), heartbeat_taken_.end(), fresh);
  return static_cast<size_t>(relays) < write_quorum(pool_->relay_count());
}

// NIP-01: of two versions with one timestamp a coin flip wins, so ours never repeat one.
UnixSeconds Announcer::stamp(Now now, uint16_t kind, Step& out) {
  const auto last = last_stamp_.find(kind);
  if (!boot_floor_) boot_floor_ = stamp_floor_;
  UnixSeconds at = now.wall;
  if (at <= *boot_floor_ && last == last_stamp_.end()) at = *boot_floor_ + Seconds{1};
  if (last != last_stamp_.end() && at <= last->second) at = last->second + Seconds{1};
  last_stamp_[kind] = at;
  if (at > stamp_floor_) {
    const OwnRecord record = Stamped{at};
    apply(record);
    out.records.push_back(record);
  }
  return at;
}

market::Offer Announcer::offer(Now now, const Vitals& vitals) const {
  market::Offer offer;
  offer.provider_npub = settings_.self;
  offer.hostname = settings_.name;
  offer.location = settings_.location;
  offer.capabilities = settings_.capabilities;
  if (!vitals.draining) {
    for (const lease::Tier& tier : settings_.tiers)
      offer.specs.push_back({tier.id, tier.name, tier.description, tier.cpu_millicores,
                             tier.memory_mb, static_cast<uint64_t>(tier.rate_per_second.value),
                             tier.storage_gb});
  }
  offer.whitelisted_mints = settings_.mints_as_configured;
  offer.uptime_percent = uptime(now.wall);
  offer.total_jobs_completed = vitals.jobs_completed;
  offer.isolation_level = settings_.isolation;
  offer.relays = settings_.relays;
  if (vitals.standby) offer.profile = settings_.profile_name;
  return offer;
}

// Seconds up by hour, one record an hour. An interval counts when it is no longer than a heartbeat
// that was a little late.
void Announcer::note_up(Now now, Step& out) {
  const std::optional<UnixSeconds> before = std::exchange(last_up_, now.wall);
  if (!before || now.wall <= *before) return;
  const Seconds interval = elapsed(*before, now.wall);
  if (interval > settings_.heartbeat_interval + settings_.heartbeat_interval) return;
  const UnixSeconds hour{now.wall.value - now.wall.value % 3600};
  const bool new_hour = !up_hours_.empty() && !up_hours_.contains(hour);
  if (new_hour) {
    const auto& [last_hour, up] = *up_hours_.rbegin();
    out.records.push_back(OwnRecord(UptimeHour{last_hour, up}));
  }
  up_hours_[hour] += interval;
}

// When in the first hour we began is not known, so that hour counts for what we were up in it.
market::Percent Announcer::uptime(UnixSeconds now) const {
  Seconds up;
  Seconds span;
  for (const auto& [hour, seconds] : up_hours_) {
    if (hour + kUptimeWindow < now) continue;
    const UnixSeconds hour_end = hour + Seconds{3600};
    if (up == Seconds{0}) span = seconds + elapsed(hour_end, std::max(now, hour_end));
    up += seconds;
  }
  if (span <= Seconds{0}) return market::kFullPercent;
  return {static_cast<uint32_t>(std::min<int64_t>(up.value * 100'000 / span.value, 100'000))};
}

void Announcer::apply(const OwnRecord& record) {
  if (const auto* stamped = std::get_if<Stamped>(&record)) {
    stamp_floor_ = std::max(stamp_floor_, stamped->created_at);
  } else if (const auto* hour = std::get_if<UptimeHour>(&record)) {
    up_hours_[hour->hour] = hour->up;
    while (up_hours_.begin()->first + kUptimeWindow < hour->hour)
      up_hours_.erase(up_hours_.begin());
  }
}

}  // namespace paygress::provider
