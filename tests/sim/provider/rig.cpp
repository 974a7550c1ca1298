#include "tests/sim/provider/rig.h"

#include <stdexcept>
#include <utility>

#include "core/cashu/token.h"
#include "tests/sim/provider/folding.h"

namespace paygress::sim {
namespace {

constexpr Micros kDownFor{3'000'000};

InstallId rig_install() {
  InstallId id;
  id.bytes[0] = 9;
  return id;
}

BackendModelConfig engine_config() {
  BackendModelConfig config;
  config.install = rig_install();
  config.capacity = {1'000'000, 1'000'000, 1'000'000};
  return config;
}

}  // namespace

provider::Settings rig_settings() {
  provider::Settings s;
  s.name = "rig";
  s.tiers = {{"basic", "Basic", "1 vCPU", 1000, 1024, 10, Msat{100}}};
  s.mints = {MintSettings{}.url};
  s.mints_as_configured = s.mints;
  s.relays = {"wss://relay.example"};
  s.minimum_duration = Seconds{60};
  s.sold = {10'000, 10'240, 100};
  s.address = "203.0.113.1";
  return s;
}

Rig::Rig(provider::Settings settings, MintSettings mint, provider::Policies policies)
    : settings_(std::move(settings)),
      policies_(policies),
      mint_(std::move(mint), crypto_->mint_crypto()),
      engine_(engine_config(), 7, 1) {
  settings_.self = self_.key;
}

Now Rig::now() const {
  return {kBoot + queue_.now(), kRigStart + Seconds{queue_.now().value / 1'000'000} + wall_shift_};
}

// --- the provider's process --------------------------------------------------------------------

void Rig::start() {
  ++life_;
  timer_.reset();
  held_.clear();
  provider_ = read_ledger(ledger_, [&] {
    return std::make_unique<provider::Provider>(settings_, entropy_, 7, policies_);
  });
  lease::BootId machine;
  machine.bytes[0] = 1;
  auto first = provider_->start(now(), {rig_install(), machine, "seed"});
  if (!first) throw std::runtime_error(to_string(first.error()));
  carry_out(*std::move(first));
}

void Rig::run_for(Seconds time) {
  const Micros until = queue_.now() + micros(time);
  bool arrived = false;
  queue_.at(until, [&] { arrived = true; });
  while (!arrived) queue_.run_one();
}

void Rig::step(const provider::Input& input) {
  if (!up()) return;
  carry_out(provider_->step(now(), input));
  if (!up()) return;
  provider_->check_invariants();
  if (watch) watch();
}

bool Rig::dies_here() {
  if (!crash_at.contains(boundary_++)) return false;
  stop_process();
  queue_.after(kDownFor, [this] {
    if (!up()) start();
  });
  return true;
}

void Rig::carry_out(provider::Step step) {
  if (!step.records.empty()) {
    if (dies_here()) return;
    ledger_.push_back(step.records);
    if (dies_here()) return;
  }
  if (crash_after_batches && ledger_.size() >= *crash_after_batches) {
    crash_after_batches.reset();
    ++life_;  // nothing of this life is heard any more
    return start();
  }
  for (const auto& effect : step.effects) {
    std::visit([&](const auto& e) { perform(e); }, effect);
    if (dies_here()) return;
  }
  arm_timer();
}

void Rig::arm_timer() {
  const auto next = provider_->next_deadline();
  if (!next || (timer_ && *timer_ <= *next)) return;
  timer_ = *next;
  queue_.after(std::max(Micros{0}, *next - now().mono), [this, life = life_, due = *next] {
    if (life != life_ || timer_ != due) return;
    timer_.reset();
    step(provider::Tick{});
  });
}

void Rig::answer(Micros after, provider::Input input) {
  queue_.after(after, [this, life = life_, input = std::move(input)] {
    if (life == life_) step(input);
  });
}

void Rig::perform(const provider::OpenLink& e) {
  link_ = e.link;
  answer(kSoon, provider::LinkUp{e.link});
}

void Rig::perform(const provider::PingLink& e) { answer(kSoon, provider::Pong{e.link}); }

void Rig::perform(const provider::SendFrame& e) {
  const auto said = [&](nostr::RelayMessage message) {
    answer(kSoon, provider::RelaySaid{e.link, std::move(message), std::nullopt});
  };
  if (const auto* publish = std::get_if<nostr::Publish>(&e.message)) {
    published_.push_back(publish->event);
    said(nostr::Ok{publish->event.id, true, ""});
  } else if (const auto* subscribe = std::get_if<nostr::Subscribe>(&e.message)) {
    subscription_ = subscribe->subscription;
    said(nostr::EndOfStored{subscribe->subscription, std::nullopt});
  }
}

void Rig::perform(const provider::SignEvent& e) {
  answer(kSoon, provider::EventSigned{e.id, crypto_->sign(self_, e.draft, entropy_)});
}

void Rig::perform(const provider::SealReply& e) {
  answer(kSoon, provider::ReplySealed{e.id,
                                      crypto_->seal(self_, e.to, e.transport, e.reply_to, e.json,
                                                    e.at, e.at, entropy_),
                                      ""});
}

void Rig::perform(const cashu::MintCall& e) {
  token_calls_ += is_about_token(e);
  const auto deliveries = mint_.serve(queue_.now(), e);
  for (const MintDelivery& d : deliveries) answer(d.after, cashu::MintReply{e.id, d.answer});
  if (deliveries.empty()) answer(e.deadline, cashu::MintReply{e.id, cashu::NoReply{}});
}

void Rig::perform(const cashu::MakeOutputs& e) {
  provider::Input done = crypto_->make_outputs(e, self_);
  if (hold_outputs) return held_.push_back(std::move(done));
  answer(kSoon, std::move(done));
}

void Rig::perform(const cashu::OpenSignatures& e) {
  answer(kSoon, crypto_->open_signatures(e, self_));
}

void Rig::perform(const cashu::CheckToken& e) {
  provider::Input done = crypto_->check_token(e);
  if (hold_checks) return held_.push_back(std::move(done));
  answer(kSoon, std::move(done));
}

void Rig::perform(const workload::Call& e) {
  engine_.set_unreachable(engine_away);
  const BackendReply reply = engine_.handle(e, now());
  if (reply.answer && reply.due < now().mono + e.deadline)
    return answer(reply.due - now().mono, *reply.answer);
  workload::Answer unknown;
  unknown.id = e.id;
  unknown.verb = e.verb;
  unknown.name = e.name;
  answer(e.deadline, unknown);
}

void Rig::release() {
  hold_checks = hold_outputs = false;
  for (provider::Input& input : std::exchange(held_, {})) answer(kSoon, std::move(input));
}

// --- consumers ---------------------------------------------------------------------------------

Rig::Sent Rig::ask(const Identity& who, const market::Request& request,
                   provider::Transport transport, std::optional<UnixSeconds> dated) {
  return ask_text(who, market::to_json(request), transport, dated);
}

Rig::Sent Rig::ask_text(const Identity& who, const std::string& text, provider::Transport transport,
                        std::optional<UnixSeconds> dated) {
  const UnixSeconds at = dated.value_or(now().wall);
  Sent sent{
      crypto_->seal(who, self_.key, transport, {}, text, at,
                    transport == provider::Transport::Nip04 ? at : now().wall, consumer_entropy_),
      {}};
  sent.message = crypto_->open(self_, crypto_->verify(sent.event).value()).value().message;
  deliver(sent.event);
  return sent;
}

void Rig::deliver(const nostr::Event& event) {
  if (!up()) return;  // relays that keep it are in sim/world; here the consumer asks again
  provider::RelaySaid said{link_, nostr::Notice{}, std::nullopt};
  const nostr::VerifiedEvent verified = crypto_->verify(event).value();
  const auto opened = crypto_->open(self_, verified).value();
  provider::PrivateMessage& m = said.opened.emplace();
  m.sender = opened.sender;
  m.message = opened.message;
  m.event = event.id;
  m.created_at = opened.created_at;
  m.transport = event.kind == nostr::kind::kEncryptedDirect ? provider::Transport::Nip04
                                                            : provider::Transport::Nip17;
  provider::read_body(opened.text, m);
  if (provider_->delivered(event.id))
    said.message = nostr::KnownEvent{subscription_, event.id};
  else
    said.message = nostr::EventFor<nostr::VerifiedEvent>{subscription_, verified};
  step(said);
}

std::vector<Rig::Heard> Rig::replies(const Identity& who, Seconds within) {
  run_for(within);
  std::vector<Heard> heard;
  size_t& at = read_[who.key];
  for (; at < published_.size(); ++at) {
    const nostr::Event& event = published_[at];
    if (event.kind != nostr::kind::kGiftWrap && event.kind != nostr::kind::kEncryptedDirect)
      continue;
    if (auto opened = crypto_->open(who, crypto_->verify(event).value()))
      heard.push_back({opened->text, event});
  }
  return heard;
}

market::ErrorReply Rig::error(const Identity& who) {
  const auto heard = replies(who);
  if (heard.size() != 1) throw std::runtime_error(std::to_string(heard.size()) + " replies");
  auto reply = market::parse_reply(heard[0].text);
  if (!reply || !std::holds_alternative<market::ErrorReply>(*reply))
    throw std::runtime_error("no error reply: " + heard[0].text);
  return std::get<market::ErrorReply>(*reply);
}

market::SpawnRequest Rig::spawn(uint64_t sats) {
  market::SpawnRequest request;
  request.cashu_token =
      cashu::encode_token(mint_.issue_token(sats), cashu::TokenVersion::V4).value();
  request.pod_spec_id = "basic";
  request.pod_image = "debian:12";
  request.ssh_username = "root";
  request.ssh_password = "abcdefgh1234";
  return request;
}

market::AccessDetails Rig::buy(const Identity& who, uint64_t sats) {
  ask(who, spawn(sats));
  const auto heard = replies(who);
  if (heard.size() != 1) throw std::runtime_error("no answer to a spawn");
  return std::get<market::AccessDetails>(market::parse_reply(heard[0].text).value());
}

}  // namespace paygress::sim
