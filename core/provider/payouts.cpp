#include "core/provider/payouts.h"

#include <algorithm>

#include "core/cashu/invoice.h"
#include "core/cashu/token_quote.h"
#include "core/provider/free_money.h"

namespace paygress::provider {
namespace {

constexpr Msat kSat{1000};  // receivers take whole ones

// What Lightning may cost is a fiftieth at first, a half at most.
Msat slack_of(Msat spendable, uint32_t failures, Msat coin) {
  const int64_t share = int64_t{50} >> std::min<uint32_t>(failures, 5);
  return Msat{spendable.value / std::max<int64_t>(share, 2) + kPayoutSlackCoins * coin.value};
}

}  // namespace

bool Payouts::waits(const lease::MintUnit& purse) const {
  return std::ranges::any_of(pending_,
                             [&](const auto& entry) { return entry.second.purse == purse; });
}

Payouts::Turn Payouts::look(Now now) {
  Turn turn;
  if (!settings_.payout) return turn;
  const PayoutRule& rule = *settings_.payout;
  for (const auto& [purse, money] : free_money(leases_, wallet_.state())) {
    if (money.free < rule.above || money.withdrawing > Msat{0} || waits(purse)) continue;
    if (!wallet_.mints().ready(purse.first)) continue;
    if (!rule.lightning_address.empty()) {
      begin(now, purse, money.free - rule.keep, turn);
      continue;
    }
    Withdraw payout;
    payout.mint = purse.first;
    payout.unit = purse.second;
    payout.amount = coins_of(money.free - rule.keep, purse.second);
    payout.up_to = true;
    payout.purpose = lease::kPayout;
    entropy_.fill(payout.id.bytes);
    turn.withdraw.push_back(std::move(payout));
  }
  return turn;
}

void Payouts::begin(Now now, const lease::MintUnit& purse, Msat spendable, Turn& turn) {
  Pace& pace = paces_[purse];
  if (now.mono < pace.not_before) return;
  const auto coin = cashu::value_of(1, purse.second);
  if (!coin) return;
  const Msat rest = spendable - slack_of(spendable, pace.failures, *coin);
  const Msat amount{rest.value / kSat.value * kSat.value};
  if (amount <= Msat{0}) return;
  FetchInvoice fetch{{}, settings_.payout->lightning_address, amount};
  entropy_.fill(fetch.id.bytes);
  pending_.emplace(fetch.id, Pending{purse, amount, coins_of(spendable, purse.second)});
  turn.fetch.push_back(std::move(fetch));
}

// The receiver may be anybody's machine: the invoice has to be what was asked for.
Payouts::Turn Payouts::on_invoice(Now now, const InvoiceFetched& fetched) {
  Turn turn;
  const auto pending = pending_.find(fetched.id);
  if (pending == pending_.end()) return turn;
  const Pending asked = pending->second;
  std::string problem = fetched.problem;
  const auto amount = cashu::invoice_amount(fetched.invoice);
  if (problem.empty() && (!amount || *amount != asked.amount))
    problem = "the receiver's invoice asks another amount";
  if (!problem.empty()) {
    turn.problem = fail(now, fetched.id, problem);
    return turn;
  }
  turn.withdraw.push_back({fetched.id, asked.purse.first, asked.purse.second, asked.most, true,
                           std::string(lease::kPayout), fetched.invoice, false});
  return turn;
}

std::string Payouts::on_settled(Now now, const WithdrawalSettled& settled) {
  if (!pending_.contains(settled.withdrawal)) return {};
  if (!settled.problem.empty()) return fail(now, settled.withdrawal, settled.problem);
  const auto done = pending_.extract(settled.withdrawal);
  paces_[done.mapped().purse] = {0, now.mono + micros(kPayoutEvery)};
  return {};
}

std::string Payouts::fail(Now now, const ClaimId& id, const std::string& problem) {
  const auto failed = pending_.extract(id);
  Pace& pace = paces_[failed.mapped().purse];
  const int64_t wait = kPayoutEvery.value << std::min<uint32_t>(pace.failures++, 8);
  pace.not_before = now.mono + micros(Seconds{std::min(wait, kPayoutRetryMax.value)});
  return "payout to " + settings_.payout->lightning_address + ": " + problem;
}

}  // namespace paygress::provider
