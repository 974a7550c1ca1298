#include "core/provider/withdrawals.h"

#include <algorithm>

namespace paygress::provider {
namespace {

constexpr std::string_view kNothingSent = "nothing was sent and nothing left the wallet: ask again";

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
         std::to_string(money.wallet.value) + ": " + std::to_string(money.owed.value) +
         " owed, " + std::to_string(money.margin.value) + " kept for fees, " +
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
    const bool dropped = known->state == lease::WithdrawalState::Dropped;
    turn.settled.push_back({asked.id, dropped ? std::string(kNothingSent) : ""});
    return turn;
  }
  const auto refuse = [&](std::string why) {
    turn.settled.push_back({asked.id, std::move(why)});
    return turn;
  };
  const cashu::Amount wallet = wallet_.state().wallet().balance({asked.mint, asked.unit});
  if (wallet == 0) return refuse("the wallet has nothing in " + asked.unit + " at " + asked.mint);
  if (asked.amount == 0) return refuse("an amount is above zero");
  const FreeMoney money = free_money(leases_, wallet_.state(), {asked.mint, asked.unit});
  const cashu::Amount most = only_free_ ? coins_of(money.free, asked.unit) : wallet;
  const cashu::Amount amount = asked.up_to ? std::min(asked.amount, most) : asked.amount;
  if (amount == 0) return refuse(why_not(cashu::NoRefund::NoFunds, asked, money));
  using FeeFrom = cashu::Redeemer::FeeFrom;
  auto begun = wallet_.begin_withdrawal(now, asked.id, asked.mint, asked.unit, amount,
                                        asked.up_to ? FeeFrom::Token : FeeFrom::Wallet, most);
  if (!begun) return refuse(why_not(begun.error(), asked, money));
  const lease::Lot lot{asked.mint, asked.unit, cashu::value_of(begun->worth, asked.unit).value()};
  leases_.withdrawal_opened(now, asked.id, lot, asked.purpose, turn.leases);
  turn.wallet = std::move(begun->step);
  return turn;
}

Withdrawals::Turn Withdrawals::on_made(Now now, const cashu::RefundMade& made) {
  Turn turn;
  const lease::Withdrawal* known = leases_.withdrawals().find(made.claim);
  PG_CHECK(known != nullptr && known->state == lease::WithdrawalState::Open);
  const std::string unit = known->opened.lot.unit;
  const Msat fee = made.fee == 0 ? Msat{0} : cashu::value_of(made.fee, unit).value();
  leases_.withdrawal_paid(now, made.claim, made.text, cashu::value_of(made.face, unit).value(), fee,
                          turn.leases);
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
  leases_.withdrawal_dropped(now, id, turn.leases);
  turn.settled.push_back({id, std::string(kNothingSent)});
}

}  // namespace paygress::provider
