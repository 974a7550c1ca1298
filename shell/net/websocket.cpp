// The only file that includes Beast's WebSocket over TLS: it costs half a minute to compile.
#include "shell/net/websocket.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <deque>
#include <map>
#include <optional>
#include <utility>

namespace paygress::net {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using Plain = websocket::stream<tcp::socket>;
using Tls = websocket::stream<ssl::stream<tcp::socket>>;

constexpr Micros kCloseTimeout = micros(Seconds{3});
constexpr std::string_view kUserAgent = "paygress";

// Reading the system's certificates takes a while, so one context serves every connection of a
// thread with the same trust.
Result<std::shared_ptr<ssl::context>> trust(const std::string& ca_file) {
  thread_local std::map<std::string, std::shared_ptr<ssl::context>> contexts;
  auto& context = contexts[ca_file];
  if (context != nullptr) return context;
  auto made = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(made->native_handle(), TLS1_2_VERSION);
  error_code error;
  if (ca_file.empty())
    made->set_default_verify_paths(error);
  else
    made->load_verify_file(ca_file, error);
  if (error) return fail("certificates cannot be read: " + error.message(), ca_file);
  made->set_verify_mode(ssl::verify_peer, error);
  PG_CHECK(!error);
  return context = std::move(made);
}

bool is_address(const std::string& host) {
  error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

}  // namespace

class WebSocketClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, WebSocketOptions options, WebSocketEvents events)
      : loop_(loop),
        options_(std::move(options)),
        events_(std::move(events)),
        resolver_(loop.context()) {}

  void start();
  Sent send(std::string text);
  void ping();
  void close();
  bool is_open() const { return state_ == State::Open; }
  // The owner is gone: no callback from now on.
  void drop() {
    dropped_ = true;
    shut();
  }

 private:
  enum class State : uint8_t { Connecting, Open, Closing, Closed };

  template <class F>
  void with_stream(F&& f) {
    if (tls_)
      f(*tls_);
    else if (plain_)
      f(*plain_);
  }
  // A handler that does nothing once the connection is shut.
  template <class F>
  auto guarded(F f) {
    return [self = shared_from_this(), f = std::move(f)](auto&&... results) mutable {
      if (self->state_ != State::Closed) f(std::forward<decltype(results)>(results)...);
    };
  }
  tcp::socket& socket() {
    return tls_ ? beast::get_lowest_layer(*tls_) : beast::get_lowest_layer(*plain_);
  }

  void on_resolved(error_code error, const tcp::resolver::results_type& found);
  void on_connected(error_code error);
  void upgrade();
  void on_upgraded(error_code error);
  void read();
  void on_read(error_code error);
  void write();
  void keep_alive();
  void on_control(websocket::frame_type kind);
  std::string read_failure(error_code error);
  void finish(const std::string& reason);
  void shut();

  Loop& loop_;
  WebSocketOptions options_;
  WebSocketEvents events_;
  Url url_;
  tcp::resolver resolver_;
  std::optional<Plain> plain_;
  std::shared_ptr<ssl::context> trust_;
  std::optional<Tls> tls_;
  beast::flat_buffer incoming_;
  std::deque<std::string> outgoing_;  // the first one is being written
  size_t outgoing_bytes_ = 0;
  bool ping_under_way_ = false;
  bool heard_ = false;  // anything from the peer since the keep-alive's last ping
  State state_ = State::Connecting;
  bool dropped_ = false;
  TimerId deadline_ = 0;  // of connecting, then of closing
  TimerId keep_alive_ = 0;
};

void WebSocketClient::Impl::start() {
  auto later = [this](std::string reason) {
    loop_.post([self = shared_from_this(), reason = std::move(reason)] { self->finish(reason); });
  };
  auto url = parse_url(options_.url);
  if (!url) return later("cannot connect: " + url.error().message);
  url_ = std::move(*url);
  if (url_.secure) {
    auto context = trust(options_.ca_file);
    if (!context) return later("cannot connect: " + to_string(context.error()));
    trust_ = std::move(*context);
    tls_.emplace(loop_.context(), *trust_);
  } else {
    plain_.emplace(loop_.context());
  }
  deadline_ = loop_.after(options_.connect_timeout, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->finish("no connection in time");
  });
  resolver_.async_resolve(url_.host, std::to_string(url_.port), tcp::resolver::numeric_service,
                          guarded([this](error_code error, tcp::resolver::results_type found) {
                            on_resolved(error, found);
                          }));
}

