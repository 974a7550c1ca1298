// A few providers on the same relays, each with its engine, guard and ledger, and one owner who
// buys warm-standby leases: time is virtual, nothing is random, everything goes through
// Provider::step. Says at every moment which copies of a workload run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/models/guard.h"
#include "sim/models/relay.h"
#include "tests/sim/provider/rig.h"

namespace paygress::sim {

class Cluster {
 public:
  explicit Cluster(size_t providers, size_t relays = 3,
                   provider::Settings settings = rig_settings());
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
  ~Cluster();

  // --- time ---
  Now now() const;
  void run_for(Seconds time);
  // Until `what` holds, at most so long; false when it never did.
  bool run_until(const std::function<bool()>& what, Seconds at_most);

  // --- the providers' processes ---
  void start(size_t i);
  void start_all();
  void kill(size_t i);             // SIGKILL: engine and guard live on
  void lose_host(size_t i);        // everything on it is gone; its disk stays
  void hang(size_t i, bool hung);  // SIGSTOP: what comes is heard when it goes on
  void say(size_t i, const provider::Input& input) { step(*nodes_.at(i), input); }
  void cut(size_t i, bool cut);  // from all relays: frames are lost both ways
  provider::Provider& core(size_t i);
  bool up(size_t i) const;
  GuardModel& guard(size_t i);
  BackendModel& engine(size_t i);
  PubKey key(size_t i) const;
  size_t batches(size_t i) const;  // of its ledger
  // The process dies when it has written so many batches, before their effects, and starts again.
  void crash_after(size_t i, size_t batches);
  RelayModel& relay(size_t i);
  void restart_relay(size_t i);  // with an empty store, if its faults say so
  const std::vector<std::string>& relay_urls() const { return urls_; }
  // What the operator was told, of level Alarm.
  const std::vector<std::string>& alarms(size_t i) const;

  // --- the owner ---
  // A spawn for one member; members and relays as in the cluster's order unless changed.
  market::SpawnRequest request(uint64_t sats = 3'000);
  void ask(size_t i, const market::Request& request);
  // As that provider, whose process need not be up.
  void publish(size_t i, const nostr::Draft& draft, const std::vector<size_t>& relays);
  // Requests to the mint that name a token: swap, checkstate, restore.
  size_t token_calls() const { return token_calls_; }
  // Every reply of that provider so far.
  const std::vector<market::Reply>& replies(size_t i) const;
  // Buys from every provider, the first being the primary. True: all have confirmed in time.
  bool buy_all(uint64_t sats = 3'000);
  template <class T>
  std::vector<T> of_type(size_t i) const {
    std::vector<T> found;
    for (const auto& reply : replies(i))
      if (const auto* r = std::get_if<T>(&reply)) found.push_back(*r);
    return found;
  }

  // --- what is so ---
  std::set<size_t> running() const;            // providers on which a copy can execute now
  std::vector<std::string> objects(size_t i);  // on its engine, in every state
  size_t most_at_once() const { return most_; }
  std::string workload = "workload-1";
  std::vector<size_t> members;  // indices, primary first
  bool say_relays = true;

 private:
  struct Node;
  void step(Node& node, const provider::Input& input);
  void carry_out(Node& node, provider::Step step);
  void arm_timer(Node& node);
  void answer(Node& node, Micros after, provider::Input input);
  void hear(Node& node, nostr::LinkId link, const nostr::WireMessage& message);
  void put_on(size_t relay, const nostr::Event& event);  // over the owner's connection
  void deliver(size_t relay, RelayModel::Replies replies);
  void watch();

  EventQueue queue_;
  std::unique_ptr<Cryptography> crypto_ = make_cryptography(Tier::Fast);
  Mint mint_;
  Identity owner_{Tier::Fast, 900};
  SeededEntropy owner_entropy_{11, 900, "cluster"};
  std::vector<std::string> urls_;
  std::vector<std::unique_ptr<RelayModel>> relays_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<ConnectionId, std::pair<Node*, nostr::LinkId>> links_;
  uint64_t next_connection_ = 1;
  size_t token_calls_ = 0;
  size_t most_ = 0;
};

}  // namespace paygress::sim
