#include "core/cashu/redeem_state.h"

#include <algorithm>
#include <compare>
#include <string_view>

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
  return attempt.counter_start + static_cast<uint32_t>(attempt.outputs.size()) - attempt.of_token;
}

}  // namespace

void RedeemState::apply(const RedeemRecord& record) {
  std::visit([this](const auto& alternative) { on(alternative); }, record);
}

void RedeemState::on(const OpOpened& record) {
  PG_CHECK(!record.inputs.empty() && record.inputs.size() == record.ys.size());
  PG_CHECK(record.points.size() == record.ys.size());
  for (const YHash& y : record.ys) PG_CHECK(owners_.insert(y, record.op) || !policy_.unique_y);
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
  if (policy_.reserve_counters) counter.next = std::max(counter.next, end_of(attempt));
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
  flows_[{summary.mint, summary.unit}].received += summary.amount;
  for (const Proof& proof : record.proofs) take_in({summary.mint, summary.unit}, proof);
  note_signed(operation, record.proofs);
  if (!policy_.reserve_counters)
    for (const Attempt& attempt : operation.attempts)
      counters_[attempt.keyset].next = std::max(counters_[attempt.keyset].next, end_of(attempt));
  live_.erase(record.op);
}

void RedeemState::on(const OpClosed& record) {
  Operation& operation = live_operation(record.op);
  PG_CHECK(!operation.closed);
  if (operation.refund) {  // only with same_inputs off: the proofs are given up for lost
    PG_CHECK(!policy_.same_inputs);
    summaries_[record.op].watched = false;
    for (const Proof& input : operation.opened.inputs)
      wallet_.remove({operation.opened.mint, operation.opened.unit}, input.secret);
    refunds_.erase(operation.refund->claim);
    live_.erase(record.op);
    return;
  }
  operation.closed = record;
  summaries_[record.op].status =
      record.verdict == Verdict::Released ? OpStatus::Released : OpStatus::SpentElsewhere;
}

void RedeemState::on(const OpForgotten& record) {
  PG_CHECK(live_operation(record.op).closed.has_value());
  summaries_[record.op].watched = false;
  live_.erase(record.op);
}

template <class Record>
void RedeemState::open_own(const Record& record, RefundTerms terms) {
  PG_CHECK(!record.inputs.empty() && record.points.size() == record.inputs.size());
  OpSummary summary;
  summary.mint = record.mint;
  summary.unit = record.unit;
  PG_CHECK(summaries_.insert(record.op, std::move(summary)));
  PG_CHECK(refunds_.emplace(terms.claim, record.op).second);
  if (policy_.reserve_inputs)
    for (const Proof& input : record.inputs)
      wallet_.reserve({record.mint, record.unit}, input.secret);
  Operation& operation = live_[record.op];
  operation.refund = std::move(terms);
  OpOpened& opened = operation.opened;
  opened.op = record.op;
  opened.mint = record.mint;
  opened.unit = record.unit;
  opened.inputs = record.inputs;
  opened.opened_at = record.opened_at;
  opened.points = record.points;
}

Flow& RedeemState::close_own(const Operation& operation, bool spent,
                             const std::vector<Proof>& change, Amount fee) {
  const WalletStore::Purse purse{operation.opened.mint, operation.opened.unit};
  for (const Proof& input : operation.opened.inputs) {
    if (spent)
      wallet_.remove(purse, input.secret);
    else if (policy_.reserve_inputs)
      wallet_.release(purse, input.secret);
  }
  for (const Proof& proof : change) take_in(purse, proof);
  note_signed(operation, change);
  Flow& flow = flows_[purse];
  flow.fees += fee;
  flow.change += sum_of(change);
  return flow;
}

void RedeemState::drop_own(const OpId& op) {
  refunds_.erase(live_operation(op).refund->claim);
  live_.erase(op);
}

void RedeemState::on(const RefundOpened& record) {
  PG_CHECK(record.face > 0 && record.face + record.fee <= sum_of(record.inputs));
  open_own(record, RefundTerms{record.claim, record.face, record.fee, record.withdrawal, {}});
}

void RedeemState::on(const RefundDone& record) {
  const Operation& operation = live_operation(record.op);
  PG_CHECK(operation.refund.has_value());
  OpSummary& summary = summaries_[record.op];
  summary.status = OpStatus::Done;
  summary.amount = sum_of(record.token);
  summary.fee = record.fee;
  summary.watched = false;
  PG_CHECK(record.found ||
           summary.amount + sum_of(record.change) + record.fee == sum_of(operation.opened.inputs));
  Flow& flow = close_own(operation, !record.found, record.change, record.fee);
  (operation.refund->withdrawal ? flow.withdrawn : flow.given) += summary.amount;
  if (record.found) flow.found += summary.amount;
  drop_own(record.op);
}

