// Compares the wallet with its mints (NUT-07): every proof that the ledger calls ours should be
// unspent there. Asks, and changes nothing.
//
// Report: {"sound", "complete", "purses": [{"mint", "unit", "unspent_msat", "in_doubt_msat",
//          "pending_msat", "spent_msat", "unanswered_msat"}]}
//
// A proof that an operation holds may be spent: that is in doubt, and the operation finds out. One
// that no operation holds, before the question nor after it, is spent by somebody else: not sound.
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/cashu/mint_api.h"
#include "core/cashu/redeem_state.h"

namespace paygress::daemon {

using AskMint =
    std::function<void(const cashu::MintCall&, std::function<void(const cashu::MintAnswer&)>)>;

class WalletCheck : public std::enable_shared_from_this<WalletCheck> {
 public:
  using Done = std::function<void(const boost::json::object& report)>;
  // `state` must outlive the last answer. `done` is called once, at once when there is nothing.
  static void run(const cashu::RedeemState& state, AskMint ask, Done done);

 private:
  using Purse = cashu::WalletStore::Purse;
  struct Piece {
    Purse purse;
    std::vector<cashu::Proof> proofs;
  };
  struct Tally {
    cashu::Amount unspent = 0;
    cashu::Amount in_doubt = 0;
    cashu::Amount pending = 0;
    cashu::Amount spent = 0;
    cashu::Amount unanswered = 0;
  };

  WalletCheck(const cashu::RedeemState& state, AskMint ask, Done done)
      : state_(state), ask_(std::move(ask)), done_(std::move(done)) {}
  void next();
  void take(const Piece& piece, const std::vector<cashu::Point>& points,
            const cashu::MintAnswer& answer);
  boost::json::object report() const;

  const cashu::RedeemState& state_;
  AskMint ask_;
  Done done_;
  std::vector<Piece> pieces_;
  std::map<Purse, Tally> tallies_;
};

}  // namespace paygress::daemon
