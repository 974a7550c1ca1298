// A WebSocket client connection (RFC 6455), ws:// and wss://, over Beast.
//
// The certificate of wss is verified against the host's name, which is also sent as SNI. Keep-alive
// is our own: a ping every `ping_every`, and the connection counts as lost when no pong came within
// `pong_within` (half-open sockets are the main cause of silent relays).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/units.h"
#include "shell/net/loop.h"

namespace paygress::net {

struct WebSocketOptions {
  std::string url;
  std::string ca_file;                           // PEM; empty: the system's store
  Micros connect_timeout = micros(Seconds{15});  // name look-up, TCP, TLS and upgrade together
  Micros ping_every = micros(Seconds{27});       // 0: no keep-alive of our own
  Micros pong_within = micros(Seconds{20});
  size_t message_bytes_max = size_t{1} << 20;  // a longer one from the peer ends the connection
  size_t queued_bytes_max = size_t{4} << 20;   // written and not yet taken by the kernel
  size_t queued_messages_max = 4096;
};

// Every function may be empty. They may destroy the client they were called from.
struct WebSocketEvents {
  std::function<void()> on_open;
  // One whole text message; valid UTF-8. The view ends with the call. A binary message ends the
  // connection: Nostr has none.
  std::function<void(std::string_view)> on_text;
  std::function<void()> on_pong;
  // Exactly once, last: after on_open, or instead of it. The reason is for a person.
  std::function<void(const std::string& reason)> on_closed;
};

enum class Sent : uint8_t { Queued, Full, NotOpen };

class WebSocketClient {
 public:
  // Starts to connect at once. Errors, even of the URL, arrive through on_closed, never from here.
  WebSocketClient(Loop& loop, WebSocketOptions options, WebSocketEvents events);
  // Drops the connection; no callback follows.
  ~WebSocketClient();
  WebSocketClient(const WebSocketClient&) = delete;
  WebSocketClient& operator=(const WebSocketClient&) = delete;

  // One text message. Full: nothing was queued, the peer does not read.
  Sent send(std::string text);
  // A ping beside the keep-alive's own; answered by on_pong.
  void ping();
  // Close handshake; on_closed follows within a few seconds, answered or not.
  void close();
  bool is_open() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

struct Url {
  bool secure = false;  // wss, https
  std::string host;     // without the brackets of an IPv6 address
  uint16_t port = 0;
  std::string target;  // path and query, at least "/"
};
// ws, wss, http and https. User names and fragments are refused.
Result<Url> parse_url(std::string_view url);

}  // namespace paygress::net
