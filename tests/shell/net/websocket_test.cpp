// The WebSocket client against our own server (RFC 6455).
#include "shell/net/websocket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "shell/net/http_server.h"
#include "tests/shell/net/tls_front.h"

namespace paygress::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Micros kPatience = micros(Seconds{20});

// A server that echoes, and one client that remembers what happened to it.
class WebSocket : public ::testing::Test {
 protected:
  void serve(ServerOptions options = {}) {
    ServerHandlers handlers;
    handlers.on_open = [this](PeerId id, const HttpRequest& request) {
      peer_ = id;
      target_ = request.target;
    };
    handlers.on_text = [this](PeerId id, std::string_view text) {
      at_server_.emplace_back(text);
      server_->send(id, "echo " + std::string(text));
    };
    handlers.on_closed = [this](PeerId) { ++closed_at_server_; };
    auto server = HttpServer::listen(loop_, options, handlers);
    ASSERT_TRUE(server) << to_string(server.error());
    server_ = std::move(*server);
  }

  void connect(WebSocketOptions options) {
    WebSocketEvents events;
    events.on_open = [this] { opened_ = true; };
    events.on_text = [this](std::string_view text) { received_.emplace_back(text); };
    events.on_pong = [this] { ++pongs_; };
    events.on_closed = [this](const std::string& reason) {
      EXPECT_FALSE(closed_) << "told twice";
      closed_ = reason;
    };
    client_ = std::make_unique<WebSocketClient>(loop_, std::move(options), std::move(events));
  }

  WebSocketOptions options() const {
    WebSocketOptions o;
    o.url = server_->url("ws") + "/relay?x=1";
    return o;
  }

  bool until(const std::function<bool()>& done) { return loop_.run_until(done, kPatience); }
  bool open() {
    return until([this] { return (opened_ && peer_ != 0) || closed_; }) && opened_;
  }
  bool closed() {
    return until([this] { return closed_.has_value(); });
  }

  Loop loop_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<WebSocketClient> client_;
  PeerId peer_ = 0;
  std::string target_;
  std::vector<std::string> at_server_;
  int closed_at_server_ = 0;
  bool opened_ = false;
  std::vector<std::string> received_;
  int pongs_ = 0;
  std::optional<std::string> closed_;
};

TEST_F(WebSocket, CarriesTextBothWaysInOrder) {
  serve();
  connect(options());
  EXPECT_EQ(client_->send("early"), Sent::NotOpen);
  ASSERT_TRUE(open());
  EXPECT_EQ(target_, "/relay?x=1");
  EXPECT_TRUE(client_->is_open());
  for (const char* text : {"one", "two", "gr\xc3\xbc\xc3\x9f"})
    EXPECT_EQ(client_->send(text), Sent::Queued);
  ASSERT_TRUE(until([&] { return received_.size() == 3; }));
  EXPECT_THAT(received_, ElementsAre("echo one", "echo two", "echo gr\xc3\xbc\xc3\x9f"));
}

