// The `wallet` verbs of paygress-provider. Only the running daemon spends: it owns the ledger.
#pragma once

#include <optional>
#include <string>

#include "shell/provider/verbs.h"

namespace paygress::daemon {

struct TokenPlace {  // where a token goes; one of the two
  std::string file;  // a new one, mode 0600
  bool standard_output = false;
};

struct SendOptions {
  std::optional<uint64_t> sats;  // none: all that is free
  bool all = false;
  std::string mint;
  std::string unit;
  bool force = false;   // also of what is owed to others
  std::string invoice;  // of `pay`
  TokenPlace place;
};

Exit verb_wallet_balance(const std::string& data_dir, bool json);
// Compares every proof with its mint. Findings: some are spent, and not by us.
Exit verb_wallet_check(const std::string& data_dir, bool json);
Exit verb_wallet_history(const std::string& data_dir, bool json);
// Searches the mints for what the seed owns (core/cashu/restorer.h). Failed: not all of it could be
// looked at. Unknown: it goes on.
Exit verb_wallet_restore(const std::string& data_dir, bool json);
Exit verb_wallet_send(const std::string& data_dir, const SendOptions& options, bool json);
// Pays a Lightning invoice. Unknown: the payment goes on.
Exit verb_wallet_pay(const std::string& data_dir, const SendOptions& options, bool json);
// The token of a withdrawal again, or what became of it.
Exit verb_wallet_token(const std::string& data_dir, const std::string& id, const TokenPlace& place,
                       bool json);

}  // namespace paygress::daemon
