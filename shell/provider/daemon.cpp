#include "shell/provider/daemon.h"

#include <unistd.h>

#include <csignal>
#include <fstream>

#include "core/base/check.h"
#include "core/provider/provider.h"
#include "shell/base/entropy.h"
#include "shell/net/control_socket.h"
#include "shell/net/signals.h"
#include "shell/provider/control.h"
#include "shell/provider/executor.h"
#include "shell/provider/journal_writer.h"
#include "shell/provider/metrics.h"
#include "shell/provider/notify.h"
#include "shell/provider/ports_in_use.h"
#include "shell/provider/snapshots.h"
#include "shell/provider/status.h"
#include "shell/provider/wallet_desk.h"

namespace paygress::daemon {
namespace {

constexpr Micros kPortsEvery = micros(Seconds{10});
constexpr Micros kEngineDeadline = micros(Seconds{30});
constexpr Micros kStopPatience = micros(Seconds{5});
constexpr Micros kReadyCheckEvery = 250'000_us;
// After it every relay and mint had its chance.
constexpr Micros kFirstTryLimit = micros(Seconds{10});
constexpr unsigned kWorkers = 2;

class Daemon {
 public:
  explicit Daemon(const Setup& setup)
      : setup_(setup), snapshots_(setup.data_dir), pool_(loop_, kWorkers) {}
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Everything up to the first effect. Error: nothing was published.
  Result<void> start();
  int run();
  // From the check handler, on any thread: the journal is closed whole, without the step that
  // broke.
  void close_broken();

 private:
  Result<void> open_ledger();
  Result<void> open_backend();
  Result<workload::Answer> ask_engine(workload::Verb verb);
  Result<void> open_core(lease::Resources node);
  Result<void> open_guard();
  Result<void> open_control();
  void open_metrics();
  void step(const provider::Input& input);
  void note(const provider::Input& input);
  void release(const std::vector<provider::Effect>& effects);
  void arm_timer();
  void look_at_ports();
  void watch_readiness();
  void feed_watchdog();
  void stop(int exit_code);
  void on_journal_failed(const Error& error);
  boost::json::object status() const;

