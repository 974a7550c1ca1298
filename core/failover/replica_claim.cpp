// Rules 10, 11 and 13 to 16: when the holder is dead, and who follows it.
#include <algorithm>

#include "core/base/check.h"
#include "core/base/planted.h"
#include "core/failover/replica.h"

namespace paygress::failover {

// --- what is known of the others -----------------------------------------------------------------

// Rule 13: whoever promoted with any epoch, and did not end it, may still be running.
bool Replica::counts_as_holder(uint32_t rank) const {
  return rank != terms_.rank && book_->member(rank).may_hold();
}

std::optional<Micros> Replica::holders_dead_at() const {
  std::optional<Micros> at = evidence_.readable_at();
  for (uint32_t rank = 0; at && rank < terms_.members.size(); ++rank) {
    if (!counts_as_holder(rank)) continue;
    const auto silent = evidence_.silent_at(book_->member(rank).quiet_from());
    if (!silent) return std::nullopt;
    at = std::max(*at, *silent);
  }
  return at;
}

std::optional<Micros> Replica::rivals_void_at(Now now) const {
  std::optional<Micros> last;
  for (uint32_t rank = 0; rank < terms_.members.size(); ++rank) {
    if (rank == terms_.rank) continue;
    const auto at = book_->claim_void_at(rank, now.mono);
    if (at && (!last || *at > *last)) last = at;
  }
  return last;
}

bool Replica::better_rival(Now now) const {
  if (!context_.policy.ranks) return rivals_void_at(now).has_value();
  for (uint32_t rank = 0; rank < terms_.rank; ++rank)
    if (book_->claim_void_at(rank, now.mono)) return true;
  return false;
}

// A claim above the last epoch would be believed by nobody, and two could promote with it.
bool Replica::epochs_used_up(Step& out) {
  if (highest_ < kEpochMax || planted(Bug::failover_endless_epochs)) return false;
  if (!std::exchange(told_used_up_, true))
    tell(Weight::Alarm,
         "a member wrote the last epoch there is, which no take-over can have reached: it lies, "
         "and nobody takes over from here on",
         out);
  return true;
}

// --- behind a holder -----------------------------------------------------------------------------

void Replica::step_armed(Now now, Step& out) {
  phase_ = armed_ ? Phase::Armed : Phase::Unarmed;
  read_.reset();
  if (!armed_) {
    const Micros late = began_ + Micros{4 * terms_.profile.silence.value};
    if (told_never_started_) return;
    if (now.mono < late) return wake_at(late);
    told_never_started_ = true;
    out.outputs.push_back(TellOwner{lease_, News::NeverStarted, 0});
    return;
  }
  if (stopping_ || removing_ || epochs_used_up(out)) return;
  std::optional<Micros> ready = holders_dead_at();
  if (ready) {
    ready = std::max(*ready, held_off_until_);
    if (context_.policy.claim)
      if (const auto rivals = rivals_void_at(now)) ready = std::max(*ready, *rivals);
  }
  if (!ready || *ready > now.mono) {
    ready_since_.reset();
    if (ready && *ready < Micros::max()) wake_at(*ready);
    return;
  }
  if (!ready_since_) ready_since_ = now.mono;
  int64_t turns = terms_.rank == 0 ? 0 : terms_.rank - 1;
  if (planted(Bug::failover_slow_turns)) turns += 10;
  const Micros turn = *ready_since_ + Micros{turns * terms_.profile.backoff.value};
  if (now.mono < turn) return wake_at(turn);
  phase_ = Phase::Doubting;
  query(now, out);
}

// Silence was seen; what the relays store decides.
void Replica::step_doubting(Now now, Step& out) {
  const auto dead = holders_dead_at();
  const bool rivals = context_.policy.claim && rivals_void_at(now);
  if (!dead || *dead > now.mono || rivals || stopping_ || removing_ || epochs_used_up(out)) {
    phase_ = Phase::Armed;
    return;
  }
  if (read_done(now)) return context_.policy.claim ? claim(now, out) : promote(now, out);
  const Micros again = read_->sent + terms_.profile.delay + terms_.profile.retry;
  if (now.mono < again) return wake_at(again);
  query(now, out);
  wake_at(now.mono + terms_.profile.delay + terms_.profile.retry);
}

// --- claiming ------------------------------------------------------------------------------------

void Replica::claim(Now now, Step& out) {
  PG_CHECK(!hold_ && !claimed_ && !stopping_);
  const uint64_t epoch = highest_ + 1;
  record(Claimed{lease_, epoch}, out);
  phase_ = Phase::Claiming;
  claim_sent_ = now.mono;
  claim_.receipts = {};
  publish(now, claim_,
          market::Claim{terms_.workload_id, epoch, context_.self, terms_.rank, {}, false, 1},
          now.mono + terms_.profile.delay, out);
}

// Rules 13 and 16 while our claim is out. True when it was withdrawn.
bool Replica::stand_down(Now now, Step& out) {
  const auto dead = holders_dead_at();
  const bool outrun = highest_ >= *claimed_;  // somebody promoted, if only for a moment
  const bool too_old = context_.policy.promote_before_ttl &&
                       now.mono >= claim_sent_ + terms_.profile.claim_ttl - terms_.profile.delay;
  const bool busy = stopping_ || removing_;
  if (dead && *dead <= now.mono && !outrun && !better_rival(now) && !too_old && !busy) return false;
  withdraw(now, false, out);
  return true;
}

void Replica::step_claiming(Now now, Step& out) {
  if (stand_down(now, out)) return;
  if (claim_.receipts.reached(terms_.quorums.write, context_.policy.echo)) {
    if (!context_.policy.read_after_claim || planted(Bug::failover_no_read_back))
      return promote(now, out);
    phase_ = Phase::Reading;
    rival_seen_ = false;
    return query(now, out);
  }
  const Micros late = claim_sent_ + terms_.profile.delay;
  if (now.mono > late) return withdraw(now, false, out);
  wake_at(late + Micros{1});
}

void Replica::step_reading(Now now, Step& out) {
  if (stand_down(now, out)) return;
  if (context_.policy.promote_before_ttl)
    wake_at(claim_sent_ + terms_.profile.claim_ttl - terms_.profile.delay);
  if (const auto rivals = rivals_void_at(now)) {  // of worse ranks: they withdraw or promote
    rival_seen_ = true;
    if (*rivals < Micros::max()) wake_at(*rivals);
    return;
  }
  if (rival_seen_) {  // one may have promoted: look again
    rival_seen_ = false;
    query(now, out);
  }
  if (read_done(now)) return promote(now, out);
  const Micros again = read_->sent + terms_.profile.delay + terms_.profile.retry;
  if (now.mono >= again) query(now, out);
  wake_at(read_->sent + terms_.profile.delay + terms_.profile.retry);
}

market::Promotion Replica::promotion(uint64_t epoch, std::optional<bool> withdrawn) const {
  return {terms_.workload_id, context_.self, {}, market::kSchemaVersion, epoch, withdrawn};
}

// --- promoting -----------------------------------------------------------------------------------

void Replica::promote(Now now, Step& out) {
  PG_CHECK(!hold_ && !stopping_);
  if (!claimed_) claim_sent_ = now.mono;  // the rule "claim" is switched off
  const uint64_t epoch = claimed_ ? *claimed_ : highest_ + 1;
  record(Promoted{lease_, epoch}, out);
  phase_ = Phase::Promoting;
  read_.reset();
  forget(revocation_, out);
  promotion_.receipts = {};
  std::optional<Micros> not_after;
  if (context_.policy.promote_before_ttl)
    not_after = claim_sent_ + terms_.profile.claim_ttl - terms_.profile.delay;
  publish(now, promotion_, promotion(epoch, {}), not_after, out);
}

void Replica::step_promoting(Now now, Step& out) {
  if (superseded_) return stop(now, Reason::Superseded, out);
  if (stopping_) return stop(now, Reason::LatePromotion, out);
  const Micros sent = promotion_.receipts.sent;
  if (!promotion_.receipts.reached(terms_.quorums.write, context_.policy.echo)) {
    const Micros late = sent + terms_.profile.delay;
    if (now.mono > late) return stop(now, Reason::LatePromotion, out);
    return wake_at(late + Micros{1});
  }
  phase_ = Phase::Holding;
  forget(claim_, out);
  if (claimed_) record(ClaimEnded{lease_}, out);
  promotion_again_ = sent + kSaidAgain;
  deadline_ = sent + terms_.profile.fence;
  context_.beat_now = true;
  hold_until(sent, out);
}

// --- withdrawing ---------------------------------------------------------------------------------

void Replica::withdraw(Now now, bool promotion, Step& out) {
  phase_ = Phase::Withdrawing;
  read_.reset();
  ready_since_.reset();
  withdraw_promotion_ = promotion;
  withdrawn_epoch_ = promotion ? ended_ : std::nullopt;
  claim_.receipts = promotion_.receipts = {};
  publish_withdrawals(now, out);
}

void Replica::publish_withdrawals(Now now, Step& out) {
  withdraw_again_ = now.mono + terms_.profile.delay + terms_.profile.delay;
  if (claimed_)
    publish(now, claim_,
            market::Claim{terms_.workload_id, *claimed_, context_.self, terms_.rank, {}, true, 1},
            std::nullopt, out);
  if (withdraw_promotion_)
    publish(now, promotion_, promotion(*withdrawn_epoch_, true), std::nullopt, out);
}

void Replica::step_withdrawing(Now now, Step& out) {
  const auto reached = [&](const Slot& slot) {
    return slot.receipts.reached(terms_.quorums.write, context_.policy.echo);
  };
  if (claimed_ && reached(claim_)) {
    record(ClaimEnded{lease_}, out);
    forget(claim_, out);
  }
  if (withdraw_promotion_ && reached(promotion_)) {
    withdraw_promotion_ = false;
    record(PromotionWithdrawn{lease_, *withdrawn_epoch_}, out);
    forget(promotion_, out);
  }
  if (!claimed_ && !withdraw_promotion_) {
    phase_ = Phase::Armed;
    held_off_until_ = std::max(held_off_until_, now.mono + terms_.profile.retry);
    return;
  }
  if (now.mono >= withdraw_again_) publish_withdrawals(now, out);
  wake_at(withdraw_again_);
}

}  // namespace paygress::failover
