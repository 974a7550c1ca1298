#include "shell/provider/wallet_desk.h"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <limits>
#include <utility>

#include "core/cashu/mint_url.h"
#include "shell/base/secret_file.h"
#include "shell/provider/wallet_view.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

std::string word_of(const json::object& request, std::string_view key) {
  const json::value* value = request.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool flag_of(const json::object& request, std::string_view key) {
  const json::value* value = request.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::string error_text(const std::string& problem) {
  return json::serialize(json::object{{"error", problem}});
}

}  // namespace

WalletDesk::WalletDesk(net::Loop& loop, const provider::Provider& core, const SilentMints& silent,
                       std::string payouts, AskMint ask_mint,
                       std::function<void(const provider::Input&)> step)
    : loop_(loop),
      core_(core),
      silent_(silent),
      payouts_(std::move(payouts)),
      ask_mint_(std::move(ask_mint)),
      step_(std::move(step)) {}

WalletDesk::~WalletDesk() { *alive_ = false; }

json::object WalletDesk::balance() const {
  return balance_json(provider::free_money(core_.leases(), core_.wallet().state()));
}

void WalletDesk::check(Reply reply) {
  WalletCheck::run(core_.wallet().state(), ask_mint_,
                   [reply](const json::object& report) { reply(json::serialize(report)); });
}

void WalletDesk::restore(Reply reply) {
  searching_.push_back(std::move(reply));
  if (unsearched_.empty()) {
    const auto mints = core_.wallet().mints().mints();
    unsearched_ = {mints.begin(), mints.end()};
    found_.clear();
    if (unsearched_.empty()) return answer_search(false);
  }
  step_(provider::SearchWallet{});  // joins what is under way
  loop_.after(kSearchPatience, [this, alive = alive_] {
    if (*alive && !searching_.empty()) answer_search(true);
  });
}

void WalletDesk::searched(const provider::WalletSearched& searched) {
  if (unsearched_.erase(searched.mint) == 0) return;  // by itself, during a recovery
  found_.push_back(searched);
  if (unsearched_.empty()) answer_search(false);
}

void WalletDesk::answer_search(bool under_way) {
  const std::string text = json::serialize(restore_json(found_, silent_, under_way));
  for (const Reply& reply : std::exchange(searching_, {})) reply(text);
}

void WalletDesk::release(bool force, Reply reply) {
  if (!core_.recovering())
    return reply(json::serialize(json::object{{"released", false}, {"waits_for", json::array()}}));
  releasing_.push_back(std::move(reply));
  step_(provider::Release{force});
}

void WalletDesk::released(const provider::ReleaseSettled& released) {
  json::array waits;
  for (const std::string& reason : released.waits_for) waits.emplace_back(reason);
  const std::string text =
      json::serialize(json::object{{"released", waits.empty()}, {"waits_for", std::move(waits)}});
  for (const Reply& reply : std::exchange(releasing_, {})) reply(text);
}

// The one purse that has money and fits what was named.
Result<lease::MintUnit> WalletDesk::choose_purse(std::string mint, const std::string& unit) const {
  if (!mint.empty()) {
    const auto normal = cashu::normalise_mint_url(mint);
    if (!normal) return std::unexpected(normal.error());
    mint = *normal;
  }
  std::vector<lease::MintUnit> fitting;
  for (const auto& [purse, coins] : core_.wallet().state().wallet().balances())
    if (coins > 0 && (mint.empty() || mint == purse.mint) && (unit.empty() || unit == purse.unit))
      fitting.emplace_back(purse.mint, purse.unit);
  if (fitting.size() == 1) return fitting.front();
  if (fitting.empty()) return fail("the wallet has no such money");
  std::string names;
  for (const auto& [url, of] : fitting) names += fmt::format("\n  --mint {} --unit {}", url, of);
  return fail("there is money at several mints; name one:" + names);
}

Result<WalletDesk::Asked> WalletDesk::read(const json::object& request) const {
  provider::Withdraw asked;
  const auto bytes = from_hex(word_of(request, "id"));
  if (!bytes || bytes->size() != asked.id.bytes.size()) return fail("an id has 32 hex digits");
  std::copy(bytes->begin(), bytes->end(), asked.id.bytes.begin());
  asked.force = flag_of(request, "force");
  if (const lease::Withdrawal* known = core_.leases().withdrawals().find(asked.id)) {
    asked.mint = known->opened.lot.mint;  // it is that one, whatever else is said
    asked.unit = known->opened.lot.unit;
    asked.invoice = known->opened.invoice;
    asked.purpose = known->opened.purpose;
    return Asked{std::move(asked), true};
  }
  const auto purse = choose_purse(word_of(request, "mint"), word_of(request, "unit"));
  if (!purse) return std::unexpected(purse.error());
  asked.mint = purse->first;
  asked.unit = purse->second;
  return Asked{std::move(asked), false};
}

Result<void> WalletDesk::read_amount(const json::object& request, provider::Withdraw& asked) const {
  if (flag_of(request, "all")) {
    asked.up_to = true;
    asked.amount = std::numeric_limits<cashu::Amount>::max();
    return {};
  }
  const json::value* sats = request.if_contains("sats");
  constexpr int64_t kSatsMax = std::numeric_limits<int64_t>::max() / 1000;
  if (sats == nullptr || !sats->is_int64() || sats->get_int64() <= 0 ||
      sats->get_int64() > kSatsMax)
    return fail("an amount is a whole number of satoshis above zero");
  asked.amount = provider::coins_of(Msat{sats->get_int64() * 1000}, asked.unit);
  return {};
}

void WalletDesk::send(const json::object& request, Reply reply) {
  auto asked = read(request);
  if (!asked) return reply(error_text(to_string(asked.error())));
  if (!asked->known) {
    asked->withdraw.purpose = lease::kSend;
    const auto amount = read_amount(request, asked->withdraw);
    if (!amount) return reply(error_text(to_string(amount.error())));
  }
  withdraw(asked->withdraw, std::move(reply));
}

void WalletDesk::pay(const json::object& request, Reply reply) {
  auto asked = read(request);
  if (!asked) return reply(error_text(to_string(asked.error())));
  if (!asked->known) {
    asked->withdraw.purpose = lease::kPay;
    asked->withdraw.invoice = word_of(request, "invoice");
    if (asked->withdraw.invoice.empty()) return reply(error_text("name an invoice"));
  }
  withdraw(asked->withdraw, std::move(reply));
}

void WalletDesk::withdraw(const provider::Withdraw& asked, Reply reply) {
  const ClaimId id = asked.id;
  waiting_[id].push_back(std::move(reply));
  loop_.after(kSendPatience, [this, id, alive = alive_] {
    if (*alive && waiting_.contains(id)) answer(id, "");
  });
  step_(asked);
}

void WalletDesk::settled(const provider::WithdrawalSettled& settled) {
  answer(settled.withdrawal, settled.problem);
  const lease::Withdrawal* known = core_.leases().withdrawals().find(settled.withdrawal);
  if (known == nullptr || known->opened.purpose != lease::kPayout) return;
  // Not from here: the effects of the step are being carried out.
  loop_.post([this, id = settled.withdrawal, alive = alive_] {
    if (*alive) deliver(id);
  });
}

// The file first, then the record that it is there: a crash between them writes it once more.
void WalletDesk::deliver(const ClaimId& id) {
  const lease::Withdrawal* known = core_.leases().withdrawals().find(id);
  if (known == nullptr || known->state != lease::WithdrawalState::Paid) return;
  if (const auto written = write_payout(*known)) {
    log_.info("payout {}: a token of {} msat is in {}", id.hex().substr(0, 12),
              known->paid->face.value, payouts_);
    return step_(provider::TokenDelivered{id});
  } else {
    log_.error("the token of payout {} cannot be written, and is tried again: {}",
               id.hex().substr(0, 12), to_string(written.error()));
  }
  loop_.after(kPayoutRetry, [this, id, alive = alive_] {
    if (*alive) deliver(id);
  });
}

Result<void> WalletDesk::write_payout(const lease::Withdrawal& payout) const {
  if (payouts_.empty()) return fail("payout.directory is not set any more");
  if (auto made = shell::make_private_directory(payouts_); !made) return made;
  const std::string name = "payout-" + payout.opened.withdrawal.hex() + ".token";
  return shell::write_secret_file(payouts_ + "/" + name, payout.paid->token + "\n",
                                  shell::Replace::Yes);
}

void WalletDesk::answer(const ClaimId& id, const std::string& problem) {
  const auto waiting = waiting_.extract(id);
  if (waiting.empty()) return;
  const lease::Withdrawal* known = core_.leases().withdrawals().find(id);
  json::object said{{"error", problem}};
  if (problem.empty() && known == nullptr)
    said["error"] = "the mint has not said what this costs: nothing was sent, try again";
  if (problem.empty() && known != nullptr) said = withdrawal_json(*known);
  const std::string text = json::serialize(said);
  for (const Reply& reply : waiting.mapped()) reply(text);
}

}  // namespace paygress::daemon
