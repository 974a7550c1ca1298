#include "bench/daemon/daemon_rig.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>

#include "core/base/codec.h"
#include "core/cashu/curve_work.h"
#include "core/cashu/mint_api.h"
#include "core/cashu/token.h"
#include "core/provider/pure_work.h"
#include "shell/base/entropy.h"
#include "shell/net/worker_pool.h"
#include "shell/provider/books.h"
#include "shell/provider/journal_writer.h"
#include "shell/provider/setup.h"
#include "sim/models/backend.h"
#include "sim/models/mint.h"

namespace paygress::bench {
namespace {

using provider::Input;
using Clock = std::chrono::steady_clock;

constexpr unsigned kWorkers = 2;  // as the daemon has
constexpr Micros kPatience = micros(Seconds{600});
constexpr Seconds kLeaseTime{1000};
constexpr size_t kStatusEvery = 5;  // spawns between two status requests

Micros since(Clock::time_point from) {
  return Micros{std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - from).count()};
}

Micros thread_time() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return Micros{t.tv_sec * 1'000'000 + t.tv_nsec / 1000};
}

size_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  PG_CHECK(file != nullptr);
  size_t all = 0;
  size_t resident = 0;
  PG_CHECK(std::fscanf(file, "%zu %zu", &all, &resident) == 2);
  std::fclose(file);
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

