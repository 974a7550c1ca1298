#include "shell/dev/demo.h"

#include <boost/json.hpp>
#include <csignal>
#include <thread>

#include "core/base/check.h"
#include "core/market/time_text.h"
#include "shell/base/clock.h"
#include "shell/dev/consumer.h"

namespace paygress::dev {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kCommandWithin{30'000};
constexpr milliseconds kBackWithin{15'000};
constexpr milliseconds kEndWithin{20'000};   // of a lease whose time is over
constexpr milliseconds kStepLook{100};
constexpr uint64_t kPurse = 2000;            // sats
constexpr uint64_t kLongLease = 600;
constexpr uint64_t kShortLease = 7;          // a second or two above the shortest, for mint fees
constexpr uint64_t kTopUp = 60;
constexpr int64_t kFeeMax = 3;               // sats that the mint may keep of one payment
constexpr size_t kLogLines = 15;

int64_t since(Clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - start).count();
}

class Demo {
 public:
  Demo(const MarketOptions& options, const std::function<void(const DemoStep&)>& told)
      : options_(options), told_(told) {}
  DemoReport play();

 private:
  using Scene = Result<std::string> (Demo::*)();
  bool scene(const std::string& name, Scene what);

  Result<std::string> open_market();
  Result<std::string> list();
  Result<std::string> mint();
  Result<std::string> spawn();
  Result<std::string> page();
  Result<std::string> log_in();
  Result<std::string> status();
  Result<std::string> top_up();
  Result<std::string> crash();
  Result<std::string> survive();
  Result<std::string> spawn_short();
  Result<std::string> expire();
  Result<std::string> verify();
  Result<std::string> clean_up();

  // Runs it as the step's command; an error holds its output.
  Result<boost::json::value> run(const Command& command);
  Result<std::string> run_text(const Command& command);
  Result<Bought> buy(size_t provider, uint64_t sats);
  std::string logs() const;

  const MarketOptions& options_;
  const std::function<void(const DemoStep&)>& told_;
  DemoReport report_;
  std::unique_ptr<Market> market_;
  std::string shown_;                        // the current step's command
  Bought lease_;
  Bought short_;
  std::string page_;                         // what the workload serves
};

Result<std::string> Demo::run_text(const Command& command) {
  const std::string typed = shell_text(command);
  shown_ += (shown_.empty() ? "" : "\n") + typed;
  const auto done = run_command(command, kCommandWithin, market_->stop_requested());
  if (!done) return std::unexpected(done.error());
  if (!done->in_time)
    return fail(market_->stop_requested() ? "interrupted" : "took longer than 30 s", typed);
  if (done->status != 0)
    return fail("exit status " + std::to_string(done->status) + "\n" + done->err + done->out,
                typed);
  return done->out;
}

Result<boost::json::value> Demo::run(const Command& command) {
  const auto out = run_text(command);
  if (!out) return std::unexpected(out.error());
  boost::system::error_code error;
  auto json = boost::json::parse(*out, error);
  if (error) return fail("printed no JSON: " + *out, shell_text(command));
  return json;
}

Result<std::string> Demo::open_market() {
  auto market = Market::start(options_);
  if (!market) return std::unexpected(market.error());
  market_ = std::move(*market);
  report_.backend = provider::to_text(market_->backend());
  return std::to_string(market_->providers().size()) + " providers (" + report_.backend +
         "), relay " + market_->services().relay_url() + ", mint " +
         market_->services().mint_url();
}

Result<std::string> Demo::list() {
  const auto listed = run(market_->consumer(list_arguments()));
  if (!listed) return std::unexpected(listed.error());
  const std::string text = boost::json::serialize(*listed);
  for (const MarketProvider& each : market_->providers())
    if (text.find(each.npub) == std::string::npos) return fail("does not list " + each.npub);
  return std::to_string(market_->providers().size()) + " providers offer \"basic\" at " +
         std::to_string(kRateMsat) + " msat a second";
}

Result<std::string> Demo::mint() {
  const auto minted = run(market_->consumer(mint_arguments(*market_, kPurse)));
  if (!minted) return std::unexpected(minted.error());
  return std::to_string(kPurse) + " sat of test money";
}

Result<Bought> Demo::buy(size_t provider, uint64_t sats) {
  const std::string& npub = market_->providers().at(provider).npub;
  const auto spawned = run(market_->consumer(spawn_arguments(npub, sats)));
  if (!spawned) return std::unexpected(spawned.error());
  auto bought = read_bought(*spawned, npub);
  if (bought && !bought->page_port) return fail("the workload has no port for its page");
  return bought;
}

Result<std::string> Demo::spawn() {
  auto bought = buy(0, kLongLease);
  if (!bought) return std::unexpected(bought.error());
  lease_ = std::move(*bought);
  return lease_.pod + " paid ahead for " +
         std::to_string((lease_.expires_at - shell::now().wall).value) + " s";
}

Result<std::string> Demo::page() {
  shown_ = "curl " + page_url(lease_);
  const auto body = fetch(page_url(lease_));
  if (!body) return std::unexpected(body.error());
  if (body->find("Hello from paygress-") == std::string::npos)
    return fail("serves another page: " + *body);
  page_ = *body;
  const size_t from = page_.find("Hello from");
  return page_.substr(from, page_.find('<', from) - from);
}

Result<std::string> Demo::log_in() {
  if (lease_.ssh_port == 0 || lease_.ssh_password.empty())
    return "no SSH from this workload (needs root and dropbear)";
  const auto command = login(*market_, lease_, "id");
  if (!command) return std::unexpected(command.error());
  const auto out = run_text(*command);
  if (!out) return std::unexpected(out.error());
  if (out->find("uid=0") == std::string::npos) return fail("not root: " + *out);
  return out->substr(0, out->find('\n'));
}

Result<std::string> Demo::status() {
  const auto told = run(market_->consumer(status_arguments(lease_)));
  if (!told) return std::unexpected(told.error());
  const std::string state = text_member(*told, "status").value_or("nothing");
  if (state != "Running") return fail("is " + state);
  if (time_member(*told, "expires_at") != lease_.expires_at)
    return fail("says another expiry than it was: " + boost::json::serialize(*told));
  return state + ", until " + market::to_human_time(lease_.expires_at);
}

Result<std::string> Demo::top_up() {
  const auto told = run(market_->consumer(topup_arguments(lease_, kTopUp)));
  if (!told) return std::unexpected(told.error());
  const auto expires = time_member(*told, "expires_at");
  const auto seconds = number_member(*told, "extended_duration_seconds");
  if (!expires || !seconds) return fail("no answer to a top-up: " + boost::json::serialize(*told));
  const auto paid = static_cast<int64_t>(kTopUp);
  if (*seconds > paid || *seconds < paid - kFeeMax)
    return fail(std::to_string(paid) + " sat bought " + std::to_string(*seconds) + " s");
  // Credit below a second's price may carry over and complete one more.
  const int64_t moved = elapsed(lease_.expires_at, *expires).value;
  if (moved < *seconds || moved > *seconds + 1)
    return fail("the expiry moved by " + std::to_string(moved) + " s");
  lease_.expires_at = *expires;
  return std::to_string(paid) + " sat moved the expiry by " + std::to_string(moved) + " s";
}

Result<std::string> Demo::crash() {
  MarketProvider& victim = market_->providers().front();
  const pid_t pid = victim.process->pid();
  shown_ = "kill -9 " + std::to_string(pid);
  victim.process->signal(SIGKILL);
  if (!victim.process->wait(kBackWithin)) return fail("did not die");
  const auto body = fetch(page_url(lease_));
  if (!body || *body != page_) return fail("the workload went down with its provider");
  shown_ += "\n" + shell_text(market_->operate(victim, {"run"})) + " &";
  if (auto ok = market_->start_provider(victim); !ok) return std::unexpected(ok.error());
  if (auto ok = market_->await_ready(victim, kBackWithin); !ok) return std::unexpected(ok.error());
  return "the page stayed up meanwhile; the new process is ready";
}

Result<std::string> Demo::survive() {
  const auto told = status();
  if (!told) return told;
  const auto body = fetch(page_url(lease_));
  if (!body) return std::unexpected(body.error());
  if (*body != page_) return fail("another workload answers: " + *body);
  return "the same workload, the same expiry";
}

Result<std::string> Demo::spawn_short() {
  auto bought = buy(market_->providers().size() - 1, kShortLease);
  if (!bought) return std::unexpected(bought.error());
  short_ = std::move(*bought);
  if (const auto body = fetch(page_url(short_)); !body) return std::unexpected(body.error());
  return short_.pod + " paid ahead for " +
         std::to_string((short_.expires_at - shell::now().wall).value) + " s";
}

Result<std::string> Demo::expire() {
  shown_ = "curl " + page_url(short_);
  const auto deadline = Clock::now() + kEndWithin;
  while (fetch(page_url(short_))) {
    if (market_->stop_requested()) return fail("interrupted");
    if (Clock::now() > deadline) return fail("is still served after its time");
    std::this_thread::sleep_for(kStepLook);
  }
  const UnixSeconds now = shell::now().wall;
  // A second of each clock's rounding.
  if (now + Seconds{1} < short_.expires_at)
    return fail("went away " + std::to_string(elapsed(now, short_.expires_at).value) + " s early");
  return "nothing answers any more, " +
         std::to_string(elapsed(short_.expires_at, now).value) + " s after the lease's end";
}

Result<std::string> Demo::verify() {
  for (const MarketProvider& each : market_->providers()) {
    const auto out = run_text(market_->operate(each, {"ledger", "verify"}));
    if (!out) return std::unexpected(out.error());
  }
  return "every ledger folds to the same state, its chain whole";
}

Result<std::string> Demo::clean_up() {
  const auto problems = market_->close();
  std::string all;
  for (const std::string& problem : problems) all += problem + "\n";
  if (!all.empty()) return fail(all);
  return "providers ended, workloads removed, files deleted";
}

std::string Demo::logs() const {
  std::string text;
  if (market_)
    for (const MarketProvider& each : market_->providers())
      text += "\n--- " + each.log_file + "\n" + tail_of(each.log_file, kLogLines);
  return text;
}

bool Demo::scene(const std::string& name, Scene what) {
  const auto start = Clock::now();
  shown_.clear();
  const auto note = (this->*what)();
  DemoStep step{name, shown_, since(start), note.has_value(), {}};
  step.note = note ? *note : to_string(note.error()) + logs();
  told_(step);
  report_.steps.push_back(std::move(step));
  return note.has_value();
}

DemoReport Demo::play() {
  const auto start = Clock::now();
  const std::pair<const char*, Scene> story[] = {
      {"open the market", &Demo::open_market},
      {"list the offers", &Demo::list},
      {"mint test money", &Demo::mint},
      {"buy a workload", &Demo::spawn},
      {"fetch its page", &Demo::page},
      {"log in", &Demo::log_in},
      {"ask for its status", &Demo::status},
      {"top it up", &Demo::top_up},
      {"kill the provider and start it again", &Demo::crash},
      {"find the lease as it was", &Demo::survive},
      {"buy a short lease from another", &Demo::spawn_short},
      {"let its time run out", &Demo::expire},
      {"verify the ledgers", &Demo::verify}};
  report_.ok = true;
  for (const auto& [name, what] : story)
    if (!(report_.ok = scene(name, what))) break;
  if (market_ && !scene("clean up", &Demo::clean_up)) report_.ok = false;
  report_.milliseconds = since(start);
  return std::move(report_);
}

}  // namespace

DemoReport play_demo(const MarketOptions& options,
                     const std::function<void(const DemoStep&)>& told) {
  PG_CHECK(told != nullptr);
  return Demo(options, told).play();
}

boost::json::value to_json(const DemoReport& report) {
  boost::json::array steps;
  for (const DemoStep& step : report.steps)
    steps.push_back({{"name", step.name},
                     {"command", step.command},
                     {"milliseconds", step.milliseconds},
                     {"ok", step.ok},
                     {"note", step.note}});
  return {{"ok", report.ok},
          {"milliseconds", report.milliseconds},
          {"backend", report.backend},
          {"steps", std::move(steps)}};
}

}  // namespace paygress::dev
