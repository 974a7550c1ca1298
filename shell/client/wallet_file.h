// The consumer's folder: identity and journal.
//
//   <home>/identity   the secret key (nsec), mode 0600, made at first use. The wallet's seed comes
//                     from it: who has this file has the money.
//   <home>/wallet/    the journal (see shell/store/sqlite_journal.h), one writer at a time
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/cashu/nut13.h"
#include "core/consumer/wallet_state.h"
#include "core/crypto/schnorr.h"
#include "shell/client/failure.h"
#include "shell/store/sqlite_journal.h"

namespace paygress::client {

struct Identity {
  crypto::Keypair key;
  cashu::WalletSeed seed;
};
// Reads or makes it. `made` tells.
Outcome<Identity> load_identity(const std::string& home, bool* made = nullptr);

class WalletFile {
 public:
  // Another `paygress` may hold it: waits for up to `patience`.
  static Outcome<std::unique_ptr<WalletFile>> open(const std::string& home, const PubKey& owner,
                                                   Seconds patience = Seconds{30});
  // For verbs that only look: no lock. An absent journal is an empty wallet.
  static Outcome<consumer::WalletState> look(const std::string& home);

  const consumer::WalletState& state() const { return state_; }
  // Durable when it returns: what follows from the records may be done only then.
  Outcome<void> commit(const std::vector<consumer::Record>& records);

 private:
  WalletFile() = default;
  consumer::WalletState state_;
  std::unique_ptr<store::Ledger> ledger_;
};

}  // namespace paygress::client