void RedeemState::on(const MeltOpened& record) {
  PG_CHECK(record.amount > 0 && !record.quote.empty());
  PG_CHECK(record.amount + record.reserve + record.fee <= sum_of(record.inputs));
  open_own(record, RefundTerms{record.withdrawal, record.amount, record.reserve + record.fee, true,
                               MeltTerms{record.quote, record.reserve, record.opened_at,
                                         record.post_until}});
}

void RedeemState::on(const MeltDone& record) {
  const Operation& operation = live_operation(record.op);
  PG_CHECK(operation.refund && operation.refund->melt);
  const bool refused = record.end == MeltEnd::Refused;
  const Amount paid = record.end == MeltEnd::Paid ? operation.refund->face : 0;
  PG_CHECK(!refused || (record.proofs.empty() && record.fee == 0));
  OpSummary& summary = summaries_[record.op];
  summary.status = refused ? OpStatus::Released : OpStatus::Done;
  summary.amount = paid;
  summary.fee = record.fee;
  summary.watched = false;
  PG_CHECK(refused || paid + sum_of(record.proofs) + record.fee == sum_of(operation.opened.inputs));
  Flow& flow = close_own(operation, !refused, record.proofs, record.fee);
  flow.withdrawn += paid;
  drop_own(record.op);
}

void RedeemState::on(const ProofsFound& record) {
  Counter& counter = counters_[record.keyset];
  if (counter.mint.empty()) counter.mint = record.mint;
  PG_CHECK(counter.mint == record.mint);
  counter.next = std::max(counter.next, record.next_counter);
  counter.signed_until = counter.next;
  if (record.proofs.empty()) return;
  const WalletStore::Purse purse{record.mint, record.unit};
  for (const Proof& proof : record.proofs) wallet_.add(purse, proof);
  flows_[purse].restored += sum_of(record.proofs);
}

void RedeemState::on(const ProofsLost& record) {
  const WalletStore::Purse purse{record.mint, record.unit};
  for (const std::string& secret : record.secrets) {
    const Proof* held = wallet_.find(purse, secret);
    if (held == nullptr) {
      lost_ahead_.insert(secret);
      continue;
    }
    flows_[purse].lost += held->amount;
    wallet_.remove(purse, secret);
  }
}

// What an operation brings is ours, unless it is known to be spent since.
void RedeemState::take_in(const WalletStore::Purse& purse, const Proof& proof) {
  if (lost_ahead_.erase(proof.secret) > 0)
    flows_[purse].lost += proof.amount;
  else
    wallet_.add(purse, proof);
}

// The attempt that was carried out is the last one on that keyset, or hardly before it.
void RedeemState::note_signed(const Operation& operation, const std::vector<Proof>& proofs) {
  if (proofs.empty()) return;
  const std::string& keyset = proofs.front().keyset;
  Counter& counter = counters_[keyset];
  for (const Attempt& attempt : operation.attempts)
    if (attempt.keyset == keyset)
      counter.signed_until = std::max(counter.signed_until, end_of(attempt));
}

uint32_t RedeemState::unsigned_run(const std::string& keyset) const {
  const auto counter = counters_.find(keyset);
  if (counter == counters_.end()) return 0;
  return counter->second.next - std::min(counter->second.next, counter->second.signed_until);
}

std::optional<OpId> RedeemState::refund_of(const ClaimId& claim) const {
  const auto found = refunds_.find(claim);
  return found == refunds_.end() ? std::nullopt : std::optional(found->second);
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
  return static_cast<size_t>(std::count_if(live_.begin(), live_.end(),
                                           [](const auto& entry) { return !entry.second.closed; }));
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
  for (const auto& [purse, flow] : flows_)
    PG_CHECK(wallet_.balance(purse) + flow.given + flow.withdrawn + flow.fees + flow.lost ==
                 flow.received + flow.found + flow.restored ||
             !policy_.same_inputs);
  struct Counters {  // of one attempt
    std::string_view keyset;
    uint32_t from;
    uint32_t to;
    auto operator<=>(const Counters&) const = default;
  };
  std::vector<Counters> used;
  for (const auto& [op, operation] : live_) {
    const OpSummary* summary = summaries_.find(op);
    PG_CHECK(summary && summary->watched && summary->status != OpStatus::Done);
    PG_CHECK(op == operation.opened.op && !operation.attempts.empty());
    for (const YHash& y : operation.opened.ys) PG_CHECK(op_of(y) == op || !policy_.unique_y);
    PG_CHECK(!operation.refund || refunds_.at(operation.refund->claim) == op);
    for (const Attempt& attempt : operation.attempts) {
      PG_CHECK(!policy_.reserve_counters || end_of(attempt) <= next_counter(attempt.keyset));
      if (attempt.counter_start < end_of(attempt))
        used.push_back({attempt.keyset, attempt.counter_start, end_of(attempt)});
    }
  }
  std::sort(used.begin(), used.end());
  const auto overlap = [](const Counters& a, const Counters& b) {
    return a.keyset == b.keyset && b.from < a.to;
  };
  PG_CHECK(!policy_.reserve_counters ||
           std::adjacent_find(used.begin(), used.end(), overlap) == used.end());
}

}  // namespace paygress::cashu
