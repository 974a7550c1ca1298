// The wallet's verbs inside the daemon: `wallet send` waits here until its token is durable. The
// tokens of the payout rule are put into their files, each until it is there.
//
//   {"verb": "wallet-balance"}                     -> balance_json
//   {"verb": "wallet-check"}                       -> WalletCheck's report
//   {"verb": "wallet-send", "id": 32 hex digits,   -> withdrawal_json; its state is "open" when the
//    "sats": N | "all": true, "mint", "unit",         mint takes longer than kSendPatience
//    "force"}
//   {"verb": "wallet-pay", "id", "invoice",        -> withdrawal_json; its state is "open" when the
//    "mint", "unit", "force"}                         payment takes longer than kSendPatience
//   {"verb": "wallet-restore"}                     -> restore_json; "under_way" when the mints take
//                                                     longer than kSearchPatience
//   {"verb": "ledger-release", "force": bool}      -> {"waits_for": [...]}; empty: it is released
//
// What cannot be done: {"error": "..."}; nothing has left the wallet then.
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/provider/provider.h"
#include "shell/base/log.h"
#include "shell/net/control_socket.h"
#include "shell/net/loop.h"
#include "shell/provider/mint_watch.h"
#include "shell/provider/wallet_check.h"

namespace paygress::daemon {

inline constexpr Micros kSendPatience = micros(Seconds{30});
inline constexpr Micros kSearchPatience = micros(Seconds{45});  // a verb's is 60
inline constexpr Micros kPayoutRetry = micros(Seconds{60});  // when its file could not be written

class WalletDesk {
 public:
  using Reply = net::ControlServer::Reply;
  // All must outlive it, but for what `ask_mint` asks. `step` is the daemon's. `payouts`: where
  // their files go.
  WalletDesk(net::Loop& loop, const provider::Provider& core, const SilentMints& silent,
             std::string payouts, AskMint ask_mint,
             std::function<void(const provider::Input&)> step);
  ~WalletDesk();
  WalletDesk(const WalletDesk&) = delete;
  WalletDesk& operator=(const WalletDesk&) = delete;

  boost::json::object balance() const;
  void send(const boost::json::object& request, Reply reply);
  void pay(const boost::json::object& request, Reply reply);
  // Compares the wallet with its mints (wallet_check.h).
  void check(Reply reply);
  // Searches every mint for what the seed owns.
  void restore(Reply reply);
  void release(bool force, Reply reply);
  // The effects: what they say is durable.
  void settled(const provider::WithdrawalSettled& settled);
  void searched(const provider::WalletSearched& searched);
  void released(const provider::ReleaseSettled& released);

 private:
  // What to send and what to pay is added by `send` and `pay`, unless `known` (core/provider).
  struct Asked {
    provider::Withdraw withdraw;
    bool known = false;
  };
  Result<Asked> read(const boost::json::object& request) const;
  Result<void> read_amount(const boost::json::object& request, provider::Withdraw& asked) const;
  void withdraw(const provider::Withdraw& asked, Reply reply);
  Result<lease::MintUnit> choose_purse(std::string mint, const std::string& unit) const;
  void answer(const ClaimId& id, const std::string& problem);
  void deliver(const ClaimId& id);
  void answer_search(bool under_way);
  Result<void> write_payout(const lease::Withdrawal& payout) const;

  net::Loop& loop_;
  const provider::Provider& core_;
  const SilentMints& silent_;
  std::string payouts_;
  AskMint ask_mint_;
  shell::Logger log_{"wallet"};
  std::function<void(const provider::Input&)> step_;
  std::map<ClaimId, std::vector<Reply>> waiting_;
  // One search at a time: whoever asks meanwhile hears of the same one.
  std::vector<Reply> searching_;
  std::set<std::string> unsearched_;  // mints
  std::vector<provider::WalletSearched> found_;
  std::vector<Reply> releasing_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace paygress::daemon
