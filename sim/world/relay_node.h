// A relay of the simulated world: the relay model behind connections with delay.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "core/nostr/relay_pool.h"
#include "sim/models/relay.h"
#include "sim/world/world.h"

namespace paygress::sim {

class RelayNode {
 public:
  // What a client hears over its connection, and that the relay closed it.
  struct Ears {
    NodeName client;
    std::function<void(nostr::WireMessage)> said;
    std::function<void()> closed;
  };

  RelayNode(World& world, uint32_t number, size_t place);

  NodeName name() const { return {Role::Relay, number_}; }
  // Connections are made at once; `said` is called after the network's delay, until disconnect.
  // Nothing while the relay is down.
  std::optional<ConnectionId> connect(Ears ears);
  void disconnect(ConnectionId connection);
  void say(ConnectionId connection, nostr::ClientMessage message);
  // A stranger hands it an event without a connection that anybody hears.
  void accept(const nostr::Event& event);
  // Passes an event on to whoever asked for such, unverified: the relay itself is in league.
  void inject(const nostr::Event& event);
  // Sends `count` events that it once took again, whether they were replaced since or not.
  void replay(size_t count);
  const RelayModel& model() const { return model_; }

  // --- faults
  // Closes the connections of this client ("*": of everybody).
  void drop_clients(NodeName client);
  void begin(const Fault& fault);
  void end(const Fault& fault);

 private:
  struct Client {
    size_t place;
    std::shared_ptr<const Ears> ears;
  };
  void deliver(RelayModel::Replies replies);
  void set_lie(const Fault& fault, bool on);
  void flood(int64_t count);

  World& world_;
  uint32_t number_;
  size_t place_;
  RelayModel model_;
  RandomStream mischief_;
  bool down_ = false;
  ConnectionId stranger_;
  uint64_t next_connection_ = 1;
  std::map<ConnectionId, Client> clients_;
};

// The links of one client of the relays: what a RelayPool asks for, done in the simulated world.
class ClientLinks {
 public:
  struct Events {
    std::function<void(nostr::LinkId)> up;
    std::function<void(nostr::LinkId, nostr::LinkDown)> down;
    std::function<void(nostr::LinkId, nostr::WireMessage)> said;
    std::function<void(nostr::LinkId)> pong;
  };
  ClientLinks(World& world, NodeName client, Events events);
  void open(nostr::LinkId link);
  void close(nostr::LinkId link);
  void ping(nostr::LinkId link);
  void send(nostr::LinkId link, nostr::ClientMessage message);
  // The process behind them is gone: nothing is heard any more. Must outlive the queue's events.
  void close_for_good();

 private:
  RelayNode& relay(nostr::LinkId link) { return *world_.relays().at(link.relay.value); }
  bool held_up(nostr::LinkId link) const;
  void lost(nostr::LinkId link);

  World& world_;
  NodeName client_;
  size_t place_;
  Events events_;
  std::map<nostr::LinkId, ConnectionId> connections_;
  bool gone_ = false;
};

}  // namespace paygress::sim
