// A small HTTP/1.1 server with WebSocket upgrade on the same port: the embedded relay and mint of
// `paygress dev`, and the provider's metrics and health. Plain text, meant for loopback.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "shell/net/http_client.h"
#include "shell/net/loop.h"
#include "shell/net/websocket.h"

namespace paygress::net {

struct HttpRequest {
  std::string method;
  std::string target;  // as sent: path and query
  HttpHeaders headers;
  std::string body;
  uint16_t client_port = 0;  // the other end's, of the connection

  // The part of `target` before '?'.
  std::string_view path() const;
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;  // content-length and connection are ours
  std::string body;
  std::string reason = {};  // of the status line; empty: the usual one

  static HttpResponse json(int status, std::string body);
  static HttpResponse text(int status, std::string body);
};

// Answers one request, at once or later, from the loop's thread. Only the first call counts; a
// responder that is destroyed without an answer closes the connection, which is how a test or a
// model plays a lost answer.
class Responder {
 public:
  explicit Responder(std::function<void(HttpResponse)> answer, std::function<void()> drop);
  void operator()(HttpResponse response) const;
  // Closes the connection without an answer.
  void drop() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// One accepted WebSocket. Kept alive by the server until it is closed; the id is never used again.
using PeerId = uint64_t;

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: any free one
  size_t connections_max = 1024;
  size_t header_bytes_max = 16 * 1024;
  size_t body_bytes_max = size_t{2} << 20;
  size_t message_bytes_max = size_t{1} << 20;  // of a WebSocket; a longer one ends it (1009)
  size_t queued_bytes_max = size_t{8} << 20;   // per WebSocket; the slow reader is cut off
  Micros idle_timeout = micros(Seconds{60});   // of a plain HTTP connection
};

struct ServerHandlers {
  // Missing: every request is answered with 404.
  std::function<void(const HttpRequest&, Responder)> on_request;
  // Missing: upgrades are refused. The request is the upgrade's.
  std::function<void(PeerId, const HttpRequest&)> on_open;
  std::function<void(PeerId, std::string_view text)> on_text;
  std::function<void(PeerId)> on_closed;  // exactly once after on_open
};

class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> listen(Loop& loop, ServerOptions options,
                                                    ServerHandlers handlers);
  // Closes everything; no handler follows.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;
  std::string url(std::string_view scheme) const;  // "ws://127.0.0.1:4444"

  // Full: the peer does not read; it is being cut off.
  Sent send(PeerId peer, std::string text);
  // Close handshake with this code (RFC 6455 section 7.4).
  void close(PeerId peer, uint16_t code = 1000);
  // Ends the TCP connection without a word.
  void abort(PeerId peer);
  // Whether pings of this peer are answered (tests play a half-open connection).
  void mute(PeerId peer);
  size_t websockets() const;

 private:
  class Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace paygress::net
