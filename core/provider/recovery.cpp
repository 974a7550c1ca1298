#include "core/provider/recovery.h"

#include "core/base/check.h"
#include "core/cashu/token_quote.h"

namespace paygress::provider {
namespace {

constexpr Seconds kListDeadline{30};

std::string msat_text(cashu::Amount coins, const std::string& unit) {
  const Msat value = coins == 0 ? Msat{0} : cashu::value_of(coins, unit).value_or(Msat{0});
  return std::to_string(value.value) + " msat";
}

}  // namespace

void Recovery::start(Now now, Step& out) {
  out.tell(Level::Alarm,
           "this ledger is being recovered: nothing is sold or paid until it is released");
  again_ = now.mono + micros(kRecoveryRetry);
  ask_engine(out);
}

void Recovery::ask_engine(Step& out) {
  list_ = calls_.next();
  out.effects.push_back(
      workload::Call{*list_, workload::Verb::List, "", std::nullopt, micros(kListDeadline)});
}

void Recovery::on_answer(const workload::Answer& answer, Step& out) {
  if (answer.id != list_ || answer.outcome != workload::Outcome::Done) return;
  list_.reset();
  has_inventory_ = true;
  out.tell(Level::Info, "the engine holds " + std::to_string(answer.objects.size()) +
                            " objects of this provider");
}

std::optional<cashu::RedeemStep> Recovery::on_mint_read(Now now, const std::string& mint) {
  if (searched_.contains(mint) || wallet_.searching(mint)) return std::nullopt;
  return wallet_.search(now, mint, cashu::SearchAfter::LostLife);
}

void Recovery::on_searched(Now now, const cashu::MintSearched& searched, Step& out) {
  if (searched.complete) searched_.insert(searched.mint);
  again_ = now.mono + micros(kRecoveryRetry);
  for (const auto& [unit, sums] : searched.units)
    out.tell(Level::Info, "searched " + searched.mint + ": " + msat_text(sums.found, unit) +
                              " found, " + msat_text(sums.lost, unit) +
                              " spent by what is not in the ledger");
}

std::vector<cashu::RedeemStep> Recovery::handle_timer(Now now, Step& out) {
  std::vector<cashu::RedeemStep> steps;
  again_.reset();
  if (waits_for().empty()) return steps;
  again_ = now.mono + micros(kRecoveryRetry);
  if (!has_inventory_) ask_engine(out);
  for (const std::string& mint : wallet_.mints().mints())
    if (auto step = on_mint_read(now, mint)) steps.push_back(*std::move(step));
  return steps;
}

std::vector<std::string> Recovery::waits_for() const {
  std::vector<std::string> waits;
  for (const std::string& mint : wallet_.mints().mints())
    if (!searched_.contains(mint)) waits.push_back("the search of " + mint);
  if (!has_inventory_) waits.emplace_back("the engine's inventory");
  return waits;
}

}  // namespace paygress::provider
