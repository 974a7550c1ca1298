// Rules 1 to 8, 17 and 18: running, fencing, restart, being superseded.
#include <utility>

#include "core/base/check.h"
#include "core/base/planted.h"
#include "core/failover/replica.h"

namespace paygress::failover {

std::optional<market::Hold> Replica::named() const {
  if (phase_ != Phase::Holding) return std::nullopt;
  return market::Hold{tag_, *hold_};
}

bool Replica::may_run(Now now) const {
  if (phase_ != Phase::Holding || !run_sent_) return false;
  return !context_.policy.self_fencing || (deadline_ && now.mono < *deadline_);
}

// --- the deadline (rules 1 and 6) ----------------------------------------------------------------

// Not yet counted, and already it bounds the time in which it may start: a standby that heard this
// heartbeat, and none after it, takes over one silence later.
void Replica::beat_sent(Now now, uint64_t epoch, Step& out) {
  if (phase_ != Phase::Holding || hold_ != epoch || deadline_) return;
  deadline_ = now.mono + terms_.profile.fence;
  settle(now, out);
}

void Replica::beat_counted(Now now, Micros sent, uint64_t epoch, Step& out) {
  if (phase_ != Phase::Holding || hold_ != epoch) return;
  if (planted(Bug::failover_no_renewal) && epoch > 0) return;
  hold_until(sent, out);
  settle(now, out);
}

void Replica::hold_until(Micros sent, Step& out) {
  const Micros until = context_.policy.self_fencing ? sent + terms_.profile.fence : Micros::max();
  counted_ = true;
  if (until > wanted_) wanted_ = until;
  if (!context_.policy.guard) {
    deadline_ = wanted_;
  } else if (!asked_ || *asked_ < wanted_) {
    asked_ = wanted_;
    if (!first_asked_) {
      first_asked_ = wanted_;
      // The guard may not have had our last word of an earlier epoch, and refuses whatever follows
      // a deadline that has passed: this one begins anew. Nothing runs yet.
      if (*hold_ > 0) out.outputs.push_back(GuardFreeze{lease_});
    }
    out.outputs.push_back(GuardHold{lease_, wanted_});
  }
}

// The workload runs only below a deadline that the guard confirmed: what it was not told of, it
// would not let pass.
void Replica::guard_hold(Now now, Micros deadline, Step& out) {
  if (phase_ != Phase::Holding || !asked_ || deadline > *asked_ || deadline < *first_asked_) return;
  guarded_ = true;
  if (!deadline_ || deadline > *deadline_) deadline_ = deadline;
  settle(now, out);
}

void Replica::guard_state(Now now, std::optional<Micros> deadline, Step& out) {
  if (phase_ == Phase::Recovering) {
    guard_found_ = deadline;
  } else if (phase_ == Phase::Holding && counted_ && (!deadline || *deadline < wanted_)) {
    asked_ = wanted_;
    out.outputs.push_back(GuardHold{lease_, wanted_});
  }
  settle(now, out);
}

// What it confirmed stands: it freezes by itself, and so do we at the same deadline.
void Replica::guard_lost() { asked_.reset(); }

// --- running -------------------------------------------------------------------------------------

void Replica::step_holding(Now now, Step& out) {
  const RulePolicy& policy = context_.policy;
  if (superseded_) return stop(now, Reason::Superseded, out);
  if (policy.self_fencing && deadline_) {
    if (now.mono >= *deadline_) return stop(now, Reason::Fence, out);
    wake_at(*deadline_);
  }
  // Something of ours may still run from before, and was told to stop: nothing is started on top.
  if (stopping_) return stop(now, Reason::CannotRun, out);
  if (!run_sent_) run_if_allowed(now, out);
  if (phase_ != Phase::Holding || *hold_ == 0) return;
  if (now.mono >= promotion_again_) {
    promotion_again_ = now.mono + kSaidAgain;
    publish(now, promotion_, promotion(*hold_, {}), std::nullopt, out);
  }
  wake_at(promotion_again_);
}

void Replica::run_if_allowed(Now now, Step& out) {
  const RulePolicy& policy = context_.policy;
  if (!counted_) return;
  if (*hold_ > 0) {  // rule 15: create begins within claim_ttl
    const Micros limit = claim_sent_ + terms_.profile.claim_ttl;
    if (policy.promote_before_ttl) {
      if (now.mono >= limit) return stop(now, Reason::LatePromotion, out);
      wake_at(limit);
    }
  }
  if (policy.guard && policy.guarded_start && !guarded_) return;
  run_sent_ = copy_ = true;
  out.outputs.push_back(Run{lease_, *hold_});
}

// --- after a restart (rule 8) --------------------------------------------------------------------

// The deadline that the guard still holds means that less than a fence has passed since a heartbeat
// of this epoch had its write quorum, so that nobody can have taken over; a healthy subscription
// has read what its relay stores. That it was unbroken for T_silence cannot be asked for: silence
// is longer than the fence.
void Replica::step_recovering(Now now, Step& out) {
  const RulePolicy& policy = context_.policy;
  if (!policy.restarted_holder_claims || planted(Bug::failover_resumes)) {
    guard_found_ = now.mono + terms_.profile.fence;
  } else {
    if (superseded_) return stop(now, Reason::Superseded, out);
    if (runs_unstopped_ && !*runs_unstopped_) return stop(now, Reason::Restart, out);
    if (guard_found_ && (!*guard_found_ || **guard_found_ <= now.mono))
      return stop(now, Reason::Restart, out);
    const Micros limit =
        guard_found_ ? **guard_found_ : began_ + terms_.profile.delay + terms_.profile.delay;
    if (now.mono >= limit) return stop(now, Reason::Restart, out);
    wake_at(limit);
    if (!runs_unstopped_ || !guard_found_ || count_of(healthy_) < terms_.quorums.read) return;
  }
  phase_ = Phase::Holding;
  deadline_ = wanted_ = **guard_found_;
  asked_ = first_asked_ = wanted_;
  counted_ = guarded_ = run_sent_ = copy_ = true;
  took_over_told_ = true;
  context_.beat_now = true;
  out.outputs.push_back(Run{lease_, *hold_});
  tell(Weight::Info, "goes on as holder of epoch " + std::to_string(*hold_), out);
}

// --- stopping (rules 2, 4, 17) -------------------------------------------------------------------

void Replica::stop(Now now, Reason reason, Step& out) {
  PG_CHECK(hold_.has_value());
  phase_ = Phase::Fencing;
  reason_ = reason;
  const bool nothing_there = !copy_ || reason == Reason::StartFailed;
  if (nothing_there && asked_) out.outputs.push_back(GuardFreeze{lease_});
  asked_.reset();
  first_asked_.reset();
  deadline_.reset();
  wanted_ = {};
  counted_ = guarded_ = run_sent_ = took_over_told_ = false;
  if (reason != Reason::LatePromotion) forget(promotion_, out);
  if (!nothing_there) {
    tell(Weight::Warning, "stops: " + std::string(reason_text()), out);
    demand_stop(now, out);
  }
  if (nothing_there || !context_.policy.revoke_after_pause) stopped(now, out);
}

void Replica::demand_stop(Now now, Step& out) {
  stopping_ = true;
  killing_ = false;
  kill_at_ = now.mono + terms_.profile.stop;
  out.outputs.push_back(GuardFreeze{lease_});
  out.outputs.push_back(Pause{lease_});
}

void Replica::step_fencing(Now now, Step& out) {
  if (now.mono >= kill_at_) {
    kill_at_ = now.mono + terms_.profile.stop;
    if (!std::exchange(killing_, true))
      tell(Weight::Alarm, "could not be paused in time: killing it, until that is confirmed", out);
    out.outputs.push_back(Kill{lease_});
  }
  wake_at(kill_at_);
}

// The engine confirmed it: only now may anybody be told, and only now may we claim.
void Replica::stopped(Now now, Step& out) {
  const uint64_t epoch = *hold_;
  record(HoldEnded{lease_, epoch}, out);
  phase_ = Phase::Armed;
  ready_since_.reset();
  revoke_again_ = now.mono;
  const bool failed = reason_ == Reason::CannotRun || reason_ == Reason::StartFailed;
  if (failed) held_off_until_ = now.mono + hold_off(terms_.profile, terms_.members.size());
  const bool withdraws = reason_ == Reason::StartFailed || reason_ == Reason::LatePromotion ||
                         reason_ == Reason::Superseded;
  if (epoch > 0 && withdraws) return withdraw(now, true, out);
  if (claimed_ && !planted(Bug::failover_claim_left))
    record(ClaimEnded{lease_}, out);  // a restart while promoting: its epoch is over
  if (superseded_) return revoke(now, out);
  out.outputs.push_back(TellOwner{lease_, News::Fenced, epoch});
}

// --- revoking ------------------------------------------------------------------------------------

std::string_view Replica::reason_text() const {
  switch (reason_) {
    case Reason::Fence: return "heartbeat-quorum-lost-past-t2";  // the existing network's word
    case Reason::Restart: return "restarted";
    case Reason::CannotRun: return "cannot-run";
    case Reason::StartFailed: return "start-failed";
    case Reason::LatePromotion: return "promotion-late";
    case Reason::Superseded: return "superseded";
    case Reason::LeaseOver: return "lease-over";
  }
  return {};
}

void Replica::revoke(Now now, Step& out) {
  market::Revocation revocation;
  revocation.workload_id = terms_.workload_id;
  revocation.primary_provider_npub = context_.self;
  for (size_t rank = 1; rank < terms_.members.size(); ++rank)
    revocation.standby_providers.push_back(terms_.members[rank].key.hex());
  revocation.reason = reason_text();
  revocation.epoch = *ended_;
  publish(now, revocation_, std::move(revocation), std::nullopt, out);
}

void Replica::repeat_revocation(Now now, Step& out) {
  if (now.mono >= revoke_again_) {
    revoke_again_ = now.mono + kSaidAgain;
    revoke(now, out);
  }
  wake_at(revoke_again_);
}

// --- the lease is over ---------------------------------------------------------------------------

// Whatever was under way ends here. A claim that is out is void by itself (rule 16).
void Replica::begin_leaving(Now now, Step& out) {
  phase_ = Phase::Leaving;
  reason_ = Reason::LeaseOver;
  forget(claim_, out);
  forget(promotion_, out);
  forget(revocation_, out);
  revocation_.receipts = {};
  read_.reset();
  deadline_.reset();
  stopping_ = counted_ = guarded_ = run_sent_ = false;
  revoke_again_ = revoked_since_ = now.mono;
  const bool early = !context_.policy.revoke_after_pause || planted(Bug::failover_leaves_early);
  if (hold_ && early) copy_gone(now, out);
}

// Only now may anybody be told, and whoever has paid for longer at another member is run there.
void Replica::copy_gone(Now now, Step& out) {
  record(HoldEnded{lease_, *hold_}, out);
  revoke_again_ = revoked_since_ = now.mono;
}

void Replica::step_leaving(Now now, Step& out) {
  if (hold_) return;  // waits for the word that the copy is gone
  const bool owed = ended_ && !superseded_;
  const Micros until = revoked_since_ + kRevokedFor;
  const bool taken = revocation_.receipts.reached(terms_.quorums.write, context_.policy.echo);
  if (owed && !taken && now.mono >= until)
    tell(Weight::Info, "its lease is over, and too few relays took the word", out);
  left_ = !owed || taken || now.mono >= until;
  if (!left_) wake_at(until);
}

// --- superseded (rule 3) -------------------------------------------------------------------------

void Replica::note_superseded(uint32_t rank, uint64_t epoch, Step& out) {
  if (superseded_ && superseded_->epoch >= epoch) return;
  const bool first = !superseded_;
  record(Superseded{lease_, epoch, terms_.members[rank].key}, out);
  if (!first || leaving_) return;
  if (ended_) forget(revocation_, out);
  tell(Weight::Warning,
       "member " + std::to_string(rank) + " took over with epoch " + std::to_string(epoch), out);
  out.outputs.push_back(TellOwner{lease_, News::Superseded, epoch});
}

// The new holder has spoken as such: our copy serves nobody any more.
void Replica::remove_copy(uint32_t rank, Step& out) {
  if (!superseded_ || hold_ || stopping_ || removing_ || leaving_) return;
  const auto& promoted = book_->member(rank).promoted;
  if (!promoted || *promoted < superseded_->epoch) return;
  if (!copy_) return record(CopyRemoved{lease_}, out);
  removing_ = true;
  out.outputs.push_back(Remove{lease_});
}

}  // namespace paygress::failover
