#include "core/lease/withdrawal_book.h"

#include "core/base/check.h"

namespace paygress::lease {

std::string_view to_string(WithdrawalState state) {
  switch (state) {
    case WithdrawalState::Open: return "open";
    case WithdrawalState::Paid: return "paid";
    case WithdrawalState::Delivered: return "delivered";
    case WithdrawalState::Dropped: return "dropped";
    case WithdrawalState::Settled: return "settled";
  }
  return "unknown";
}

Withdrawal& WithdrawalBook::in_state(const ClaimId& id, WithdrawalState state) {
  const auto it = withdrawals_.find(id);
  PG_CHECK(it != withdrawals_.end() && it->second.state == state);
  return it->second;
}

void WithdrawalBook::move(const ClaimId& id, WithdrawalState to, UnixSeconds at) {
  Withdrawal& entry = withdrawals_.at(id);
  over_.erase({entry.over_at, id});
  open_.erase(id);
  entry.state = to;
  entry.over_at = at;
  over_.emplace(at, id);
}

void WithdrawalBook::apply(const WithdrawalOpened& r) {
  PG_CHECK(r.lot.msat > Msat{0});
  Withdrawal entry;
  entry.opened = r;
  PG_CHECK(withdrawals_.emplace(r.withdrawal, std::move(entry)).second);
  open_.insert(r.withdrawal);
}

void WithdrawalBook::apply(const WithdrawalPaid& r) {
  Withdrawal& entry = in_state(r.withdrawal, WithdrawalState::Open);
  PG_CHECK(!r.token.empty() && r.face > Msat{0} && r.fee >= Msat{0});
  entry.paid = r;
  move(r.withdrawal, WithdrawalState::Paid, r.at);
}

void WithdrawalBook::apply(const WithdrawalDropped& r) {
  Withdrawal& entry = in_state(r.withdrawal, WithdrawalState::Open);
  PG_CHECK(r.fee >= Msat{0});
  entry.dropped = r;
  move(r.withdrawal, WithdrawalState::Dropped, r.at);
}

void WithdrawalBook::apply(const InvoiceSettled& r) {
  Withdrawal& entry = in_state(r.withdrawal, WithdrawalState::Open);
  PG_CHECK(!entry.opened.invoice.empty() && r.amount > Msat{0} && r.fee >= Msat{0});
  entry.settled = r;
  move(r.withdrawal, WithdrawalState::Settled, r.at);
}

void WithdrawalBook::apply(const WithdrawalDelivered& r) {
  in_state(r.withdrawal, WithdrawalState::Paid);
  move(r.withdrawal, WithdrawalState::Delivered, r.at);
}

void WithdrawalBook::apply(const WithdrawalForgotten& r) {
  const auto it = withdrawals_.find(r.withdrawal);
  PG_CHECK(it != withdrawals_.end());
  PG_CHECK(over_.erase({it->second.over_at, r.withdrawal}) == 1);
  withdrawals_.erase(it);
}

const Withdrawal* WithdrawalBook::find(const ClaimId& id) const {
  const auto it = withdrawals_.find(id);
  return it == withdrawals_.end() ? nullptr : &it->second;
}

std::vector<ClaimId> WithdrawalBook::due(UnixSeconds now) const {
  std::vector<ClaimId> due;
  for (const auto& [at, id] : over_) {
    if (at + kWithdrawalForgetAfter > now) break;
    const Withdrawal& entry = withdrawals_.at(id);
    const bool waits = entry.opened.purpose == kPayout && entry.state == WithdrawalState::Paid;
    if (!waits) due.push_back(id);
  }
  return due;
}

void WithdrawalBook::check_invariants() const {
  PG_CHECK(open_.size() + over_.size() == withdrawals_.size());
  for (const auto& [id, entry] : withdrawals_) {
    PG_CHECK(entry.opened.withdrawal == id);
    PG_CHECK(open_.contains(id) == (entry.state == WithdrawalState::Open));
    PG_CHECK(entry.paid.has_value() ==
             (entry.state == WithdrawalState::Paid || entry.state == WithdrawalState::Delivered));
    PG_CHECK(entry.settled.has_value() == (entry.state == WithdrawalState::Settled));
    PG_CHECK(entry.dropped.has_value() == (entry.state == WithdrawalState::Dropped));
  }
}

}  // namespace paygress::lease
