// One accepted WebSocket of HttpServer. Only shell/net includes this.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "shell/net/http_server.h"

namespace paygress::net {

class WebSocketPeer : public std::enable_shared_from_this<WebSocketPeer> {
 public:
  struct Events {
    std::function<void()> on_open;
    std::function<void(std::string_view)> on_text;
    std::function<void(bool was_open)> on_end;  // once, last
  };

  WebSocketPeer(Loop& loop, boost::asio::ip::tcp::socket socket, const ServerOptions& options,
                Events events);
  ~WebSocketPeer();

  // Answers the upgrade.
  void start(const HttpRequest& upgrade);
  Sent send(std::string text);
  void close(uint16_t code);
  void abort();  // the TCP connection ends; on_end follows later
  void mute();   // reads nothing any more, so it answers no ping
  void shut();   // as abort(), without any event

 private:
  struct Wire;
  void read();
  void write();
  void end();

  Loop& loop_;
  const ServerOptions options_;
  Events events_;
  std::unique_ptr<Wire> wire_;
  size_t queued_bytes_ = 0;
  bool open_ = false;
  bool muted_ = false;
  bool closing_ = false;
  bool ended_ = false;
};

}  // namespace paygress::net
