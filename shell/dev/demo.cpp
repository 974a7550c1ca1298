#include "shell/dev/demo.h"

#include <boost/json.hpp>
#include <csignal>
#include <thread>
#include <utility>

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
constexpr milliseconds kEndWithin{20'000};  // of a lease whose time is over
constexpr milliseconds kStepLook{100};
constexpr uint64_t kPurse = 2000;  // sats
constexpr uint64_t kLongLease = 600;
constexpr uint64_t kShortLease = 7;  // a second or two above the shortest, for mint fees
constexpr uint64_t kTopUp = 60;
constexpr uint64_t kStandbyLease = 120;  // at each of three
constexpr milliseconds kTakeOverWithin{30'000};
constexpr Micros kSilentAfter = 500'000_us;  // of a page whose server does not run
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
  Result<std::string> spawn_standby();
  Result<std::string> kill_holder();
  Result<std::string> cut_holder();
  Result<std::string> follow();
  Result<std::string> look_for_lost();
  Result<std::string> stop();
  Result<std::string> verify();
  Result<std::string> clean_up();

  // Runs it as the step's command; an error holds its output.
  Result<boost::json::value> run(const Command& command);
  Result<std::string> run_text(const Command& command);
  Result<Bought> buy(size_t provider, uint64_t sats);
  bool guarded(const MarketProvider& provider) const;
  MarketProvider* find_provider(std::string_view name);
  // What `paygress status` tells, once it names another holder whose page answers.
  Result<boost::json::value> await_take_over();
  Result<void> stay_down() const;                          // what was lost
  bool has_no_copy(const MarketProvider& provider) const;  // of that workload
  std::string logs() const;

  const MarketOptions& options_;
  const std::function<void(const DemoStep&)>& told_;
  DemoReport report_;
  std::unique_ptr<Market> market_;
  std::string shown_;  // the current step's command
  Bought lease_;
  Bought short_;
  std::string page_;  // what the workload serves
  // The workload that others stand by for.
  bool guards_ = true;  // else nobody takes such a workload
  std::string workload_id_;
  std::string reserved_pod_;  // at its first holder
  Bought held_;               // where it runs
  std::string holder_;
  int64_t epoch_ = 0;
  Clock::time_point struck_;
  std::string blow_;  // what its holder suffered
  using Page = std::string;
  std::vector<std::pair<std::string, Page>> lost_;  // former holders, each with its copy's page
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
         "), relay " + market_->services().relay_url() + ", mint " + market_->services().mint_url();
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
  return "nothing answers any more, " + std::to_string(elapsed(short_.expires_at, now).value) +
         " s after the lease's end";
}

bool Demo::guarded(const MarketProvider& provider) const {
  const auto told = market_->status_of(provider);
  const auto* guard = told ? find_member(*told, "guard") : nullptr;
  return guard != nullptr && *guard == true;
}

MarketProvider* Demo::find_provider(std::string_view name) {
  for (MarketProvider& each : market_->providers())
    if (each.name == name) return &each;
  return nullptr;
}

Result<std::string> Demo::spawn_standby() {
  auto& providers = market_->providers();
  for (size_t i = 0; guards_ && i < kDemoProvidersMin; ++i) guards_ = guarded(providers[i]);
  if (!guards_) return "no fail-over here: its guard needs root, or a cgroup tree of its own";
  const auto spawned = run(market_->consumer(spawn_set_arguments(
      providers[1].name, providers[2].name + "," + providers[0].name, kStandbyLease)));
  if (!spawned) return std::unexpected(spawned.error());
  auto bought = read_bought(*spawned, providers[1].npub);
  if (!bought) return std::unexpected(bought.error());
  held_ = std::move(*bought);
  workload_id_ = text_member(*spawned, "workload_id").value_or("");
  reserved_pod_ = held_.pod;
  holder_ = providers[1].name;
  // The primary starts it when its first heartbeat was heard.
  const auto deadline = Clock::now() + kTakeOverWithin;
  while (!fetch(page_url(held_))) {
    if (market_->stop_requested()) return fail("interrupted");
    if (Clock::now() > deadline) return fail("does not serve its page");
    std::this_thread::sleep_for(kStepLook);
  }
  return holder_ + " runs it, " + providers[2].name + " and then " + providers[0].name +
         " stand by";
}

Result<std::string> Demo::cut_holder() {
  struck_ = Clock::now();
  market_->services().cut_from_relay(find_provider(holder_)->process->pid());
  blow_ = "the cut";
  return "the relay neither hears " + holder_ + " nor tells it anything; its daemon lives";
}

Result<std::string> Demo::kill_holder() {
  market_->services().heal_relay();
  MarketProvider& victim = *find_provider(holder_);
  shown_ = "kill -9 " + std::to_string(victim.process->pid());
  struck_ = Clock::now();
  victim.process->signal(SIGKILL);
  if (!victim.process->wait(kBackWithin)) return fail("did not die");
  blow_ = "the kill";
  return holder_ + " is dead, and its guard freezes what nobody vouches for; the relay hears " +
         lost_.back().first + " again";
}

Result<boost::json::value> Demo::await_take_over() {
  Bought asked = held_;
  asked.pod = reserved_pod_;
  auto arguments = status_arguments(asked);
  arguments.insert(arguments.end() - 1, {"--timeout", "1"});  // a dead holder does not answer
  const Command command = market_->consumer(arguments);
  shown_ = shell_text(command);
  const auto deadline = Clock::now() + kTakeOverWithin;
  while (Clock::now() < deadline) {
    const auto done = run_command(command, kCommandWithin, market_->stop_requested());
    if (!done) return std::unexpected(done.error());
    if (market_->stop_requested()) return fail("interrupted");
    boost::system::error_code error;
    auto told = boost::json::parse(done->out, error);
    const auto at = error ? fail("no JSON") : read_bought(told, {});
    // The password comes by letter, a moment after the promotion.
    if (at && number_member(told, "epoch").value_or(0) > epoch_ && fetch(page_url(*at)) &&
        (at->ssh_port == 0 || !at->ssh_password.empty()))
      return told;
    std::this_thread::sleep_for(kStepLook);
  }
  return fail("nobody took over within 30 s");
}

Result<void> Demo::stay_down() const {
  for (const auto& [name, page] : lost_)
    if (fetch(page, kSilentAfter)) return fail("a copy that was lost answers: " + page, name);
  return {};
}

bool Demo::has_no_copy(const MarketProvider& provider) const {
  const auto told = market_->status_of(provider);
  const auto* leases = told ? find_member(*told, "leases") : nullptr;
  if (leases == nullptr || !leases->is_array()) return false;
  bool known = false;
  for (const auto& lease : leases->get_array()) {
    if (text_member(lease, "workload_id") != workload_id_) continue;
    known = true;
    // Of a reservation too: to be made when its time comes.
    if (text_member(lease, "workload") != "provisioning") return false;
  }
  return known;
}

Result<std::string> Demo::follow() {
  const auto told = await_take_over();
  if (!told) return std::unexpected(told.error());
  const int64_t after = since(struck_);
  const std::string before = holder_;
  lost_.emplace_back(before, page_url(held_));
  holder_ = text_member(*told, "provider_name").value_or("");
  epoch_ = number_member(*told, "epoch").value_or(0);
  auto bought = read_bought(*told, {});
  if (!bought) return std::unexpected(bought.error());
  held_ = std::move(*bought);
  if (holder_ == before || find_provider(holder_) == nullptr)
    return fail("is held by \"" + holder_ + "\"");
  std::erase_if(lost_, [&](const auto& lost) { return lost.first == holder_; });
  if (auto ok = stay_down(); !ok) return std::unexpected(ok.error());
  std::string in;
  if (held_.ssh_port != 0) {
    const auto command = login(*market_, held_, "id");
    if (!command) return std::unexpected(command.error());
    const auto out = run_text(*command);
    if (!out) return std::unexpected(out.error());
    in = " and lets us in";
  }
  return holder_ + " took over (epoch " + std::to_string(epoch_) + "), " +
         std::to_string(after / 1000) + "." + std::to_string(after / 100 % 10) + " s after " +
         blow_ + "; it serves the page" + in + ", " + before + "'s copy is silent";
}

Result<std::string> Demo::look_for_lost() {
  const auto deadline = Clock::now() + kTakeOverWithin;
  for (const auto& [name, page] : lost_) {
    MarketProvider& former = *find_provider(name);
    if (former.process->wait(milliseconds{0})) continue;  // dead: its guard's word stands
    while (!has_no_copy(former)) {
      if (market_->stop_requested()) return fail("interrupted");
      if (Clock::now() > deadline) return fail("keeps its copy", name);
      std::this_thread::sleep_for(kStepLook);
    }
  }
  if (auto ok = stay_down(); !ok) return std::unexpected(ok.error());
  if (const auto body = fetch(page_url(held_)); !body) return std::unexpected(body.error());
  return "who came back deleted its copy, nothing answers there; " + holder_ + " goes on serving";
}

Result<std::string> Demo::stop() {
  const int64_t left = elapsed(shell::now().wall, lease_.expires_at).value;
  const auto told = run(market_->consumer(stop_arguments(lease_)));
  if (!told) return std::unexpected(told.error());
  if (const auto body = fetch(page_url(lease_), kSilentAfter)) return fail("is still served");
  const int64_t sats = number_member(*told, "refund_msat").value_or(0) / 1000;
  // Seconds that pass while it ends are not given back, nor is what the mint keeps.
  if (sats > left || sats < left - kCommandWithin.count() / 1000)
    return fail(std::to_string(sats) + " sat came back of " + std::to_string(left) + " s");
  return std::to_string(sats) + " of " + std::to_string(left) + " s came back as sats";
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
  struct Part {
    const char* name;
    Scene what;
    bool needs_guards = false;
  };
  const Part story[] = {{"open the market", &Demo::open_market},
                        {"list the offers", &Demo::list},
                        {"mint test money", &Demo::mint},
                        {"buy a workload", &Demo::spawn},
                        {"fetch its page", &Demo::page},
                        {"log in", &Demo::log_in},
                        {"ask for its status", &Demo::status},
                        {"top it up", &Demo::top_up},
                        {"kill the provider and start it again", &Demo::crash},
                        {"find the lease as it was", &Demo::survive},
                        {"buy a workload that others stand by for", &Demo::spawn_standby},
                        {"buy a short lease from another", &Demo::spawn_short},
                        {"cut its holder off from the relay", &Demo::cut_holder, true},
                        {"let the short lease's time run out", &Demo::expire},
                        {"find the workload at a standby", &Demo::follow, true},
                        {"kill that one, and mend the relay", &Demo::kill_holder, true},
                        {"find the workload at the next", &Demo::follow, true},
                        {"look for the lost copies", &Demo::look_for_lost, true},
                        {"stop the first workload", &Demo::stop},
                        {"verify the ledgers", &Demo::verify}};
  report_.ok = true;
  for (const Part& part : story) {
    if (part.needs_guards && !guards_) continue;
    if (!(report_.ok = scene(part.name, part.what))) break;
  }
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
