// What the daemon answers on its control socket: one JSON object per line, both ways.
//
//   {"verb": "status"}                     -> live_json (status.h) and pid, started_at, data_dir
//   {"verb": "drain", "on": true}          -> {"draining": true}
//   {"verb": "ledger-verify"}              -> to_json(Verification)
//   {"verb": "ledger-show", "lease": "x"}  -> to_json(Story)
//   {"verb": "wallet-history"}             -> to_json(WalletEntry)
//   {"verb": "wallet-token", "id": "x"}    -> withdrawal_json, by the begin of its id
//   "wallet-balance", "-check", "-send", "-pay", "-restore", "ledger-release" -> wallet_desk.h
//
// What cannot be answered: {"error": "...", "not_found": bool}.
#pragma once

#include <boost/json/object.hpp>

#include <functional>

#include "shell/net/control_socket.h"
#include "shell/provider/journal_writer.h"
#include "shell/provider/wallet_desk.h"

namespace paygress::daemon {

struct ControlVerbs {
  std::function<boost::json::object()> status;
  std::function<void(bool on)> drain;
  JournalWriter* writer = nullptr;  // outlives the server
  WalletDesk* wallet = nullptr;     // likewise
  std::string data_dir;
};

net::ControlServer::Handler control_handler(ControlVerbs verbs);

}  // namespace paygress::daemon
