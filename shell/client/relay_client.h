// The relays of one command: a pool with its sockets, for as long as the command runs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/crypto/schnorr.h"
#include "core/nostr/relay_pool.h"
#include "shell/base/entropy.h"
#include "shell/net/loop.h"
#include "shell/net/websocket.h"

namespace paygress::client {

inline constexpr const char* kNoRelayAdvice =
    "Nothing was sent and nothing was paid. Check the network, or name other --relays.";

class RelayClient {
 public:
  struct Events {
    std::function<void(const std::string& relay, const nostr::VerifiedEvent&)> on_event;
    std::function<void(const std::string& relay, bool accepted, const std::string& text)> on_answer;
  };
  // At most nostr::kRelaysMax relays are used. `key` signs NIP-42 when a relay asks.
  RelayClient(net::Loop& loop, std::vector<std::string> relays, const crypto::Keypair& key,
              Events events);
  ~RelayClient();
  RelayClient(const RelayClient&) = delete;
  RelayClient& operator=(const RelayClient&) = delete;

  void subscribe(const std::string& name, const std::vector<nostr::Filter>& filters,
                 std::optional<nostr::Backfill> backfill);
  // True when at least one relay has the subscription open, live or reading what is stored.
  bool listening() const;
  // True when every relay was tried and none could be connected.
  bool unreachable() const;
  // Asks for what is stored; blocks until every relay answered or the time is over. Events arrive
  // through on_event meanwhile. Returns how many relays answered completely.
  size_t fetch(const std::string& name, const std::vector<nostr::Filter>& filters, Micros timeout);
  void publish(const nostr::Event& event);

  const std::vector<std::string>& urls() const { return urls_; }
  // "<url>: <why>" of each relay that is not connected, for error messages.
  std::string problems() const;

 private:
  struct Link {
    nostr::LinkId id;
    std::unique_ptr<net::WebSocketClient> socket;
  };
  bool every_relay_tried() const;  // connected, or said why not
  void open(nostr::LinkId link);
  void hear(nostr::LinkId link, std::string_view frame);
  void carry_out(nostr::PoolOutput& output);
  void drain();
  void arm();

  net::Loop& loop_;
  std::vector<std::string> urls_;
  crypto::Keypair key_;
  Events events_;
  shell::OsEntropy entropy_;
  nostr::RelayPool pool_;
  std::map<RelayIndex, Link> links_;
  std::vector<std::unique_ptr<net::WebSocketClient>> dropped_;  // freed outside their callbacks
  std::map<std::string, std::pair<size_t, size_t>> queries_;    // answered, complete
  net::TimerId timer_ = 0;
  uint64_t next_publish_ = 1;
  bool draining_ = false;
};

}  // namespace paygress::client
