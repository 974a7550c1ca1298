// A Nostr relay in this process: sim's RelayModel behind real sockets, for `paygress dev` and for
// tests. Events are really verified. Everything is kept in memory and is gone with the object.
//
// NIP-01 over WebSocket, NIP-11 for a GET with `Accept: application/nostr+json`, NIP-40. Its bounds
// are those of sim::RelayLimits and net::ServerOptions; a client that does not read is cut off.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "shell/net/http_server.h"
#include "sim/models/relay.h"

namespace paygress::dev {

struct EmbeddedRelayOptions {
  uint16_t port = 0;  // 0: any free one; always on loopback
  std::string name = "paygress dev relay";
  sim::RelayLimits limits;
};

// Used on the loop's thread, and destroyed before the loop.
class EmbeddedRelay {
 public:
  static Result<std::unique_ptr<EmbeddedRelay>> start(net::Loop& loop,
                                                      EmbeddedRelayOptions options = {});
  EmbeddedRelay(const EmbeddedRelay&) = delete;
  EmbeddedRelay& operator=(const EmbeddedRelay&) = delete;

  std::string url() const { return server_->url("ws"); }
  uint16_t port() const { return server_->port(); }
  // From now on nothing of the clients on these ports is heard and nothing is told to them, as over
  // a cable that was pulled; asked once about each connection that is open, and about new ones.
  // The connections that were cut end when the next is set; with an empty one no more are.
  using Cut = std::function<bool(uint16_t client_port)>;
  void set_cut(Cut cut);
  // Faults may be set at any time, and what is stored may be asked.
  sim::RelayModel& model() { return model_; }

 private:
  explicit EmbeddedRelay(EmbeddedRelayOptions options);
  void answer(const net::HttpRequest& request, const net::Responder& responder) const;
  void take_frame(net::PeerId peer, std::string_view frame);
  void send(const sim::RelayModel::Replies& replies);
  void consider(net::PeerId peer, uint16_t client_port);

  EmbeddedRelayOptions options_;
  Cut cut_;
  std::map<net::PeerId, uint16_t> client_ports_;
  std::set<net::PeerId> cut_off_;
  sim::RelayModel model_;
  std::unique_ptr<net::HttpServer> server_;  // last: no handler runs after the model is gone
};

}  // namespace paygress::dev
