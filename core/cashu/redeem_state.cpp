#include "core/cashu/redeem_state.h"

#include <algorithm>
#include <set>

#include "core/base/check.h"

namespace paygress::cashu {
namespace {

// Inputs and outputs are bounded where they enter, so a sum that overflows is a broken invariant.
template <class Items>
Amount sum_of(const Items& items) {
  Amount sum = 0;
  for (const auto& item : items) PG_CHECK(!__builtin_add_overflow(sum, item.amount, &sum));
  return sum;
}

uint32_t end_of(const Attempt& attempt) {
  return attempt.counter_start + static_cast<uint32_t>(attempt.outputs.size());
}

}  // namespace

void RedeemState::apply(const RedeemRecord& record) {
  std::visit([this](const auto& alternative) { on(alternative); }, record);
}

void RedeemState::on(const OpOpened& record) {
  PG_CHECK(!record.inputs.empty() && record.inputs.size() == record.ys.size());
  PG_CHECK(record.points.size() == record.ys.size());
  for (const YHash& y : record.ys) PG_CHECK(owners_.insert(y, record.op));
  OpSummary summary;
  summary.mint = record.mint;
  summary.unit = record.unit;
  PG_CHECK(summaries_.insert(record.op, std::move(summary)));
  live_[record.op].opened = record;
}

void RedeemState::on(const AttemptMade& record) {
  const Attempt& attempt = record.attempt;
  Operation& operation = live_operation(record.op);
  PG_CHECK(!attempt.outputs.empty() && !attempt.body.empty());
  PG_CHECK(sum_of(attempt.outputs) <= sum_of(operation.opened.inputs));
  Counter& counter = counters_[attempt.keyset];
  if (counter.mint.empty()) counter.mint = operation.opened.mint;
  PG_CHECK(counter.mint == operation.opened.mint);
  if (count_attempts_) counter.next = std::max(counter.next, end_of(attempt));
  operation.attempts.push_back(attempt);
}

void RedeemState::on(const HoldEnded& record) {
  Operation& operation = live_operation(record.op);
  PG_CHECK(!operation.closed);
  operation.hold_over = true;
  summaries_[record.op].status = OpStatus::HoldOver;
}

void RedeemState::on(const EmptySince& record) {
  Operation& operation = live_operation(record.op);
  PG_CHECK(!operation.closed);
  operation.empty.reset();
  if (record.inputs != ProofState::Pending) operation.empty = record;
}

void RedeemState::on(const OpDone& record) {
  const Operation& operation = live_operation(record.op);
  OpSummary& summary = summaries_[record.op];
  summary.status = OpStatus::Done;
  summary.amount = sum_of(record.proofs);
  summary.fee = record.fee;
  summary.late = record.late;
  summary.watched = false;
  Amount spent = 0;
  PG_CHECK(!__builtin_add_overflow(summary.amount, record.fee, &spent));
  PG_CHECK(spent == sum_of(operation.opened.inputs));
  for (const Proof& proof : record.proofs) wallet_.add({summary.mint, summary.unit}, proof);
  if (!count_attempts_)
    for (const Attempt& attempt : operation.attempts)
      counters_[attempt.keyset].next = std::max(counters_[attempt.keyset].next, end_of(attempt));
  live_.erase(record.op);
}

void RedeemState::on(const OpClosed& record) {
  Operation& operation = live_operation(record.op);
  PG_CHECK(!operation.closed);
  operation.closed = record;
  summaries_[record.op].status =
      record.verdict == Verdict::Released ? OpStatus::Released : OpStatus::SpentElsewhere;
}

void RedeemState::on(const OpForgotten& record) {
  PG_CHECK(live_operation(record.op).closed.has_value());
  summaries_[record.op].watched = false;
  live_.erase(record.op);
}

Operation& RedeemState::live_operation(const OpId& op) {
  const auto found = live_.find(op);
  PG_CHECK(found != live_.end());
  return found->second;
}

std::optional<OpId> RedeemState::op_of(const YHash& y) const {
  const OpId* op = owners_.find(y);
  return op ? std::optional(*op) : std::nullopt;
}

const Operation* RedeemState::live(const OpId& op) const {
  const auto found = live_.find(op);
  return found == live_.end() ? nullptr : &found->second;
}

size_t RedeemState::open_count() const {
  return static_cast<size_t>(std::count_if(
      live_.begin(), live_.end(), [](const auto& entry) { return !entry.second.closed; }));
}

uint32_t RedeemState::next_counter(const std::string& keyset) const {
  const auto counter = counters_.find(keyset);
  return counter == counters_.end() ? 0 : counter->second.next;
}

std::vector<std::pair<std::string, std::string>> RedeemState::used_keysets() const {
  std::vector<std::pair<std::string, std::string>> used;
  for (const auto& [keyset, counter] : counters_) used.emplace_back(counter.mint, keyset);
  return used;
}

void RedeemState::check_invariants() const {
  wallet_.check_invariants();
  std::set<std::pair<std::string, uint32_t>> used;
  for (const auto& [op, operation] : live_) {
    const OpSummary* summary = summaries_.find(op);
    PG_CHECK(summary && summary->watched && summary->status != OpStatus::Done);
    PG_CHECK(op == operation.opened.op && !operation.attempts.empty());
    for (const YHash& y : operation.opened.ys) PG_CHECK(op_of(y) == op);
    for (const Attempt& attempt : operation.attempts) {
      PG_CHECK(!count_attempts_ || end_of(attempt) <= next_counter(attempt.keyset));
      for (uint32_t counter = attempt.counter_start; counter < end_of(attempt); ++counter)
        PG_CHECK(!count_attempts_ || used.emplace(attempt.keyset, counter).second);
    }
  }
}

}  // namespace paygress::cashu
