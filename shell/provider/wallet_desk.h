// The wallet's verbs inside the daemon: `wallet send` waits here until its token is durable.
//
//   {"verb": "wallet-balance"}                     -> balance_json
//   {"verb": "wallet-send", "id": 32 hex digits,   -> withdrawal_json; its state is "open" when the
//    "sats": N | "all": true, "mint", "unit"}         mint takes longer than kSendPatience
//
// What cannot be done: {"error": "..."}; nothing has left the wallet then.
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <vector>

#include "core/provider/provider.h"
#include "shell/net/control_socket.h"
#include "shell/net/loop.h"

namespace paygress::daemon {

inline constexpr Micros kSendPatience = micros(Seconds{30});

class WalletDesk {
 public:
  using Reply = net::ControlServer::Reply;
  // All must outlive it. `step` is the daemon's.
  WalletDesk(net::Loop& loop, const provider::Provider& core,
             std::function<void(const provider::Input&)> step);
  ~WalletDesk();
  WalletDesk(const WalletDesk&) = delete;
  WalletDesk& operator=(const WalletDesk&) = delete;

  boost::json::object balance() const;
  void send(const boost::json::object& request, Reply reply);
  // The effect: what it says is durable.
  void settled(const provider::WithdrawalSettled& settled);

 private:
  Result<provider::Withdraw> read(const boost::json::object& request) const;
  Result<lease::MintUnit> choose_purse(std::string mint, const std::string& unit) const;
  void answer(const ClaimId& id, const std::string& problem);

  net::Loop& loop_;
  const provider::Provider& core_;
  std::function<void(const provider::Input&)> step_;
  std::map<ClaimId, std::vector<Reply>> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace paygress::daemon
