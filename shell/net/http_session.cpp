#include "shell/net/http_session.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <optional>
#include <utility>

namespace paygress::net {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;

struct HttpSession::Wire {
  explicit Wire(tcp::socket s) : socket(std::move(s)) {}
  tcp::socket socket;
  beast::flat_buffer buffer;
  std::optional<http::request_parser<http::string_body>> parser;
  http::response<http::string_body> response;
};

HttpSession::HttpSession(Loop& loop, tcp::socket socket, const ServerOptions& options,
                         Events events)
    : loop_(loop),
      options_(options),
      events_(std::move(events)),
      wire_(std::make_unique<Wire>(std::move(socket))) {}

HttpSession::~HttpSession() = default;

void HttpSession::start() {
  error_code ignored;
  wire_->socket.set_option(tcp::no_delay(true), ignored);
  read();
}

void HttpSession::watch() {
  loop_.cancel(std::exchange(idle_, 0));
  idle_ = loop_.after(options_.idle_timeout, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->end();
  });
}

void HttpSession::read() {
  watch();
  wire_->parser.emplace();
  wire_->parser->header_limit(static_cast<std::uint32_t>(options_.header_bytes_max));
  wire_->parser->body_limit(options_.body_bytes_max);
  http::async_read(wire_->socket, wire_->buffer, *wire_->parser,
                   [self = shared_from_this()](error_code error, size_t) { self->on_read(error); });
}

void HttpSession::on_read(error_code error) {
  if (ended_) return;
  loop_.cancel(std::exchange(idle_, 0));
  keep_alive_ = false;
  is_head_ = false;
  if (error == http::error::body_limit) return answer(HttpResponse::text(413, "body too long\n"));
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return answer(HttpResponse::text(431, "headers too long\n"));
  if (error && error.category() == make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message)
    return answer(HttpResponse::text(400, "not HTTP\n"));
  if (error) return end();
  dispatch();
}

void HttpSession::dispatch() {
  auto message = wire_->parser->release();
  keep_alive_ = message.keep_alive();
  is_head_ = message.method() == http::verb::head;
  request_ = {};
  request_.method = std::string(message.method_string());
  request_.target = std::string(message.target());
  for (const auto& field : message)
    request_.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  request_.body = std::move(message.body());
  error_code gone;
  request_.client_port = wire_->socket.remote_endpoint(gone).port();
  const auto self = shared_from_this();
  if (beast::websocket::is_upgrade(message) && events_.upgrades) {
    ended_ = true;
    events_.on_upgrade(self);
    events_.on_end(self);
    return;
  }
  const std::weak_ptr<HttpSession> weak = self;
  events_.on_request(request_, Responder(
                                   [weak](HttpResponse response) {
                                     if (auto live = weak.lock()) live->answer(std::move(response));
                                   },
                                   [weak] {
                                     if (auto live = weak.lock()) live->end();
                                   }));
}

void HttpSession::answer(HttpResponse answer) {
  if (ended_) return;
  auto& response = wire_->response = {};
  response.version(11);
  response.result(static_cast<unsigned>(answer.status));
  if (!answer.reason.empty()) response.reason(answer.reason);
  for (const auto& [name, value] : answer.headers) response.insert(name, value);
  response.keep_alive(keep_alive_);
  response.content_length(answer.body.size());
  if (!is_head_) response.body() = std::move(answer.body);
  watch();
  http::async_write(wire_->socket, response, [self = shared_from_this()](error_code error, size_t) {
    if (self->ended_) return;
    if (error || !self->keep_alive_) return self->end();
    self->read();
  });
}

tcp::socket HttpSession::take_socket() {
  PG_CHECK(ended_);
  return std::move(wire_->socket);
}

void HttpSession::end() {
  if (ended_) return;
  const auto self = shared_from_this();
  shut();
  events_.on_end(self);
}

void HttpSession::shut() {
  ended_ = true;
  loop_.cancel(std::exchange(idle_, 0));
  error_code ignored;
  wire_->socket.shutdown(tcp::socket::shutdown_both, ignored);
  wire_->socket.close(ignored);
}

}  // namespace paygress::net
