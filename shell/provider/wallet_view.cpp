#include "shell/provider/wallet_view.h"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "core/cashu/token_quote.h"
#include "core/market/time_text.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;
using provider::Record;

constexpr size_t kShownId = 12;

std::string string_of(const json::object& object, std::string_view key) {
  return std::string(object.at(key).as_string());
}

// Follows the books and notes what moves proofs.
class WalletKeeper {
 public:
  void fold(uint64_t batch, const Record& record) {
    last_ = time_of(record).value_or(last_);
    books_.fold(record);
    if (const auto* of_wallet = std::get_if<cashu::RedeemRecord>(&record)) {
      if (const auto* done = std::get_if<cashu::OpDone>(of_wallet)) received(batch, *done);
      if (const auto* found = std::get_if<cashu::ProofsFound>(of_wallet))
        searched(batch, "restored", found->mint, found->unit);
      if (const auto* lost = std::get_if<cashu::ProofsLost>(of_wallet))
        searched(batch, "lost", lost->mint, lost->unit);
    } else if (const auto* of_lease = std::get_if<lease::LeaseRecord>(&record)) {
      std::visit([&](const auto& r) { on(batch, r); }, *of_lease);
    }
  }
  std::vector<WalletEntry> take() { return std::move(entries_); }

 private:
  void received(uint64_t batch, const cashu::OpDone& done) {
    const cashu::OpSummary& op = *books_.wallet().summary(done.op);
    const Msat value = cashu::value_of(op.amount, op.unit).value_or(Msat{0});
    const Msat fee = cashu::value_of(op.fee, op.unit).value_or(Msat{0});
    add(batch, "received", {op.mint, op.unit, value}, fee, done.op.hex(), "");
    searched(batch, "lost", op.mint, op.unit);
  }
  // What the flows of the purse have grown by.
  void searched(uint64_t batch, const char* kind, const std::string& mint,
                const std::string& unit) {
    const auto purse = books_.wallet().flows().find({mint, unit});
    if (purse == books_.wallet().flows().end()) return;
    const cashu::Flow& flow = purse->second;
    cashu::Flow& seen = seen_[{mint, unit}];
    const cashu::Amount in = flow.restored - std::exchange(seen.restored, flow.restored);
    const cashu::Amount out = flow.lost - std::exchange(seen.lost, flow.lost);
    if (in + out == 0) return;  // one of them
    const Msat value = cashu::value_of(in + out, unit).value_or(Msat{0});
    add(batch, kind, {mint, unit, out > 0 ? Msat{0} - value : value}, Msat{0}, "", "");
  }
  void on(uint64_t batch, const lease::ClaimPaid& r) {
    lease::Lot lot = books_.leases().claims().find(r.claim)->owed.lot;
    lot.msat = Msat{0} - r.face;
    add(batch, "refunded", lot, r.fee, r.claim.hex(), "");
  }
  void on(uint64_t batch, const lease::WithdrawalOpened& r) {
    open_[r.withdrawal] = entries_.size();
    add(batch, "withdrawing", {r.lot.mint, r.lot.unit, Msat{0} - r.lot.msat}, Msat{0},
        r.withdrawal.hex(), r.purpose);
  }
  void on(uint64_t batch, const lease::WithdrawalPaid& r) {
    settle(batch, r.withdrawal, "withdrawn", Msat{0} - r.face, r.fee);
  }
  void on(uint64_t batch, const lease::WithdrawalDropped& r) {
    settle(batch, r.withdrawal, "dropped", Msat{0}, r.fee);
  }
  void on(uint64_t batch, const lease::InvoiceSettled& r) {
    settle(batch, r.withdrawal, "paid", Msat{0} - r.amount, r.fee);
  }
  template <class Other>
  void on(uint64_t, const Other&) {}

