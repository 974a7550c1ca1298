#include "core/provider/free_money.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/cashu/token_quote.h"

namespace paygress::provider {
namespace {

// Of units that the wallet knows.
Msat msat_of(cashu::Amount coins, const std::string& unit) {
  const auto value = cashu::value_of(coins, unit);
  PG_CHECK(value.has_value());
  return *value;
}

}  // namespace

cashu::Amount coins_of(Msat msat, const std::string& unit) {
  return static_cast<cashu::Amount>(msat.value / msat_of(1, unit).value);
}

FreeMoney free_money(const lease::LeaseBook& leases, const cashu::RedeemState& wallet,
                     const lease::MintUnit& purse) {
  const auto& [mint, unit] = purse;
  const cashu::WalletStore& store = wallet.wallet();
  FreeMoney money;
  if (const cashu::Amount coins = store.balance({mint, unit}); coins > 0)
    money.wallet = msat_of(coins, unit);
  if (const cashu::Amount coins = store.reserved({mint, unit}); coins > 0)
    money.in_doubt = msat_of(coins, unit);
  auto obligations = static_cast<int64_t>(leases.obligations(purse));
  for (const auto& [op, operation] : wallet.live()) {
    const cashu::OpOpened& opened = operation.opened;
    if (operation.refund || operation.closed) continue;
    if (lease::MintUnit{opened.mint, opened.unit} != purse) continue;
    ++obligations;
    for (const cashu::Proof& input : opened.inputs) money.receiving += msat_of(input.amount, unit);
  }
  money.owed = leases.liabilities(purse);
  if (const auto totals = leases.totals().find(purse); totals != leases.totals().end())
    money.withdrawing = totals->second.withdrawing;
  if (obligations > 0) money.margin = Msat{obligations * kFeeMarginCoins * msat_of(1, unit).value};
  const Msat spoken_for = money.owed + money.margin + money.withdrawing;
  money.free =
      std::max(Msat{0}, std::min(money.wallet - spoken_for, money.wallet - money.in_doubt));
  return money;
}

std::map<lease::MintUnit, FreeMoney> free_money(const lease::LeaseBook& leases,
                                                const cashu::RedeemState& wallet) {
  std::map<lease::MintUnit, FreeMoney> all;
  for (const auto& [purse, totals] : leases.totals()) all[purse] = {};
  for (const auto& [purse, coins] : wallet.wallet().balances()) all[{purse.mint, purse.unit}] = {};
  for (const auto& [op, operation] : wallet.live())
    all[{operation.opened.mint, operation.opened.unit}] = {};
  for (auto& [purse, money] : all) money = free_money(leases, wallet, purse);
  return all;
}

}  // namespace paygress::provider
