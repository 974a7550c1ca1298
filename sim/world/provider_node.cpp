#include "sim/world/provider_node.h"

#include "core/base/codec.h"
#include "sim/models/rule_switch.h"

namespace paygress::sim {
namespace {

constexpr uint64_t kSold = 1'000'000;

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
  s.profile = failover::profile_named(world.plan().profile).value();
  s.profile_name = world.plan().profile;
  return s;
}

BackendModelConfig engine_config(uint64_t number) {
  BackendModelConfig config;
  config.install = install_of(number);
  config.capacity = {kSold, kSold, kSold};
  return config;
}

// Planted bugs that a policy switches on. The others stand where the rule stands.
provider::Policies policies_of(const World& world) {
  provider::Policies policies = world.policies();
  if (planted(Bug::redeem_no_restore)) RuleSwitch::off(policies.redeem.restore);
  if (planted(Bug::redeem_no_reserve)) RuleSwitch::off(policies.redeem.reserve_counters);
  if (planted(Bug::redeem_post_first)) RuleSwitch::off(policies.redeem.record_before_post);
  return policies;
}

uint64_t digest_of(const provider::Step& step) {
  HashSink sink;
  encode(sink, step.records);
  encode(sink, step.effects);
  return sink.digest();
}

}  // namespace

ProviderNode::ProviderNode(World& world, const ProviderLine& line)
    : world_(world),
      identity_(world.tier(), line.number),
      settings_(settings_of(world, identity_, world.mint())),
      clock_(line.clock_offset, line.clock_drift_ppm),
      disk_(RandomStream(world.seed(), line.number, "disk")),
      engine_(engine_config(line.number), world.seed(), line.number),
      entropy_(world.seed(), line.number, "entropy") {}

void ProviderNode::start() {
  ++life_;
  auto storage = DiskStorage::open(disk_, install_of(identity_.number));
  if (!storage) {  // its first write failed: the process ends, and is started again
    world_.mark("disk failed", name());
    disk_.crash(CrashLoss::Everything);
    return start_after(kRestartDelay);
  }
  auto whole = read_ledger(*std::move(storage));
  if (!whole) return world_.violate("journal", to_string(whole.error()));
  provider_->check_invariants();  // as the daemon does with what it has read
  open_links();
  lease::BootId machine;
  machine.bytes[0] = static_cast<uint8_t>(identity_.number);
  if (world_.has_standbys()) machine.bytes[1] = host_losses_;
  const provider::Boot boot{install_of(identity_.number), machine, "seed"};
  auto first = provider_->start(clock(), boot);
  if (!first) return world_.violate("start", to_string(first.error()));
  if (*whole != nullptr && digest_of(*(*whole)->start(clock(), boot)) != digest_of(*first))
    world_.violate("snapshot", "a start from a snapshot does something else");
  starting_ = true;
  const uint64_t life = life_;
  carry_out(*std::move(first));
  starting_ = false;
  if (life == life_ && world_.has_standbys()) say_guard_health();
}

// Into provider_. What it has from a snapshot is also read whole, and given back.
Result<std::unique_ptr<provider::Provider>> ProviderNode::read_ledger(
    std::unique_ptr<journal::Storage> storage) {
  const auto make = [&] {
    return std::make_unique<provider::Provider>(
        settings_, entropy_, world_.seed() ^ identity_.number, policies_of(world_));
  };
  provider_ = make();
  auto shortcut = make();
  bool shortened = false;
  intents_.clear();
  bodies_.clear();
  outputs_.clear();
  const auto fold = [&](const journal::SealedBatch& batch) -> Result<void> {
    auto records = journal::decode_records(batch.payload);
    if (!records) return std::unexpected(records.error());
    for (const Bytes& bytes : *records) {
      auto record = decode_bytes<provider::Record>(bytes);
      if (!record) return std::unexpected(record.error());
      provider_->fold(*record);
      if (shortened) shortcut->fold(*record);
      note_member(*record);
      if (const auto* of_wallet = std::get_if<cashu::RedeemRecord>(&*record))
        note_intent(*of_wallet);
    }
    if (snapshot_.tip != journal::Tip{batch.sequence, batch.hash}) return {};
    shortened = true;
    return shortcut->load(snapshot_.state);
  };
  auto opened = journal::Journal::open(std::move(storage), mark_, fold);
  if (!opened) return std::unexpected(opened.error());
  journal_ = *std::move(opened);
  return take_up(shortened ? std::move(shortcut) : nullptr);
}