  // One line a withdrawal: at its end, when it has one.
  void settle(uint64_t batch, const ClaimId& id, std::string kind, Msat amount, Msat fee) {
    const size_t at = open_.at(id);
    entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(at));
    open_.erase(id);
    for (auto& [other, position] : open_)
      if (position > at) --position;
    const lease::WithdrawalOpened& opened = books_.leases().withdrawals().find(id)->opened;
    add(batch, std::move(kind), {opened.lot.mint, opened.lot.unit, amount}, fee, id.hex(),
        opened.purpose);
  }
  void add(uint64_t batch, std::string kind, const lease::Lot& lot, Msat fee, std::string id,
           std::string purpose) {
    const cashu::Amount held = books_.wallet().wallet().balance({lot.mint, lot.unit});
    const Msat wallet = held == 0 ? Msat{0} : cashu::value_of(held, lot.unit).value_or(Msat{0});
    entries_.push_back({batch, last_, std::move(kind), lot.mint, lot.unit, lot.msat, fee, wallet,
                        std::move(id), std::move(purpose)});
  }

  Books books_;
  UnixSeconds last_;
  std::vector<WalletEntry> entries_;
  std::map<cashu::WalletStore::Purse, cashu::Flow> seen_;
  std::map<ClaimId, size_t> open_;  // withdrawals under way: where in entries_
};

}  // namespace

std::string sat_text(const json::value& msat) {
  const int64_t value = msat.as_int64();
  const uint64_t size =
      value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string text = fmt::format("{}{}", value < 0 ? "-" : "", size / 1000);
  return size % 1000 == 0 ? text : fmt::format("{}.{:03}", text, size % 1000);
}

// --- balance -----------------------------------------------------------------------------------

json::object balance_json(const std::map<lease::MintUnit, provider::FreeMoney>& money) {
  json::array purses;
  for (const auto& [purse, m] : money)
    purses.push_back(json::object{{"mint", purse.first},
                                  {"unit", purse.second},
                                  {"wallet_msat", m.wallet.value},
                                  {"owed_msat", m.owed.value},
                                  {"margin_msat", m.margin.value},
                                  {"withdrawing_msat", m.withdrawing.value},
                                  {"in_doubt_msat", m.in_doubt.value},
                                  {"receiving_msat", m.receiving.value},
                                  {"free_msat", m.free.value}});
  return {{"purses", std::move(purses)}};
}

std::string balance_text(const json::object& balance) {
  std::string out;
  for (const json::value& entry : balance.at("purses").as_array()) {
    const json::object& purse = entry.as_object();
    const auto n = [&](const char* key) { return sat_text(purse.at(key)); };
    out += fmt::format("{} ({})\n", string_of(purse, "mint"), string_of(purse, "unit"));
    out += fmt::format("  free        {} sat\n", n("free_msat"));
    out += fmt::format("  wallet      {} sat, {} of them in doubt\n", n("wallet_msat"),
                       n("in_doubt_msat"));
    out += fmt::format("  owed        {} sat, and {} kept for fees\n", n("owed_msat"),
                       n("margin_msat"));
    out += fmt::format("  withdrawing {} sat\n", n("withdrawing_msat"));
    out += fmt::format("  receiving   {} sat, not ours yet\n", n("receiving_msat"));
  }
  return out.empty() ? "the wallet is empty\n" : out;
}

std::string check_text(const json::object& report) {
  std::string out;
  for (const json::value& entry : report.at("purses").as_array()) {
    const json::object& purse = entry.as_object();
    const auto n = [&](const char* key) { return sat_text(purse.at(key)); };
    out += fmt::format("{} ({}): {} sat unspent, {} in doubt, {} pending\n",
                       string_of(purse, "mint"), string_of(purse, "unit"), n("unspent_msat"),
                       n("in_doubt_msat"), n("pending_msat"));
    if (purse.at("unanswered_msat").as_int64() > 0)
      out += fmt::format("  of {} sat the mint did not say\n", n("unanswered_msat"));
    if (purse.at("spent_msat").as_int64() > 0)
      out += fmt::format("  LOST: {} sat are spent, and not by this provider\n", n("spent_msat"));
  }
  return out.empty() ? "the wallet is empty\n" : out;
}

