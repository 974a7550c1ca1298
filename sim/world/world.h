// A whole market in virtual time: providers (the production core), relays, mints, engines and
// consumers (models), with a network between them that delays, loses, doubles and reorders.
//
// One run is a function of (scenario, seed, tier). Its hash folds every input, record and effect of
// every provider with its instant, so two runs that differ anywhere differ in it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/codec.h"
#include "sim/world/cryptography.h"
#include "sim/world/events.h"
#include "sim/world/scenario.h"

namespace paygress::sim {

class ProviderNode;
class ConsumerNode;
class RelayNode;

struct Violation {
  std::string rule;    // short and stable: "lost-msat", "two-copies", "invariant", "unanswered"
  std::string detail;
  Micros at;
};

struct RunResult {
  uint64_t hash = 0;
  uint64_t events = 0;       // inputs of providers and frames between peers
  Micros virtual_time;
  std::vector<Violation> violations;
  // What happened, so that a run that tested nothing is seen: "lease", "refusal", "crash", ...
  std::map<std::string, uint64_t> marks;
};

// A model in the network: something that receives what was sent to it after the delay.
class World {
 public:
  World(const Scenario& scenario, uint64_t seed, Tier tier);
  ~World();
  RunResult run();

  // --- for the nodes -----------------------------------------------------------------------
  EventQueue& queue() { return queue_; }
  Cryptography& cryptography() { return *cryptography_; }
  const Scenario& scenario() const { return scenario_; }
  uint64_t seed() const { return seed_; }
  Tier tier() const { return tier_; }
  // True while things go wrong; afterwards everything heals.
  bool troubled() const { return queue_.now() < micros(scenario_.length); }
  Now clock() const {
    return {queue_.now() + kBootTime, kStart + Seconds{queue_.now().value / 1'000'000}};
  }
  std::vector<std::unique_ptr<RelayNode>>& relays() { return relays_; }
  std::vector<std::unique_ptr<ProviderNode>>& providers() { return providers_; }
  Mint& mint() { return *mint_; }
  const std::string& relay_url(size_t i) const { return relay_urls_.at(i); }
  const std::vector<std::string>& relay_urls() const { return relay_urls_; }
  // Delivers after a drawn delay, perhaps twice or never. `link` names the directed pair.
  void send(uint64_t link, std::function<void()> deliver);
  void violate(std::string rule, std::string detail);
  void mark(const std::string& what) { ++result_.marks[what]; }
  void count_event() { ++result_.events; }
  template <class T>
  void fold_hash(const T& value) {
    encode(hash_, value);
  }

 private:
  static constexpr Micros kBootTime{1'000'000'000};
  static constexpr UnixSeconds kStart{1'780'000'000};

  void audit_end();

  Scenario scenario_;
  uint64_t seed_;
  Tier tier_;
  EventQueue queue_;
  HashSink hash_;
  std::unique_ptr<Cryptography> cryptography_;
  std::unique_ptr<Mint> mint_;
  std::vector<std::string> relay_urls_;
  std::vector<std::unique_ptr<RelayNode>> relays_;
  std::vector<std::unique_ptr<ProviderNode>> providers_;
  std::vector<std::unique_ptr<ConsumerNode>> consumers_;
  std::map<uint64_t, RandomStream> links_;
  RunResult result_;
};

}  // namespace paygress::sim
