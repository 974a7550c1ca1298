// A relay of the simulated world: the relay model behind connections with delay.
#pragma once

#include <functional>
#include <map>

#include "core/nostr/relay_pool.h"
#include "sim/models/relay.h"
#include "sim/world/world.h"

namespace paygress::sim {

class RelayNode {
 public:
  // What a client hears over its connection.
  using Hear = std::function<void(const nostr::WireMessage&)>;

  RelayNode(World& world, size_t index);

  // Connections are made at once; `hear` is called after the network's delay, until disconnect.
  models::ConnectionId connect(uint64_t client, Hear hear);
  void disconnect(models::ConnectionId connection);
  void say(uint64_t client, models::ConnectionId connection, nostr::ClientMessage message);

 private:
  struct Client {
    uint64_t number;
    Hear hear;
  };
  void deliver(models::RelayModel::Replies replies);

  World& world_;
  uint64_t number_;
  models::RelayModel model_;
  uint64_t next_connection_ = 1;
  std::map<models::ConnectionId, Client> clients_;
};

// The links of one client of the relays: what a RelayPool asks for, done in the simulated world.
class ClientLinks {
 public:
  struct Events {
    std::function<void(nostr::LinkId)> up;
    std::function<void(nostr::LinkId, nostr::LinkDown)> down;
    std::function<void(nostr::LinkId, const nostr::WireMessage&)> said;
    std::function<void(nostr::LinkId)> pong;
  };
  ClientLinks(World& world, uint64_t client, Events events);
  void open(nostr::LinkId link);
  void close(nostr::LinkId link);
  void ping(nostr::LinkId link);
  void send(nostr::LinkId link, nostr::ClientMessage message);
  // The process behind them is gone: nothing is heard any more. Must outlive the queue's events.
  void close_for_good();

 private:
  World& world_;
  uint64_t client_;
  Events events_;
  std::map<nostr::LinkId, models::ConnectionId> connections_;
  RandomStream breaks_;
  bool gone_ = false;
};

}  // namespace paygress::sim