// A start from a snapshot and the batches after it must find what reading all of them finds. It is
// the one that goes on; the other is given back, to see that it would do the same.
std::unique_ptr<provider::Provider> ProviderNode::take_up(
    std::unique_ptr<provider::Provider> shortcut) {
  const bool keeps = life_ % kLivesPerSnapshot == 1;
  if (shortcut == nullptr && !keeps) return nullptr;
  Bytes all = provider_->snapshot();
  if (shortcut != nullptr) {
    world_.mark("snapshot", name());
    if (shortcut->snapshot() != all)
      world_.violate("snapshot", "a start from a snapshot finds something else than the ledger");
    provider_.swap(shortcut);
  }
  if (keeps) snapshot_ = {journal_->acknowledged(), std::move(all)};
  return shortcut;
}

void ProviderNode::open_links() {
  ClientLinks::Events events;
  events.up = [this](nostr::LinkId link) { reach([this, link] { step(provider::LinkUp{link}); }); };
  events.down = [this](nostr::LinkId link, nostr::LinkDown reason) {
    reach([this, link, reason] { step(provider::LinkLost{link, reason, "lost"}); });
  };
  events.said = [this](nostr::LinkId link, nostr::WireMessage m) {
    if (paused_ > 0) return reach([this, link, m] { hear(link, m); });
    if (up()) hear(link, std::move(m));
  };
  events.pong = [this](nostr::LinkId link) { reach([this, link] { step(provider::Pong{link}); }); };
  lives_links_.push_back(std::make_unique<ClientLinks>(world_, name(), std::move(events)));
}

// A frozen one stays down until it is thawed.
void ProviderNode::start_after(Micros down) {
  world_.queue().after(std::max(down, Micros{1}), [this, life = life_] {
    if (life == life_ && !up() && !world_.frozen(name())) start();
  });
}

// --- the loop that the shell has too: records durable, then effects ------------------------------

void ProviderNode::reach(std::function<void()> what) {
  if (!up()) return;
  if (paused_ == 0) return what();
  backlog_.push_back([this, life = life_, what = std::move(what)] {
    if (life == life_) what();
  });
}

void ProviderNode::step(const provider::Input& input) {
  const Now now = clock();
  world_.count_event();
  world_.fold_hash(identity_.number);
  world_.fold_hash(now.mono);
  world_.fold_hash(input);
  if (const auto* reply = std::get_if<cashu::MintReply>(&input)) note_states(*reply);
  provider::Step step = provider_->step(now, input);
  if (world_.observer() != nullptr) observe(input, step);
  carry_out(std::move(step));
}

void ProviderNode::carry_out(provider::Step step) {
  const uint64_t life = life_;
  // A doomed step dies before its batch is durable, or before one of its effects.
  const bool doomed = !step.records.empty() && (doom_ || (starting_ && recovery_crashes_ > 0));
  const uint32_t dies_at = doomed ? (starting_ ? recovery_crashes_ : *doom_->step) : 0;
  if (!step.records.empty() && !make_durable(step, doomed && dies_at == 0)) return;
  audit(!step.records.empty());
  for (size_t i = 0; i < step.effects.size(); ++i) {
    if (doomed && i + 1 >= dies_at) return die("crash between effects");
    world_.fold_hash(step.effects[i]);
    std::visit([&](auto& e) { perform(std::move(e)); }, step.effects[i]);
    if (life != life_) return;
  }
  if (doomed) return die("crash after effects");
  schedule_timer();
}

bool ProviderNode::make_durable(const provider::Step& step, bool dies) {
  journal::Records batch;
  for (const provider::Record& record : step.records) {
    batch.push_back(encode_bytes(record));
    world_.fold_bytes(batch.back());
  }
  const bool early = planted(Bug::effects_before_sync);
  bool done = journal_->append(batch).has_value();
  if (done && dies) {
    if (early)  // the planted order: what the step asks for is begun before it is durable
      for (const provider::Effect& effect : step.effects)
        std::visit([&](const auto& e) { perform(e); }, effect);
    return die("crash before commit"), false;
  }
  done = done && journal_->commit().has_value();
  if (!done) {  // fail-stop: a ledger that did not take a batch is not written to again
    world_.mark("disk failed", name());
    return crash(kRestartDelay, CrashKeeps::Nothing), false;
  }
  mark_ = journal_->acknowledged();
  for (const provider::Record& record : step.records) {
    note_restart(record);
    note_member(record);
    mark_failover(record);
    if (const auto* of_wallet = std::get_if<cashu::RedeemRecord>(&record)) {
      audit_verdict(*of_wallet);
      audit_refund(*of_wallet);
      note_intent(*of_wallet);
    }
  }
  return true;
}