void WebSocketClient::Impl::on_resolved(error_code error,
                                        const tcp::resolver::results_type& found) {
  if (error) return finish("no address for " + url_.host + ": " + error.message());
  asio::async_connect(socket(), found,
                      guarded([this](error_code e, const tcp::endpoint&) { on_connected(e); }));
}

void WebSocketClient::Impl::on_connected(error_code error) {
  if (error) return finish("cannot connect: " + error.message());
  socket().set_option(tcp::no_delay(true), error);
  if (!tls_) return upgrade();
  auto& layer = tls_->next_layer();
  if (!is_address(url_.host) &&
      SSL_set_tlsext_host_name(layer.native_handle(), url_.host.c_str()) != 1)
    return finish("TLS cannot name the host " + url_.host);
  layer.set_verify_callback(ssl::host_name_verification(url_.host), error);
  if (error) return finish("TLS: " + error.message());
  layer.async_handshake(ssl::stream_base::client, guarded([this](error_code e) {
                          if (e) return finish("TLS: " + e.message());
                          upgrade();
                        }));
}

void WebSocketClient::Impl::upgrade() {
  with_stream([this](auto& stream) {
    stream.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
      request.set(beast::http::field::user_agent, beast::string_view(kUserAgent));
    }));
    stream.read_message_max(options_.message_bytes_max);
    stream.auto_fragment(false);
    stream.text(true);
    // Called from inside a read, which owns a reference to this object.
    stream.control_callback(
        [this](websocket::frame_type kind, beast::string_view) { on_control(kind); });
    std::string host = url_.host.find(':') == std::string::npos ? url_.host : "[" + url_.host + "]";
    if (url_.port != (url_.secure ? 443 : 80)) host += ":" + std::to_string(url_.port);
    stream.async_handshake(host, url_.target,
                           guarded([this](error_code error) { on_upgraded(error); }));
  });
}

void WebSocketClient::Impl::on_upgraded(error_code error) {
  if (error) return finish("no WebSocket: " + error.message());
  loop_.cancel(std::exchange(deadline_, 0));
  state_ = State::Open;
  keep_alive();
  read();
  if (events_.on_open) events_.on_open();
}

void WebSocketClient::Impl::read() {
  with_stream([this](auto& stream) {
    stream.async_read(incoming_, guarded([this](error_code e, size_t) { on_read(e); }));
  });
}

void WebSocketClient::Impl::on_read(error_code error) {
  if (error) return finish(read_failure(error));
  heard_ = true;
  bool is_text = false;
  with_stream([&](auto& stream) { is_text = stream.got_text(); });
  if (!is_text) return finish("the peer sent a binary message");
  if (state_ == State::Open && events_.on_text) {
    const auto data = incoming_.data();
    events_.on_text({static_cast<const char*>(data.data()), data.size()});
  }
  if (state_ == State::Closed) return;
  incoming_.consume(incoming_.size());
  // One long message must not hold its memory for the life of the connection.
  if (incoming_.capacity() > 256 * 1024) incoming_.shrink_to_fit();
  read();
}

std::string WebSocketClient::Impl::read_failure(error_code error) {
  if (error == websocket::error::message_too_big)
    return "the peer sent a message longer than " + std::to_string(options_.message_bytes_max) +
           " bytes";
  if (error != websocket::error::closed) return "connection lost: " + error.message();
  if (state_ == State::Closing) return "closed";
  websocket::close_reason why;
  with_stream([&](auto& stream) { why = stream.reason(); });
  std::string text = "closed by the peer with code " + std::to_string(why.code);
  if (!why.reason.empty()) text += ": " + std::string(why.reason.c_str(), why.reason.size());
  return text;
}