TEST_F(WebSocket, CarriesALongMessage) {
  serve();
  connect(options());
  ASSERT_TRUE(open());
  client_->send(std::string(900'000, 'x'));
  ASSERT_TRUE(until([&] { return received_.size() == 1; }));
  EXPECT_EQ(received_[0].size(), 900'005U);
}

TEST_F(WebSocket, RefusesAMessageLongerThanItsBound) {
  serve();
  auto o = options();
  o.message_bytes_max = 1000;
  connect(o);
  ASSERT_TRUE(open());
  server_->send(peer_, std::string(1000, 'x'));
  ASSERT_TRUE(until([&] { return received_.size() == 1; }));
  server_->send(peer_, std::string(1001, 'x'));
  ASSERT_TRUE(closed());
  EXPECT_THAT(*closed_, HasSubstr("longer than 1000"));
  EXPECT_EQ(received_.size(), 1U);
}

TEST_F(WebSocket, TheServerRefusesALongMessageToo) {
  ServerOptions o;
  o.message_bytes_max = 1000;
  serve(o);
  connect(options());
  ASSERT_TRUE(open());
  client_->send(std::string(1001, 'x'));
  ASSERT_TRUE(closed());
  EXPECT_TRUE(at_server_.empty());
  EXPECT_TRUE(until([&] { return closed_at_server_ == 1; }));
}

TEST_F(WebSocket, NoticesTheServerVanishing) {
  serve();
  connect(options());
  ASSERT_TRUE(open());
  server_->abort(peer_);
  ASSERT_TRUE(closed());
  EXPECT_THAT(*closed_, HasSubstr("connection lost"));
  EXPECT_EQ(client_->send("x"), Sent::NotOpen);
  EXPECT_TRUE(until([&] { return closed_at_server_ == 1; }));
}

TEST_F(WebSocket, TellsTheServersCloseCode) {
  serve();
  connect(options());
  ASSERT_TRUE(open());
  server_->close(peer_, 1008);
  ASSERT_TRUE(closed());
  EXPECT_THAT(*closed_, HasSubstr("1008"));
}

TEST_F(WebSocket, NoticesAHalfOpenConnectionByTheMissingPong) {
  serve();
  auto o = options();
  o.ping_every = 20_ms;
  o.pong_within = 200_ms;
  connect(o);
  ASSERT_TRUE(open());
  ASSERT_TRUE(until([&] { return pongs_ >= 3 || closed_; }));
  EXPECT_FALSE(closed_) << "a peer that answers pings stays";
  server_->mute(peer_);
  ASSERT_TRUE(closed());
  EXPECT_THAT(*closed_, HasSubstr("no answer to a ping"));
}

TEST_F(WebSocket, AnswersAPingOnRequest) {
  serve();
  auto o = options();
  o.ping_every = Micros{0};
  connect(o);
  ASSERT_TRUE(open());
  client_->ping();
  EXPECT_TRUE(until([&] { return pongs_ == 1; }));
}

TEST_F(WebSocket, BoundsWhatItQueuesWhenThePeerDoesNotRead) {
  serve();
  auto o = options();
  o.queued_bytes_max = 1 << 20;
  connect(o);
  ASSERT_TRUE(open());
  server_->mute(peer_);
  const std::string text(100'000, 'x');
  size_t queued = 0;
  while (client_->send(text) == Sent::Queued && queued < 1000) ++queued;
  EXPECT_EQ(queued, 10U) << "the loop did not run: nothing left";
  EXPECT_TRUE(client_->is_open());
}

TEST_F(WebSocket, TheServerCutsAReaderOffThatDoesNotRead) {
  ServerOptions so;
  so.queued_bytes_max = 1000;
  serve(so);
  connect(options());
  ASSERT_TRUE(open());
  EXPECT_EQ(server_->send(peer_, std::string(1001, 'x')), Sent::Full);
  EXPECT_TRUE(closed());
}

TEST_F(WebSocket, ClosesWithAHandshake) {
  serve();
  connect(options());
  ASSERT_TRUE(open());
  client_->close();
  EXPECT_EQ(client_->send("x"), Sent::NotOpen);
  ASSERT_TRUE(closed());
  EXPECT_EQ(*closed_, "closed");
  EXPECT_TRUE(until([&] { return closed_at_server_ == 1; }));
}

TEST_F(WebSocket, SaysWhyItCannotConnect) {
  serve();
  auto o = options();
  server_.reset();  // the port is closed now
  connect(o);
  ASSERT_TRUE(closed());
  EXPECT_THAT(*closed_, HasSubstr("cannot connect"));
  EXPECT_FALSE(opened_);

  closed_.reset();
  o.url = "gopher://localhost";
  connect(o);
  EXPECT_FALSE(closed_) << "never from inside the constructor";
  ASSERT_TRUE(closed());
  EXPECT_THAT(*closed_, HasSubstr("not a ws"));
}

TEST_F(WebSocket, GivesUpOnAServerThatDoesNotUpgrade) {
  // A plain HTTP server that never answers.
  std::vector<Responder> held;
  ServerHandlers handlers;
  handlers.on_request = [&](const HttpRequest&, Responder responder) { held.push_back(responder); };
  auto server = HttpServer::listen(loop_, {}, handlers);
  ASSERT_TRUE(server);
  server_ = std::move(*server);
  auto o = options();
  o.connect_timeout = 50_ms;
  connect(o);
  ASSERT_TRUE(closed());
  EXPECT_EQ(*closed_, "no connection in time");
}

TEST_F(WebSocket, MayBeDestroyedInsideItsCallback) {
  serve();
  WebSocketEvents events;
  bool told = false;
  std::unique_ptr<WebSocketClient> client;
  events.on_text = [&](std::string_view) { client.reset(); };
  events.on_open = [&] { client->send("x"); };
  events.on_closed = [&](const std::string&) { told = true; };
  client = std::make_unique<WebSocketClient>(loop_, options(), events);
  ASSERT_TRUE(until([&] { return closed_at_server_ == 1; }));
  EXPECT_EQ(client, nullptr);
  EXPECT_FALSE(told);
}

TEST_F(WebSocket, SpeaksTlsAndNamesTheHost) {
  serve();
  const test::TlsFront front(server_->port());
  auto o = options();
  o.url = "wss://localhost:" + std::to_string(front.port()) + "/relay";
  o.ca_file = front.ca_file();
  connect(o);
  ASSERT_TRUE(open()) << closed_.value_or("");
  EXPECT_EQ(front.asked_name(), "localhost");
  client_->send(std::string(100'000, 'x'));
  EXPECT_TRUE(until([&] { return received_.size() == 1; }));
  client_.reset();
}

TEST_F(WebSocket, RefusesACertificateItCannotTrust) {
  serve();
  const test::TlsFront front(server_->port());
  auto o = options();
  o.url = "wss://localhost:" + std::to_string(front.port());
  connect(o);  // the system's authorities do not know this CA
  ASSERT_TRUE(closed());
  EXPECT_THAT(*closed_, HasSubstr("certificate verify failed"));
  EXPECT_EQ(peer_, 0U);
}

TEST_F(WebSocket, RefusesACertificateOfAnotherHost) {
  serve();
  const test::TlsFront front(server_->port());
  auto o = options();
  o.url = "wss://127.0.0.1:" + std::to_string(front.port());  // it is for "localhost"
  o.ca_file = front.ca_file();
  connect(o);
  ASSERT_TRUE(closed());
  EXPECT_THAT(*closed_, HasSubstr("certificate verify failed"));
  EXPECT_EQ(peer_, 0U);
}

TEST(Url, TakesTheFormsOfRelaysAndMints) {
  const auto url = parse_url("wss://relay.example:4848/path?q=1");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->secure);
  EXPECT_EQ(url->host, "relay.example");
  EXPECT_EQ(url->port, 4848);
  EXPECT_EQ(url->target, "/path?q=1");
  EXPECT_EQ(parse_url("ws://h")->port, 80);
  EXPECT_EQ(parse_url("wss://h")->target, "/");
  EXPECT_EQ(parse_url("https://h?x")->target, "/?x");
  EXPECT_EQ(parse_url("https://h")->port, 443);
  EXPECT_EQ(parse_url("ws://[::1]:7000/")->host, "::1");
  EXPECT_EQ(parse_url("ws://[::1]:7000/")->port, 7000);
  for (const char* bad :
       {"", "h", "ftp://h", "ws://", "ws://:80", "ws://h:", "ws://h:0", "ws://h:x", "ws://h:65536",
        "ws://user@h", "ws://h/#f", "ws://h /", "ws://[::1"})
    EXPECT_FALSE(parse_url(bad)) << bad;
}

}  // namespace
}  // namespace paygress::net
