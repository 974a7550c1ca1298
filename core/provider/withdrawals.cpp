#include "core/provider/withdrawals.h"

#include <algorithm>

#include "core/cashu/invoice.h"

namespace paygress::provider {
namespace {

constexpr std::string_view kNothingSent = "nothing was sent and nothing left the wallet: ask again";

Msat msat_in(cashu::Amount coins, const std::string& unit) {
  return coins == 0 ? Msat{0} : cashu::value_of(coins, unit).value();
}

std::string why_dropped(const lease::WithdrawalDropped& dropped) {
  if (dropped.problem.empty()) return std::string(kNothingSent);
  return "the invoice is not paid (" + dropped.problem +
         "), and the money is in the wallet, less " + std::to_string(dropped.fee.value) +
         " msat of the mint's fee";
}

std::string why_not(cashu::NoRefund reason, const Withdraw& asked, const FreeMoney& money) {
  switch (reason) {
    case cashu::NoRefund::TooSmall:
      return "a token of so little is worth no more than the mint's fee";
    case cashu::NoRefund::MintNotReady:
      return asked.mint + " has not answered yet, or has no keyset to make a token on; try again";
    case cashu::NoRefund::Busy: return "too many refunds are under way at once; try again";
    case cashu::NoRefund::NoFunds: break;
  }
  return std::to_string(money.free.value) + " msat are free at " + asked.mint + " (of " +
         std::to_string(money.wallet.value) + ": " + std::to_string(money.owed.value) + " owed, " +
         std::to_string(money.margin.value) + " kept for fees, " +
         std::to_string(money.withdrawing.value) + " being withdrawn, " +
         std::to_string(money.in_doubt.value) +
         " in doubt); the mint's fee comes out of what is free, too";
}

}  // namespace

Withdrawals::Turn Withdrawals::recover(Now now) {
  Turn turn;
  // Money lies there, whether or not its tokens are still taken.
  for (const auto& [purse, coins] : wallet_.state().wallet().balances())
    if (coins > 0) wallet_.depend_on(purse.mint);
  const std::set<ClaimId> open = leases_.withdrawals().open();
  for (const ClaimId& id : open)
    if (!wallet_.state().refund_of(id)) drop(now, id, turn);
  for (const auto& [id, withdrawal] : leases_.withdrawals().all()) {
    const bool waits = withdrawal.opened.purpose == lease::kPayout &&
                       withdrawal.state == lease::WithdrawalState::Paid;
    if (waits) turn.settled.push_back({id, ""});
  }
  return turn;
}

Withdrawals::Turn Withdrawals::ask(Now now, const Withdraw& asked) {
  Turn turn;
  if (const lease::Withdrawal* known = leases_.withdrawals().find(asked.id)) {
    if (known->state == lease::WithdrawalState::Open) return turn;
    turn.settled.push_back({asked.id, known->dropped ? why_dropped(*known->dropped) : ""});
    return turn;
  }
  if (std::ranges::any_of(quoting_, [&](const auto& q) { return q.second.id == asked.id; }))
    return turn;
  const auto refuse = [&](std::string why) {
    turn.settled.push_back({asked.id, std::move(why)});
    return turn;
  };
  const cashu::Amount wallet = wallet_.state().wallet().balance({asked.mint, asked.unit});
  if (wallet == 0) return refuse("the wallet has nothing in " + asked.unit + " at " + asked.mint);
  if (!asked.invoice.empty()) return ask_for_quote(asked);
  if (asked.amount == 0) return refuse("an amount is above zero");
  const FreeMoney money = free_money(leases_, wallet_.state(), {asked.mint, asked.unit});
  const cashu::Amount most = most_of(asked, money);
  const cashu::Amount amount = asked.up_to ? std::min(asked.amount, most) : asked.amount;
  if (amount == 0) return refuse(why_not(cashu::NoRefund::NoFunds, asked, money));
  using FeeFrom = cashu::Redeemer::FeeFrom;
  auto begun = wallet_.begin_withdrawal(now, asked.id, asked.mint, asked.unit, amount,
                                        asked.up_to ? FeeFrom::Token : FeeFrom::Wallet, most);
  if (!begun) return refuse(why_not(begun.error(), asked, money));
  const lease::Lot lot{asked.mint, asked.unit, cashu::value_of(begun->worth, asked.unit).value()};
  leases_.withdrawal_opened(now, asked.id, lot, asked.purpose, {"", asked.force}, turn.leases);
  turn.wallet = std::move(begun->step);
  return turn;
}

cashu::Amount Withdrawals::most_of(const Withdraw& asked, const FreeMoney& money) const {
  const cashu::Amount all = only_free_ && !asked.force
                                ? coins_of(money.free, asked.unit)
                                : wallet_.state().wallet().balance({asked.mint, asked.unit});
  return asked.up_to && !asked.invoice.empty() ? std::min(asked.amount, all) : all;
}

// --- invoices ----------------------------------------------------------------------------------

Withdrawals::Turn Withdrawals::ask_for_quote(const Withdraw& asked) {
  Turn turn;
  const auto refuse = [&](std::string why) {
    turn.settled.push_back({asked.id, std::move(why)});
    return turn;
  };
  const auto amount = cashu::invoice_amount(asked.invoice);
  if (!amount) return refuse("this is no Lightning invoice: " + to_string(amount.error()));
  if (!*amount) return refuse("the invoice says no amount: ask for one that does");
  if (!wallet_.mints().ready(asked.mint))
    return refuse(why_not(cashu::NoRefund::MintNotReady, asked, {}));
  if (!wallet_.mints().melts(asked.mint))
    return refuse(asked.mint + " does not pay invoices, or gives no change (NUT-05, NUT-08)");
  cashu::Redeemer::Probing quote = wallet_.quote_melt(asked.mint, asked.unit, asked.invoice);
  quoting_.emplace(quote.id, asked);
  turn.wallet = std::move(quote.step);
  return turn;
}

// The mint's word is checked against the invoice's own: it may not ask for more than that.
std::string Withdrawals::fitting(const Withdraw& asked, const cashu::MeltQuoted& quoted) const {
  if (!quoted.quote) return quoted.problem;
  const Msat says = cashu::invoice_amount(asked.invoice).value().value();
  const auto takes = cashu::value_of(quoted.quote->amount, asked.unit);
  const Msat coin = cashu::value_of(1, asked.unit).value();
  if (takes && *takes >= says && *takes - says < coin) return {};
  return "the mint asks another amount than the invoice, which is " + std::to_string(says.value) +
         " msat";
}

Withdrawals::Turn Withdrawals::on_quoted(Now now, const cashu::MeltQuoted& quoted) {
  Turn turn;
  const auto waiting = quoting_.extract(quoted.id);
  if (waiting.empty()) return turn;
  const Withdraw& asked = waiting.mapped();
  const auto refuse = [&](std::string why) {
    turn.settled.push_back({asked.id, std::move(why)});
    return turn;
  };
  if (std::string problem = fitting(asked, quoted); !problem.empty())
    return refuse(std::move(problem));
  const FreeMoney money = free_money(leases_, wallet_.state(), {asked.mint, asked.unit});
  auto begun = wallet_.begin_melt(now, asked.id, asked.mint, asked.unit, *quoted.quote,
                                  most_of(asked, money));
  if (!begun)
    return refuse(why_not(begun.error(), asked, money) + "; the invoice is " +
                  std::to_string(quoted.quote->amount) + " " + asked.unit +
                  ", and Lightning may cost " + std::to_string(quoted.quote->reserve));
  const lease::Lot lot{asked.mint, asked.unit, cashu::value_of(begun->worth, asked.unit).value()};
  leases_.withdrawal_opened(now, asked.id, lot, asked.purpose, {asked.invoice, asked.force},
                            turn.leases);
  turn.wallet = std::move(begun->step);
  return turn;
}

Withdrawals::Turn Withdrawals::on_paid(Now now, const cashu::InvoicePaid& paid) {
  Turn turn;
  const lease::Withdrawal* known = leases_.withdrawals().find(paid.withdrawal);
  PG_CHECK(known != nullptr && known->state == lease::WithdrawalState::Open);
  const std::string unit = known->opened.lot.unit;
  leases_.invoice_settled(now, paid.withdrawal, msat_in(paid.amount, unit), msat_in(paid.fee, unit),
                          paid.preimage, turn.leases);
  turn.settled.push_back({paid.withdrawal, ""});
  return turn;
}

Withdrawals::Turn Withdrawals::on_not_paid(Now now, const cashu::InvoiceNotPaid& unpaid) {
  Turn turn;
  const lease::Withdrawal* known = leases_.withdrawals().find(unpaid.withdrawal);
  PG_CHECK(known != nullptr && known->state == lease::WithdrawalState::Open);
  leases_.withdrawal_dropped(now, unpaid.withdrawal, msat_in(unpaid.fee, known->opened.lot.unit),
                             unpaid.problem.empty() ? "the mint could not pay it" : unpaid.problem,
                             turn.leases);
  turn.settled.push_back({unpaid.withdrawal, why_dropped(*known->dropped)});
  return turn;
}

// --- their ends --------------------------------------------------------------------------------

Withdrawals::Turn Withdrawals::on_made(Now now, const cashu::RefundMade& made) {
  Turn turn;
  const lease::Withdrawal* known = leases_.withdrawals().find(made.claim);
  PG_CHECK(known != nullptr && known->state == lease::WithdrawalState::Open);
  const std::string unit = known->opened.lot.unit;
  leases_.withdrawal_paid(now, made.claim, made.text, msat_in(made.face, unit),
                          msat_in(made.fee, unit), turn.leases);
  turn.settled.push_back({made.claim, ""});
  return turn;
}

Withdrawals::Turn Withdrawals::on_not_made(Now now, const ClaimId& id) {
  Turn turn;
  drop(now, id, turn);
  return turn;
}

Withdrawals::Turn Withdrawals::delivered(Now now, const ClaimId& id) {
  Turn turn;
  const lease::Withdrawal* known = leases_.withdrawals().find(id);
  if (known != nullptr && known->state == lease::WithdrawalState::Paid)
    leases_.withdrawal_delivered(now, id, turn.leases);
  return turn;
}

void Withdrawals::drop(Now now, const ClaimId& id, Turn& turn) {
  leases_.withdrawal_dropped(now, id, Msat{0}, "", turn.leases);
  turn.settled.push_back({id, std::string(kNothingSent)});
}

}  // namespace paygress::provider
