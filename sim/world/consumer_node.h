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

class StandbyBuyer;

class ConsumerNode {
 public:
  ConsumerNode(World& world, uint32_t number);
  ~ConsumerNode();
  void start();
  NodeName name() const { return name_; }
  // Every request that was asked of somebody who can answer has its final answer by now. Says
  // what is missing, and why it might be.
  void audit_rest() const;

  // One request and what became of it.
  struct Order {
    market::Request request;
    cashu::Token token;
    uint32_t provider_number = 0;
    PubKey provider;
    bool nip04 = false;
    UnixSeconds asked_at;
    size_t asked = 0;
    std::optional<market::Reply> final;
    size_t top_ups_left = 0;
    size_t stops = 0;              // of a stop: so many were asked before
    bool patient = false;          // asks once
    bool refund_promised = false;  // was told that a refund is being made
    RandomStream random;           // of this purchase alone
  };
  const std::vector<Order>& orders() const { return orders_; }

  // --- for who buys warm-standby workloads
  // A plain spawn at that provider, paid, to be completed and placed.
  Order spawn_order(const Purchase& purchase, uint32_t provider, uint64_t entity);
  // Asks, and again until there is a final answer. Its place in orders().
  size_t place(Order order);
  // Its lease is to be topped up so many times.
  void top_up_later(size_t order, size_t times);
  // Ends the lease of that order, named by the request that spawned it; asks so before it is
  // answered too. The place of the stop in orders().
  size_t stop(size_t spawn) { return stop(orders_[spawn], 0); }
  void subscribe(const std::string& name, const std::vector<nostr::Filter>& filters);
  market::RequestId request_id();

 private:
  cashu::Token pay(uint64_t sats);
  void buy(const Purchase& purchase);
  void top_up(const Order& after, const std::string& pod);
  size_t stop(const Order& spawn, size_t stops);
  void top_up_soon(size_t order);
  static bool says_later(const Order& order, const market::Reply& reply);
  bool is_forgotten_refusal(const Order& order, const market::Reply& reply) const;
  void check_refunds(const market::Reply& reply);
  void check_token(const Order& order) const;
  void ask(size_t index);
  void hear(nostr::LinkId link, nostr::WireMessage message);
  void on_reply(const PubKey& from, const market::Reply& reply);
  void on_final(Order& order, const market::Reply& reply);
  void on_first(Order& order, const market::Reply& reply);
  void on_delivered(const nostr::pool::Delivered& delivered);
  void drain();
  void timer();

  World& world_;
  NodeName name_;
  Identity identity_;
  SeededEntropy entropy_;
  nostr::RelayPool pool_;
  std::unique_ptr<ClientLinks> links_;
  std::vector<Order> orders_;
  std::unique_ptr<StandbyBuyer> sets_;  // null: the plan has none for it
  std::optional<Micros> timer_;
  uint64_t next_publish_ = 1;
};

}  // namespace paygress::sim