void ProviderNode::schedule_timer() {
  const auto next = provider_->next_deadline();
  if (!next || (timer_ && *timer_ <= *next)) return;
  timer_ = *next;
  const Micros wait = clock_.until(*next, world_.queue().now());
  world_.queue().after(wait, [this, life = life_, due = *next] {
    if (life != life_ || timer_ != due) return;
    timer_.reset();
    if (clock().mono < due) return schedule_timer();  // its clock was slowed down
    reach([this] { step(provider::Tick{}); });
  });
}

void ProviderNode::answer(Micros after, provider::Input input) {
  world_.queue().after(after, [this, life = life_, input = std::move(input)] {
    if (life != life_) return;
    if (paused_ == 0) return step(input);
    reach([this, input] { step(input); });
  });
}

void ProviderNode::hear(nostr::LinkId link, nostr::WireMessage message) {
  provider::RelaySaid said{link, nostr::Notice{}, std::nullopt};
  if (auto* event = std::get_if<nostr::EventFor<nostr::Event>>(&message)) {
    if (provider_->delivered(event->event.id)) {
      said.message = nostr::KnownEvent{event->subscription, event->event.id};
      return step(std::move(said));
    }
    auto verified = world_.cryptography().verify(std::move(event->event));
    if (!verified) return world_.mark("forged event dropped", name());
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
    return step(std::move(said));
  }
  std::visit(
      [&](const auto& m) {
        if constexpr (std::is_constructible_v<nostr::RelayMessage, decltype(m)>) said.message = m;
      },
      message);
  step(std::move(said));
}

// --- effects -----------------------------------------------------------------------------------

void ProviderNode::perform(const provider::SignEvent& e) {
  answer(kPureWork,
         provider::EventSigned{e.id, world_.cryptography().sign(identity_, e.draft, entropy_)});
}

void ProviderNode::perform(const provider::SealReply& e) {
  audit_reply(e);
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
  if (e.endpoint == cashu::Endpoint::Swap || e.endpoint == cashu::Endpoint::Melt) audit_swap(e);
  Micros delay;
  if (const MintFault fault = mint_fault(e, delay); fault != MintFault::None)
    world_.mint().plan_fault(e.endpoint, fault, delay);
  bool in_time = false;
  for (MintDelivery& delivery : world_.mint().serve(world_.queue().now(), e)) {
    in_time = in_time || delivery.after < e.deadline;
    const auto* restored = std::get_if<cashu::RestoreAnswer>(&delivery.answer);
    if (restored != nullptr && !restored->signatures.empty())
      world_.mark("lost answer restored", name());
    answer(delivery.after, cashu::MintReply{e.id, std::move(delivery.answer)});
  }
  if (!in_time) answer(e.deadline, cashu::MintReply{e.id, cashu::NoReply{}});
}

void ProviderNode::perform(const workload::Call& e) {
  world_.count_event();
  plan_engine_fault(e);
  const bool existed = engine_.spec(e.name, clock()) != nullptr;
  const BackendReply reply = engine_.handle(e, clock());
  if (existed && e.verb == workload::Verb::Create) world_.mark("workload adopted", name());
  watch_engine();
  if (reply.answer && reply.due < clock().mono + e.deadline)
    return answer(clock_.until(reply.due, world_.queue().now()), *reply.answer);
  world_.mark("engine answer lost", name());
  workload::Answer unknown;
  unknown.id = e.id;
  unknown.verb = e.verb;
  unknown.name = e.name;
  answer(e.deadline, unknown);
}

void ProviderNode::perform(const provider::Tell& e) {
  if (e.level == provider::Level::Alarm) world_.mark("alarm", name());
}

}  // namespace paygress::sim
