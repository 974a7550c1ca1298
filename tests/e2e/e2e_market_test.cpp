// The whole, through the real programs as child processes: a relay, a mint, two providers on the
// sandbox backend and a consumer. Needs bubblewrap.
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <csignal>
#include <filesystem>
#include <thread>

#include "core/nostr/nip19.h"
#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "shell/client/exchange.h"
#include "shell/dev/consumer.h"

namespace paygress::dev {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWithin{60'000};
constexpr uint64_t kLong = 600;  // sats, and about as many seconds
constexpr uint64_t kShort = 8;

MarketOptions sandbox_market() {
  MarketOptions options;
  options.backend = provider::BackendType::Sandbox;
  options.programs = own_directory();
  return options;
}

// One market for all tests of the program: starting it is the slow part. Each test buys its own.
class MarketInABox : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (access("/usr/bin/bwrap", X_OK) != 0) return;
    auto started = Market::start(sandbox_market());
    ASSERT_TRUE(started.has_value()) << to_string(started.error());
    market_ = std::move(*started);
    const auto minted = run(market_->consumer(mint_arguments(*market_, 5000)));
    ASSERT_EQ(minted.status, 0) << minted.err;
  }
  static void TearDownTestSuite() {
    if (!market_) return;
    const std::string directory = market_->directory();
    EXPECT_EQ(market_->close(), std::vector<std::string>{});
    EXPECT_FALSE(std::filesystem::exists(directory));
    market_.reset();
  }
  void SetUp() override {
    if (!market_) GTEST_SKIP() << "needs bubblewrap (package bubblewrap)";
  }
  void TearDown() override {
    if (!HasFailure() || !market_) return;
    for (const MarketProvider& each : market_->providers())
      std::cerr << "--- " << each.name << "\n" << tail_of(each.log_file, 40);
  }

  static Finished run(const Command& command) {
    auto done = run_command(command, kWithin, market_->stop_requested());
    EXPECT_TRUE(done.has_value() && done->in_time) << shell_text(command);
    return done.value_or(Finished{});
  }
  // Null when it failed, which fails the test.
  static boost::json::value run_json(const Command& command) {
    const Finished done = run(command);
    EXPECT_EQ(done.status, 0) << shell_text(command) << "\n" << done.err << done.out;
    boost::system::error_code error;
    auto json = boost::json::parse(done.out, error);
    EXPECT_FALSE(error) << done.out;
    return error ? boost::json::value() : json;
  }
  static Bought buy(size_t provider, uint64_t sats) {
    const std::string& npub = market_->providers().at(provider).npub;
    auto bought = read_bought(run_json(market_->consumer(spawn_arguments(npub, sats))), npub);
    EXPECT_TRUE(bought.has_value());
    return bought.value_or(Bought{});
  }

  // Drains a provider or takes it back, and returns when the relay's offer says so.
  static void drain(MarketProvider& provider, bool on) {
    std::vector<std::string> words{"drain"};
    if (!on) words.push_back("--off");
    ASSERT_EQ(run(market_->operate(provider, words)).status, 0);
    const auto deadline = std::chrono::steady_clock::now() + kWithin;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto listed = run_json(market_->consumer({"list", "--json"}));
      for (const auto& offer : listed.as_array())
        if (text_member(offer, "npub") == provider.npub &&
            offer.at("tiers").as_array().empty() == on)
          return;
    }
    FAIL() << "the offer of " << provider.name << " did not change";
  }

  static std::unique_ptr<Market> market_;
};
std::unique_ptr<Market> MarketInABox::market_;

TEST_F(MarketInABox, What_was_bought_serves_its_page_and_says_so) {
  const Bought lease = buy(0, kLong);
  const auto page = fetch(page_url(lease));
  ASSERT_TRUE(page.has_value()) << to_string(page.error());
  EXPECT_NE(page->find("Hello from paygress-"), std::string::npos);
  const auto status = run_json(market_->consumer(status_arguments(lease)));
  EXPECT_EQ(text_member(status, "status"), "Running");
  EXPECT_EQ(time_member(status, "expires_at"), lease.expires_at);
}

