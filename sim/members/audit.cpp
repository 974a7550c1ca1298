#include "sim/members/audit.h"

namespace paygress::sim::members {
namespace {

constexpr size_t kFindingsMax = 20;
// A member connects to a relay again within so long.
constexpr Micros kReconnects = 4'000_ms;

}  // namespace

// Silence, a query, the turn of whoever is left, four round trips to a quorum (three legs each:
// out, back, and the next event behind it), and the time to create.
Micros recovery_bound(const Plan& plan, size_t members) {
  return failover::stretched(plan.profile.silence) + plan.profile.delay +
         Micros{static_cast<int64_t>(members) * plan.profile.backoff.value} +
         Micros{4 * 3 * plan.leg_max.value} + plan.create;
}

Micros calm_before(const Plan& plan, size_t members) {
  return failover::hold_off(plan.profile, members) + kReconnects;
}

Audit::Audit(const Plan& plan, std::vector<uint32_t> members, Verdict& verdict)
    : plan_(plan), members_(std::move(members)), verdict_(verdict) {}

std::string Audit::name() const {
  return "the workload of " + to_text(plan_.member_name(members_.front()));
}

void Audit::find(Micros now, std::string rule, std::string detail) {
  if (verdict_.findings.size() < kFindingsMax)
    verdict_.findings.push_back({std::move(rule), name() + ": " + std::move(detail), now});
}

void Audit::note_overlap(Micros now) {
  if (running_ > 1) verdict_.overlapping += now - since_;
  since_ = now;
}

void Audit::on_running(Micros now, uint32_t member, bool runs, bool machine_lost, Micros trouble) {
  note_overlap(now);
  running_ += runs ? 1 : -1;
  if (runs && running_ > 1) {
    ++verdict_.overlaps;
    find(now, "two-copies", "a second copy runs, on " + to_text(plan_.member_name(member)));
  }
  if (running_ == 0) {
    none_since_ = now;
    calm_loss_.reset();
    if (machine_lost && now - trouble >= calm_before(plan_, members_.size())) calm_loss_ = trouble;
  }
  if (!runs || !none_since_) return;
  const Micros gap = now - *none_since_;
  verdict_.gaps.push_back(gap);
  const bool counts = calm_loss_ && trouble == *none_since_;  // the loss itself was the last
  none_since_.reset();
  if (!counts) return;
  verdict_.recoveries.push_back(gap);
  verdict_.recovery_bound = recovery_bound(plan_, members_.size());
  if (gap > verdict_.recovery_bound)
    find(
        now, "late-recovery",
        to_text(gap) + " without a copy, and " + to_text(verdict_.recovery_bound) + " is the most");
}

void Audit::on_epoch(Micros now, uint32_t member, uint64_t epoch, bool forgot) {
  const auto [held, first] = holders_.emplace(epoch, member);
  if (first || held->second == member || forgot) return;
  ++verdict_.shared_epochs;
  find(now, "shared-epoch",
       to_text(plan_.member_name(member)) + " holds epoch " + std::to_string(epoch) + ", which " +
           to_text(plan_.member_name(held->second)) + " held");
}

bool Audit::on_promoting(Micros now, uint32_t member, uint64_t epoch, bool settled) {
  uint64_t& promoted = promoted_[member];
  if (epoch <= promoted) return false;
  promoted = epoch;
  ++verdict_.promotions;
  if (!held_once_ && member != members_.front()) {
    ++verdict_.unheard_promotions;
    find(now, "unheard-promotion",
         to_text(plan_.member_name(member)) + " takes over what nobody said to hold");
  }
  held_once_ = true;
  if (settled) {
    ++verdict_.late_promotions;
    find(now, "ping-pong",
         to_text(plan_.member_name(member)) + " promotes, epoch " + std::to_string(epoch) +
             ", when all has settled");
  }
  return true;
}

void Audit::on_false_promotion(Micros now, uint32_t member, uint32_t over) {
  ++verdict_.false_promotions;
  find(now, "false-promotion",
       to_text(plan_.member_name(member)) + " promotes over a healthy holder, " +
           to_text(plan_.member_name(over)));
}

}  // namespace paygress::sim::members
