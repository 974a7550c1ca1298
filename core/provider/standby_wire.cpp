// Fail-over's events: those of ours on their way out, those of others on their way in.
#include <algorithm>

#include "core/market/events.h"
#include "core/nostr/relay_url.h"
#include "core/provider/standby_desk.h"

namespace paygress::provider {
namespace {

using lease::Instant;

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr Seconds kWatchAgain{30};

uint64_t whole_seconds(Micros time) {
  return static_cast<uint64_t>((time.value + kMicrosPerSecond - 1) / kMicrosPerSecond);
}

}  // namespace

// --- out -----------------------------------------------------------------------------------------

void StandbyDesk::sign(Signing signing, nostr::Draft draft, Step& out) {
  const CallId id = m_.calls.next();
  signing_.emplace(id, std::move(signing));
  out.effects.push_back(SignEvent{id, std::move(draft)});
}

// One heartbeat for all that is held: to our own relays, and to those of every workload. The
// passing kind says the same to who listens to that only.
void StandbyDesk::perform(Instant now, const failover::PublishBeat& o, Step& out) {
  const Vitals vitals = m_.vitals();
  market::Heartbeat beat;
  beat.provider_npub = m_.settings.self;
  beat.timestamp = m_.announcer.stamp(plain(now), nostr::kind::kHeartbeat, out);
  beat.active_workloads = vitals.running;
  beat.available_capacity = {vitals.unreserved.cpu_millicores, vitals.unreserved.memory_mb,
                             vitals.unreserved.storage_gb};
  beat.holds = o.holds;
  beat.fence_secs = whole_seconds(m_.settings.profile.fence);
  beat.silence_secs = static_cast<uint64_t>(m_.settings.profile.silence.value / kMicrosPerSecond);
  std::set<RelayIndex> relays;
  for (uint32_t i = 0; i < m_.pool.relay_count(); ++i) relays.insert(RelayIndex{i});
  const std::vector<RelayIndex> own(relays.begin(), relays.end());
  for (const auto& [lease, watched] : watched_)
    relays.insert(watched.relays.begin(), watched.relays.end());
  if (relays.empty()) return;
  sign({o.id, {{}, nostr::kind::kHeartbeat}, {relays.begin(), relays.end()}, std::nullopt},
       market::heartbeat_draft(beat, beat.timestamp), out);
  if (own.empty()) return;
  sign({std::nullopt, {{}, nostr::kind::kHeartbeatEphemeral}, own, std::nullopt},
       market::ephemeral_heartbeat_draft(beat, beat.timestamp), out);
}

void StandbyDesk::perform(Instant now, const failover::Publish& o, Step& out) {
  const auto watched = watched_.find(o.lease);
  if (watched == watched_.end()) return;
  const UnixSeconds at = m_.announcer.stamp(plain(now), nostr::kind::kHeartbeat, out);
  nostr::Draft draft;
  if (const auto* claim = std::get_if<market::Claim>(&o.message)) {
    market::Claim m = *claim;
    m.claimed_at = at;
    draft = market::claim_draft(m, at);
  } else if (const auto* promotion = std::get_if<market::Promotion>(&o.message)) {
    market::Promotion m = *promotion;
    m.promoted_at = at;
    draft = market::promotion_draft(m, at);
  } else {
    market::Revocation m = std::get<market::Revocation>(o.message);
    m.revoked_at = at;
    draft = market::revocation_draft(m, at);
  }
  const uint16_t kind = draft.kind;
  sign({o.id, {o.lease, kind}, watched->second.relays, o.not_after}, std::move(draft), out);
}

void StandbyDesk::perform(Instant, const failover::Forget& o, Step&) {
  std::erase_if(signing_, [&](const auto& s) { return s.second.id == o.id; });
  const auto it = publish_of_.find(o.id);
  if (it == publish_of_.end()) return;
  m_.pool.forget(it->second);
  beats_.erase(it->second);
  published_.erase(it->second);
  publish_of_.erase(it);
}

bool StandbyDesk::on_signed(Now now, const EventSigned& answer, Step& out) {
  const auto it = signing_.find(answer.id);
  if (it == signing_.end()) return false;
  const Signing signing = std::move(it->second);
  signing_.erase(it);
  const nostr::PublishId publish{next_publish_++};
  if (const auto old = newest_.find(signing.slot); old != newest_.end()) {
    if (published_.contains(old->second))
      m_.pool.stop_sending(old->second);
    else
      m_.pool.forget(old->second);
  }
  nostr::PublishOptions options;
  options.urgent = true;
  options.not_after = signing.not_after;
  for (const RelayIndex relay : signing.relays)
    if (m_.pool.has_relay(relay)) options.relays.push_back(relay);
  options.quorum = options.relays.size();  // again until every relay has it
  if (options.relays.empty()) return true;
  if (auto ok = m_.pool.publish(now, publish, answer.event, options); !ok) {
    out.tell(Level::Warning, "an event of fail-over was not sent: " + to_string(ok.error()));
    return true;
  }
  newest_[signing.slot] = publish;
  if (!signing.id) return true;
  published_[publish] = *signing.id;
  publish_of_[*signing.id] = publish;
  if (signing.slot.second == nostr::kind::kHeartbeat) beats_.insert(publish);
  return true;
}

// --- in ------------------------------------------------------------------------------------------

std::vector<nostr::Filter> StandbyDesk::filters_of(const failover::Terms& terms) const {
  std::vector<PubKey> members;
  for (const failover::Member& member : terms.members) members.push_back(member.key);
  // By kind and author only: another clock's idea of the time must not hide a heartbeat (rule 9).
  nostr::Filter beats;
  beats.kinds = {nostr::kind::kHeartbeat};
  beats.authors = members;
  beats.limit = static_cast<uint32_t>(2 * members.size());
  return {std::move(beats), market::takeovers_filter(members, terms.workload_id),
          market::revocations_filter(members, terms.workload_id)};
}

void StandbyDesk::perform(Instant now, const failover::Watch& o, Step& out) {
  const failover::Terms* terms = m_.failover.terms(o.lease);
  PG_CHECK(terms != nullptr && !watched_.contains(o.lease));
  const nostr::WatchId id{next_watch_++};
  auto relays =
      watches_.add(plain(now), id, {terms->relays, filters_of(*terms), terms->profile.delay});
  if (!relays) {  // no evidence, no heartbeat there: it can only be fenced
    watch_again_[o.lease] = now.mono + micros(kWatchAgain);
    return out.tell(Level::Alarm,
                    "the relays of workload " + terms->workload_id +
                        " cannot be used, trying again in 30 s: " + to_string(relays.error()));
  }
  watch_of_[id] = o.lease;
  watched_[o.lease] = {id, *std::move(relays), false};
}

void StandbyDesk::perform(Instant now, const failover::Unwatch& o, Step&) {
  watch_again_.erase(o.lease);
  const auto it = watched_.find(o.lease);
  if (it == watched_.end()) return;
  watches_.remove(plain(now), it->second.id);
  watch_of_.erase(it->second.id);
  watched_.erase(it);
  std::erase_if(newest_, [&](const auto& n) { return n.first.first == o.lease; });
}

void StandbyDesk::perform(Instant now, const failover::Query& o, Step& out) {
  const failover::Terms* terms = m_.failover.terms(o.lease);
  const auto watched = watched_.find(o.lease);
  if (terms == nullptr || watched == watched_.end()) return;
  if (auto ok = watches_.ask(plain(now), {o.id.value}, watched->second.relays, filters_of(*terms),
                             terms->profile.delay);
      !ok)
    out.tell(Level::Warning, "a query of fail-over was not sent: " + to_string(ok.error()));
}

bool StandbyDesk::handle(Instant now, const nostr::PoolOutput& output, Step& out) {
  namespace pool = nostr::pool;
  if (const auto* delivered = std::get_if<pool::Delivered>(&output)) {
    if (!nostr::RelayWatches::is_ours(delivered->subscription)) return false;
    hear(now, delivered->event, out);
    return true;
  }
  const auto receipt = [&](nostr::PublishId publish, RelayIndex relay, bool echo) {
    const auto it = published_.find(publish);
    if (it == published_.end()) return false;
    const failover::PublishNo id = it->second;
    if (!echo && beats_.contains(publish) && m_.pool.is_own(relay))
      m_.announcer.note_beat(plain(now), relay, out);
    const auto url = nostr::canonical_relay_url(m_.pool.url(relay));
    if (!url) return true;
    failover::Step step;
    const failover::RelayNo number = m_.failover.relay_no(*url);
    if (echo)
      m_.failover.handle_echo(plain(now), id, number, step);
    else
      m_.failover.handle_ok(plain(now), id, number, step);
    carry_out(now, std::move(step), out);
    return true;
  };
  if (const auto* answered = std::get_if<pool::Answered>(&output))
    return answered->accepted && receipt(answered->publish, answered->relay, false);
  if (const auto* echoed = std::get_if<pool::Echoed>(&output))
    return receipt(echoed->publish, echoed->relay, true);
  if (!watches_.handle(plain(now), output)) return false;
  drain(now, out);
  return true;
}

void StandbyDesk::drain(Instant now, Step& out) {
  for (auto outputs = watches_.take_outputs(); !outputs.empty();
       outputs = watches_.take_outputs()) {
    for (const auto& output : outputs) {
      failover::Step step;
      if (const auto* change = std::get_if<nostr::watch::Continuity>(&output)) {
        const auto lease = watch_of_.find(change->watch);
        if (lease == watch_of_.end() || watched_.at(lease->second).mismatched) continue;
        const auto url = nostr::canonical_relay_url(m_.pool.url(change->relay));
        m_.failover.handle_unbroken(plain(now), lease->second, m_.failover.relay_no(url.value()),
                                    change->since, step);
      } else {
        const auto& answer = std::get<nostr::watch::Answered>(output);
        if (!m_.pool.has_relay(answer.relay)) continue;
        const auto url = nostr::canonical_relay_url(m_.pool.url(answer.relay));
        m_.failover.handle_query_answer(plain(now), {answer.query.value},
                                        m_.failover.relay_no(url.value()), answer.complete, step);
      }
      carry_out(now, std::move(step), out);
    }
  }
}

void StandbyDesk::hear(Instant now, const nostr::VerifiedEvent& event, Step& out) {
  if (event->pubkey == m_.settings.self) return;
  failover::Heard heard{event->pubkey, event->created_at, event->id, {}};
  const auto take = [&](auto read) {
    if (!read) return false;  // not for us to mend: it says nothing
    heard.message = *std::move(read);
    return true;
  };
  bool readable = false;
  switch (event->kind) {
    case nostr::kind::kHeartbeat: readable = take(market::read_heartbeat(event)); break;
    case nostr::kind::kRevocation: readable = take(market::read_revocation(event)); break;
    case nostr::kind::kPromotion: readable = take(market::read_promotion(event)); break;
    case market::kClaimKind: readable = take(market::read_claim(event)); break;
    default: break;
  }
  if (!readable) return;
  if (const auto* beat = std::get_if<market::Heartbeat>(&heard.message))
    note_mismatch(now, heard.author, *beat, out);
  failover::Step step;
  m_.failover.handle_heard(plain(now), heard, step);
  carry_out(now, std::move(step), out);
}

// A member with a longer fence than our silence allows would still run when we take over. It says
// its numbers in its heartbeats; nothing is then taken for silence.
void StandbyDesk::note_mismatch(Instant now, const PubKey& author, const market::Heartbeat& beat,
                                Step& out) {
  if (!beat.fence_secs || *beat.fence_secs > 86'400) return;
  for (auto& [lease, watched] : watched_) {
    const failover::Terms* terms = m_.failover.terms(lease);
    const bool member =
        terms != nullptr && std::any_of(terms->members.begin(), terms->members.end(),
                                        [&](const auto& m) { return m.key == author; });
    if (!member || watched.mismatched) continue;
    failover::Profile theirs = terms->profile;
    const Micros fence = micros(Seconds{static_cast<int64_t>(*beat.fence_secs)});
    if (fence <= theirs.fence) continue;
    theirs.fence = fence;
    if (failover::check_profile(theirs)) continue;
    watched.mismatched = true;
    out.tell(Level::Alarm, "workload " + terms->workload_id + ": member " + author.hex() +
                               " is fenced later than our silence allows; we do not take over");
    for (const std::string& url : terms->relays) {
      failover::Step step;
      m_.failover.handle_unbroken(plain(now), lease, m_.failover.relay_no(url), std::nullopt, step);
      carry_out(now, std::move(step), out);
    }
  }
}

// --- time ----------------------------------------------------------------------------------------

void StandbyDesk::handle_timer(Instant now, Step& out) {
  if (const auto due = m_.failover.next_deadline(); due && *due <= now.mono) {
    failover::Step step;
    m_.failover.handle_timer(plain(now), step);
    carry_out(now, std::move(step), out);
  }
  if (const auto due = watches_.next_deadline(); due && *due <= now.mono)
    watches_.handle_timer(plain(now));
  if (query_guard_at_ && *query_guard_at_ <= now.mono) ask_guard_state(out);
  std::vector<LeaseId> again;
  for (const auto& [lease, at] : watch_again_)
    if (at <= now.mono) again.push_back(lease);
  for (const LeaseId& lease : again) {
    watch_again_.erase(lease);
    perform(now, failover::Watch{lease}, out);
  }
  again.clear();
  for (const auto& [lease, g] : guarded_)
    if (g.again && *g.again <= now.mono) again.push_back(lease);
  for (const LeaseId& lease : again) stop(now, lease, out);
  for (auto it = releases_.begin(); it != releases_.end();) {
    if (it->second > now.mono) {
      ++it;
      continue;
    }
    ask_guard({}, Ask::Release, it->first, out);
    it = releases_.erase(it);
  }
  drain(now, out);
}

std::optional<Micros> StandbyDesk::next_deadline() const {
  std::optional<Micros> next = m_.failover.next_deadline();
  const auto consider = [&](const std::optional<Micros>& at) {
    if (at && (!next || *at < *next)) next = at;
  };
  consider(watches_.next_deadline());
  consider(query_guard_at_);
  for (const auto& [lease, at] : watch_again_) consider(at);
  for (const auto& [lease, g] : guarded_) consider(g.again);
  for (const auto& [name, at] : releases_) consider(at);
  return next;
}

}  // namespace paygress::provider