TEST_F(MarketInABox, Its_password_logs_in_and_no_other) {
  Bought lease = buy(0, kLong);
  if (lease.ssh_port == 0) GTEST_SKIP() << "no SSH here: needs root and dropbear-bin";
  const auto right = login(*market_, lease, "id");
  if (!right) GTEST_SKIP() << to_string(right.error());
  const Finished in = run(*right);
  EXPECT_EQ(in.status, 0) << in.err;
  EXPECT_NE(in.out.find("uid=0"), std::string::npos);
  lease.ssh_password += "x";
  EXPECT_NE(run(*login(*market_, lease, "id")).status, 0);
}

// The error_type of what a provider answers another key about a pod.
std::string asked_by_a_stranger(const Market& box, const Bought& lease, const std::string& pod) {
  const auto stranger = client::load_identity(box.directory() + "/stranger");
  if (!stranger) return stranger.error().message;
  consumer::RequestMade request;
  shell::OsEntropy entropy;
  entropy.fill(request.request.bytes);
  request.provider = nostr::parse_public_key(lease.provider).value();
  request.relays = {box.services().relay_url()};
  request.at = shell::now().wall;
  request.json = market::to_json(market::Request{market::StatusRequest{pod, request.request}});
  net::Loop loop;
  const auto answer = client::exchange(loop, *stranger, request, Seconds{30}, [](const auto&) {});
  if (!answer) return answer.error().message;
  const auto* error = std::get_if<market::ErrorReply>(&answer->reply);
  return error ? error->error_type : "no error";
}

// No oracle: to another key a lease of ours is the same as none.
TEST_F(MarketInABox, Another_key_finds_nothing) {
  const Bought lease = buy(0, kLong);
  EXPECT_EQ(asked_by_a_stranger(*market_, lease, lease.pod), "not_found");
  EXPECT_EQ(asked_by_a_stranger(*market_, lease, "container-1999"), "not_found");
}

TEST_F(MarketInABox, A_top_up_moves_the_expiry_by_what_was_paid) {
  const Bought lease = buy(1, kLong);
  const auto told = run_json(market_->consumer(topup_arguments(lease, 120)));
  const auto seconds = number_member(told, "extended_duration_seconds");
  ASSERT_TRUE(seconds.has_value()) << boost::json::serialize(told);
  EXPECT_GE(*seconds, 117);  // the mint keeps a fee
  EXPECT_LE(*seconds, 120);
  const auto status = run_json(market_->consumer(status_arguments(lease)));
  const auto expires = time_member(status, "expires_at");
  ASSERT_TRUE(expires.has_value());
  const int64_t moved = elapsed(lease.expires_at, *expires).value;
  EXPECT_GE(moved, *seconds);
  EXPECT_LE(moved, *seconds + 1);  // credit of the first payment may complete a second
}

TEST_F(MarketInABox, A_lease_outlives_its_killed_provider) {
  const Bought lease = buy(0, kLong);
  const auto page = fetch(page_url(lease));
  ASSERT_TRUE(page.has_value());
  MarketProvider& victim = market_->providers().front();
  victim.process->signal(SIGKILL);
  ASSERT_EQ(victim.process->wait(kWithin), 128 + SIGKILL);
  EXPECT_EQ(fetch(page_url(lease)).value_or("gone"), *page);
  ASSERT_TRUE(market_->start_provider(victim).has_value());
  const auto ready = market_->await_ready(victim, kWithin);
  ASSERT_TRUE(ready.has_value()) << to_string(ready.error());
  const auto status = run_json(market_->consumer(status_arguments(lease)));
  EXPECT_EQ(text_member(status, "status"), "Running");
  EXPECT_EQ(time_member(status, "expires_at"), lease.expires_at);
  EXPECT_EQ(fetch(page_url(lease)).value_or("gone"), *page);
}

