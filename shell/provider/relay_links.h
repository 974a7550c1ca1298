// The provider's connections to its relays: moves frames between sockets and the core.
//
// What comes in is verified and decrypted on the worker pool, each event once however many relays
// send it, and handed over in the order of arrival over all links.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/crypto/schnorr.h"
#include "core/nostr/admission.h"
#include "core/provider/effects.h"
#include "shell/base/log.h"
#include "shell/net/loop.h"
#include "shell/net/websocket.h"
#include "shell/net/worker_pool.h"

namespace paygress::daemon {

// Of one link, arrived and not yet handed over. A relay that is further ahead is cut off: what it
// had is read again after the reconnect.
inline constexpr size_t kFramesWaitingMax = 2048;
inline constexpr size_t kFrameBytesWaitingMax = size_t{16} << 20;

class RelayLinks {
 public:
  struct Events {
    std::function<void(const provider::Input&)> input;  // LinkUp, LinkLost, RelaySaid, Pong
    std::function<bool(const EventId&)> delivered;      // Provider::delivered
  };
  // All must outlive this object. `relays_max`: links open at once.
  RelayLinks(net::Loop& loop, net::WorkerPool& pool, const crypto::Keypair& me, size_t relays_max,
             Events events);
  ~RelayLinks();
  RelayLinks(const RelayLinks&) = delete;
  RelayLinks& operator=(const RelayLinks&) = delete;

  void open(const provider::OpenLink& effect);
  void close(nostr::LinkId link);  // no event of it follows but frames that arrived before
  void ping(nostr::LinkId link);
  void send(const provider::SendFrame& effect);

  uint64_t frames_refused() const { return refused_; }  // malformed or forged

 private:
  struct Link {
    std::unique_ptr<net::WebSocketClient> client;
    std::string url;
    bool opened = false;
    size_t frames = 0;
    size_t bytes = 0;
  };

  void on_frame(nostr::LinkId link, std::string_view frame);
  void on_pong(nostr::LinkId link);
  void on_closed(nostr::LinkId link, const std::string& reason);
  void lose(nostr::LinkId link, nostr::LinkDown reason, const std::string& text);
  // In the order of arrival, behind the frames that are still being verified.
  void queue(provider::Input input);
  // False when the link has too much waiting; then it is lost.
  bool admit_one(nostr::LinkId link, size_t bytes);
  void one_done(nostr::LinkId link, size_t bytes);
  void hand_over(nostr::LinkId link, size_t bytes, const Result<provider::RelaySaid>& said);

  net::Loop& loop_;
  net::WorkerPool& pool_;
  const crypto::Keypair& me_;
  Events events_;
  net::WorkerPool::QueueId queue_;
  nostr::Admission admission_;
  std::map<nostr::LinkId, Link> links_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  shell::Logger log_{"relay"};
  uint64_t refused_ = 0;
};

}  // namespace paygress::daemon
