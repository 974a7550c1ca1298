#include "sim/world/world.h"

#include <set>

#include "sim/world/consumer_node.h"
#include "sim/world/provider_node.h"
#include "sim/world/relay_node.h"

namespace paygress::sim {
namespace {

constexpr uint64_t kEventsMax = 50'000'000;   // a run that needs more does not come to rest
constexpr uint64_t kConsumerNumber = 10'000;  // node numbers of consumers begin here
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

World::World(const Scenario& scenario, uint64_t seed, Tier tier)
    : scenario_(scenario), seed_(seed), tier_(tier), cryptography_(make_cryptography(tier)) {
  MintSettings settings;
  settings.seed = seed;
  mint_ = std::make_unique<Mint>(settings, cryptography_->mint_crypto());
  mint_->set_fault_rates(scenario_.mint_faults);
  for (size_t i = 0; i < scenario_.relays; ++i)
    relay_urls_.push_back("wss://relay-" + std::to_string(i) + ".example");
  for (size_t i = 0; i < scenario_.relays; ++i)
    relays_.push_back(std::make_unique<RelayNode>(*this, i));
  for (size_t i = 0; i < scenario_.providers; ++i)
    providers_.push_back(std::make_unique<ProviderNode>(*this, i + 1));
  for (size_t i = 0; i < scenario_.consumers; ++i)
    consumers_.push_back(std::make_unique<ConsumerNode>(*this, kConsumerNumber + i));
}

World::~World() = default;

void World::send(uint64_t link, std::function<void()> deliver) {
  const auto [it, fresh] = links_.try_emplace(link, seed_, link, "network");
  RandomStream& random = it->second;
  const Network& n = scenario_.network;
  const Micros delay{random.between(n.delay_min.value, n.delay_max.value)};
  const bool lost = random.chance_ppm(n.loss_ppm) && troubled();
  const bool doubled = random.chance_ppm(n.duplicate_ppm) && troubled();
  if (doubled) queue_.after(delay + Micros{random.between(0, kDuplicateWithin.value)}, deliver);
  if (lost) return mark("frame lost");
  queue_.after(delay, std::move(deliver));
}

void World::violate(std::string rule, std::string detail) {
  result_.violations.push_back({std::move(rule), std::move(detail), queue_.now()});
}

RunResult World::run() {
  set_check_handler(on_broken);
  const Micros end = micros(scenario_.length + scenario_.settle);
  queue_.at(micros(scenario_.length), [this] {
    mint_->set_fault_rates({});
    for (auto& provider : providers_) provider->heal();
  });
  try {
    for (auto& provider : providers_) provider->start();
    for (auto& consumer : consumers_) consumer->start();
    uint64_t steps = 0;
    while (!queue_.empty() && queue_.next() <= end && result_.violations.empty()) {
      queue_.run_one();
      if (++steps > kEventsMax) violate("runaway", "the world does not come to rest");
    }
    if (result_.violations.empty()) audit_end();
  } catch (const BrokenInvariant& broken) {
    violate("invariant", broken.what);
  }
  set_check_handler(nullptr);
  result_.virtual_time = queue_.now();
  result_.hash = hash_.digest();
  return result_;
}

// When everything has healed and come to rest: everybody has an answer, nothing is in doubt, every
// msat that the mint signed for a provider is in that provider's ledger, nothing runs unpaid.
void World::audit_end() {
  for (const auto& consumer : consumers_) consumer->audit_end();
  Msat redeemed_by_all;
  for (const auto& node : providers_) {
    const std::string who = "provider " + std::to_string(node->identity().number) + ": ";
    if (!node->up()) {
      violate("down", who + "did not come back");
      continue;
    }
    const provider::Provider& p = *node->core();
    if (p.wallet().state().open_count() != 0) violate("in-doubt", who + "operations are open");
    Msat redeemed;
    for (const auto& [key, totals] : p.leases().totals()) redeemed += totals.redeemed;
    redeemed_by_all += redeemed;
    for (const std::string& object : node->engine().running_names(clock())) {
      const lease::Lease* known =
          p.leases().find(node->engine().spec(object, clock())->labels.lease);
      if (known == nullptr || known->phase == lease::Phase::Ended)
        violate("unpaid-run", who + object + " runs for no lease");
    }
  }
  Msat swapped;
  for (const MintSwap& swap : mint_->swaps())
    if (!swap.inputs.empty())
      for (const auto& output : swap.outputs)
        swapped += Msat{static_cast<int64_t>(output.amount) * 1000};
  if (swapped != redeemed_by_all)
    violate("lost-msat", "the mint signed " + std::to_string(swapped.value) +
                             " msat for providers, their ledgers say " +
                             std::to_string(redeemed_by_all.value));
}

}  // namespace paygress::sim