// One member sells nothing, whichever it is: nobody is asked for anything that must be paid.
TEST_F(MarketInABox, A_set_that_cannot_be_whole_costs_nothing) {
  const auto money = [] {
    const auto balance = run_json(market_->consumer({"wallet", "balance", "--json"}));
    int64_t sum = 0;
    for (const auto& purse : balance.as_array()) sum += number_member(purse, "balance").value_or(0);
    return sum;
  };
  for (const size_t refuses : {size_t{0}, size_t{1}}) {
    MarketProvider& drained = market_->providers().at(refuses);
    const int64_t before = money();
    ASSERT_GT(before, 0);
    drain(drained, true);
    auto arguments = spawn_arguments(market_->providers().at(0).npub, kLong);
    arguments.insert(arguments.end(), {"--standby", market_->providers().at(1).npub});
    const Finished done = run(market_->consumer(arguments));
    EXPECT_NE(done.status, 0) << done.out << done.err;
    EXPECT_EQ(money(), before) << done.err;
    drain(drained, false);
  }
}

TEST_F(MarketInABox, A_set_is_asked_for_in_words_that_can_be_kept) {
  const std::string& npub = market_->providers().at(0).npub;
  for (const auto& [standby, status] : std::vector<std::pair<std::string, int>>{
           {"0", 2}, {"99", 2}, {"7", 3}, {npub, 2}, {"nobody-of-this-name", 3}}) {
    auto arguments = spawn_arguments(npub, kLong);
    arguments.insert(arguments.end(), {"--standby", standby});
    const Finished done = run(market_->consumer(arguments));
    EXPECT_EQ(done.status, status) << standby << "\n" << done.out << done.err;
  }
}

// Of neither could a token be made: the mint is asked for no invoice, and no swap.
TEST_F(MarketInABox, An_amount_beyond_reach_is_refused_before_anything_is_paid) {
  const auto lines = [] {
    return run_json(market_->consumer({"wallet", "history", "--json"})).as_array().size();
  };
  const size_t before = lines();
  const Finished mint = run(market_->consumer(mint_arguments(*market_, 99'999'999'999)));
  EXPECT_EQ(mint.status, 4) << mint.err;
  EXPECT_NE(mint.out.find("No invoice was asked for"), std::string::npos) << mint.out;
  const std::string& npub = market_->providers().at(0).npub;
  const Finished spawn =
      run(market_->consumer({"spawn", npub, "--seconds", "99999999999", "--json"}));
  EXPECT_EQ(spawn.status, 4) << spawn.err;
  EXPECT_NE(spawn.out.find("not enough money"), std::string::npos) << spawn.out;
  EXPECT_EQ(lines(), before);
}

TEST_F(MarketInABox, A_token_that_was_left_untouched_pays_the_next_time) {
  const auto sent = run_json(market_->consumer({"wallet", "send", "100", "--json"}));
  const std::string token = text_member(sent, "token").value_or("");
  const std::string& npub = market_->providers().at(0).npub;
  const auto spawn = [&](const std::string& slug, bool other) {
    Command command =
        market_->consumer({"spawn", npub, "--template", slug, "--token", token, "--json"});
    if (other) command.argv.insert(command.argv.end(), {"--home", market_->directory() + "/other"});
    return run(command);
  };
  const Finished ours = spawn("hello", false);
  EXPECT_EQ(ours.status, 4);
  EXPECT_NE(ours.out.find("this wallet itself made this token"), std::string::npos) << ours.out;
  EXPECT_EQ(spawn("no-such-template", true).status, 5);
  const Finished again = spawn("hello", true);
  EXPECT_EQ(again.status, 0) << again.out << again.err;
  EXPECT_EQ(spawn("hello", true).status, 4);
}

TEST_F(MarketInABox, A_lease_ends_with_its_time) {
  const Bought lease = buy(1, kShort);
  ASSERT_TRUE(fetch(page_url(lease)).has_value());
  const auto deadline = std::chrono::steady_clock::now() + kWithin;
  bool served = true;
  while (served && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds{100});
    served = fetch(page_url(lease)).has_value();
  }
  EXPECT_FALSE(served);
  EXPECT_GE(shell::now().wall + Seconds{1}, lease.expires_at) << "ended early";
}

TEST_F(MarketInABox, The_ledgers_verify) {
  for (const MarketProvider& each : market_->providers()) {
    const Finished done = run(market_->operate(each, {"ledger", "verify"}));
    EXPECT_EQ(done.status, 0) << done.out << done.err;
  }
}

}  // namespace
}  // namespace paygress::dev