  const Setup& setup_;
  shell::Logger log_{"daemon"};
  shell::OsEntropy entropy_;
  net::Loop loop_;
  Snapshots snapshots_;  // it and the ledger outlive the pool, whose workers write them
  std::unique_ptr<store::Ledger> ledger_;
  net::WorkerPool pool_;
  workload::Encrypts encrypts_ = workload::Encrypts::Nothing;
  std::unique_ptr<backend::Backend> backend_;
  lease::Resources node_;
  std::unique_ptr<provider::Provider> core_;
  std::unique_ptr<RelayLinks> links_;
  std::unique_ptr<GuardLink> guard_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<WalletDesk> wallet_;
  std::unique_ptr<net::ControlServer> control_;
  std::unique_ptr<MetricsServer> metrics_;
  std::unique_ptr<net::Signals> signals_;
  net::TimerId timer_ = 0;
  std::optional<Micros> timer_at_;
  Readiness readiness_;
  std::optional<EventId> offer_;
  std::map<CallId, std::string> mint_calls_;  // until every mint had its chance
  UnixSeconds started_at_;
  bool stepping_ = false;
  bool stopping_ = false;
  int exit_code_ = 0;
};

Daemon* g_daemon = nullptr;  // for the check handler, which has no argument of ours

void on_broken_invariant(const char* expression, const char* file, int line) {
  shell::write_log(shell::Level::Error, "daemon",
                   fmt::format("BROKEN INVARIANT at {}:{}: {}; the process ends, the ledger is "
                               "closed; restart it and report this",
                               file, line, expression));
  if (Daemon* daemon = std::exchange(g_daemon, nullptr)) daemon->close_broken();
}

Daemon::~Daemon() {
  g_daemon = nullptr;
  set_check_handler(nullptr);
}

// --- start -------------------------------------------------------------------------------------

Result<void> Daemon::start() {
  g_daemon = this;
  set_check_handler(on_broken_invariant);
  if (auto ok = open_ledger(); !ok) return ok;
  if (auto ok = open_backend(); !ok) return ok;
  if (auto ok = open_guard(); !ok) return ok;
  if (auto ok = open_core(node_); !ok) return ok;
  if (auto ok = open_control(); !ok) return ok;
  const auto boot = machine_boot();
  if (!boot) return std::unexpected(boot.error());
  const Now now = net::Loop::now();
  started_at_ = now.wall;
  auto first = core_->start(now, {ledger_->header().install, *boot, setup_.seed_fingerprint});
  if (!first) return std::unexpected(first.error());
  writer_->take(*std::move(first));
  backend_->listen([this](const workload::Noticed& noticed) { step(noticed); });
  open_metrics();
  // What is in use is known before the first request can be.
  look_at_ports();
  return {};
}

Result<void> Daemon::open_ledger() {
  store::LedgerOptions options;
  options.directory = setup_.data_dir;
  options.known = snapshots_.read();
  auto ledger = store::Ledger::open(options, entropy_, {});
  if (!ledger) return std::unexpected(ledger.error());
  ledger_ = *std::move(ledger);
  log_.info("ledger {} at batch {}", setup_.data_dir, ledger_->acknowledged().sequence);
  return {};
}

Result<workload::Answer> Daemon::ask_engine(workload::Verb verb) {
  std::optional<workload::Answer> answer;
  backend_->call({{}, verb, {}, {}, kEngineDeadline},
                 [&](workload::Answer a) { answer = std::move(a); });
  if (!loop_.run_until([&] { return answer.has_value(); }, kEngineDeadline + kEngineDeadline))
    return fail("the engine does not answer");
  if (answer->outcome == workload::Outcome::Unknown)
    return fail("the engine did not answer in time");
  if (answer->outcome != workload::Outcome::Done) return fail(answer->message);
  return *std::move(answer);
}

Result<void> Daemon::open_backend() {
  auto made = backend::make_backend(loop_, backend_config(setup_, ledger_->header().install));
  if (!made) return std::unexpected(made.error());
  backend_ = *std::move(made);
  const std::string name(provider::to_text(setup_.config.backend_type));
  const auto probed = ask_engine(workload::Verb::Probe);
  if (!probed)
    return fail("the " + name + " backend cannot be used: " + to_string(probed.error()) +
                "; nothing was published");
  if (!probed->message.empty()) log_.warn("{}: {}", name, probed->message);
  encrypts_ = probed->encrypts;
  const auto capacity = ask_engine(workload::Verb::Capacity);
  if (!capacity || !capacity->capacity)
    return fail("the " + name + " backend does not say what the node has" +
                (capacity ? std::string() : ": " + to_string(capacity.error())));
  node_ = {capacity->capacity->cpu_millicores, capacity->capacity->memory_mb,
           capacity->capacity->storage_gb};
  log_.info("{} works: {} millicores, {} MB, {} GB", name, node_.cpu_millicores, node_.memory_mb,
            node_.storage_gb);
  return {};
}

// Warm standby needs it; everything else does not, so no sale waits for it.
Result<void> Daemon::open_guard() {
  std::string boot;
  if (!(std::ifstream("/proc/sys/kernel/random/boot_id") >> boot))
    return fail("this machine does not say which boot it is");
  GuardLink::Events events;
  events.answered = [this](const workload::GuardAnswered& answer) { step(answer); };
  const auto backend = backend_config(setup_, ledger_->header().install);
  events.health =
      [this, possible = backend::can_be_guarded(backend)](const workload::GuardHealth& health) {
        if (possible) return step(health);
        step(workload::GuardHealth{false, "the backend has no group of processes for it"});
      };
  guard_ = std::make_unique<GuardLink>(
      loop_, guard::guard_place(setup_.data_dir, ledger_->header().install.hex()), boot,
      std::move(events));
  return {};
}

Result<void> Daemon::open_core(lease::Resources node) {
  ByteArray<8> drawn;
  entropy_.fill(drawn);
  uint64_t jitter = 0;
  for (const uint8_t byte : drawn) jitter = jitter << 8 | byte;
  auto settings = provider::settings_of(setup_.config, setup_.me.public_key(), node);
  settings.encrypts = encrypts_;
  settings.templates = setup_.templates;
  const auto empty = [this, settings, jitter] {
    return std::make_unique<provider::Provider>(settings, entropy_, jitter);
  };
  auto core = snapshots_.open(*ledger_, empty);
  if (!core) return std::unexpected(core.error());
  core_ = *std::move(core);
  core_->check_invariants();
  const auto input = [this](const provider::Input& i) { step(i); };
  links_ = std::make_unique<RelayLinks>(
      loop_, pool_, setup_.me, setup_.config.nostr_relays.size(),
      RelayLinks::Events{input, [this](const EventId& id) { return core_->delivered(id); }});
  executor_ = std::make_unique<Executor>(loop_, pool_, setup_, *backend_, *links_, *guard_, input);
  writer_ = std::make_unique<JournalWriter>(
      loop_, pool_, *ledger_,
      JournalWriter::Events{[this](std::vector<provider::Effect> effects) { release(effects); },
                            [this](const Error& error) { on_journal_failed(error); }});
  snapshots_.watch(loop_, pool_, *writer_, empty);
  wallet_ = std::make_unique<WalletDesk>(
      loop_, *core_, executor_->silent_mints(), setup_.config.payout.directory,
      [this](const cashu::MintCall& call, std::function<void(const cashu::MintAnswer&)> then) {
        executor_->ask_mint(call, std::move(then));
      },
      input);
  return {};
}

Result<void> Daemon::open_control() {
  ControlVerbs verbs;
  verbs.status = [this] { return status(); };
  verbs.drain = [this](bool on) { step(provider::Drain{on}); };
  verbs.writer = writer_.get();
  verbs.wallet = wallet_.get();
  verbs.data_dir = setup_.data_dir;
  auto server = net::ControlServer::listen(loop_, setup_.data_dir + "/" + kControlSocket,
                                           control_handler(std::move(verbs)));
  if (!server) return std::unexpected(server.error());
  control_ = *std::move(server);
  return {};
}

// Leases were paid for: a port that somebody has is no reason to serve none of them.
void Daemon::open_metrics() {
  const auto& address = setup_.config.metrics_bind_addr;
  if (!address) return;
  MetricsServer::Sources sources;
  sources.metrics = [this] {
    return metrics_text(*core_, readiness_,
                        {started_at_, links_->frames_refused(), executor_->silent_mints()});
  };
  sources.waits_for = [this] { return waits_for(*core_, readiness_); };
  auto server = MetricsServer::listen(loop_, *address, std::move(sources));
  if (!server)
    return log_.warn("metrics_bind_addr {}: {}; goes on without metrics", *address,
                     to_string(server.error()));
  metrics_ = *std::move(server);
  log_.info("metrics at {}/metrics", metrics_->url());
}

// --- the loop ------------------------------------------------------------------------------------

int Daemon::run() {
  signals_ = std::make_unique<net::Signals>(loop_, std::initializer_list<int>{SIGTERM, SIGINT},
                                            [this](int) {
                                              log_.info("stopping; workloads stay as they are");
                                              stop(0);
                                            });
  loop_.after(kFirstTryLimit, [this] {
    for (uint32_t i = 0; i < core_->settings().relays.size(); ++i)
      readiness_.relays_tried.insert(RelayIndex{i});
    for (const std::string& mint : core_->settings().mints) readiness_.mints_tried.insert(mint);
    readiness_.guard_tried = true;
    mint_calls_.clear();
  });
  watch_readiness();
  feed_watchdog();
  notify_ready();
  loop_.run();
  // In this order: nothing is called back any more, then what was called goes.
  metrics_.reset();
  control_.reset();
  writer_.reset();
  wallet_.reset();
  executor_.reset();
  guard_.reset();
  links_.reset();
  return exit_code_;
}

void Daemon::step(const provider::Input& input) {
  if (stopping_) return;
  PG_CHECK(!std::exchange(stepping_, true));
  note(input);
  provider::Step out = core_->step(net::Loop::now(), input);
  stepping_ = false;
  writer_->take(std::move(out));
  arm_timer();
}

// What `ready` needs and the core does not keep.
void Daemon::note(const provider::Input& input) {
  if (const auto* lost = std::get_if<provider::LinkLost>(&input)) {
    readiness_.relays_tried.insert(lost->link.relay);
  } else if (std::holds_alternative<workload::GuardHealth>(input)) {
    readiness_.guard_tried = true;
  } else if (const auto* made = std::get_if<provider::EventSigned>(&input)) {
    if (made->event.kind == nostr::kind::kOffer) offer_ = made->event.id;
  } else if (const auto* said = std::get_if<provider::RelaySaid>(&input)) {
    const auto* ok = std::get_if<nostr::Ok>(&said->message);
    if (ok != nullptr && ok->accepted && offer_ == ok->id) readiness_.offer_taken = true;
  } else if (const auto* reply = std::get_if<cashu::MintReply>(&input)) {
    const auto call = mint_calls_.find(reply->id);
    if (call == mint_calls_.end()) return;
    if (std::holds_alternative<cashu::NoReply>(reply->answer) ||
        std::holds_alternative<cashu::MintError>(reply->answer))
      readiness_.mints_tried.insert(call->second);
    mint_calls_.erase(call);
  }
}

void Daemon::release(const std::vector<provider::Effect>& effects) {
  for (const provider::Effect& effect : effects) {
    const auto* call = std::get_if<cashu::MintCall>(&effect);
    if (call != nullptr && !readiness_.mints_tried.contains(call->mint))
      mint_calls_.emplace(call->id, call->mint);
    if (const auto* settled = std::get_if<provider::WithdrawalSettled>(&effect))
      wallet_->settled(*settled);
    else if (const auto* searched = std::get_if<provider::WalletSearched>(&effect))
      wallet_->searched(*searched);
    else if (const auto* released = std::get_if<provider::ReleaseSettled>(&effect))
      wallet_->released(*released);
    // A stop lets what is durable be begun by the next start instead.
    else if (!stopping_)
      executor_->perform(effect);
  }
  if (stopping_ && writer_->idle()) loop_.stop();
}

void Daemon::arm_timer() {
  const auto next = core_->next_deadline();
  if (!next || (timer_at_ && *timer_at_ <= *next)) return;
  loop_.cancel(timer_);
  timer_at_ = next;
  timer_ = loop_.at(*next, [this] {
    timer_at_.reset();
    step(provider::Tick{});
  });
}

// Ports where somebody listens, without those of our own leases' workloads.
void Daemon::look_at_ports() {
  std::set<uint16_t> ports = listening_ports(provider::ssh_ports(setup_.config));
  for (const auto& [id, lease] : core_->leases().leases()) {
    if (lease.phase == lease::Phase::Ended || lease.phase == lease::Phase::Void) continue;
    if (lease.terms.ssh_port) ports.erase(*lease.terms.ssh_port);
    for (const auto& port : lease.terms.ports) ports.erase(port.host_port);
  }
  step(provider::PortsInUse{{ports.begin(), ports.end()}});
  loop_.after(kPortsEvery, [this] { look_at_ports(); });
}

void Daemon::watch_readiness() {
  if (stopping_) return;
  if (waits_for(*core_, readiness_).empty()) {
    log_.info("ready: the offer is published, requests are read");
    notify_status("ready");
    return;
  }
  loop_.after(kReadyCheckEvery, [this] { watch_readiness(); });
}

// From the loop itself: a loop that hangs is restarted by systemd.
void Daemon::feed_watchdog() {
  const auto every = watchdog_interval();
  if (!every) return;
  notify_watchdog();
  loop_.after(*every, [this] { feed_watchdog(); });
}

boost::json::object Daemon::status() const {
  boost::json::object out =
      live_json(*core_, readiness_, executor_->silent_mints(), net::Loop::now());
  out["pid"] = getpid();
  out["started_at"] = started_at_.value;
  out["data_dir"] = setup_.data_dir;
  out["guard"] = guard_->works();
  out["frames_refused"] = links_->frames_refused();
  if (metrics_ != nullptr) out["metrics"] = metrics_->url() + "/metrics";
  return out;
}

// --- the end -------------------------------------------------------------------------------------

void Daemon::stop(int exit_code) {
  if (std::exchange(stopping_, true)) return;
  exit_code_ = exit_code;
  notify_stopping();
  if (exit_code != 0 || writer_->idle()) return loop_.stop();
  loop_.after(kStopPatience, [this] { loop_.stop(); });
}

void Daemon::on_journal_failed(const Error& error) {
  log_.error(
      "the ledger cannot be written: {}; nothing more is done, so that nothing happens that "
      "is not in it. Mend the disk, then start again",
      to_string(error));
  stop(1);
}

void Daemon::close_broken() {
  if (writer_ == nullptr || writer_->lock_out()) ledger_.reset();
}

}  // namespace

int run_daemon(const Setup& setup) {
  const shell::Logger log("daemon");
  auto daemon = std::make_unique<Daemon>(setup);
  if (auto ok = daemon->start(); !ok) {
    log.error("cannot start: {}", to_string(ok.error()));
    return 1;
  }
  const int code = daemon->run();
  daemon.reset();
  if (code == 0) log.info("stopped");
  return code;
}

}  // namespace paygress::daemon
