// Bytes as a sequence of typed inputs to one Provider: requests of a few keys with a few tokens,
// answers to what it asked for (in any order, true, lost or of an earlier life), jumps of the
// clocks, crashes that lose the last batch or nothing. The invariants must hold after each step.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/cashu/token.h"
#include "core/provider/provider.h"
#include "sim/models/backend.h"
#include "sim/models/fake_curve.h"
#include "sim/models/guard.h"
#include "sim/models/mint.h"
#include "sim/models/model_witness.h"

namespace {

using namespace paygress;
using namespace paygress::provider;

constexpr size_t kStepsMax = 400;
constexpr uint64_t kWalletSeed = 1;
constexpr InstallId kInstall{{4}};
constexpr int64_t kJumps[] = {0, 1, 5, 8, 31, 61, 305, 601, 3'601, 86'401, 8 * 86'400};
constexpr int64_t kWallSteps[] = {-100'000, -3'600, -61, 61, 3'600, 100'000};
const char* const kPods[] = {"container-1000", "1001", "1002", "standby-slot-w", "w", "x", ""};

class Choices {
 public:
  Choices(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  uint8_t next() { return empty() ? 0 : data_[at_++]; }
  size_t below(size_t n) { return next() % n; }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

PubKey key_of(size_t n) {
  PubKey key;
  key.bytes[0] = static_cast<uint8_t>(n + 1);
  return key;
}

Settings make_settings() {
  Settings s;
  s.self = key_of(200);
  s.name = "fuzz";
  s.tiers = {{"basic", "Basic", "", 1000, 1024, 10, Msat{100}},
             {"dear", "Dear", "", 1000, 1024, 10, Msat{1'999}}};
  s.mints = {sim::MintSettings{}.url};
  s.relays = {"wss://a.example", "wss://b.example"};
  s.sold = {3'000, 10'240, 100};
  s.ranges = {1000, 1003, 30'000, 30'003};
  s.address = "203.0.113.1";
  s.blocked = {key_of(9)};
  return s;
}

sim::BackendModelConfig engine_config() {
  sim::BackendModelConfig config;
  config.install = kInstall;
  config.capacity = {1'000'000, 1'000'000, 1'000'000};
  return config;
}

class Sequence {
 public:
  Sequence(const uint8_t* data, size_t size) : in_(data, size) {
    for (int i = 0; i < 6; ++i) tokens_.push_back(mint_.issue_token(i == 5 ? 3 : 40 + 30 * i));
    boot();
  }

  void run() {
    for (size_t i = 0; i < kStepsMax && !in_.empty(); ++i) act();
  }

 private:
  void act() {
    switch (in_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: return answer_one();
      case 5:
      case 6: return request();
      case 7: return jump();
      case 8: return tick();
      case 9: return odd();
      case 10: return replay();
      default: return in_.below(4) == 0 ? crash() : answer_one();
    }
  }

  // --- the process ---
  void boot() {
    provider_ = std::make_unique<Provider>(make_settings(), entropy_, 3);
    for (const auto& batch : ledger_)
      for (const Bytes& record : batch) provider_->fold(decode_bytes<Record>(record).value());
    lease::BootId machine;
    machine.bytes[0] = machine_;
    auto first = provider_->start(now_, {kInstall, machine, "seed"});
    PG_CHECK(first.has_value());
    take(*std::move(first));
  }
  void crash() {
    const size_t how = in_.below(4);
    // A batch may be lost as long as none of its effects began.
    if (how == 0 && last_is_loose_) ledger_.pop_back();
    last_is_loose_ = false;
    if (how == 1) {
      ++machine_;
      now_.mono = Micros{7'000'000};
    }
    if (how == 2) roll_back();
    for (const Effect& e : pending_) old_.push_back(e);
    pending_.clear();
    boot();
  }
  // An older ledger is taken up by its operator's word.
  void roll_back() {
    const uint64_t had = ledger_.size();
    for (size_t lost = in_.below(12); lost > 0 && ledger_.size() > 1; --lost) ledger_.pop_back();
    const RecoveryBegan began{ledger_.size(), had, now_.wall};
    ledger_.push_back({encode_bytes(Record(OwnRecord(began)))});
  }
  void step(const Input& input) { take(provider_->step(now_, input)); }
  void take(Step step) {
    provider_->check_invariants();
    std::vector<Bytes> batch;
    for (const Record& record : step.records) batch.push_back(encode_bytes(record));
    last_is_loose_ = !batch.empty();
    if (!batch.empty()) ledger_.push_back(std::move(batch));
    for (Effect& e : step.effects)
      if (!std::holds_alternative<Tell>(e)) pending_.push_back(std::move(e));
    while (pending_.size() > 200) pending_.pop_front();
  }

  // --- the world ---
  void tick() {
    if (const auto next = provider_->next_deadline(); next && *next > now_.mono) {
      const int64_t wait = (*next - now_.mono).value;
      now_.wall = now_.wall + Seconds{wait / 1'000'000};
      now_.mono = *next;
    }
    step(Tick{});
  }
  void jump() {
    const Seconds by{kJumps[in_.below(std::size(kJumps))]};
    now_.mono += micros(by);
    now_.wall = now_.wall + by;
    if (in_.below(8) == 0) now_.wall = now_.wall + Seconds{kWallSteps[in_.below(6)]};
    step(Tick{});
  }
  void odd() {
    switch (in_.below(8)) {
      case 0: return step(Drain{in_.below(2) == 0});
      case 1: return step(PortsInUse{{30'001, static_cast<uint16_t>(in_.next())}});
      case 2: mint_.set_reachable(in_.below(3) != 0); return;
      case 3: engine_.set_unreachable(in_.below(3) == 0); return;
      case 4:
        if (const auto names = engine_.running_names(now()); !names.empty())
          engine_.exit_workload(names[in_.below(names.size())], in_.next(), now());
        return;
      case 5: return step(SearchWallet{});
      case 6: return step(Release{in_.below(2) == 0});
      default:
        if (const auto names = engine_.running_names(now()); !names.empty())
          engine_.lose_object(names[in_.below(names.size())], now());
    }
  }
  // The engine's own clock never goes back, whatever the machine's does.
  Now now() {
    engine_clock_ = std::max(engine_clock_, now_.mono);
    return {engine_clock_, now_.wall};
  }
  // An answer that this process never asked for, or that comes for the second time.
  void replay() {
    if (old_.empty()) return;
    const Effect e = old_[in_.below(old_.size())];
    std::visit([&](const auto& effect) { perform(effect); }, e);
  }
  void answer_one() {
    if (pending_.empty()) return tick();
    const size_t i = in_.below(pending_.size());
    const Effect e = std::move(pending_[i]);
    pending_.erase(pending_.begin() + static_cast<ptrdiff_t>(i));
    last_is_loose_ = false;
    if (in_.below(8) == 0) old_.push_back(e);
    while (old_.size() > 50) old_.pop_front();
    std::visit([&](const auto& effect) { perform(effect); }, e);
  }

  void perform(const OpenLink& e) {
    links_[e.link.relay.value] = e.link;
    if (in_.below(8) == 0) return step(LinkLost{e.link, nostr::LinkDown::Closed, "x"});
    step(LinkUp{e.link});
  }
  void perform(const CloseLink&) {}
  void perform(const PingLink& e) { step(Pong{e.link}); }
  void perform(const SendFrame& e) {
    if (const auto* publish = std::get_if<nostr::Publish>(&e.message))
      step(RelaySaid{e.link, nostr::Ok{publish->event.id, in_.below(4) != 0, ""}, {}});
    if (const auto* subscribe = std::get_if<nostr::Subscribe>(&e.message)) {
      subscription_ = subscribe->subscription;
      step(RelaySaid{e.link, nostr::EndOfStored{subscribe->subscription, {}}, {}});
    }
  }
  nostr::Event event_of(const nostr::Draft& draft) {
    nostr::Event event{{}, key_of(200), draft.created_at, draft.kind, draft.tags, draft.content,
                       {}};
    for (size_t i = 0; i < 8; ++i) event.id.bytes[i] = static_cast<uint8_t>(++events_ >> (8 * i));
    return event;
  }
  void perform(const SignEvent& e) { step(EventSigned{e.id, event_of(e.draft)}); }
  void perform(const SealReply& e) {
    if (in_.below(10) == 0) return step(ReplySealed{e.id, std::nullopt, "no"});
    step(ReplySealed{e.id, event_of({e.at, nostr::kind::kGiftWrap, {}, e.json}), ""});
  }
  void perform(const cashu::MintCall& e) {
    const size_t fault = in_.below(10);
    if (fault > 0 && fault < 4)
      mint_.plan_fault(e.endpoint, static_cast<sim::MintFault>(in_.below(10)), Micros{90'000'000});
    const auto answers = mint_.serve(now_.mono, e);
    for (const auto& delivery : answers) step(cashu::MintReply{e.id, delivery.answer});
    if (answers.empty()) step(cashu::MintReply{e.id, cashu::NoReply{}});
  }
  void perform(const cashu::MakeOutputs& e) {
    cashu::OutputsReady made = sim::fake_make_outputs(e, kWalletSeed);
    if (in_.below(12) == 0) made.outputs.clear();
    step(made);
  }
  void perform(const cashu::OpenSignatures& e) { step(sim::fake_open_signatures(e, kWalletSeed)); }
  void perform(const cashu::CheckToken& e) { step(sim::fake_check_token(e)); }
  void perform(const workload::Call& e) {
    const sim::BackendReply reply = engine_.handle(e, now());
    workload::Answer answer;
    answer.id = e.id;
    answer.verb = e.verb;
    answer.name = e.name;
    switch (in_.below(8)) {
      case 0: break;  // unknown
      case 1:
        answer.outcome = workload::Outcome::Failed;
        answer.fault = workload::Fault::Busy;
        break;
      default:
        if (reply.answer) answer = *reply.answer;
        engine_clock_ = std::max(engine_clock_, reply.due);
    }
    step(answer);
  }
  void perform(const GuardHold& e) { step(guard_.handle(e, now()).answer); }
  void perform(const GuardFreeze& e) { step(guard_.handle(e, now()).answer); }
  void perform(const GuardKill& e) { step(guard_.handle(e, now()).answer); }
  void perform(const GuardRelease& e) { step(guard_.handle(e, now()).answer); }
  void perform(const GuardQuery& e) { step(guard_.handle(e, now()).answer); }
  void perform(const KeepVolumeKey&) {}
  void perform(const Tell&) {}
  void perform(const WithdrawalSettled&) {}
  void perform(const FetchInvoice& e) { step(InvoiceFetched{e.id, "", "no such receiver"}); }
  void perform(const WalletSearched&) {}
  void perform(const ReleaseSettled&) {}

  // --- consumers ---
  void request() {
    if (links_.empty()) return;
    PrivateMessage m;
    const size_t who = in_.below(4);
    m.sender = key_of(who == 3 ? 9 : who);
    m.message.bytes[0] = static_cast<uint8_t>(in_.below(12));
    m.message.bytes[1] = static_cast<uint8_t>(who);
    m.created_at = now_.wall + Seconds{in_.below(6) == 0 ? -700 : 0};
    m.transport = in_.below(3) == 0 ? Transport::Nip04 : Transport::Nip17;
    const cashu::Token& token = tokens_[in_.below(tokens_.size())];
    std::optional<market::RequestId> id;
    if (in_.below(2) == 0) id.emplace().bytes[0] = static_cast<uint8_t>(in_.below(5));
    const std::string pod = kPods[in_.below(std::size(kPods))];
    switch (in_.below(6)) {
      case 0:
      case 1:
      case 2: {
        market::SpawnRequest spawn;
        spawn.pod_spec_id = in_.below(5) == 0 ? "dear" : "basic";
        spawn.pod_image = "debian:12";
        if (in_.below(4) == 0) spawn.workload_id = "w";
        if (in_.below(6) == 0) spawn.template_slug = "hello";
        spawn.request_id = id;
        m.body = market::Request(spawn);
        m.token = token;
        break;
      }
      case 3:
      case 4:
        m.body = market::Request(market::TopUpRequest{pod, "", id});
        m.token = token;
        break;
      default:
        if (in_.below(4) == 0)
          m.body = std::string("bad");
        else if (in_.below(3) == 0)
          m.body = market::Request(market::StopRequest{pod, id});
        else
          m.body = market::Request(market::StatusRequest{pod, id});
    }
    nostr::Event event{
        {}, m.sender, m.created_at, nostr::kind::kGiftWrap, {{"p", key_of(200).hex()}}, "", {}};
    event.id = event_of({}).id;
    event.id.bytes[31] = 1;
    m.event = event.id;
    const nostr::LinkId link = links_.begin()->second;
    step(RelaySaid{link,
                   nostr::EventFor<nostr::VerifiedEvent>{
                       subscription_, nostr::ModelWitness::vouch(std::move(event))},
                   std::move(m)});
  }

  Choices in_;
  SeededEntropy entropy_{3, 1, "fuzz"};
  sim::Mint mint_{{}, sim::fake_mint_crypto()};
  sim::BackendModel engine_{engine_config(), 3, 1};
  sim::GuardModel guard_{{}, engine_};
  std::unique_ptr<Provider> provider_;
  std::vector<std::vector<Bytes>> ledger_;
  bool last_is_loose_ = false;
  std::deque<Effect> pending_;
  std::deque<Effect> old_;
  std::map<uint32_t, nostr::LinkId> links_;
  std::string subscription_;
  std::vector<cashu::Token> tokens_;
  uint64_t events_ = 0;
  uint8_t machine_ = 1;
  Micros engine_clock_;
  Now now_{Micros{1'000'000'000}, UnixSeconds{1'780'000'000}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Sequence(data, size).run();
  return 0;
}
