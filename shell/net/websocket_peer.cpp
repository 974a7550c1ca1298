#include "shell/net/websocket_peer.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <utility>

namespace paygress::net {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr Micros kCloseTimeout = micros(Seconds{3});

}  // namespace

struct WebSocketPeer::Wire {
  explicit Wire(tcp::socket socket) : stream(std::move(socket)) {}
  websocket::stream<tcp::socket> stream;
  websocket::request_type upgrade;
  beast::flat_buffer incoming;
  std::deque<std::string> outgoing;  // the first one is being written
};

WebSocketPeer::WebSocketPeer(Loop& loop, tcp::socket socket, const ServerOptions& options,
                             Events events)
    : loop_(loop),
      options_(options),
      events_(std::move(events)),
      wire_(std::make_unique<Wire>(std::move(socket))) {}

WebSocketPeer::~WebSocketPeer() = default;

void WebSocketPeer::start(const HttpRequest& upgrade) {
  auto& stream = wire_->stream;
  stream.read_message_max(options_.message_bytes_max);
  stream.auto_fragment(false);
  stream.text(true);
  auto& request = wire_->upgrade;
  request.version(11);
  request.method(beast::http::verb::get);
  request.target(upgrade.target);
  for (const auto& [name, value] : upgrade.headers) request.insert(name, value);
  stream.async_accept(request, [self = shared_from_this()](error_code error) {
    if (self->ended_) return;
    if (error) return self->end();
    self->open_ = true;
    self->read();
    self->events_.on_open();
  });
}

void WebSocketPeer::read() {
  wire_->stream.async_read(wire_->incoming, [self = shared_from_this()](error_code error, size_t) {
    if (self->ended_ || self->muted_) return;
    if (error || !self->wire_->stream.got_text()) return self->end();
    const auto data = self->wire_->incoming.data();
    self->events_.on_text({static_cast<const char*>(data.data()), data.size()});
    if (self->ended_ || self->muted_) return;
    self->wire_->incoming.consume(self->wire_->incoming.size());
    self->read();
  });
}

Sent WebSocketPeer::send(std::string text) {
  if (!open_ || ended_ || closing_) return Sent::NotOpen;
  if (queued_bytes_ + text.size() > options_.queued_bytes_max) {
    abort();
    return Sent::Full;
  }
  queued_bytes_ += text.size();
  wire_->outgoing.push_back(std::move(text));
  if (wire_->outgoing.size() == 1) write();
  return Sent::Queued;
}

void WebSocketPeer::write() {
  auto& front = wire_->outgoing.front();
  wire_->stream.async_write(boost::asio::buffer(front),
                            [self = shared_from_this()](error_code error, size_t) {
                              if (self->ended_) return;
                              if (error) return self->muted_ ? void() : self->end();
                              auto& outgoing = self->wire_->outgoing;
                              self->queued_bytes_ -= outgoing.front().size();
                              outgoing.pop_front();
                              if (!outgoing.empty() && !self->closing_) self->write();
                            });
}

void WebSocketPeer::close(uint16_t code) {
  if (!open_ || ended_ || std::exchange(closing_, true)) return;
  wire_->stream.async_close(websocket::close_reason(code),
                            [self = shared_from_this()](error_code) { self->end(); });
  loop_.after(kCloseTimeout, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->end();
  });
}

void WebSocketPeer::abort() {
  // The end is told later: the caller may be inside a handler of the server.
  loop_.post([self = shared_from_this()] { self->end(); });
  closing_ = true;
  error_code ignored;
  beast::get_lowest_layer(wire_->stream).close(ignored);
}

void WebSocketPeer::mute() {
  muted_ = true;
  error_code ignored;
  beast::get_lowest_layer(wire_->stream).cancel(ignored);
}

void WebSocketPeer::end() {
  if (ended_) return;
  const auto self = shared_from_this();
  shut();
  events_.on_end(open_);
}

void WebSocketPeer::shut() {
  ended_ = true;
  error_code ignored;
  beast::get_lowest_layer(wire_->stream).close(ignored);
}

}  // namespace paygress::net