void WebSocketClient::Impl::on_control(websocket::frame_type kind) {
  heard_ = true;
  if (kind != websocket::frame_type::pong || state_ != State::Open || !events_.on_pong) return;
  // Not from here: Beast is inside its read, and the callback may destroy the client.
  loop_.post(guarded([this] { events_.on_pong(); }));
}

void WebSocketClient::Impl::keep_alive() {
  if (options_.ping_every.value <= 0) return;
  keep_alive_ = loop_.after(options_.ping_every, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->state_ != State::Open) return;
    self->heard_ = false;
    self->ping();
    self->keep_alive_ = self->loop_.after(self->options_.pong_within, [weak] {
      const auto again = weak.lock();
      if (!again || again->state_ != State::Open) return;
      if (!again->heard_) return again->finish("connection lost: no answer to a ping");
      again->keep_alive();
    });
  });
}

Sent WebSocketClient::Impl::send(std::string text) {
  if (state_ != State::Open) return Sent::NotOpen;
  if (outgoing_.size() >= options_.queued_messages_max ||
      outgoing_bytes_ + text.size() > options_.queued_bytes_max)
    return Sent::Full;
  outgoing_bytes_ += text.size();
  outgoing_.push_back(std::move(text));
  if (outgoing_.size() == 1) write();
  return Sent::Queued;
}

void WebSocketClient::Impl::write() {
  with_stream([this](auto& stream) {
    stream.async_write(asio::buffer(outgoing_.front()), guarded([this](error_code error, size_t) {
                         if (error) return finish("connection lost: " + error.message());
                         PG_CHECK(outgoing_bytes_ >= outgoing_.front().size());
                         outgoing_bytes_ -= outgoing_.front().size();
                         outgoing_.pop_front();
                         if (!outgoing_.empty() && state_ == State::Open) write();
                       }));
  });
}

void WebSocketClient::Impl::ping() {
  // One at a time (Beast); the pong of the one under way answers both.
  if (state_ != State::Open || ping_under_way_) return;
  ping_under_way_ = true;
  with_stream([this](auto& stream) {
    stream.async_ping({}, guarded([this](error_code error) {
                        ping_under_way_ = false;
                        if (error) finish("connection lost: " + error.message());
                      }));
  });
}

void WebSocketClient::Impl::close() {
  if (state_ == State::Closed || state_ == State::Closing) return;
  if (std::exchange(state_, State::Closing) == State::Connecting) {
    loop_.post([self = shared_from_this()] { self->finish("closed"); });
    return;
  }
  deadline_ = loop_.after(kCloseTimeout, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->finish("closed, without an answer");
  });
  with_stream([this](auto& stream) {
    stream.async_close(websocket::close_code::normal,
                       guarded([this](error_code) { finish("closed"); }));
  });
}

void WebSocketClient::Impl::finish(const std::string& reason) {
  if (state_ == State::Closed) return;
  const auto self = shared_from_this();  // on_closed may destroy the client
  shut();
  if (!dropped_ && events_.on_closed) events_.on_closed(reason);
}

void WebSocketClient::Impl::shut() {
  if (std::exchange(state_, State::Closed) == State::Closed) return;
  loop_.cancel(std::exchange(deadline_, 0));
  loop_.cancel(std::exchange(keep_alive_, 0));
  resolver_.cancel();
  error_code ignored;
  if (tls_ || plain_) socket().close(ignored);
}

WebSocketClient::WebSocketClient(Loop& loop, WebSocketOptions options, WebSocketEvents events)
    : impl_(std::make_shared<Impl>(loop, std::move(options), std::move(events))) {
  impl_->start();
}
WebSocketClient::~WebSocketClient() { impl_->drop(); }
Sent WebSocketClient::send(std::string text) { return impl_->send(std::move(text)); }
void WebSocketClient::ping() { impl_->ping(); }
void WebSocketClient::close() { impl_->close(); }
bool WebSocketClient::is_open() const { return impl_->is_open(); }

}  // namespace paygress::net
