#include "shell/provider/wallet_verbs.h"

#include <fmt/format.h>
#include <unistd.h>
#include <boost/json/serialize.hpp>

#include "core/base/ids.h"
#include "shell/base/entropy.h"
#include "shell/base/file.h"
#include "shell/base/secret_file.h"
#include "shell/provider/asking.h"
#include "shell/provider/wallet_view.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

constexpr size_t kIdDigits = 12;  // of an id, as people write it

std::string field(const json::object& object, std::string_view key) {
  return std::string(object.at(key).as_string());
}

// Before anything is asked for: a token needs somewhere to go.
bool place_fits(const TokenPlace& place) {
  if (place.file.empty() != place.standard_output)
    return say("say where the token goes: --out FILE, or --stdout"), false;
  if (place.file.empty()) return true;
  if (access(place.file.c_str(), F_OK) == 0)
    return say(place.file + ": exists and is not replaced; nothing left the wallet"), false;
  if (const auto writable = shell::check_writable(place.file); !writable)
    return say(to_string(writable.error()) + "; nothing left the wallet"), false;
  return true;
}

void say_how_to_fetch(const std::string& id) {
  say(fmt::format("It is in the ledger: paygress-provider wallet token {} --out FILE",
                  id.substr(0, kIdDigits)));
}

// What became of the payment of an invoice.
Exit tell_payment(const json::object& payment, bool as_json) {
  const std::string id = field(payment, "withdrawal").substr(0, kIdDigits);
  const std::string state = field(payment, "state");
  if (as_json) put(payment);
  if (state == "open") {
    say(fmt::format("the mint has not said yet what became of payment {}: it goes on by itself",
                    id));
    say("Its end is in: paygress-provider wallet history");
    return Exit::Unknown;
  }
  if (state == "dropped") {
    say(fmt::format("payment {}: the invoice is not paid ({}); the mint's fee was {} sat", id,
                    field(payment, "problem"), sat_text(payment.at("fee_msat"))));
    return Exit::Failed;
  }
  if (as_json) return Exit::Ok;
  put(fmt::format("payment {}: {} sat are paid, and it cost {} sat more\n", id,
                  sat_text(payment.at("amount_msat")), sat_text(payment.at("fee_msat"))));
  if (const std::string preimage = field(payment, "preimage"); !preimage.empty())
    put("preimage  " + preimage + "\n");
  return Exit::Ok;
}

// The token goes to its place; the rest is said.
Exit deliver(json::object withdrawal, const TokenPlace& place, bool as_json) {
  if (withdrawal.contains("invoice")) return tell_payment(withdrawal, as_json);
  const std::string id = field(withdrawal, "withdrawal");
  const std::string state = field(withdrawal, "state");
  if (as_json && !withdrawal.contains("token")) put(withdrawal);
  if (state == "open") {
    say(fmt::format("the mint has not said yet what became of withdrawal {}: it goes on by itself",
                    id.substr(0, kIdDigits)));
    say_how_to_fetch(id);
    return Exit::Unknown;
  }
  if (!withdrawal.contains("token")) {
    say("nothing was sent of this withdrawal, and nothing left the wallet");
    return Exit::Failed;
  }
  const std::string token = field(withdrawal, "token");
  if (!place.standard_output) {
    const auto written = shell::write_secret_file(place.file, token + "\n", shell::Replace::No);
    if (!written) {
      say(to_string(written.error()));
      say_how_to_fetch(id);
      return Exit::Failed;
    }
    withdrawal.erase("token");
    withdrawal["file"] = place.file;
  }
  const std::string about = fmt::format(
      "withdrawal {}: a token of {} sat, the mint's fee was {} sat", id.substr(0, kIdDigits),
      sat_text(withdrawal.at("face_msat")), sat_text(withdrawal.at("fee_msat")));
  if (as_json) return put(withdrawal), Exit::Ok;
  if (place.standard_output) {
    say(about);
    put(token + "\n");
  } else {
    put(fmt::format("{}, in {}\n", about, place.file));
  }
  return Exit::Ok;
}

}  // namespace

Exit verb_wallet_balance(const std::string& data_dir, bool as_json) {
  const auto read = [](const ClosedLedger& ledger) -> Told {
    note_offline();
    const auto money = folded_balance(ledger.scan);
    if (money) return balance_json(*money);
    return said(to_string(money.error()));
  };
  const Told balance = ask_or_read(data_dir, {{"verb", "wallet-balance"}}, read);
  if (!balance) return balance.error();
  if (as_json)
    put(*balance);
  else
    put(balance_text(*balance));
  return Exit::Ok;
}