namespace {

// Null: it was.
json::value why_not_searched(const provider::WalletSearched& mint, const SilentMints& silent) {
  if (mint.complete) return nullptr;
  const auto silence = silent.find(mint.mint);
  if (silence != silent.end())
    return json::value("it does not answer (" + silence->second.reason + ")");
  return "it refused a question, or an answer of it does not hold";
}

}  // namespace

json::object restore_json(const std::vector<provider::WalletSearched>& searched,
                          const SilentMints& silent, bool under_way) {
  json::array mints;
  json::array purses;
  bool complete = !under_way;
  for (const provider::WalletSearched& mint : searched) {
    complete = complete && mint.complete;
    mints.push_back(json::object{{"mint", mint.mint},
                                 {"complete", mint.complete},
                                 {"problem", why_not_searched(mint, silent)}});
    for (const auto& [unit, sums] : mint.units) {
      const auto msat = [&of = unit](cashu::Amount coins) {
        return coins == 0 ? 0 : cashu::value_of(coins, of).value_or(Msat{0}).value;
      };
      purses.push_back(json::object{{"mint", mint.mint},
                                    {"unit", unit},
                                    {"found_msat", msat(sums.found)},
                                    {"known_msat", msat(sums.known)},
                                    {"lost_msat", msat(sums.lost)},
                                    {"pending_msat", msat(sums.pending)},
                                    {"unreadable_msat", msat(sums.unreadable)}});
    }
  }
  return {{"complete", complete},
          {"under_way", under_way},
          {"mints", std::move(mints)},
          {"purses", std::move(purses)}};
}

std::string restore_text(const json::object& report) {
  std::string out;
  for (const json::value& entry : report.at("purses").as_array()) {
    const json::object& purse = entry.as_object();
    const auto n = [&](const char* key) { return sat_text(purse.at(key)); };
    out += fmt::format("{} ({}): {} sat found, {} were in the ledger\n", string_of(purse, "mint"),
                       string_of(purse, "unit"), n("found_msat"), n("known_msat"));
    if (purse.at("lost_msat").as_int64() > 0)
      out += fmt::format("  {} sat were spent by what the ledger misses\n", n("lost_msat"));
    if (purse.at("pending_msat").as_int64() > 0)
      out += fmt::format("  {} sat are being spent: look again later\n", n("pending_msat"));
    if (purse.at("unreadable_msat").as_int64() > 0)
      out += fmt::format("  of {} sat the mint's signatures do not hold\n", n("unreadable_msat"));
  }
  for (const json::value& entry : report.at("mints").as_array())
    if (!entry.at("complete").as_bool())
      out += fmt::format("{}: not searched to its end: {}. Nothing of it is lost: ask again\n",
                         string_of(entry.as_object(), "mint"),
                         string_of(entry.as_object(), "problem"));
  if (report.at("under_way").as_bool()) out += "the search goes on: ask again\n";
  return out.empty() ? "nothing was found\n" : out;
}

Result<std::map<lease::MintUnit, provider::FreeMoney>> folded_balance(const Scan& scan) {
  Books books;
  const auto read = each_record(scan, [&](uint64_t, const Record& record) { books.fold(record); });
  if (!read) return std::unexpected(read.error());
  return provider::free_money(books.leases(), books.wallet());
}

// --- history -----------------------------------------------------------------------------------

Result<std::vector<WalletEntry>> wallet_history(const Scan& scan) {
  WalletKeeper keeper;
  const auto read =
      each_record(scan, [&](uint64_t batch, const Record& record) { keeper.fold(batch, record); });
  if (!read) return std::unexpected(read.error());
  return keeper.take();
}

