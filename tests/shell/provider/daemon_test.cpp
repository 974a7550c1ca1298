// The daemon as its operator runs it: a child process against the embedded relay and mint, with
// real sandboxes. What was paid survives SIGKILL, and its ledger accounts for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <csignal>
#include <cstring>
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
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Micros kPatience = micros(Seconds{60});
constexpr Micros kSlice = 50'000_us;
constexpr milliseconds kVerbLimit{30'000};
constexpr uint64_t kRate = 1000;  // msat per second
constexpr uint64_t kSats = 900;

crypto::Keypair fresh_key() {
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

// What systemd is told, on a socket in its place.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~NotifySocket() { close(fd_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // How many such messages came until now.
  size_t count(std::string_view message) {
    char text[4096];
    for (ssize_t n; (n = recv(fd_, text, sizeof text, 0)) > 0;)
      ++heard_[std::string(text, static_cast<size_t>(n))];
    return heard_[std::string(message)];
  }

 private:
  int fd_;
  std::map<std::string, size_t> heard_;
};

// packaging/systemd/paygress-provider.service.in: Type=notify, WatchdogSec.
TEST_F(DaemonTest, TellsSystemdThatItIsReadyAndThatItsLoopTurns) {
  NotifySocket systemd(directory_.file("notify"));
  environment_ = {{"NOTIFY_SOCKET", directory_.file("notify")}, {"WATCHDOG_USEC", "400000"}};
  start();
  EXPECT_EQ(systemd.count("READY=1"), 1u);
  size_t before = systemd.count("WATCHDOG=1");
  // The loop looks at a condition only when something happens in it.
  const auto pinged = [&](Micros limit) {
    const Micros until = shell::now().mono + limit;
    while (systemd.count("WATCHDOG=1") <= before && shell::now().mono < until)
      loop_.run_until([] { return false; }, kSlice);
    return systemd.count("WATCHDOG=1") > before;
  };
  EXPECT_TRUE(pinged(kPatience));
  daemon_->signal(SIGSTOP);
  // What it sent before it stood is still to be read.
  loop_.run_until([] { return false; }, kSlice);
  before = systemd.count("WATCHDOG=1");
  EXPECT_FALSE(pinged(1'000'000_us)) << "one that stands says nothing";
  daemon_->signal(SIGCONT);
  EXPECT_TRUE(pinged(kPatience));
  EXPECT_EQ(end(SIGTERM), 0);
  EXPECT_EQ(systemd.count("STOPPING=1"), 1u);
}

TEST_F(DaemonTest, WhatWasPaidSurvivesSigkillAndIsAccountedFor) {
  start();
  Consumer consumer(loop_, relay_->url());
  consumer.ask(key_.public_key(), spawn_request());
  const auto reply = consumer.reply();
  ASSERT_TRUE(reply.has_value()) << log();
  const auto* access = std::get_if<market::AccessDetails>(&*reply);
  ASSERT_NE(access, nullptr) << market::to_json(*reply) << "\n" << log();
  EXPECT_EQ(access->pod_spec_name, "Small");

  const net::Answered metrics = get("/metrics");
  EXPECT_EQ(metrics.status, 200) << log();
  for (const char* line : {"paygress_ready 1\n", "paygress_leases{phase=\"running\"} 1\n",
                           "paygress_requests_total 1\n", "paygress_workloads_running 1\n",
                           "part=\"redeemed\"} 899000\n", "paygress_payments_open 0\n"})
    EXPECT_THAT(metrics.body, HasSubstr(line));
  for (const std::string& secret :
       {access->ssh_password.value_or("no password"), nostr::to_nsec(key_.secret()),
        to_hex(key_.secret().bytes), std::string("cashuB")})
    EXPECT_THAT(metrics.body, Not(HasSubstr(secret)));
  EXPECT_EQ(get("/readyz").body, "ready\n");

  end(SIGKILL);
  // No daemon: the verbs read the ledger that it left.
  EXPECT_EQ(run({"ledger", "verify"}).status, 0);
  start();
  const auto after = status();
  ASSERT_TRUE(after.has_value());
  const json::array& leases = after->at("leases").as_array();
  ASSERT_EQ(leases.size(), 1U);
  EXPECT_EQ(leases[0].at("pod").as_string(), access->pod_npub);
  EXPECT_EQ(leases[0].at("phase").as_string(), "running");
  EXPECT_GT(leases[0].at("remaining_seconds").as_int64(), 0);

  // The daemon holds the ledger alone: the verbs ask it.
  const auto verified = run({"ledger", "verify", "--json"});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  const auto money = json::parse(verified.out).at("money").as_array();
  ASSERT_EQ(money.size(), 1U);
  EXPECT_EQ(money[0].at("wallet_msat"), money[0].at("redeemed_msat"));
  const std::string id(leases[0].at("lease").as_string());
  const auto story = run({"ledger", "show", id.substr(0, 8)});
  EXPECT_EQ(story.status, 0);
  EXPECT_THAT(story.out, HasSubstr("buy 899 s"));
  EXPECT_EQ(run({"ledger", "show", "no-such-lease"}).status, 3);
  EXPECT_EQ(json::parse(run({"ledger", "export", "--json"}).out).at("movements").as_array().size(),
            1U);
  EXPECT_EQ(end(SIGTERM), 0) << log();

  const auto offline = run({"leases", "--json"});
  EXPECT_EQ(offline.status, 0);
  EXPECT_EQ(json::parse(offline.out).at("leases").as_array().size(), 1U);
  EXPECT_EQ(run({"ledger", "show", id}).out, story.out);
  const auto exported = run({"ledger", "export", "--csv"});
  EXPECT_EQ(exported.status, 0) << exported.err;
  EXPECT_THAT(exported.out, HasSubstr(id));
}

// Only what is free leaves the wallet; the token is in the ledger before it is in its file.
TEST_F(DaemonTest, EarningsAreTakenOutAndTheTokenIsThereAfterSigkill) {
  start();
  Consumer consumer(loop_, relay_->url());
  consumer.ask(key_.public_key(), spawn_request());
  const auto bought = consumer.reply();
  ASSERT_TRUE(bought && std::holds_alternative<market::AccessDetails>(*bought)) << log();
  const std::string pod = std::get<market::AccessDetails>(*bought).pod_npub;
  const auto free_msat = [&] {
    const auto balance = json::parse(run({"wallet", "balance", "--json"}).out);
    return balance.at("purses").as_array()[0].at("free_msat").as_int64();
  };
  EXPECT_EQ(free_msat(), 0) << "what was paid for a lease that runs";
  // Twelve seconds are twelve satoshis: two tokens and an invoice of two or more, and the mint's
  // fee on each.
  const Micros until = shell::now().mono + kPatience;
  const auto remaining = [&] {
    return status()->at("leases").as_array()[0].at("remaining_seconds").as_int64();
  };
  while (remaining() > static_cast<int64_t>(kSats) - 13 && shell::now().mono < until)
    loop_.run_until([] { return false; }, kSlice);
  EXPECT_EQ(turning({"wallet", "send", "2", "--out", directory_.file("early")}).status, 1);
  consumer.ask(key_.public_key(), market::StopRequest{pod, {}});
  const auto stopped = consumer.reply();
  ASSERT_TRUE(stopped && std::holds_alternative<market::StatusReply>(*stopped)) << log();
  EXPECT_GE(free_msat(), 12'000);

  const std::string file = directory_.file("earnings.token");
  EXPECT_EQ(turning({"wallet", "send", "1"}).status, 2) << "nowhere to put it";
  EXPECT_EQ(turning({"wallet", "send", "100000", "--out", file}).status, 1);
  EXPECT_EQ(turning({"wallet", "send", "1", "--out", file}).status, 1) << "nobody could take it";
  const dev::Finished sent = turning({"wallet", "send", "2", "--out", file, "--json"});
  ASSERT_EQ(sent.status, 0) << sent.out << log();
  EXPECT_THAT(sent.out, Not(HasSubstr("cashuB")));
  const auto token = shell::read_secret_file(file);
  ASSERT_TRUE(token.has_value()) << to_string(token.error());
  const std::string text(token->reveal());
  const cashu::Token money = cashu::decode_token(text).value();
  for (const cashu::Proof& proof : money.proofs) {
    EXPECT_TRUE(mint_->model().is_valid(proof));
    EXPECT_EQ(mint_->model().state_of(shell::now().mono, proof), cashu::ProofState::Unspent);
  }
  EXPECT_EQ(turning({"wallet", "pay", "lnbc1nonsense"}).status, 1);
  EXPECT_EQ(turning({"wallet", "pay", sim::make_invoice(Msat{1'000'000}, 1)}).status, 1);
  const std::string invoice = sim::make_invoice(Msat{2000}, 2);
  const dev::Finished paid_invoice = turning({"wallet", "pay", "lightning:" + invoice, "--json"});
  ASSERT_EQ(paid_invoice.status, 0) << paid_invoice.err << log();
  const json::value receipt = json::parse(paid_invoice.out);
  EXPECT_EQ(receipt.at("amount_msat").as_int64(), 2000);
  EXPECT_EQ(receipt.at("fee_msat").as_int64(), 1000);
  EXPECT_THAT(std::string(receipt.at("preimage").as_string()), HasSubstr("preimage-of-"));
  EXPECT_EQ(mint_->model().times_paid(invoice), 1U);
  EXPECT_EQ(turning({"wallet", "check"}).status, 0);
  end(SIGKILL);
  const std::string id(json::parse(sent.out).at("withdrawal").as_string());
  EXPECT_EQ(run({"wallet", "token", id.substr(0, 8), "--stdout"}).out, text + "\n");
  const auto history = json::parse(run({"wallet", "history", "--json"}).out);
  EXPECT_EQ(history.at("history").as_array().size(), 4U) << "received, refunded, withdrawn, paid";
  EXPECT_EQ(history.at("history").as_array()[3].at("kind").as_string(), "paid");
  EXPECT_EQ(history.at("history").as_array()[2].at("amount_msat").as_int64(), -2000);
  EXPECT_EQ(run({"wallet", "send", "1", "--stdout"}).status, 1) << "only the daemon spends";
  EXPECT_EQ(run({"ledger", "verify"}).status, 0);

  // With a payout rule the next start takes out the rest, into a file.
  const std::string payouts = directory_.file("payouts");
  auto report = read_config(config_file());
  ASSERT_TRUE(report.has_value());
  report->config.payout = {1, 0, payouts, ""};
  ASSERT_TRUE(shell::write_secret_file(config_file(), provider::write_config(report->config),
                                       shell::Replace::Yes)
                  .has_value());
  start();
  std::string paid;  // the file is whole when it has this name
  const Micros payout_until = shell::now().mono + kPatience;
  while (paid.empty() && shell::now().mono < payout_until) {
    loop_.run_until([] { return false; }, kSlice);
    if (!std::filesystem::exists(payouts)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(payouts))
      if (entry.path().extension() == ".token") paid = entry.path();
  }
  ASSERT_FALSE(paid.empty()) << log();
  const auto swept = shell::read_secret_file(paid);
  ASSERT_TRUE(swept.has_value()) << to_string(swept.error());
  EXPECT_TRUE(cashu::decode_token(std::string(swept->reveal())).has_value());
  const json::value all = json::parse(run({"wallet", "history", "--json"}).out);
  EXPECT_EQ(all.at("history").as_array().back().at("purpose").as_string(), "payout");
  EXPECT_THAT(dev::tail_of(directory_.file("log"), 10'000), Not(HasSubstr("cashuB")));
}

// Leases were paid for: a port that somebody has is no reason to serve none of them.
TEST_F(DaemonTest, AMetricsPortThatIsInUseDoesNotStopIt) {
  net::ServerOptions options;
  options.port = static_cast<uint16_t>(std::stoi(metrics_.substr(metrics_.rfind(':') + 1)));
  const auto other = net::HttpServer::listen(loop_, options, {});
  ASSERT_TRUE(other.has_value());
  start();
  EXPECT_THAT(log(), HasSubstr("goes on without metrics"));
  EXPECT_EQ(end(SIGTERM), 0) << log();
}

// A token that bought something buys nothing for anybody else, after a crash either.
TEST_F(DaemonTest, AReusedTokenFindsItsFirstOwner) {
  start();
  Consumer first(loop_, relay_->url());
  Consumer second(loop_, relay_->url());
  const market::SpawnRequest request = spawn_request();
  first.ask(key_.public_key(), request);
  ASSERT_TRUE(std::holds_alternative<market::AccessDetails>(first.reply().value())) << log();
  end(SIGKILL);
  start();
  second.ask(key_.public_key(), request);
  EXPECT_TRUE(std::holds_alternative<market::ErrorReply>(second.reply().value()));
  EXPECT_EQ(status()->at("leases").as_array().size(), 1U);
}

TEST_F(DaemonTest, ADamagedLedgerIsRefusedAndSaidToBeDamaged) {
  start();
  EXPECT_EQ(end(SIGTERM), 0);
  ASSERT_EQ(run({"ledger", "verify"}).status, 0);
  const std::string file = data_dir() + "/" + store::kLedgerFile;
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  EXPECT_EQ(run({"ledger", "verify"}).status, 7);
  EXPECT_EQ(run({"run"}).status, 1);
  std::filesystem::remove(file);
  EXPECT_EQ(run({"ledger", "verify"}).status, 7);
  EXPECT_EQ(run({"run"}).status, 1);
  EXPECT_FALSE(std::filesystem::exists(file)) << "an empty ledger took the lost one's place";
}

// A sale and all that came of it are lost with the ledger's end; the money is not.
TEST_F(DaemonTest, AnOlderLedgerIsTakenUpByItsOperatorsWordAlone) {
  start();
  EXPECT_EQ(end(SIGTERM), 0) << log();
  const std::string ledger = data_dir() + "/ledger.sqlite3";
  std::filesystem::copy_file(ledger, directory_.file("older"));
  start();
  Consumer consumer(loop_, relay_->url());
  consumer.ask(key_.public_key(), spawn_request());
  const auto bought = consumer.reply();
  ASSERT_TRUE(bought && std::holds_alternative<market::AccessDetails>(*bought)) << log();
  EXPECT_EQ(run({"ledger", "recover", "--yes"}).status, 1) << "while the daemon runs";
  const auto wallet_msat = [&] {
    const auto balance = json::parse(run({"wallet", "balance", "--json"}).out);
    const json::array& purses = balance.at("purses").as_array();
    return purses.empty() ? 0 : purses[0].at("wallet_msat").as_int64();
  };
  const int64_t earned = wallet_msat();
  EXPECT_GT(earned, 0);
  EXPECT_EQ(end(SIGTERM), 0) << log();

  std::filesystem::copy_file(directory_.file("older"), ledger,
                             std::filesystem::copy_options::overwrite_existing);
  const dev::Finished refused = run({"run"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("ledger recover"));
  const dev::Finished told = run({"ledger", "recover"});
  EXPECT_EQ(told.status, 2);
  EXPECT_THAT(told.err, HasSubstr("--yes"));
  EXPECT_EQ(run({"run"}).status, 1) << "nothing was changed";
  EXPECT_EQ(run({"ledger", "recover", "--yes"}).status, 0);

  start_until([](const json::object& now) {
    return now.at("recovering").as_bool() && !now.at("ready").as_bool();
  });
  end(SIGKILL);
  start_until([](const json::object& now) {
    return now.at("recovering").as_bool() &&
           now.at("waits_for").as_array()[0].as_string() == "the operator's `ledger release`";
  });
  EXPECT_EQ(wallet_msat(), earned);
  EXPECT_EQ(turning({"wallet", "send", "2", "--stdout"}).status, 1) << "not before the release";
  EXPECT_EQ(turning({"ledger", "release"}).status, 0) << log();
  EXPECT_TRUE(reaches([](const json::object& now) { return now.at("ready").as_bool(); })) << log();
  const dev::Finished again = turning({"wallet", "restore", "--json"});
  EXPECT_EQ(again.status, 0) << again.out;
  const json::value report = json::parse(again.out);
  EXPECT_EQ(report.at("purses").as_array()[0].at("found_msat").as_int64(), 0);
  EXPECT_EQ(report.at("purses").as_array()[0].at("known_msat").as_int64(), earned);
  EXPECT_EQ(turning({"wallet", "send", "2", "--stdout"}).status, 0) << log();
  EXPECT_EQ(end(SIGTERM), 0) << log();
  EXPECT_EQ(run({"ledger", "verify"}).status, 0);
  const auto history = json::parse(run({"wallet", "history", "--json"}).out);
  EXPECT_EQ(history.at("history").as_array()[0].at("kind").as_string(), "restored");
  EXPECT_EQ(history.at("history").as_array()[0].at("amount_msat").as_int64(), earned);
}

TEST_F(DaemonTest, ASecondDaemonOnTheSameDataDirectoryIsRefused) {
  start();
  const auto second = run({"run"});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err, HasSubstr("another paygress-provider"));
}

TEST_F(DaemonTest, WhatInitWritesIsAcceptedAndNeverReplaced) {
  const std::string fresh = directory_.file("fresh.json");
  const auto command = [&](std::vector<std::string> words) {
    words.insert(words.begin(), PAYGRESS_PROVIDER_PROGRAM);
    words.insert(words.end(), {"--config", fresh});
    return *dev::run_command({std::move(words), {}}, kVerbLimit, never_);
  };
  EXPECT_EQ(command({"init"}).status, 2) << "nothing to connect to was named";
  const auto made = command({"init", "--public-ip", "203.0.113.7", "--json"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_TRUE(json::parse(made.out).at("npub").as_string().starts_with("npub1"));
  EXPECT_EQ(command({"check-config"}).status, 0);
  EXPECT_EQ(command({"init", "--public-ip", "203.0.113.7"}).status, 1);
  std::filesystem::permissions(fresh, std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  const auto open = command({"check-config", "--json"});
  EXPECT_EQ(open.status, 7);
  EXPECT_THAT(open.out, HasSubstr("chmod 600"));
}

}  // namespace
}  // namespace paygress::daemon
