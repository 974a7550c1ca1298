// A daemon as its operator runs it: a child process against the embedded relay and mint, with real
// sandboxes; and a consumer.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <csignal>
#include <fstream>

#include "core/cashu/token.h"
#include "core/crypto/schnorr.h"
#include "core/market/messages.h"
#include "core/nostr/message.h"
#include "core/nostr/nip19.h"
#include "core/nostr/nip59.h"
#include "core/provider/config.h"
#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "shell/base/secret_file.h"
#include "shell/dev/child.h"
#include "shell/dev/embedded_mint.h"
#include "shell/dev/embedded_relay.h"
#include "shell/dev/sweep.h"
#include "shell/net/control_socket.h"
#include "shell/net/http_client.h"
#include "shell/net/http_server.h"
#include "shell/net/websocket.h"
#include "shell/provider/setup.h"
#include "shell/store/sqlite_journal.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::daemon {

namespace json = boost::json;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

inline constexpr Micros kPatience = micros(Seconds{60});
inline constexpr Micros kSlice = 50'000_us;
inline constexpr milliseconds kVerbLimit{30'000};
inline constexpr uint64_t kRate = 1000;  // msat per second
inline constexpr uint64_t kSats = 900;

inline crypto::Keypair fresh_key() {
  shell::OsEntropy entropy;
  for (;;) {
    SecretKey secret;
    entropy.fill(secret.bytes);
    if (auto key = crypto::Keypair::from(secret)) return *key;
  }
}

// A consumer with one connection to the relay.
class Consumer {
 public:
  Consumer(net::Loop& loop, const std::string& relay) : loop_(loop), me_(fresh_key()) {
    net::WebSocketOptions options;
    options.url = relay;
    socket_ = std::make_unique<net::WebSocketClient>(
        loop, options,
        net::WebSocketEvents{
            [this] { subscribe(); }, [this](std::string_view frame) { take(frame); }, {}, {}});
    EXPECT_TRUE(loop_.run_until([&] { return subscribed_; }, kPatience));
  }

  void ask(const PubKey& provider, const market::Request& request) {
    shell::OsEntropy entropy;
    const UnixSeconds now = shell::now().wall;
    nostr::Draft draft{
        now, nostr::kind::kPrivateMessage, {{"p", provider.hex()}}, market::to_json(request)};
    const auto rumor = nostr::make_rumor(me_.public_key(), std::move(draft));
    auto wrap = nostr::wrap(rumor, me_, provider, now, entropy);
    ASSERT_TRUE(wrap.has_value());
    socket_->send(nostr::to_frame(nostr::ClientMessage(nostr::Publish{*std::move(wrap)})));
  }
  std::optional<market::Reply> reply() {
    loop_.run_until([&] { return !replies_.empty(); }, kPatience);
    if (replies_.empty()) return std::nullopt;
    market::Reply first = replies_.front();
    replies_.erase(replies_.begin());
    return first;
  }

 private:
  void subscribe() {
    nostr::Filter filter;
    filter.kinds = {nostr::kind::kGiftWrap};
    filter.tags["p"] = {me_.public_key().hex()};
    socket_->send(nostr::to_frame(nostr::ClientMessage(nostr::Subscribe{"inbox", {filter}})));
    subscribed_ = true;
  }
  void take(std::string_view frame) {
    auto message = nostr::parse_relay_frame(frame);
    ASSERT_TRUE(message.has_value());
    auto* event = std::get_if<nostr::EventFor<nostr::Event>>(&*message);
    if (event == nullptr) return;
    auto verified = nostr::verify(std::move(event->event));
    ASSERT_TRUE(verified.has_value());
    auto opened = nostr::unwrap(*verified, me_);
    ASSERT_TRUE(opened.has_value());
    auto parsed = market::parse_reply(opened->content);
    ASSERT_TRUE(parsed.has_value()) << opened->content;
    replies_.push_back(*std::move(parsed));
  }

  net::Loop& loop_;
  crypto::Keypair me_;
  bool subscribed_ = false;
  std::vector<market::Reply> replies_;
  std::unique_ptr<net::WebSocketClient> socket_;
};

class DaemonTest : public ::testing::Test {
 protected:
  DaemonTest()
      : relay_(*dev::EmbeddedRelay::start(loop_)),
        mint_(*dev::EmbeddedMint::start(loop_)),
        key_(fresh_key()) {
    provider::ProviderConfig config;
    config.backend_type = provider::BackendType::Sandbox;
    config.sandbox.allow_outside_dev = true;
    config.nostr_private_key = nostr::to_nsec(key_.secret());
    config.nostr_relays = {relay_->url()};
    config.whitelisted_mints = {mint_->url()};
    config.public_ip = "127.0.0.1";
    config.specs = {{"small", "Small", "a box", 250, 128, kRate, 1}};
    config.minimum_duration_seconds = 5;
    // Ports beside one that the kernel just called free.
    config.ssh_port_start = static_cast<uint16_t>(20'000 + mint_->port() % 9'000);
    config.ssh_port_end = static_cast<uint16_t>(*config.ssh_port_start + 50);
    const uint16_t free_port = net::HttpServer::listen(loop_, {}, {}).value()->port();
    metrics_ = "127.0.0.1:" + std::to_string(free_port);
    config.metrics_bind_addr = metrics_;
    EXPECT_TRUE(
        shell::write_secret_file(config_file(), provider::write_config(config), shell::Replace::No)
            .has_value());
  }
  ~DaemonTest() override {
    daemon_.reset();
    const auto swept = dev::sweep_workloads(data_dir(), provider::BackendType::Sandbox);
    EXPECT_TRUE(swept.has_value()) << to_string(swept.error());
  }

  std::string config_file() const { return directory_.file("provider-config.json"); }
  std::string data_dir() const { return directory_.file(kDataDirectory); }
  std::string log() const { return dev::tail_of(directory_.file("log"), 30); }

  dev::Command verb(std::vector<std::string> words) const {
    words.insert(words.begin(), PAYGRESS_PROVIDER_PROGRAM);
    words.insert(words.end(), {"--config", config_file()});
    return {std::move(words), {}};
  }
  dev::Finished run(std::vector<std::string> words) const {
    auto done = dev::run_command(verb(std::move(words)), kVerbLimit, never_);
    EXPECT_TRUE(done.has_value());
    return done ? *done : dev::Finished{};
  }
  // A verb that needs the mint, which lives in our loop.
  dev::Finished turning(std::vector<std::string> words) {
    const std::string out = directory_.file("verb-" + std::to_string(++verbs_));
    auto child = dev::Child::start(verb(std::move(words)), out);
    if (!child) return {};
    std::optional<int> ended;
    const Micros until = shell::now().mono + kPatience;
    while (!ended && shell::now().mono < until) {
      loop_.run_until([] { return false; }, kSlice);
      ended = child->wait(milliseconds{0});
    }
    return {.status = ended.value_or(-1), .out = dev::tail_of(out, 100), .err = {}};
  }
  void start() {
    start_until([](const json::object& now) { return now.at("ready").as_bool(); });
  }
  void start_until(const std::function<bool(const json::object& status)>& what) {
    dev::Command command = verb({"run"});
    command.environment = environment_;
    auto child = dev::Child::start(command, directory_.file("log"));
    ASSERT_TRUE(child.has_value());
    daemon_ = std::make_unique<dev::Child>(*std::move(child));
    ASSERT_TRUE(reaches(what)) << log();
  }
  bool reaches(const std::function<bool(const json::object& status)>& what) {
    const Micros until = shell::now().mono + kPatience;
    while (shell::now().mono < until) {
      loop_.run_until([] { return false; }, kSlice);  // relay and mint answer meanwhile
      const auto now = status();
      if (now && what(*now)) return true;
    }
    return false;
  }
  std::optional<json::object> status() const {
    const auto reply = net::ask_daemon(data_dir() + "/" + kControlSocket, R"({"verb":"status"})",
                                       micros(Seconds{5}));
    if (!reply) return std::nullopt;
    return json::parse(*reply).as_object();
  }
  // Of the relay's and the mint's loop, until the process has ended.
  int end(int signal) {
    daemon_->signal(signal);
    std::optional<int> ended;
    loop_.run_until([&] { return (ended = daemon_->wait(milliseconds{0})).has_value(); }, kSlice);
    if (!ended) ended = daemon_->wait(milliseconds{20'000});
    daemon_.reset();
    return ended.value_or(-1);
  }
  net::Answered get(const std::string& path) {
    net::HttpClient client(loop_);
    net::HttpCall call;
    call.url = "http://" + metrics_ + path;
    std::optional<net::HttpOutcome> outcome;
    client.start(call, [&](net::HttpOutcome o) { outcome = std::move(o); });
    loop_.run_until([&] { return outcome.has_value(); }, kPatience);
    return std::get<net::Answered>(outcome.value());
  }
  market::SpawnRequest spawn_request() {
    market::SpawnRequest request;
    request.cashu_token =
        *cashu::encode_token(mint_->model().issue_token(kSats), cashu::TokenVersion::V4);
    request.pod_spec_id = "small";
    request.template_slug = "hello";
    request.ssh_username = "root";
    return request;
  }

  test::TemporaryDirectory directory_;
  net::Loop loop_;
  std::unique_ptr<dev::EmbeddedRelay> relay_;
  std::unique_ptr<dev::EmbeddedMint> mint_;
  crypto::Keypair key_;
  std::string metrics_;  // a port that was free a moment ago
  std::unique_ptr<dev::Child> daemon_;
  int verbs_ = 0;
  std::atomic<bool> never_ = false;
  std::map<std::string, std::string> environment_;  // of the daemon
};

}  // namespace paygress::daemon
