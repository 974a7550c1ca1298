#include "sim/world/provider_node.h"

#include "core/base/codec.h"

namespace paygress::sim {
namespace {

constexpr Micros kPureWork{300};  // signing, encrypting, blinding
constexpr uint64_t kSold = 1'000'000;
constexpr Seconds kUnpaidGrace{600};  // until the sweep has stopped what a lost answer left running

InstallId install_of(uint64_t number) {
  InstallId id;
  id.bytes[0] = 1;
  for (size_t i = 0; i < 8; ++i) id.bytes[8 + i] = static_cast<uint8_t>(number >> (8 * i));
  return id;
}

provider::Settings settings_of(const World& world, const Identity& identity, Mint& mint) {
  provider::Settings s;
  s.self = identity.key;
  s.name = "provider-" + std::to_string(identity.number);
  s.tiers = {{"basic", "Basic", "1 vCPU", 1000, 1024, 10, Msat{100}},
             {"big", "Big", "4 vCPU", 4000, 8192, 20, Msat{333}}};
  s.mints = {mint.settings().url};
  s.mints_as_configured = s.mints;
  s.relays = world.relay_urls();
  s.minimum_duration = Seconds{60};
  s.sold = {kSold, kSold, kSold};
  s.address = "203.0.113.1";
  return s;
}

BackendModelConfig engine_config(const World& world, uint64_t number) {
  BackendModelConfig config;
  config.install = install_of(number);
  config.capacity = {kSold, kSold, kSold};
  config.fault_ppm = world.scenario().backend_fault_ppm;
  return config;
}

}  // namespace

ProviderNode::ProviderNode(World& world, uint64_t number)
    : world_(world),
      identity_(world.tier(), number),
      settings_(settings_of(world, identity_, world.mint())),
      disk_(RandomStream(world.seed(), number, "disk")),
      engine_(engine_config(world, number), world.seed(), number),
      entropy_(world.seed(), number, "entropy"),
      chaos_(world.seed(), number, "crashes") {}

void ProviderNode::start() {
  ++life_;
  auto storage = DiskStorage::open(disk_, install_of(identity_.number));
  PG_CHECK(storage.has_value());
  provider_ = std::make_unique<provider::Provider>(settings_, entropy_,
                                                   world_.seed() ^ identity_.number,
                                                   provider::Policies{world_.scenario().redeem});
  const auto fold = [&](const journal::SealedBatch& batch) -> Result<void> {
    auto records = journal::decode_records(batch.payload);
    if (!records) return std::unexpected(records.error());
    for (const Bytes& bytes : *records) {
      auto record = decode_bytes<provider::Record>(bytes);
      if (!record) return std::unexpected(record.error());
      provider_->fold(*record);
    }
    return {};
  };
  auto opened = journal::Journal::open(*std::move(storage), mark_, fold);
  if (!opened) return world_.violate("journal", to_string(opened.error()));
  journal_ = *std::move(opened);
  ClientLinks::Events events;
  events.up = [this](nostr::LinkId link) { if (up()) step(provider::LinkUp{link}); };
  events.down = [this](nostr::LinkId link, nostr::LinkDown reason) {
    if (up()) step(provider::LinkLost{link, reason, "lost"});
  };
  events.said = [this](nostr::LinkId link, const nostr::WireMessage& m) {
    if (up()) hear(link, m);
  };
  events.pong = [this](nostr::LinkId link) { if (up()) step(provider::Pong{link}); };
  lives_links_.push_back(
      std::make_unique<ClientLinks>(world_, identity_.number, std::move(events)));
  lease::BootId machine;
  machine.bytes[0] = static_cast<uint8_t>(identity_.number);
  auto first = provider_->start(world_.clock(),
                                {install_of(identity_.number), machine, "seed"});
  if (!first) return world_.violate("start", to_string(first.error()));
  carry_out(*std::move(first));
  schedule_crash();
}

void ProviderNode::crash() {
  if (!up()) return;
  world_.mark("crash");
  ++life_;
  links().close_for_good();
  provider_.reset();
  journal_.reset();
  timer_.reset();
  disk_.crash(chaos_.chance_ppm(500'000) ? CrashLoss::Everything : CrashLoss::TornTail);
  const Micros down{chaos_.between(1'000'000, world_.scenario().down_for_max.value)};
  world_.queue().after(down, [this, life = life_] { if (life == life_) start(); });
}

void ProviderNode::schedule_crash() {
  const Seconds every = world_.scenario().crash_every;
  if (every == Seconds{0}) return;
  const Micros wait{chaos_.between(1, 2 * micros(every).value)};
  world_.queue().after(wait, [this, life = life_] {
    if (life == life_ && world_.troubled()) crash();
  });
}

// --- the loop that the shell has too: records durable, then effects ------------------------------

void ProviderNode::step(const provider::Input& input) {
  const Now now = world_.clock();
  world_.count_event();
  world_.fold_hash(identity_.number);
  world_.fold_hash(now.mono);
  world_.fold_hash(input);
  carry_out(provider_->step(now, input));
}

void ProviderNode::carry_out(provider::Step step) {
  journal::Records batch;
  for (const provider::Record& record : step.records) {
    world_.fold_hash(record);
    batch.push_back(encode_bytes(record));
  }
  const uint64_t life = life_;
  const bool doomed = world_.troubled() &&
                      chaos_.chance_ppm(world_.scenario().crash_in_step_ppm);
  // A doomed step dies before its batch is durable, or after some of its effects have begun.
  const auto survives = static_cast<size_t>(
      doomed ? chaos_.below(step.effects.size() + 2) : step.effects.size() + 2);
  if (!batch.empty()) {
    PG_CHECK(journal_->append(batch).has_value());
    if (survives == 0) return crash();
    PG_CHECK(journal_->commit().has_value());
    mark_ = journal_->acknowledged();
  }
  audit();
  for (size_t i = 0; i < step.effects.size(); ++i) {
    if (i + 1 >= survives) return crash();
    world_.fold_hash(step.effects[i]);
    std::visit([&](const auto& e) { perform(e); }, step.effects[i]);
    if (life != life_) return;
  }
  if (doomed) return crash();
  schedule_timer();
}

void ProviderNode::schedule_timer() {
  const auto next = provider_->next_deadline();
  if (!next || (timer_ && *timer_ <= *next)) return;
  timer_ = *next;
  const Micros wait = std::max(Micros{0}, *next - world_.clock().mono);
  world_.queue().after(wait, [this, life = life_, due = *next] {
    if (life != life_ || timer_ != due) return;
    timer_.reset();
    step(provider::Tick{});
  });
}

void ProviderNode::answer(Micros after, provider::Input input) {
  world_.queue().after(after, [this, life = life_, input = std::move(input)] {
    if (life == life_) step(input);
  });
}

void ProviderNode::hear(nostr::LinkId link, const nostr::WireMessage& message) {
  provider::RelaySaid said{link, nostr::Notice{}, std::nullopt};
  if (const auto* event = std::get_if<nostr::EventFor<nostr::Event>>(&message)) {
    if (provider_->delivered(event->event.id)) {
      said.message = nostr::KnownEvent{event->subscription, event->event.id};
      return step(said);
    }
    auto verified = world_.cryptography().verify(event->event);
    if (!verified) return world_.mark("forged event dropped");
    if (auto opened = world_.cryptography().open(identity_, *verified)) {
      provider::PrivateMessage& m = said.opened.emplace();
      m.sender = opened->sender;
      m.message = opened->message;
      m.event = (*verified)->id;
      m.created_at = opened->created_at;
      m.transport = (*verified)->kind == nostr::kind::kEncryptedDirect ? provider::Transport::Nip04
                                                                       : provider::Transport::Nip17;
      provider::read_body(opened->text, m);
    }
    said.message = nostr::EventFor<nostr::VerifiedEvent>{event->subscription, *verified};
    return step(said);
  }
  std::visit(
      [&](const auto& m) {
        if constexpr (std::is_constructible_v<nostr::RelayMessage, decltype(m)>) said.message = m;
      },
      message);
  step(said);
}

// --- effects -----------------------------------------------------------------------------------

void ProviderNode::perform(const provider::SignEvent& e) {
  answer(kPureWork, provider::EventSigned{
                        e.id, world_.cryptography().sign(identity_, e.draft, entropy_)});
}

void ProviderNode::perform(const provider::SealReply& e) {
  answer(kPureWork,
         provider::ReplySealed{e.id,
                               world_.cryptography().seal(identity_, e.to, e.transport, e.reply_to,
                                                          e.json, e.at, e.at, entropy_),
                               ""});
}

void ProviderNode::perform(const cashu::MakeOutputs& e) {
  answer(kPureWork, world_.cryptography().make_outputs(e, identity_));
}

void ProviderNode::perform(const cashu::OpenSignatures& e) {
  answer(kPureWork, world_.cryptography().open_signatures(e, identity_));
}

void ProviderNode::perform(const cashu::CheckToken& e) {
  answer(kPureWork, world_.cryptography().check_token(e));
}

// The mint hears of it whatever becomes of us; its answer, or none within the deadline, comes once
// (or twice: the second is for the core to ignore).
void ProviderNode::perform(const cashu::MintCall& e) {
  world_.count_event();
  const std::vector<MintDelivery> deliveries = world_.mint().serve(world_.queue().now(), e);
  bool in_time = false;
  for (const MintDelivery& delivery : deliveries) {
    in_time = in_time || delivery.after < e.deadline;
    answer(delivery.after, cashu::MintReply{e.id, delivery.answer});
  }
  if (!in_time) answer(e.deadline, cashu::MintReply{e.id, cashu::NoReply{}});
}

void ProviderNode::perform(const workload::Call& e) {
  world_.count_event();
  const BackendReply reply = engine_.handle(e, world_.clock());
  const Micros now = world_.clock().mono;
  if (reply.answer && reply.due < now + e.deadline) return answer(reply.due - now, *reply.answer);
  workload::Answer unknown;
  unknown.id = e.id;
  unknown.verb = e.verb;
  unknown.name = e.name;
  answer(e.deadline, unknown);
}

void ProviderNode::perform(const provider::Tell& e) {
  if (e.level == provider::Level::Alarm) world_.mark("alarm");
}

// --- what must hold after every event ------------------------------------------------------------

// The step's records are durable and none of its effects has begun.
void ProviderNode::audit() {
  provider_->check_invariants();
  audit_money();
  audit_engine();
}

// What the wallet holds is what the leases account for: credit and proofs are one batch.
void ProviderNode::audit_money() {
  Msat redeemed;
  for (const auto& [key, totals] : provider_->leases().totals()) redeemed += totals.redeemed;
  Msat held;
  for (const auto& [purse, amount] : provider_->wallet().state().wallet().balances())
    held += Msat{static_cast<int64_t>(amount) * 1000};
  if (held != redeemed)
    world_.violate("lost-msat", name() + ": the wallet holds " + std::to_string(held.value) +
                                    " msat, the leases account for " +
                                    std::to_string(redeemed.value));
}

// Asks the engine's truth, whatever it answers to the provider.
void ProviderNode::audit_engine() {
  const Now now = world_.clock();
  std::set<LeaseId> running;
  std::set<std::string> unpaid;
  for (const std::string& object : engine_.running_names(now)) {
    const LeaseId lease = engine_.spec(object, now)->labels.lease;
    if (!running.insert(lease).second) world_.violate("two-copies", name() + ": " + object);
    const lease::Lease* known = provider_->leases().find(lease);
    if (known == nullptr || known->phase == lease::Phase::Ended) unpaid.insert(object);
  }
  std::erase_if(unpaid_since_, [&](const auto& entry) { return !unpaid.contains(entry.first); });
  for (const std::string& object : unpaid) {
    const Micros since = unpaid_since_.emplace(object, now.mono).first->second;
    if (now.mono - since > micros(kUnpaidGrace) && !world_.troubled())
      world_.violate("unpaid-run", name() + ": " + object + " runs for no lease");
  }
}

std::string ProviderNode::name() const {
  return "provider " + std::to_string(identity_.number);
}

}  // namespace paygress::sim
