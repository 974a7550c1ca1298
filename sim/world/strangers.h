// People outside of every deal, with keys of their own and no good intentions: they forge, replay,
// send rubbish, and pay with money that is spent.
#pragma once

#include "core/base/random.h"
#include "sim/world/world.h"

namespace paygress::sim {

class Strangers {
 public:
  explicit Strangers(World& world);
  void act(const Fault& fault);
  // Somebody else has it too, and may be the one who spends it.
  bool copied(const cashu::Token& token) const {
    return !token.proofs.empty() && copied_.contains(token.proofs.front().secret);
  }

 private:
  void forge(const ProviderNode& at);
  void send_garbage(const ProviderNode& at, UnixSeconds created_at);
  void replay();
  void pay_with_spent_token(const ProviderNode& at);
  void pay_with_copied_token(const ProviderNode& at, int64_t back);
  void pay_with(const ProviderNode& at, const cashu::Token& token);
  void publish(const nostr::Event& event);

  World& world_;
  Identity identity_;
  SeededEntropy entropy_;
  RandomStream random_;
  std::set<std::string> copied_;  // the first secret of each token
};

}  // namespace paygress::sim
