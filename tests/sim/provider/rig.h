// One provider on the models of mint and engine, with one relay that takes everything at once: the
// shortest way from a consumer's request to its answer. Everything goes through Provider::step.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/provider/provider.h"
#include "sim/models/backend.h"
#include "sim/models/guard.h"
#include "sim/world/cryptography.h"
#include "sim/world/events.h"

namespace paygress::sim {

inline constexpr UnixSeconds kRigStart{1'780'000'000};
inline constexpr Micros kBoot{1'000'000'000};  // what a monotonic clock shows at the start
inline constexpr Micros kSoon{200};            // what is done at once takes this long

// What the provider sells when a test does not say otherwise: "basic" at 100 msat/s.
provider::Settings rig_settings();

class Rig {
 public:
  explicit Rig(provider::Settings settings = rig_settings(), MintSettings mint = {},
               provider::Policies policies = {});

  // --- the provider's process ---
  void start();
  void stop_process() {
    ++life_;
    provider_.reset();
  }
  bool up() const { return provider_ != nullptr; }
  // Dies at these boundaries, counted from the first: before a batch is durable, after it, and
  // after each effect; and is started again a while later.
  std::set<uint64_t> crash_at;
  uint64_t boundaries() const { return boundary_; }
  // After each step that was survived.
  std::function<void()> watch;
  void at(Seconds when, std::function<void()> action) {
    queue_.at(micros(when), std::move(action));
  }
  Micros time() const { return queue_.now(); }
  void restart() {
    stop_process();
    start();
  }
  void run_for(Seconds time);
  void run_one() { queue_.run_one(); }
  void step(const provider::Input& input);
  provider::Provider& core() { return *provider_; }
  provider::Settings& settings() { return settings_; }  // counts from the next start on
  // Who has the Lightning address of the payout rule; without one nobody answers.
  std::function<provider::InvoiceFetched(const provider::FetchInvoice&)> receiver;
  const std::vector<provider::FetchInvoice>& invoices_asked() const { return invoices_asked_; }
  // The batches of the ledger, in order.
  std::vector<std::vector<provider::Record>>& ledger() { return ledger_; }
  Now now() const;
  void step_wall_clock(Seconds by) { wall_shift_ += by; }

  // --- consumers ---
  struct Sent {
    nostr::Event event;
    EventId message;
  };
  Sent ask(const Identity& who, const market::Request& request,
           provider::Transport transport = provider::Transport::Nip17,
           std::optional<UnixSeconds> dated = {});
  Sent ask_text(const Identity& who, const std::string& text,
                provider::Transport transport = provider::Transport::Nip17,
                std::optional<UnixSeconds> dated = {});
  void deliver(const nostr::Event& event);
  struct Heard {
    std::string text;
    nostr::Event event;
  };
  // Every reply to this consumer since the last call, oldest first. Runs the world for a while.
  std::vector<Heard> replies(const Identity& who, Seconds within = Seconds{5});
  // The only reply, which must be an error.
  market::ErrorReply error(const Identity& who);
  market::SpawnRequest spawn(uint64_t sats = 100);
  // Buys a lease and returns its access details.
  market::AccessDetails buy(const Identity& who, uint64_t sats = 100);

  // --- the world ---
  Mint& mint() { return mint_; }
  BackendModel& engine() { return engine_; }
  GuardModel& guard() { return guard_; }
  // Consumers' keys that are kept for the engine.
  const std::map<LeaseId, market::VolumeKey>& keys() const { return keys_; }
  // Requests to the mint that name a token: swap, checkstate, restore.
  size_t token_calls() const { return token_calls_; }
  // What the operator was told of withdrawals, oldest first.
  const std::vector<provider::WithdrawalSettled>& settled() const { return settled_; }
  // And of searches of the wallet, and of releases.
  const std::vector<provider::WalletSearched>& searched() const { return searched_; }
  const std::vector<provider::ReleaseSettled>& released() const { return released_; }
  const std::vector<nostr::Event>& published() const { return published_; }
  bool hold_checks = false;   // answers to CheckToken wait for release()
  bool hold_outputs = false;  // answers to MakeOutputs wait for release()
  void release();
  bool engine_away = false;
  // The process dies when it has written so many batches, before their effects, and starts again.
  std::optional<size_t> crash_after_batches;

  Identity alice{Tier::Fast, 501};
  Identity bob{Tier::Fast, 502};

 private:
  void carry_out(provider::Step step);
  bool dies_here();
  void answer(Micros after, provider::Input input);
  void perform(const provider::OpenLink& e);
  void perform(const provider::CloseLink&) {}
  void perform(const provider::PingLink& e);
  void perform(const provider::SendFrame& e);
  void perform(const provider::SignEvent& e);
  void perform(const provider::SealReply& e);
  void perform(const cashu::MintCall& e);
  void perform(const cashu::MakeOutputs& e);
  void perform(const cashu::OpenSignatures& e);
  void perform(const cashu::CheckToken& e);
  void perform(const workload::Call& e);
  void perform(const provider::GuardHold& e) { ask_guard(e); }
  void perform(const provider::GuardFreeze& e) { ask_guard(e); }
  void perform(const provider::GuardKill& e) { ask_guard(e); }
  void perform(const provider::GuardRelease& e) { ask_guard(e); }
  void perform(const provider::GuardQuery& e) { ask_guard(e); }
  template <class Request>
  void ask_guard(const Request& e) {
    const GuardReply reply = guard_.handle(e, now());
    answer(reply.due - now().mono, reply.answer);
  }
  void perform(const provider::KeepVolumeKey& e) {
    if (e.key)
      keys_[e.lease] = *e.key;
    else
      keys_.erase(e.lease);
  }
  void perform(const provider::Tell&) {}
  void perform(const provider::WithdrawalSettled& e) { settled_.push_back(e); }
  void perform(const provider::FetchInvoice& e) {
    invoices_asked_.push_back(e);
    if (receiver) answer(kSoon, receiver(e));
  }
  void perform(const provider::WalletSearched& e) { searched_.push_back(e); }
  void perform(const provider::ReleaseSettled& e) { released_.push_back(e); }
  void arm_timer();

  EventQueue queue_;
  std::unique_ptr<Cryptography> crypto_ = make_cryptography(Tier::Fast);
  Identity self_{Tier::Fast, 1};
  provider::Settings settings_;
  provider::Policies policies_;
  Mint mint_;
  BackendModel engine_;
  GuardModel guard_{{}, engine_};
  SeededEntropy entropy_{7, 1, "rig"};
  SeededEntropy consumer_entropy_{7, 2, "rig"};
  std::unique_ptr<provider::Provider> provider_;
  std::vector<std::vector<provider::Record>> ledger_;
  std::vector<nostr::Event> published_;
  std::map<LeaseId, market::VolumeKey> keys_;
  std::map<PubKey, size_t> read_;
  std::vector<provider::Input> held_;
  std::vector<provider::WithdrawalSettled> settled_;
  std::vector<provider::FetchInvoice> invoices_asked_;
  std::vector<provider::WalletSearched> searched_;
  std::vector<provider::ReleaseSettled> released_;
  nostr::LinkId link_;
  std::string subscription_;
  size_t token_calls_ = 0;
  uint64_t life_ = 0;
  uint64_t boundary_ = 0;
  std::optional<Micros> timer_;
  Seconds wall_shift_;
};

// Of a request to the mint: it names a token.
inline bool is_about_token(const cashu::MintCall& call) {
  return call.endpoint == cashu::Endpoint::Swap || call.endpoint == cashu::Endpoint::CheckState ||
         call.endpoint == cashu::Endpoint::Restore;
}

inline market::RequestId request_id(uint8_t n) {
  market::RequestId id;
  id.bytes[0] = n;
  return id;
}

inline market::Reply parsed(const Rig::Heard& heard) {
  return market::parse_reply(heard.text).value();
}

}  // namespace paygress::sim
