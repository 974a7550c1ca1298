// One HTTP/1.1 connection of HttpServer. Only shell/net includes this.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "shell/net/http_server.h"

namespace paygress::net {

// Reads one request at a time and waits for its answer: a client that pipelines waits too.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  struct Events {
    std::function<void(const HttpRequest&, Responder)> on_request;
    // The session ends with this; take_socket() continues.
    std::function<void(std::shared_ptr<HttpSession>)> on_upgrade;
    std::function<void(const std::shared_ptr<HttpSession>&)> on_end;
    bool upgrades = false;  // whether on_upgrade is wanted
  };

  HttpSession(Loop& loop, boost::asio::ip::tcp::socket socket, const ServerOptions& options,
              Events events);
  ~HttpSession();

  void start();
  // Drops the connection; no event follows.
  void shut();

  boost::asio::ip::tcp::socket take_socket();
  const HttpRequest& request() const { return request_; }

 private:
  struct Wire;
  void read();
  void on_read(boost::system::error_code error);
  void dispatch();
  void answer(HttpResponse response);
  void end();
  void watch();

  Loop& loop_;
  const ServerOptions options_;
  Events events_;
  std::unique_ptr<Wire> wire_;
  HttpRequest request_;
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool ended_ = false;
  TimerId idle_ = 0;
};

}  // namespace paygress::net
