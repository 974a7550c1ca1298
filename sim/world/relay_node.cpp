#include "sim/world/relay_node.h"

namespace paygress::sim {
namespace {

constexpr uint64_t kRelayNumber = 1'000'000;  // node numbers of relays begin here

uint64_t link_name(uint64_t from, uint64_t to) {
  return mix64(from) ^ (to * 0x9e3779b97f4a7c15ULL);
}

}  // namespace

RelayNode::RelayNode(World& world, size_t index)
    : world_(world),
      number_(kRelayNumber + index),
      model_({world.relay_url(index), {}, false, world.seed()},
             [&world](const nostr::Event& event) { return world.cryptography().check(event); }) {}

models::ConnectionId RelayNode::connect(uint64_t client, Hear hear) {
  const models::ConnectionId connection{next_connection_++};
  clients_.emplace(connection, Client{client, std::move(hear)});
  deliver(model_.connect(connection));
  return connection;
}

void RelayNode::disconnect(models::ConnectionId connection) {
  clients_.erase(connection);
  model_.disconnect(connection);
}

void RelayNode::say(uint64_t client, models::ConnectionId connection,
                    nostr::ClientMessage message) {
  world_.send(link_name(client, number_), [this, connection, message = std::move(message)] {
    if (!clients_.contains(connection)) return;
    world_.count_event();
    deliver(model_.handle(world_.clock().wall, connection, message));
  });
}

void RelayNode::deliver(models::RelayModel::Replies replies) {
  for (auto& reply : replies) {
    const auto client = clients_.find(reply.first);
    if (client == clients_.end()) continue;
    world_.send(link_name(number_, client->second.number),
                [this, to = reply.first, message = std::move(reply.second)] {
                  const auto it = clients_.find(to);
                  if (it == clients_.end()) return;
                  const Hear hear = it->second.hear;  // it may disconnect while it hears
                  hear(message);
                });
  }
}

ClientLinks::ClientLinks(World& world, uint64_t client, Events events)
    : world_(world),
      client_(client),
      events_(std::move(events)),
      breaks_(world.seed(), client, "link breaks") {}

void ClientLinks::open(nostr::LinkId link) {
  world_.queue().after(Micros{50'000}, [this, link] {
    if (gone_) return;
    RelayNode& relay = *world_.relays().at(link.relay.value);
    connections_[link] = relay.connect(
        client_, [this, link](const nostr::WireMessage& message) { events_.said(link, message); });
    events_.up(link);
    const Seconds every = world_.scenario().network.drop_link_every;
    if (every == Seconds{0}) return;
    const Micros lives{breaks_.between(1, 2 * micros(every).value)};
    world_.queue().after(lives, [this, link] {
      if (!world_.troubled() || !connections_.contains(link)) return;
      close(link);
      world_.mark("link broken");
      events_.down(link, nostr::LinkDown::Closed);
    });
  });
}

void ClientLinks::close(nostr::LinkId link) {
  const auto it = connections_.find(link);
  if (it == connections_.end()) return;
  world_.relays().at(link.relay.value)->disconnect(it->second);
  connections_.erase(it);
}

void ClientLinks::ping(nostr::LinkId link) {
  world_.queue().after(Micros{20'000}, [this, link] {
    if (connections_.contains(link)) events_.pong(link);
  });
}

void ClientLinks::send(nostr::LinkId link, nostr::ClientMessage message) {
  const auto it = connections_.find(link);
  if (it == connections_.end()) return;
  world_.relays().at(link.relay.value)->say(client_, it->second, std::move(message));
}

void ClientLinks::close_for_good() {
  gone_ = true;
  while (!connections_.empty()) close(connections_.begin()->first);
}

}  // namespace paygress::sim
