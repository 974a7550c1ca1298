// The wallet's verbs: journal and mint together. Every function leaves the journal such that the
// next start can go on, wherever it stops.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/cashu/token.h"
#include "core/consumer/pricing.h"
#include "core/consumer/saga.h"
#include "shell/client/mint_client.h"
#include "shell/client/wallet_file.h"

namespace paygress::client {

inline constexpr const char* kUnit = "sat";

class Purse {
 public:
  Purse(WalletFile& file, MintClient& mints, const cashu::WalletSeed& seed)
      : file_(file), mints_(mints), seed_(seed) {}

  // Goes on with every operation an earlier start left open, with paid quotes, and with refunds
  // that were stored but not swapped. Returns how many are still open.
  size_t recover();

  // Asks for a quote, shows its invoice, waits until it is paid, mints. Returns the amount.
  Outcome<cashu::Amount> mint(const std::string& mint, cashu::Amount amount, Micros patience,
                              const std::function<void(const std::string& invoice)>& show);
  // Stores the token, then swaps it for proofs of ours. Returns what arrived.
  Outcome<cashu::Amount> receive(const std::string& text, consumer::TokenOrigin origin,
                                 std::optional<market::RequestId> request = {});
  // Swaps a stored token for proofs of ours: whoever swaps first has it.
  Outcome<cashu::Amount> receive_stored(uint64_t number);

  // What the mint says of a stored token's proofs; nothing when it does not answer.
  std::optional<cashu::ProofState> state_of(uint64_t number);

  struct Payment {
    cashu::Amount amount = 0;  // the token's face value
    bool net = false;          // `amount` is what must be left after the mint's fee on the token
  };
  // Makes and stores a token of one of `mints` (any when empty), the fullest purse that suffices.
  // Returns its number.
  Outcome<uint64_t> make_token(const std::vector<std::string>& mints, Payment payment,
                               bool for_request);
  const std::string& text_of(uint64_t token) const;

 private:
  Outcome<const cashu::MintBook*> book_of(const std::string& mint);
  std::vector<cashu::Keyset> keysets_of(const std::string& mint) const;
  Outcome<cashu::Keyset> output_keyset(const std::string& mint, const std::string& unit);
  Outcome<void> start_mint(const consumer::QuoteMade& quote);
  // Runs an operation to its end; `with_done` is committed in one batch with OpDone.
  Outcome<void> run(const consumer::OpStarted& op, bool fresh);
  Outcome<uint64_t> make_from(const std::string& mint, Payment payment, bool for_request);
  consumer::TokenStored stored(uint64_t number, const std::string& mint,
                               std::vector<cashu::Proof> proofs, bool for_request) const;

  WalletFile& file_;
  MintClient& mints_;
  const cashu::WalletSeed& seed_;
  std::map<std::string, cashu::MintBook> books_;
};

}  // namespace paygress::client
