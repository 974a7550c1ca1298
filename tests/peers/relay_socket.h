// Websockets to a relay that we did not write, with an inbox each.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/nostr/message.h"
#include "shell/net/websocket.h"

namespace paygress::peers {

// Of every wait. What ends at once when it succeeds may have all of it on a busy machine.
inline constexpr Micros kPatience{30'000'000};

class RelaySocket {
 public:
  RelaySocket(net::Loop& loop, const std::string& url) : loop_(loop) {
    net::WebSocketOptions options;
    options.url = url;
    net::WebSocketEvents events;
    events.on_text = [this](std::string_view text) { frames_.emplace_back(text); };
    events.on_closed = [this](const std::string& reason) { closed_ = "closed: " + reason; };
    client_ = std::make_unique<net::WebSocketClient>(loop, std::move(options), std::move(events));
    loop.run_until([this] { return client_->is_open() || !closed_.empty(); }, kPatience);
    EXPECT_TRUE(client_->is_open()) << closed_;
  }

  void send(const nostr::ClientMessage& message) {
    EXPECT_EQ(client_->send(nostr::to_frame(message)), net::Sent::Queued) << closed_;
  }
  // Every frame since the last call: at least until `enough` says so of all of them together, or
  // the time is over.
  template <class Enough>
  std::vector<std::string> receive(Enough enough, Micros limit = kPatience) {
    loop_.run_until([&] { return enough(frames_) || !closed_.empty(); }, limit);
    EXPECT_EQ(closed_, "");
    return std::exchange(frames_, {});
  }

 private:
  net::Loop& loop_;
  std::vector<std::string> frames_;
  std::string closed_;
  std::unique_ptr<net::WebSocketClient> client_;
};

}  // namespace paygress::peers
