#include "core/failover/pulse.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/planted.h"

namespace paygress::failover {
namespace {

constexpr Micros kNever{std::numeric_limits<int64_t>::min() / 2};
// Two heartbeats are at least so far apart, so that many new leases do not make many.
constexpr Micros kApartMax = 1'000_ms;

}  // namespace

bool Pulse::holds(const HeldBy& replicas, const Named& named) {
  const auto it = replicas.find(named.lease);
  if (it == replicas.end()) return false;
  return it->second.replica->named_epoch() == named.epoch;
}

bool Pulse::handle_timer(Now now, const HeldBy& replicas, Step& out) {
  expire(now, out);
  plan_next(replicas);
  const bool sends = due_ && *due_ <= now.mono;
  if (sends) {
    send(now, replicas, out);
    plan_next(replicas);
  }
  deadline_ = compute_deadline();
  return sends;
}

void Pulse::send(Now now, const HeldBy& replicas, Step& out) {
  Beat beat{PublishNo{context_.next_publish++}, now.mono, {}, {}, now.mono};
  PublishBeat publish{beat.id, {}};
  std::map<std::pair<LeaseId, uint64_t>, Count> counts;
  for (const auto& [lease, held] : replicas) {
    const auto hold = held.replica->named();
    if (!hold) continue;
    const Micros delay = held.replica->terms().profile.delay;
    beat.named.push_back({lease, hold->epoch, delay});
    beat.until = std::max(beat.until, now.mono + delay);
    publish.holds.push_back(*hold);
    const auto known = counts_.find({lease, hold->epoch});
    counts[{lease, hold->epoch}] = known == counts_.end() ? Count{kNever, kNever} : known->second;
  }
  counts_ = std::move(counts);
  last_sent_ = now.mono;
  context_.beat_now = false;
  out.outputs.push_back(std::move(publish));
  const std::vector<Named> named = beat.named;
  if (beats_.size() >= kBeatsTrackedMax) {
    out.outputs.push_back(Forget{beats_.front().id});
    beats_.pop_front();
  }
  beats_.push_back(std::move(beat));
  for (const Named& entry : named)
    replicas.at(entry.lease).replica->beat_sent(now, entry.epoch, out);
}

bool Pulse::has(const Beat& beat, RelayNo relay) const {
  const auto it = beat.receipts.find(relay);
  if (it == beat.receipts.end()) return false;
  const bool echo = context_.policy.echo && !planted(Bug::failover_ok_is_enough);
  const uint8_t needed = echo ? kOk | kEchoed : kOk;
  return (it->second & needed) == needed;
}

Pulse::Receipt Pulse::receipt(Now now, PublishNo id, RelayNo relay, bool echo,
                              const HeldBy& replicas, Step& out) {
  const auto beat =
      std::find_if(beats_.begin(), beats_.end(), [&](const Beat& b) { return b.id == id; });
  if (beat == beats_.end()) return Receipt::Unknown;
  beat->receipts[relay] |= echo ? kEchoed : kOk;
  if (!has(*beat, relay)) return Receipt::Noted;
  auto result = Receipt::Noted;
  for (Named& named : beat->named) {
    if (named.settled || now.mono > beat->sent + named.delay || !holds(replicas, named)) continue;
    const Held& held = replicas.at(named.lease);
    const auto reached = std::count_if(held.relays->begin(), held.relays->end(),
                                       [&](RelayNo r) { return has(*beat, r); });
    if (static_cast<uint32_t>(reached) < held.replica->terms().quorums.write) continue;
    named.settled = true;
    Count& count = counts_[{named.lease, named.epoch}];
    count.counted = std::max(count.counted, beat->sent);
    held.replica->beat_counted(now, beat->sent, named.epoch, out);
    result = Receipt::Counted;
  }
  if (result == Receipt::Counted) deadline_ = compute_deadline();
  return result;
}

// Only a heartbeat that had its write quorum within D of its sending counts; others are missed.
void Pulse::expire(Now now, Step& out) {
  for (Beat& beat : beats_)
    for (Named& named : beat.named) {
      if (named.settled || now.mono <= beat.sent + named.delay) continue;
      named.settled = true;
      const auto count = counts_.find({named.lease, named.epoch});
      if (count != counts_.end()) count->second.missed = std::max(count->second.missed, beat.sent);
    }
  while (beats_.size() > 1 && beats_.front().until < now.mono) {
    out.outputs.push_back(Forget{beats_.front().id});
    beats_.pop_front();
  }
}

// "A heartbeat without its write quorum after D is followed by another at once and then every
// retry."
void Pulse::plan_next(const HeldBy& replicas) {
  if (!last_sent_) return;
  Micros next = *last_sent_ + beat_every_;
  for (const auto& [lease, held] : replicas) {
    const auto epoch = held.replica->named_epoch();
    if (!epoch) continue;
    const Profile& profile = held.replica->terms().profile;
    const auto count = counts_.find({lease, *epoch});
    const bool late = count != counts_.end() && count->second.missed > count->second.counted;
    next = std::min(next, *last_sent_ + (late ? profile.retry : profile.heartbeat));
  }
  if (context_.beat_now) next = std::min(next, *last_sent_ + std::min(kApartMax, beat_every_));
  due_ = next;
}

std::optional<Micros> Pulse::compute_deadline() const {
  std::optional<Micros> next = due_;
  for (const Beat& beat : beats_) {
    for (const Named& named : beat.named) {
      const Micros at = beat.sent + named.delay + Micros{1};
      if (!named.settled && (!next || at < *next)) next = at;
    }
  }
  return next;
}

void Pulse::check_invariants() const {
  PG_CHECK(beats_.size() <= kBeatsTrackedMax);
  PG_CHECK(deadline_ == compute_deadline());
}

}  // namespace paygress::failover
