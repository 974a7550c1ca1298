// A consumer of the simulated world: buys leases with tokens from the mint, tops them up, asks
// again when no answer comes, and remembers every token until it knows what became of it.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/nostr/relay_pool.h"
#include "sim/world/relay_node.h"
#include "sim/world/world.h"

namespace paygress::sim {

class ConsumerNode {
 public:
  ConsumerNode(World& world, uint64_t number);
  void start();
  // At the end of the world: every purchase has its final answer. Says what is missing.
  void audit_end() const;

  struct Purchase {
    market::Request request;
    cashu::Token token;
    PubKey provider;
    UnixSeconds asked_at;
    size_t asked = 0;
    std::optional<market::Reply> final;
    size_t top_ups_left = 0;
  };
  const std::vector<Purchase>& purchases() const { return purchases_; }

 private:
  void buy();
  void top_up(const PubKey& provider, const std::string& pod, size_t left);
  void ask(size_t index);
  void hear(nostr::LinkId link, const nostr::WireMessage& message);
  void on_reply(const PubKey& from, const market::Reply& reply);
  void on_final(Purchase& purchase, const market::Reply& reply);
  cashu::Token token();
  market::RequestId request_id();
  void drain();
  void timer();

  World& world_;
  Identity identity_;
  RandomStream random_;
  SeededEntropy entropy_;
  nostr::RelayPool pool_;
  std::unique_ptr<ClientLinks> links_;
  std::vector<Purchase> purchases_;
  std::optional<Micros> timer_;
  uint64_t next_publish_ = 1;
};

}  // namespace paygress::sim
