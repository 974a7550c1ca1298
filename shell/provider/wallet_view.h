// What the `wallet` verbs show, of a daemon's books or of a ledger that is only read.
#pragma once

#include <boost/json/object.hpp>

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/provider/effects.h"
#include "core/provider/free_money.h"
#include "shell/provider/mint_watch.h"
#include "shell/provider/story.h"

namespace paygress::daemon {

// "6.5": an amount in msat, in satoshis.
std::string sat_text(const boost::json::value& msat);

boost::json::object balance_json(const std::map<lease::MintUnit, provider::FreeMoney>& money);
// Of what balance_json made.
std::string balance_text(const boost::json::object& balance);
// Of a ledger that nobody writes.
Result<std::map<lease::MintUnit, provider::FreeMoney>> folded_balance(const Scan& scan);

// Of what WalletCheck reported.
std::string check_text(const boost::json::object& report);

// Of the mints that were searched so far: {"complete", "under_way", "mints": [{"mint",
// "complete", "problem"}], "purses": [{"mint", "unit", "found_msat", "known_msat", "lost_msat",
// "pending_msat", "unreadable_msat"}]}
boost::json::object restore_json(const std::vector<provider::WalletSearched>& searched,
                                 const SilentMints& silent, bool under_way);
std::string restore_text(const boost::json::object& report);

struct WalletEntry {  // one thing that came into the wallet or left it
  uint64_t batch = 0;
  UnixSeconds at;
  // "received", "refunded", "withdrawn", "paid" (an invoice); of a withdrawal that is neither
  // "withdrawing", "dropped"; of what a search found "restored", and "lost", spent by a life of the
  // ledger that is lost.
  std::string kind;
  std::string mint;
  std::string unit;
  Msat amount;          // of the token or the proofs; what left is negative
  Msat fee;             // that the mint took of a token, or for an invoice
  Msat wallet;          // what the wallet held after it
  std::string id;       // of the payment, the claim or the withdrawal
  std::string purpose;  // of a withdrawal
};
// Oldest first. No token is in it.
Result<std::vector<WalletEntry>> wallet_history(const Scan& scan);
boost::json::object to_json(const std::vector<WalletEntry>& entries);
std::string history_text(const boost::json::object& history);

// State and token, or receipt, of the withdrawal whose id begins so.
boost::json::object withdrawal_json(const lease::Withdrawal& withdrawal);
std::expected<boost::json::object, NoStory> find_withdrawal(const Scan& scan, std::string_view id);

}  // namespace paygress::daemon
