// A whole market in virtual time: providers (the production core), relays, mints, engines and
// consumers (models), with a network between them that delays, loses, doubles and reorders.
//
// One run is a function of its plan. Its hash folds every input, record and effect of every
// provider with its instant, so two runs that differ anywhere differ in it.
//
// Three phases: until Plan::length the plan's faults happen. Then a core heals, and whatever is
// broken about the frozen nodes stays so: within `settle` everybody in the core must have what is
// due to him. Then the rest heals too, and after another `settle` the books of all must agree.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/codec.h"
#include "sim/world/copies.h"
#include "sim/world/cryptography.h"
#include "sim/world/events.h"
#include "sim/world/node_clock.h"
#include "sim/world/observer.h"
#include "sim/world/run_result.h"
#include "sim/world/scenario.h"
#include "sim/world/trace_hash.h"
#include "sim/world/weather.h"

namespace paygress::sim {

class ProviderNode;
class ConsumerNode;
class RelayNode;
class Strangers;
class FaultSchedule;

// A directed link: places of the client and the relay in Weather.
struct Wire {
  size_t client = 0;
  size_t relay = 0;
  bool to_relay = true;
};

class World {
 public:
  explicit World(Plan plan, provider::Policies policies = {}, Observer* observer = nullptr);
  World(const Scenario& scenario, uint64_t seed, Tier tier);
  ~World();
  RunResult run();

  // --- for the nodes -----------------------------------------------------------------------
  EventQueue& queue() { return queue_; }
  Cryptography& cryptography() { return *cryptography_; }
  const Plan& plan() const { return plan_; }
  const provider::Policies& policies() const { return policies_; }
  uint64_t seed() const { return plan_.seed; }
  Tier tier() const { return plan_.tier; }
  // True while things go wrong.
  bool troubled() const { return phase_ == Phase::Troubled; }
  // Whatever is broken about it stays so for now.
  bool frozen(NodeName node) const;
  // When the core healed, or all of it did.
  Micros healed_at() const { return healed_at_; }
  // Somebody buys a warm-standby workload, so that providers have a guard.
  bool has_standbys() const { return has_standbys_; }
  // The true time: relays, mints and people go by it. A provider goes by its own clock.
  Now clock() const { return true_clock_.at(queue_.now()); }
  std::vector<std::unique_ptr<RelayNode>>& relays() { return relays_; }
  std::vector<std::unique_ptr<ProviderNode>>& providers() { return providers_; }
  std::vector<std::unique_ptr<ConsumerNode>>& consumers() { return consumers_; }
  ProviderNode* provider(uint32_t number);
  Strangers& strangers() { return *strangers_; }
  FaultSchedule& schedule() { return *schedule_; }
  Weather& weather() { return *weather_; }
  Mint& mint() { return *mint_; }
  const std::vector<std::string>& relay_urls() const { return relay_urls_; }
  // The client's place in Weather.
  size_t client_place(NodeName client) const { return client_places_.at(client); }
  // Delivers after a drawn delay, perhaps twice or never.
  void send(Wire wire, EventQueue::Action deliver);
  void violate(std::string rule, std::string detail);
  void mark(std::string_view what, NodeName where = {});
  // A duration of a kind, and the bound for all of that kind; beyond it: violation "late-<kind>".
  void measure(const std::string& kind, Micros value, Micros bound);
  // What executes on a provider changed: see Copies.
  void executing(NodeName provider, const std::map<std::string, std::string>& key_of_object);
  // Of what executes somewhere: since when it does. Of anything else: until when it did, at 0 if
  // it never did.
  Micros changed_at(const std::string& key) const;
  // Swaps that a stranger made with its own money: no provider has to account for them.
  void disregard_swaps(size_t from) { foreign_.push_back({from, mint_->swaps().size()}); }
  void count_event() { ++result_.events; }
  Observer* observer() { return observer_; }
  void fold_bytes(ByteView bytes) { hash_.put(bytes); }
  uint64_t hash_so_far() const { return hash_.digest(); }
  template <class T>
  void fold_hash(const T& value) {
    encode(hash_, value);
  }

 private:
  enum class Phase : uint8_t { Troubled, CoreHealed, AllHealed };
  struct Swaps {
    size_t from;
    size_t to;
  };

  void run_until(Micros end);
  void heal();
  void thaw();
  void tell_running(NodeName provider, const std::map<std::string, std::string>& now);
  void audit_rest();
  void audit_books();

  Plan plan_;
  provider::Policies policies_;
  Observer* observer_;
  bool has_standbys_;
  EventQueue queue_;
  NodeClock true_clock_;
  TraceHash hash_;
  std::unique_ptr<Cryptography> cryptography_;
  std::unique_ptr<Mint> mint_;
  std::vector<std::string> relay_urls_;
  std::map<NodeName, size_t> client_places_;
  std::unique_ptr<Weather> weather_;
  std::vector<std::unique_ptr<RelayNode>> relays_;
  std::vector<std::unique_ptr<ProviderNode>> providers_;
  std::vector<std::unique_ptr<ConsumerNode>> consumers_;
  std::unique_ptr<Strangers> strangers_;
  std::unique_ptr<FaultSchedule> schedule_;
  Copies copies_;
  std::map<std::string, Micros> changed_at_;  // by workload: came to execute, or ceased to
  Phase phase_ = Phase::Troubled;
  Micros healed_at_;
  uint64_t steps_ = 0;
  std::vector<Swaps> foreign_;
  RunResult result_;
};

}  // namespace paygress::sim
