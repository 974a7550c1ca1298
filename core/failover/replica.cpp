#include "core/failover/replica.h"

#include <utility>

#include "core/base/check.h"
#include "core/base/planted.h"

namespace paygress::failover {
namespace {

// Phases change a few times per input at most; more would be a loop of rules.
constexpr int kMovesMax = 16;

}  // namespace

Replica::Replica(Context& context, const LeaseId& lease, Terms terms)
    : context_(context),
      lease_(lease),
      terms_(std::move(terms)),
      tag_(market::hold_tag(terms_.workload_id)),
      evidence_(terms_, context_.policy) {
  if (terms_.rank == 0) hold_ = 0;
  // Behind a primary that names nothing there is nothing to wait for.
  if (!terms_.members[0].knows_rules || !context_.policy.arming || planted(Bug::failover_unarmed))
    armed_ = true;
}

// --- durable state -------------------------------------------------------------------------------

void Replica::record(FailoverRecord entry, Step& out) {
  apply(entry);
  out.records.push_back(std::move(entry));
}

void Replica::apply(const FailoverRecord& record) {
  if (std::holds_alternative<Armed>(record)) {
    armed_ = true;
  } else if (const auto* seen = std::get_if<EpochSeen>(&record)) {
    highest_ = std::max(highest_, seen->epoch);
  } else if (const auto* claimed = std::get_if<Claimed>(&record)) {
    PG_CHECK(!hold_);
    claimed_ = claimed->epoch;
  } else if (std::holds_alternative<ClaimEnded>(record)) {
    claimed_.reset();
  } else if (const auto* promoted = std::get_if<Promoted>(&record)) {
    PG_CHECK(!hold_ && promoted->epoch > highest_);
    hold_ = highest_ = promoted->epoch;
    armed_ = true;
    ended_.reset();
    superseded_.reset();
  } else if (const auto* ended = std::get_if<HoldEnded>(&record)) {
    PG_CHECK(hold_ == ended->epoch);
    hold_.reset();
    ended_ = ended->epoch;
    armed_ = true;
  } else if (const auto* withdrawn = std::get_if<PromotionWithdrawn>(&record)) {
    if (ended_ == withdrawn->epoch) ended_.reset();
  } else if (const auto* superseded = std::get_if<Superseded>(&record)) {
    superseded_ = *superseded;
    highest_ = std::max(highest_, superseded->epoch);
  } else if (std::holds_alternative<CopyRemoved>(record)) {
    superseded_.reset();
    ended_.reset();
  } else if (std::holds_alternative<Leaving>(record)) {
    leaving_ = true;
  }
}

Remembered Replica::remembered() const {
  return {terms_, armed_, highest_, claimed_, hold_, ended_, superseded_, leaving_};
}

void Replica::remember(const Remembered& memory) {
  armed_ = memory.armed;
  highest_ = memory.highest;
  claimed_ = memory.claimed;
  hold_ = memory.hold;
  ended_ = memory.ended;
  superseded_ = memory.superseded;
  leaving_ = memory.leaving;
}

// --- begin and end -------------------------------------------------------------------------------

void Replica::begin_joined(Now now, Step& out) {
  began_ = now.mono;
  book_.emplace(terms_, context_.policy, now.mono);
  out.outputs.push_back(Watch{lease_});
  if (hold_) {
    phase_ = Phase::Holding;
    context_.beat_now = true;
  }
  settle(now, out);
}

void Replica::begin_recovered(Now now, Step& out) {
  began_ = now.mono;
  book_.emplace(terms_, context_.policy, now.mono);
  out.outputs.push_back(Watch{lease_});
  copy_ = hold_ || ended_ || superseded_;
  revoke_again_ = now.mono;
  if (leaving_) {
    begin_leaving(now, out);
  } else if (hold_) {
    phase_ = Phase::Recovering;
  } else if (claimed_) {
    withdraw(now, false, out);
  }
  settle(now, out);
}

void Replica::leave(Now now, Step& out) {
  record(Leaving{lease_}, out);
  begin_leaving(now, out);
  settle(now, out);
}

void Replica::end(Step& out) {
  forget(claim_, out);
  forget(promotion_, out);
  forget(revocation_, out);
  out.outputs.push_back(Unwatch{lease_});
  out.outputs.push_back(GuardRelease{lease_});
}

// --- what is told --------------------------------------------------------------------------------

void Replica::hear(Now now, uint32_t rank, const Heard& heard, Step& out) {
  const Learnt learnt = book_->hear(now, rank, heard, highest_);
  if (learnt.skew)
    tell(Weight::Warning,
         "the clock of member " + std::to_string(rank) + " and ours differ by " +
             "more than 30 s; fail-over does not depend on it",
         out);
  if (learnt.epoch && *learnt.epoch > highest_) record(EpochSeen{lease_, *learnt.epoch}, out);
  if (learnt.beat && !armed_) record(Armed{lease_}, out);
  if (learnt.promoted) hear_promoted(rank, *learnt.promoted, out);
  if (learnt.beat) remove_copy(rank, out);
  settle(now, out);
}

void Replica::hear_promoted(uint32_t rank, uint64_t epoch, Step& out) {
  if (!armed_) record(Armed{lease_}, out);
  if (hold_ == epoch)
    tell(Weight::Alarm,
         "member " + std::to_string(rank) + " promoted with our epoch " + std::to_string(epoch),
         out);
  const std::optional<uint64_t> ours = hold_ ? hold_ : ended_;
  // Two that hold one epoch break a rule; then the better rank keeps it. One that ended may have
  // been forgotten by all relays, and its epoch taken again.
  const bool yields = !hold_ || rank < terms_.rank;
  const bool above = ours && (epoch > *ours || (epoch == *ours && yields));
  if (above) note_superseded(rank, epoch, out);
}

void Replica::set_unbroken(Now now, size_t relay, std::optional<Micros> since, Step& out) {
  evidence_.set_unbroken(relay, since);
  if (read_ && !since) read_->complete &= ~bit_of(relay);
  healthy_ = since ? healthy_ | bit_of(relay) : healthy_ & ~bit_of(relay);
  settle(now, out);
}

// Later than D after its sending, an OK or an echo says nothing of what a standby has seen. For a
// withdrawal or a revocation it is enough that the relay has it.
void Replica::receipt(Now now, PublishNo id, size_t relay, bool echo, Step& out) {
  for (Slot* slot : {&claim_, &promotion_, &revocation_}) {
    if (slot->id != id) continue;
    const bool lasts = phase_ == Phase::Withdrawing || slot == &revocation_;
    if (!lasts && now.mono > slot->receipts.sent + terms_.profile.delay) return;
    RelayMask& mask = echo ? slot->receipts.echoed : slot->receipts.ok;
    mask |= bit_of(relay);
    settle(now, out);
    return;
  }
}

void Replica::query_answer(Now now, QueryNo id, size_t relay, bool complete, Step& out) {
  if (!read_ || read_->id != id) return;
  if (complete || !context_.policy.failed_query_is_no_silence) read_->complete |= bit_of(relay);
  settle(now, out);
}

void Replica::workload(Now now, WorkloadNews news, bool unstopped, Step& out) {
  const bool runs = news == WorkloadNews::Running || news == WorkloadNews::CannotRun;
  if (news == WorkloadNews::Absent && removing_) {
    removing_ = false;
    out.outputs.push_back(GuardRelease{lease_});
    if (superseded_ && !hold_) record(CopyRemoved{lease_}, out);
  }
  if (news == WorkloadNews::Absent && !run_sent_) copy_ = false;
  if (leaving_) {
    if (news == WorkloadNews::Absent && hold_) copy_gone(now, out);
  } else if (phase_ == Phase::Recovering) {
    runs_unstopped_ = news == WorkloadNews::Running && unstopped;
  } else if (phase_ == Phase::Holding) {
    if (news == WorkloadNews::CannotRun) stop(now, Reason::CannotRun, out);
    if (news == WorkloadNews::StartFailed) stop(now, Reason::StartFailed, out);
    if (news == WorkloadNews::Running && *hold_ > 0 && !std::exchange(took_over_told_, true))
      out.outputs.push_back(TellOwner{lease_, News::TookOver, *hold_});
  } else if (runs && !stopping_) {
    tell(Weight::Alarm, "the workload runs although it must not: stopping it", out);
    copy_ = true;
    demand_stop(now, out);
  }
  if (!runs && stopping_) {
    stopping_ = false;
    if (phase_ == Phase::Fencing) stopped(now, out);
  }
  settle(now, out);
}

void Replica::tell(Weight weight, std::string text, Step& out) const {
  out.outputs.push_back(
      TellOperator{lease_, weight, "workload " + terms_.workload_id + ": " + std::move(text)});
}

// --- publishing and reading ----------------------------------------------------------------------

void Replica::publish(Now now, Slot& slot, decltype(Publish::message) message,
                      std::optional<Micros> not_after, Step& out) {
  forget(slot, out);
  slot.id = PublishNo{context_.next_publish++};
  slot.receipts.sent = now.mono;
  context_.published.emplace_back(*slot.id, lease_);
  out.outputs.push_back(Publish{*slot.id, lease_, std::move(message), not_after});
}

void Replica::forget(Slot& slot, Step& out) {
  if (!slot.id) return;
  context_.forgotten.push_back(*slot.id);
  out.outputs.push_back(Forget{*slot.id});
  slot.id.reset();
}

void Replica::query(Now now, Step& out) {
  read_ = Read{QueryNo{context_.next_query++}, now.mono};
  context_.queried.emplace_back(read_->id, lease_);
  out.outputs.push_back(Query{read_->id, lease_, terms_.profile.delay});
}

// Rule 11 and "read quorum": a relay that does not count now does not count for what it answered.
bool Replica::read_done(Now now) const {
  if (!read_) return false;
  RelayMask mask = read_->complete;
  if (context_.policy.failed_query_is_no_silence) mask &= evidence_.counted(now.mono);
  return count_of(mask) >= terms_.quorums.read;
}

// --- the phases ----------------------------------------------------------------------------------

void Replica::settle(Now now, Step& out) {
  for (int moves = 0;; ++moves) {
    PG_CHECK(moves < kMovesMax);
    wake_.reset();
    if (!step_phase(now, out)) break;
  }
}

// True when the phase changed: what the new one wants is looked at at once.
bool Replica::step_phase(Now now, Step& out) {
  const Phase before = phase_;
  if (stopping_) step_fencing(now, out);
  if (ended_ && !superseded_ && phase_ != Phase::Withdrawing) repeat_revocation(now, out);
  switch (phase_) {
    case Phase::Recovering: step_recovering(now, out); break;
    case Phase::Unarmed:
    case Phase::Armed: step_armed(now, out); break;
    case Phase::Doubting: step_doubting(now, out); break;
    case Phase::Claiming: step_claiming(now, out); break;
    case Phase::Reading: step_reading(now, out); break;
    case Phase::Promoting: step_promoting(now, out); break;
    case Phase::Withdrawing: step_withdrawing(now, out); break;
    case Phase::Holding: step_holding(now, out); break;
    case Phase::Fencing: break;  // waits for the engine
    case Phase::Leaving: step_leaving(now, out); break;
  }
  return phase_ != before;
}

ReplicaStatus Replica::status() const {
  ReplicaStatus status;
  status.phase = phase_;
  status.epoch = hold_ ? *hold_ : highest_;
  if (phase_ == Phase::Holding) {
    status.holder = context_.self;
    status.fenced_at = deadline_;
  } else if (const auto rank = book_ ? book_->holder() : std::nullopt) {
    status.holder = terms_.members[*rank].key;
  }
  status.fenced = ended_ && !superseded_;
  status.superseded = superseded_.has_value();
  status.guarantee = guarantee_of(terms_);
  return status;
}

void Replica::check_invariants() const {
  const bool holds = phase_ == Phase::Recovering || phase_ == Phase::Promoting ||
                     phase_ == Phase::Holding || phase_ == Phase::Fencing;
  PG_CHECK(leaving_ == (phase_ == Phase::Leaving));
  PG_CHECK(leaving_ || holds == hold_.has_value());
  PG_CHECK(!hold_ || *hold_ <= highest_);
  PG_CHECK(phase_ != Phase::Fencing || stopping_);
  PG_CHECK(!run_sent_ || phase_ == Phase::Holding);
  PG_CHECK(phase_ != Phase::Claiming || claimed_.has_value());
}

}  // namespace paygress::failover