Exit verb_wallet_check(const std::string& data_dir, bool as_json) {
  const Told report =
      ask_running(data_dir, {{"verb", "wallet-check"}}, "asks the mints", "asking the mints");
  if (!report) return report.error();
  if (as_json)
    put(*report);
  else
    put(check_text(*report));
  if (!report->at("sound").as_bool()) return Exit::Findings;
  return report->at("complete").as_bool() ? Exit::Ok : Exit::Failed;
}

Exit verb_wallet_restore(const std::string& data_dir, bool as_json) {
  const Told report =
      ask_running(data_dir, {{"verb", "wallet-restore"}}, "asks the mints", "searching the mints");
  if (!report) return report.error();
  if (as_json)
    put(*report);
  else
    put(restore_text(*report));
  if (report->at("under_way").as_bool()) return Exit::Unknown;
  return report->at("complete").as_bool() ? Exit::Ok : Exit::Failed;
}

Exit verb_wallet_history(const std::string& data_dir, bool as_json) {
  const auto read = [](const ClosedLedger& ledger) -> Told {
    const auto found = wallet_history(ledger.scan);
    if (found) return to_json(*found);
    return said(to_string(found.error()));
  };
  const Told history = ask_or_read(data_dir, {{"verb", "wallet-history"}}, read);
  if (!history) return history.error();
  if (as_json)
    put(*history);
  else
    put(history_text(*history));
  return Exit::Ok;
}

Exit verb_wallet_send(const std::string& data_dir, const SendOptions& options, bool as_json) {
  if (options.all == options.sats.has_value())
    return say("say how much: an amount in satoshis, or --all"), Exit::Usage;
  if (!place_fits(options.place)) return Exit::Usage;
  shell::OsEntropy entropy;
  ClaimId id;
  entropy.fill(id.bytes);
  json::object request{{"verb", "wallet-send"}, {"id", id.hex()},         {"mint", options.mint},
                       {"unit", options.unit},  {"force", options.force}, {"all", options.all}};
  if (options.sats) request["sats"] = *options.sats;
  const Asked asked = ask(data_dir, request, "asking the mint");
  if (asked.answer) return deliver(*asked.answer, options.place, as_json);
  if (asked.no_daemon) return say_it_alone("may spend"), Exit::Failed;
  if (asked.refused) return asked.exit;
  say("the daemon gave no answer: it may have made the token");
  say_how_to_fetch(id.hex());
  return Exit::Unknown;
}

Exit verb_wallet_pay(const std::string& data_dir, const SendOptions& options, bool as_json) {
  constexpr std::string_view kScheme = "lightning:";
  const bool uri =
      options.invoice.starts_with(kScheme) || options.invoice.starts_with("LIGHTNING:");
  if (options.invoice.size() == (uri ? kScheme.size() : 0))
    return say("name an invoice: lnbc...; nothing left the wallet"), Exit::Usage;
  shell::OsEntropy entropy;
  ClaimId id;
  entropy.fill(id.bytes);
  const json::object request{{"verb", "wallet-pay"},
                             {"id", id.hex()},
                             {"invoice", options.invoice.substr(uri ? kScheme.size() : 0)},
                             {"mint", options.mint},
                             {"unit", options.unit},
                             {"force", options.force}};
  const Asked asked = ask(data_dir, request, "asking the mint to pay");
  if (asked.answer) return tell_payment(*asked.answer, as_json);
  if (asked.no_daemon) return say_it_alone("may spend"), Exit::Failed;
  if (asked.refused) return asked.exit;
  say("the daemon gave no answer: it may have paid the invoice");
  say(fmt::format("If it did, payment {} is in: paygress-provider wallet history",
                  id.hex().substr(0, kIdDigits)));
  return Exit::Unknown;
}

Exit verb_wallet_token(const std::string& data_dir, const std::string& id, const TokenPlace& place,
                       bool as_json) {
  if (id.empty()) return say("name a withdrawal by the begin of its id"), Exit::Usage;
  if (!place_fits(place)) return Exit::Usage;
  const auto read = [&](const ClosedLedger& ledger) -> Told {
    const auto found = find_withdrawal(ledger.scan, id);
    if (found) return *found;
    return said(id + ": " + found.error().reason,
                found.error().not_found ? Exit::NotFound : Exit::Failed);
  };
  const Told found = ask_or_read(data_dir, {{"verb", "wallet-token"}, {"id", id}}, read);
  return found ? deliver(*found, place, as_json) : found.error();
}

}  // namespace paygress::daemon
