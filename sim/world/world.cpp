#include "sim/world/world.h"

#include <algorithm>

#include "sim/world/consumer_node.h"
#include "sim/world/fault_schedule.h"
#include "sim/world/provider_node.h"
#include "sim/world/relay_node.h"
#include "sim/world/strangers.h"
#include "sim/world/swarm.h"

namespace paygress::sim {
namespace {

constexpr uint64_t kEventsMax = 50'000'000;  // a run that needs more does not come to rest
constexpr Micros kDuplicateWithin{20'000'000};

struct BrokenInvariant {
  std::string what;
};
[[noreturn]] void on_broken(const char* expression, const char* file, int line) {
  std::string_view name(file);
  name.remove_prefix(std::min(name.size(), name.rfind('/') + 1));
  throw BrokenInvariant{std::string(name) + ":" + std::to_string(line) + ": " + expression};
}

}  // namespace

World::World(Plan plan, provider::Policies policies, Observer* observer)
    : plan_(std::move(plan)),
      policies_(policies),
      observer_(observer),
      has_standbys_(std::ranges::any_of(plan_.purchases, &Purchase::warm)),
      cryptography_(make_cryptography(plan_.tier)) {
  MintSettings settings;
  settings.seed = plan_.seed;
  mint_ = std::make_unique<Mint>(settings, cryptography_->mint_crypto());
  std::vector<NodeName> clients;
  std::vector<NodeName> relays;
  for (const ProviderLine& p : plan_.providers) clients.push_back({Role::Provider, p.number});
  for (uint32_t consumer : plan_.consumers) clients.push_back({Role::Consumer, consumer});
  for (uint32_t relay : plan_.relays) relays.push_back({Role::Relay, relay});
  for (size_t i = 0; i < clients.size(); ++i) client_places_.emplace(clients[i], i);
  weather_ = std::make_unique<Weather>(plan_.seed, clients, relays);
  for (uint32_t relay : plan_.relays)
    relay_urls_.push_back("wss://relay-" + std::to_string(relay) + ".example");
  for (size_t i = 0; i < plan_.relays.size(); ++i)
    relays_.push_back(std::make_unique<RelayNode>(*this, plan_.relays[i], i));
  for (const ProviderLine& line : plan_.providers)
    providers_.push_back(std::make_unique<ProviderNode>(*this, line));
  for (uint32_t consumer : plan_.consumers)
    consumers_.push_back(std::make_unique<ConsumerNode>(*this, consumer));
  strangers_ = std::make_unique<Strangers>(*this);
  schedule_ = std::make_unique<FaultSchedule>(*this);
}

World::World(const Scenario& scenario, uint64_t seed, Tier tier)
    : World(draw_plan(scenario, seed, tier), scenario.policies) {}

World::~World() = default;

bool World::frozen(NodeName node) const {
  return phase_ == Phase::CoreHealed && std::ranges::find(plan_.frozen, node) != plan_.frozen.end();
}

ProviderNode* World::provider(uint32_t number) {
  for (auto& provider : providers_)
    if (provider->name().number == number) return provider.get();
  return nullptr;
}

void World::send(Wire wire, EventQueue::Action deliver) {
  Weather::Link& link = weather_->link(wire.client, wire.relay, wire.to_relay);
  RandomStream& random = link.random;
  const Micros drawn{random.between(plan_.delay_min.value, plan_.delay_max.value)};
  if (link.cut > 0 || (link.lose_ppm > 0 && random.chance_ppm(link.lose_ppm)))
    return mark("frame lost");
  Micros at = queue_.now() + drawn + link.slower;
  if (link.clogged > 0) at = std::max(at, link.clogged_until);
  if (link.double_ppm > 0 && random.chance_ppm(link.double_ppm)) {
    mark("frame doubled");
    queue_.at(at + Micros{random.between(0, kDuplicateWithin.value)}, deliver);
  }
  queue_.at(at, std::move(deliver));
}

void World::violate(std::string rule, std::string detail) {
  result_.violations.push_back({std::move(rule), std::move(detail), queue_.now()});
}

void World::mark(std::string_view what, NodeName where) {
  const auto it = result_.marks.find(what);
  if (it != result_.marks.end())
    ++it->second;
  else
    result_.marks.emplace(what, 1);
  if (observer_ != nullptr) observer_->on_mark(queue_.now(), where, what);
}

void World::measure(const std::string& kind, Micros value, Micros bound) {
  Sample& sample = result_.samples[kind];
  sample.values.push_back(value);
  sample.bound = std::max(sample.bound, bound);
  if (bound > Micros{0} && value > bound)
    violate("late-" + kind, to_text(value) + ", and " + to_text(bound) + " is the most");
}

void World::executing(NodeName provider, const std::map<std::string, std::string>& key_of_object) {
  if (observer_ != nullptr) tell_running(provider, key_of_object);
  if (has_standbys_) {
    std::set<std::string> before;
    for (const auto& [object, key] : copies_.of(provider)) before.insert(key);
    std::set<std::string> now;
    for (const auto& [object, key] : key_of_object) now.insert(key);
    for (const std::string& key : before)
      if (!now.contains(key)) changed_at_[key] = queue_.now();
    for (const std::string& key : now)
      if (!before.contains(key)) changed_at_[key] = queue_.now();
  }
  if (const std::string overlap = copies_.update(provider, key_of_object); !overlap.empty())
    violate("two-copies", overlap);
}

Micros World::changed_at(const std::string& key) const {
  const auto it = changed_at_.find(key);
  return it == changed_at_.end() ? Micros{0} : it->second;
}

void World::tell_running(NodeName provider, const std::map<std::string, std::string>& now) {
  const auto& before = copies_.of(provider);
  for (const auto& [object, key] : before)
    if (!now.contains(object)) observer_->on_running(queue_.now(), provider, object, key, false);
  for (const auto& [object, key] : now)
    if (!before.contains(object)) observer_->on_running(queue_.now(), provider, object, key, true);
}

void World::run_until(Micros end) {
  while (!queue_.empty() && queue_.next() <= end && result_.violations.empty()) {
    queue_.run_one();
    if (++steps_ > kEventsMax) violate("runaway", "the world does not come to rest");
  }
}

RunResult World::run() {
  set_check_handler(on_broken);
  try {
    schedule_->start();
    for (auto& provider : providers_) provider->start();
    for (auto& consumer : consumers_) consumer->start();
    for (const WithdrawalLine& line : plan_.withdrawals)
      queue_.at(line.at, [this, &line] { provider(line.provider)->withdraw(line); });
    run_until(plan_.length - Micros{1});
    heal();
    run_until(plan_.length + plan_.settle);
    if (result_.violations.empty()) audit_rest();
    if (!plan_.frozen.empty() && result_.violations.empty()) {
      thaw();
      run_until(plan_.length + plan_.settle + plan_.settle);
      if (result_.violations.empty()) audit_rest();
    }
    if (result_.violations.empty()) audit_books();
  } catch (const BrokenInvariant& broken) {
    violate("invariant", broken.what);
  }
  set_check_handler(nullptr);
  result_.virtual_time = queue_.now();
  result_.hash = hash_.digest();
  return result_;
}

// The core heals; what is broken about the others stays so.
void World::heal() {
  queue_.at(plan_.length, [this] {
    phase_ = Phase::CoreHealed;
    healed_at_ = queue_.now();
    for (NodeName node : plan_.frozen) mark("frozen", node);
    schedule_->heal();
    for (auto& provider : providers_)
      if (!frozen(provider->name())) provider->heal();
  });
}

void World::thaw() {
  phase_ = Phase::AllHealed;
  healed_at_ = queue_.now();
  mark("thawed");
  schedule_->heal();
  for (auto& provider : providers_) provider->heal();
}

// Whoever is not frozen has what is due to him.
void World::audit_rest() {
  for (const auto& consumer : consumers_) consumer->audit_rest();
  for (const auto& provider : providers_)
    if (!frozen(provider->name())) provider->audit_rest();
}

// When everything has healed and come to rest: every msat that the mint signed for a provider is in
// that provider's ledger.
void World::audit_books() {
  Msat redeemed;
  for (const auto& provider : providers_)
    if (provider->up()) redeemed += provider->swapped();
  Msat swapped;
  const std::vector<MintSwap>& swaps = mint_->swaps();
  for (size_t i = 0; i < swaps.size(); ++i) {
    const bool foreign =
        std::ranges::any_of(foreign_, [&](const Swaps& s) { return s.from <= i && i < s.to; });
    if (swaps[i].inputs.empty() || foreign) continue;
    for (const auto& output : swaps[i].outputs)
      swapped += Msat{static_cast<int64_t>(output.amount) * 1000};
  }
  Msat paid;
  for (const MintSwap& swap : swaps)
    if (swap.paid > 0) paid += Msat{static_cast<int64_t>(swap.paid + swap.fee) * 1000};
  Msat spent;
  for (const auto& provider : providers_)
    if (provider->up()) spent += provider->over_lightning();
  if (paid != spent)
    violate("lost-msat", "the mint paid " + std::to_string(paid.value) +
                             " msat over Lightning, the ledgers say " +
                             std::to_string(spent.value));
  if (swapped != redeemed)
    violate("lost-msat", "the mint signed " + std::to_string(swapped.value) +
                             " msat for providers, their ledgers say " +
                             std::to_string(redeemed.value));
}

}  // namespace paygress::sim
