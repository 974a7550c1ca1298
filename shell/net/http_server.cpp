#include "shell/net/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <set>
#include <utility>

#include "shell/net/http_session.h"
#include "shell/net/websocket_peer.h"

namespace paygress::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

std::string_view HttpRequest::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

HttpResponse HttpResponse::json(int status, std::string body) {
  return {status, {{"content-type", "application/json"}}, std::move(body), {}};
}

HttpResponse HttpResponse::text(int status, std::string body) {
  return {status, {{"content-type", "text/plain; charset=utf-8"}}, std::move(body), {}};
}

struct Responder::State {
  std::function<void(HttpResponse)> answer;
  std::function<void()> drop;
  bool used = false;

  ~State() {
    if (!used) drop();
  }
};

Responder::Responder(std::function<void(HttpResponse)> answer, std::function<void()> drop)
    : state_(std::make_shared<State>(std::move(answer), std::move(drop))) {}

void Responder::operator()(HttpResponse response) const {
  if (!std::exchange(state_->used, true)) state_->answer(std::move(response));
}

void Responder::drop() const {
  if (!std::exchange(state_->used, true)) state_->drop();
}

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, ServerOptions options, ServerHandlers handlers)
      : loop_(loop),
        options_(std::move(options)),
        handlers_(std::move(handlers)),
        acceptor_(loop.context()) {}

  Result<void> listen() {
    error_code error;
    const auto address = asio::ip::make_address(options_.address, error);
    if (error) return fail("not an address", options_.address);
    const tcp::endpoint endpoint(address, options_.port);
    const std::string where = options_.address + ":" + std::to_string(options_.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return fail("cannot listen: " + error.message(), where);
    accept();
    return {};
  }

  void stop() {
    stopped_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    for (const auto& session : std::exchange(sessions_, {})) session->shut();
    for (const auto& [id, peer] : std::exchange(peers_, {})) peer->shut();
  }

  uint16_t port() const {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }
  const ServerOptions& options() const { return options_; }
  WebSocketPeer* find(PeerId id) const {
    const auto it = peers_.find(id);
    return it == peers_.end() ? nullptr : it->second.get();
  }
  size_t websockets() const { return peers_.size(); }

 private:
  void accept() {
    acceptor_.async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
      if (self->stopped_) return;
      if (error) {
        // Out of descriptors, mostly: trying again at once would spin.
        self->loop_.after(micros(Seconds{1}), [weak = self->weak_from_this()] {
          if (auto again = weak.lock(); again && !again->stopped_) again->accept();
        });
        return;
      }
      if (self->sessions_.size() + self->peers_.size() < self->options_.connections_max)
        self->open_session(std::move(socket));
      self->accept();
    });
  }

  void open_session(tcp::socket socket) {
    HttpSession::Events events;
    const auto weak = weak_from_this();
    events.on_request = [weak](const HttpRequest& request, Responder responder) {
      const auto self = weak.lock();
      if (!self || self->stopped_) return;
      if (self->handlers_.on_request) return self->handlers_.on_request(request, responder);
      responder(HttpResponse::text(404, "not found\n"));
    };
    events.on_upgrade = [weak](std::shared_ptr<HttpSession> session) {
      if (const auto self = weak.lock(); self && !self->stopped_) self->upgrade(*session);
    };
    events.on_end = [weak](const std::shared_ptr<HttpSession>& session) {
      if (const auto self = weak.lock()) self->sessions_.erase(session);
    };
    events.upgrades = handlers_.on_open != nullptr;
    auto session = std::make_shared<HttpSession>(loop_, std::move(socket), options_, events);
    sessions_.insert(session);
    session->start();
  }

  void upgrade(HttpSession& session) {
    const PeerId id = ++last_peer_;
    const auto weak = weak_from_this();
    WebSocketPeer::Events events;
    events.on_open = [weak, id, request = session.request()] {
      if (const auto self = weak.lock(); self && !self->stopped_)
        self->handlers_.on_open(id, request);
    };
    events.on_text = [weak, id](std::string_view text) {
      const auto self = weak.lock();
      if (self && !self->stopped_ && self->handlers_.on_text) self->handlers_.on_text(id, text);
    };
    events.on_end = [weak, id](bool was_open) {
      const auto self = weak.lock();
      if (!self || self->stopped_) return;
      self->peers_.erase(id);
      if (was_open && self->handlers_.on_closed) self->handlers_.on_closed(id);
    };
    auto peer = std::make_shared<WebSocketPeer>(loop_, session.take_socket(), options_, events);
    peers_.emplace(id, peer);
    peer->start(session.request());
  }

  Loop& loop_;
  ServerOptions options_;
  ServerHandlers handlers_;
  tcp::acceptor acceptor_;
  std::set<std::shared_ptr<HttpSession>> sessions_;
  std::map<PeerId, std::shared_ptr<WebSocketPeer>> peers_;
  PeerId last_peer_ = 0;
  bool stopped_ = false;
};

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { impl_->stop(); }

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loop& loop, ServerOptions options,
                                                       ServerHandlers handlers) {
  auto impl = std::make_shared<Impl>(loop, std::move(options), std::move(handlers));
  if (auto ok = impl->listen(); !ok) return std::unexpected(ok.error());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

uint16_t HttpServer::port() const { return impl_->port(); }

std::string HttpServer::url(std::string_view scheme) const {
  const std::string& address = impl_->options().address;
  const bool v6 = address.find(':') != std::string::npos;
  return std::string(scheme) + "://" + (v6 ? "[" + address + "]" : address) + ":" +
         std::to_string(port());
}

Sent HttpServer::send(PeerId peer, std::string text) {
  WebSocketPeer* const found = impl_->find(peer);
  return found == nullptr ? Sent::NotOpen : found->send(std::move(text));
}

void HttpServer::close(PeerId peer, uint16_t code) {
  if (WebSocketPeer* const found = impl_->find(peer)) found->close(code);
}

void HttpServer::abort(PeerId peer) {
  if (WebSocketPeer* const found = impl_->find(peer)) found->abort();
}

void HttpServer::mute(PeerId peer) {
  if (WebSocketPeer* const found = impl_->find(peer)) found->mute();
}

size_t HttpServer::websockets() const { return impl_->websockets(); }

}  // namespace paygress::net