provider::Settings settings(const PubKey& self, const std::string& mint) {
  provider::Settings s;
  s.self = self;
  s.name = "bench";
  s.tiers = {{"basic", "Basic", "", 1, 1, 1, Msat{1000}}};
  s.mints = {mint};
  s.mints_as_configured = s.mints;
  s.relays = {"wss://relay.example"};
  s.relay_events_per_second = provider::kRelayEventsPerSecondMax;
  s.minimum_duration = Seconds{60};
  s.ranges = {1, 100'000, 10'000, 60'000};
  s.sold = {1'000'000, 1'000'000, 1'000'000};
  s.address = "203.0.113.1";
  return s;
}

sim::BackendModelConfig instant_engine(const InstallId& install) {
  sim::BackendModelConfig config;
  config.install = install;
  config.create_latency = config.start_latency = config.call_latency = Micros{0};
  config.capacity = {1'000'000, 1'000'000, 1'000'000};
  return config;
}

crypto::Keypair new_keypair(Entropy& entropy) {
  for (;;) {
    SecretKey secret;
    entropy.fill(secret.bytes);
    if (auto pair = crypto::Keypair::from(secret)) return *pair;
  }
}

// A private message of ours on its way out.
struct Outgoing {
  PubKey to;
  bool is_status = false;
};

class Load {
 public:
  explicit Load(const LoadOptions& options) : options_(options) {}
  LoadResult run();

 private:
  struct Done {
    Input input;
    Micros took;
  };

  void step(const Input& input);
  void release(const std::vector<provider::Effect>& effects);
  void work(std::function<Input()> piece);
  void soon(Input input);
  void arm_timer();
  std::string frame_of(const crypto::Keypair& from, const market::Request& request);
  market::SpawnRequest spawn_request();
  store::LedgerOptions ledger_options() const;
  void open();
  void feed();
  void receive(std::string frame);
  void on_published(const EventId& id);
  Micros open_again();
  Micros one_group_commit();

  void perform(const provider::OpenLink& e) {
    link_ = e.link;
    soon(provider::LinkUp{e.link});
  }
  void perform(const provider::CloseLink&) {}
  void perform(const provider::PingLink& e) { soon(provider::Pong{e.link}); }
  void perform(const provider::SendFrame& e);
  void perform(const provider::SignEvent& e);
  void perform(const provider::SealReply& e);
  void perform(const cashu::MintCall& e);
  void perform(const cashu::MakeOutputs& e);
  void perform(const cashu::OpenSignatures& e);
  void perform(const cashu::CheckToken& e);
  void perform(const workload::Call& e);
  void perform(const provider::Tell&) {}
  void perform(const provider::WithdrawalSettled&) {}
  void perform(const provider::FetchInvoice&) { std::abort(); }  // no payout rule
  void perform(const provider::WalletSearched&) {}
  void perform(const provider::ReleaseSettled&) {}
  // The guard is for warm-standby leases; this load has none.
  void perform(const provider::GuardHold&) { std::abort(); }
  void perform(const provider::GuardFreeze&) { std::abort(); }
  void perform(const provider::GuardKill&) { std::abort(); }
  void perform(const provider::GuardRelease&) { std::abort(); }
  void perform(const provider::GuardQuery&) {}
  void perform(const provider::KeepVolumeKey&) {}

  const LoadOptions& options_;
  LoadResult result_;
  shell::OsEntropy entropy_;
  crypto::Keypair me_ = new_keypair(entropy_);
  cashu::WalletSeed seed_ = cashu::seed_from_key("bench");
  sim::Mint mint_{sim::MintSettings{}, sim::real_mint_crypto()};
  net::Loop loop_;
  std::unique_ptr<store::Ledger> ledger_;
  net::WorkerPool pool_{loop_, kWorkers};
  net::WorkerPool::QueueId queue_ = pool_.make_queue(net::WorkerPool::Order::Parallel, 100'000);
  provider::Provider core_{settings(me_.public_key(), mint_.settings().url), entropy_, 1};
  std::unique_ptr<daemon::JournalWriter> writer_;
  std::optional<sim::BackendModel> engine_;
  std::optional<Micros> timer_at_;
  net::TimerId timer_ = 0;
  nostr::LinkId link_;
  std::string inbox_;
  std::vector<crypto::Keypair> consumers_;
  std::vector<std::string> spawns_;    // frames, made beforehand
  std::vector<std::string> statuses_;  // of the same consumers
  size_t fed_ = 0;
  std::map<EventId, Outgoing> outgoing_;
  std::map<PubKey, Clock::time_point> asked_;
  std::map<PubKey, std::string> pods_;
  size_t record_bytes_ = 0;
  Micros mint_time_;
};

// --- the machinery -------------------------------------------------------------------------------

void Load::step(const Input& input) {
  const auto from = Clock::now();
  provider::Step out = core_.step(net::Loop::now(), input);
  result_.core += since(from);
  for (const provider::Record& record : out.records) record_bytes_ += encode_bytes(record).size();
  writer_->take(std::move(out));
  arm_timer();
}

void Load::arm_timer() {
  const auto next = core_.next_deadline();
  if (!next || (timer_at_ && *timer_at_ <= *next)) return;
  loop_.cancel(timer_);
  timer_at_ = next;
  timer_ = loop_.at(*next, [this] {
    timer_at_.reset();
    step(provider::Tick{});
  });
}

void Load::release(const std::vector<provider::Effect>& effects) {
  for (const provider::Effect& effect : effects)
    std::visit([this](const auto& e) { perform(e); }, effect);
}

void Load::soon(Input input) {
  loop_.post([this, input = std::move(input)] { step(input); });
}

void Load::work(std::function<Input()> piece) {
  const bool taken =
      pool_.submit(queue_, [this, piece = std::move(piece)]() -> net::WorkerPool::Completion {
        const Micros from = thread_time();
        auto done = std::make_shared<Done>(Done{piece(), Micros{0}});
        done->took = thread_time() - from;
        return [this, done] {
          result_.crypto += done->took;
          step(done->input);
        };
      });
  PG_CHECK(taken);
}

void Load::perform(const provider::SendFrame& e) {
  const auto from = Clock::now();
  const std::string frame = nostr::to_frame(e.message);
  result_.messages += since(from);
  PG_CHECK(!frame.empty());
  if (const auto* publish = std::get_if<nostr::Publish>(&e.message)) {
    on_published(publish->event.id);
    soon(provider::RelaySaid{link_, nostr::Ok{publish->event.id, true, ""}, {}});
  } else if (const auto* subscribe = std::get_if<nostr::Subscribe>(&e.message)) {
    inbox_ = subscribe->subscription;
    soon(provider::RelaySaid{link_, nostr::EndOfStored{subscribe->subscription, {}}, {}});
  }
}

void Load::perform(const provider::SignEvent& e) {
  work([this, e]() -> Input {
    shell::OsEntropy entropy;
    return provider::sign_event(e, me_, entropy);
  });
}

void Load::perform(const provider::SealReply& e) {
  const auto reply = market::parse_reply(e.json);
  PG_CHECK(reply.has_value() && !std::holds_alternative<market::ErrorReply>(*reply));
  if (const auto* access = std::get_if<market::AccessDetails>(&*reply))
    pods_[e.to] = access->pod_npub;
  const bool is_status = std::holds_alternative<market::StatusReply>(*reply);
  const bool taken = pool_.submit(queue_, [this, e, is_status]() -> net::WorkerPool::Completion {
    const Micros from = thread_time();
    shell::OsEntropy entropy;
    auto sealed = std::make_shared<provider::ReplySealed>(provider::seal_reply(e, me_, entropy));
    const Micros took = thread_time() - from;
    return [this, sealed, took, to = e.to, is_status] {
      result_.crypto += took;
      outgoing_[sealed->event.value().id] = {to, is_status};
      step(*sealed);
    };
  });
  PG_CHECK(taken);
}

void Load::perform(const cashu::MakeOutputs& e) {
  work([this, e]() -> Input { return cashu::make_outputs(e, seed_); });
}

void Load::perform(const cashu::OpenSignatures& e) {
  work([this, e]() -> Input { return cashu::open_signatures(e, seed_); });
}

void Load::perform(const cashu::CheckToken& e) {
  work([e]() -> Input { return cashu::check_token(e); });
}

void Load::perform(const cashu::MintCall& e) {
  const auto from = Clock::now();
  for (auto& delivery : mint_.serve(net::Loop::now().mono, e))
    soon(cashu::MintReply{e.id, std::move(delivery.answer)});
  mint_time_ += since(from);
}

void Load::perform(const workload::Call& e) {
  soon(engine_->handle(e, net::Loop::now()).answer.value());
}

// --- the load ------------------------------------------------------------------------------------

std::string Load::frame_of(const crypto::Keypair& from, const market::Request& request) {
  const provider::SealReply work{{}, me_.public_key(),         provider::Transport::Nip17,
                                 {}, market::to_json(request), net::Loop::now().wall};
  nostr::Event event = provider::seal_reply(work, from, entropy_).event.value();
  return nostr::to_frame(
      nostr::WireMessage(nostr::EventFor<nostr::Event>{inbox_, std::move(event)}));
}

market::SpawnRequest Load::spawn_request() {
  market::SpawnRequest request;
  const auto token = mint_.issue_token(static_cast<cashu::Amount>(kLeaseTime.value));
  request.cashu_token = cashu::encode_token(token, cashu::TokenVersion::V4).value();
  request.pod_spec_id = "basic";
  request.pod_image = "debian:12";
  request.ssh_username = "root";
  request.ssh_password = "abcdefgh1234";
  return request;
}

store::LedgerOptions Load::ledger_options() const {
  store::LedgerOptions ledger;
  ledger.directory = options_.directory;
  ledger.vfs = slow_sync_vfs(options_.sync_delay);
  return ledger;
}

void Load::open() {
  ledger_ = store::Ledger::open(ledger_options(), entropy_, {}).value();
  writer_ = std::make_unique<daemon::JournalWriter>(
      loop_, pool_, *ledger_,
      daemon::JournalWriter::Events{
          [this](std::vector<provider::Effect> effects) { release(effects); },
          [](const Error& error) {
            std::fprintf(stderr, "the ledger failed: %s\n", to_string(error).c_str());
            std::abort();
          }});
  engine_.emplace(instant_engine(ledger_->header().install), 1, 1);
  writer_->take(core_
                    .start(net::Loop::now(),
                           {ledger_->header().install, daemon::machine_boot().value(), "bench"})
                    .value());
  arm_timer();
  const auto knows_mint = [&] {
    return !inbox_.empty() && core_.wallet().mints().ready(mint_.settings().url);
  };
  PG_CHECK(loop_.run_until(knows_mint, kPatience));
}

void Load::receive(std::string frame) {
  work([this, frame = std::move(frame)]() -> Input {
    return provider::admit(link_, frame, me_).value();
  });
}

void Load::feed() {
  for (; fed_ < spawns_.size() && fed_ < result_.answered + options_.in_flight; ++fed_)
    receive(std::move(spawns_[fed_]));
}

void Load::on_published(const EventId& id) {
  const auto found = outgoing_.find(id);
  if (found == outgoing_.end()) return;
  const Outgoing out = found->second;
  outgoing_.erase(found);
  if (out.is_status) {
    result_.status.push_back(since(asked_.at(out.to)));
    return;
  }
  const size_t n = result_.answered++;
  feed();
  if (n % kStatusEvery != 0) return;
  // The consumer that was served just now asks at once, under the load of the others.
  const auto who = std::ranges::find(consumers_, out.to, &crypto::Keypair::public_key);
  std::string frame = frame_of(*who, market::StatusRequest{pods_.at(out.to), {}});
  asked_[out.to] = Clock::now();
  receive(std::move(frame));
}

// What the next start of the daemon does before it can sell.
Micros Load::open_again() {
  writer_.reset();
  ledger_.reset();
  const auto from = Clock::now();
  provider::Provider next{settings(me_.public_key(), mint_.settings().url), entropy_, 1};
  ledger_ = store::Ledger::open(ledger_options(), entropy_, {}).value();
  const auto folded = ledger_->read(1, [&](const journal::SealedBatch& batch) {
    return daemon::each_record(batch, [&](uint64_t, const provider::Record& r) { next.fold(r); });
  });
  PG_CHECK(folded.has_value());
  const Micros took = since(from);
  next.check_invariants();
  return took;
}

// What the spawn's records cost when a batch of them, as large as the load's were, is synced alone.
Micros Load::one_group_commit() {
  const size_t syncs = std::max<size_t>(1, result_.syncs.syncs);
  const size_t group = std::max<size_t>(1, record_bytes_ / syncs);
  constexpr int kRounds = 20;
  const auto from = Clock::now();
  for (int i = 0; i < kRounds; ++i) {
    // A record that no fold knows may stand here: this ledger is not opened again.
    PG_CHECK(ledger_->append({Bytes(group, 1)}).has_value());
    PG_CHECK(ledger_->commit().has_value());
  }
  return Micros{since(from).value / kRounds};
}

LoadResult Load::run() {
  open();
  for (size_t i = 0; i < options_.spawns; ++i) {
    consumers_.push_back(new_keypair(entropy_));
    spawns_.push_back(frame_of(consumers_.back(), spawn_request()));
  }
  result_ = {};
  record_bytes_ = 0;
  mint_time_ = Micros{0};
  slow_sync_vfs(options_.sync_delay);
  const size_t resident = resident_bytes();
  const auto from = Clock::now();
  feed();
  PG_CHECK(loop_.run_until([&] { return result_.answered == options_.spawns; }, kPatience));
  result_.wall = since(from) - mint_time_;
  result_.syncs = counted_syncs();
  result_.bytes_per_lease = (resident_bytes() - resident) / options_.spawns;
  PG_CHECK(loop_.run_until([&] { return writer_->idle() && outgoing_.empty(); }, kPatience));
  result_.ledger_bytes = record_bytes_;
  result_.restart = open_again();
  result_.sync_alone = one_group_commit();
  core_.check_invariants();
  return result_;
}

}  // namespace

unsigned workers() { return kWorkers; }

LoadResult run_load(const LoadOptions& options) { return Load(options).run(); }

}  // namespace paygress::bench