json::object to_json(const std::vector<WalletEntry>& entries) {
  json::array out;
  for (const WalletEntry& e : entries)
    out.push_back(json::object{{"batch", e.batch},
                               {"at", market::to_rfc3339(e.at)},
                               {"kind", e.kind},
                               {"mint", e.mint},
                               {"unit", e.unit},
                               {"amount_msat", e.amount.value},
                               {"fee_msat", e.fee.value},
                               {"wallet_msat", e.wallet.value},
                               {"id", e.id},
                               {"purpose", e.purpose}});
  return {{"history", std::move(out)}};
}

std::string history_text(const json::object& history) {
  constexpr const char* kRow = "{:<23}  {:<11}  {:>11}  {:>8}  {:>11}  {:<12}  {}\n";
  std::string out = fmt::format(kRow, "WHEN", "WHAT", "SAT", "FEE", "WALLET", "ID", "MINT");
  const json::array& entries = history.at("history").as_array();
  for (const json::value& entry : entries) {
    const json::object& e = entry.as_object();
    const auto at = market::parse_rfc3339(string_of(e, "at"));
    out += fmt::format(kRow, at ? market::to_human_time(*at) : "", string_of(e, "kind"),
                       sat_text(e.at("amount_msat")), sat_text(e.at("fee_msat")),
                       sat_text(e.at("wallet_msat")), string_of(e, "id").substr(0, kShownId),
                       string_of(e, "mint"));
  }
  return entries.empty() ? "nothing came in or left yet\n" : out;
}

// --- one withdrawal ----------------------------------------------------------------------------

json::object withdrawal_json(const lease::Withdrawal& withdrawal) {
  json::object out{{"withdrawal", withdrawal.opened.withdrawal.hex()},
                   {"state", lease::to_string(withdrawal.state)},
                   {"mint", withdrawal.opened.lot.mint},
                   {"unit", withdrawal.opened.lot.unit},
                   {"purpose", withdrawal.opened.purpose}};
  if (withdrawal.paid) {
    out["token"] = withdrawal.paid->token;
    out["face_msat"] = withdrawal.paid->face.value;
    out["fee_msat"] = withdrawal.paid->fee.value;
  }
  if (!withdrawal.opened.invoice.empty()) out["invoice"] = withdrawal.opened.invoice;
  if (withdrawal.opened.forced) out["forced"] = true;
  if (withdrawal.settled) {
    out["amount_msat"] = withdrawal.settled->amount.value;
    out["fee_msat"] = withdrawal.settled->fee.value;
    out["preimage"] = withdrawal.settled->preimage;
  }
  if (withdrawal.dropped) {
    out["problem"] = withdrawal.dropped->problem;
    out["fee_msat"] = withdrawal.dropped->fee.value;
  }
  return out;
}

std::expected<json::object, NoStory> find_withdrawal(const Scan& scan, std::string_view id) {
  lease::WithdrawalBook book;  // nothing is forgotten in it
  const auto read = each_record(scan, [&](uint64_t, const Record& record) {
    const auto* of_lease = std::get_if<lease::LeaseRecord>(&record);
    if (of_lease == nullptr) return;
    std::visit(
        [&](const auto& r) {
          using R = std::decay_t<decltype(r)>;
          if constexpr (requires { book.apply(r); } &&
                        !std::is_same_v<R, lease::WithdrawalForgotten>)
            book.apply(r);
        },
        *of_lease);
  });
  if (!read) return std::unexpected(NoStory{false, to_string(read.error())});
  const lease::Withdrawal* found = nullptr;
  for (const auto& [one, withdrawal] : book.all()) {
    if (id.empty() || !one.hex().starts_with(id)) continue;
    if (found != nullptr)
      return std::unexpected(NoStory{true, "several withdrawals begin so: write more of the id"});
    found = &withdrawal;
  }
  if (found == nullptr) return std::unexpected(NoStory{true, "no withdrawal begins so"});
  return withdrawal_json(*found);
}

}  // namespace paygress::daemon
