// What was paid survives SIGKILL, and the daemon's ledger accounts for it.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "tests/shell/provider/daemon_world.h"

namespace paygress::daemon {
namespace {

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
  EXPECT_EQ(history.at("history").as_array()[0].at("fee_msat").as_int64(), 1000);
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
