#include "sim/world/relay_node.h"

#include "sim/world/provider_node.h"

namespace paygress::sim {
namespace {

constexpr Micros kConnect{50'000};
constexpr Micros kConnectTimeout{10'000'000};
constexpr Micros kPingRoundTrip{20'000};

}  // namespace

RelayNode::RelayNode(World& world, uint32_t number, size_t place)
    : world_(world),
      number_(number),
      place_(place),
      model_({world.relay_urls().at(place), {}, false, world.seed()},
             [&world](const nostr::Event& event) { return world.cryptography().check(event); }),
      mischief_(world.seed(), number, "relay mischief") {
  model_.connect(stranger_);
}

std::optional<ConnectionId> RelayNode::connect(Ears ears) {
  if (down_) return std::nullopt;
  const ConnectionId connection{next_connection_++};
  const size_t place = world_.client_place(ears.client);
  clients_.emplace(connection, Client{place, std::make_shared<const Ears>(std::move(ears))});
  deliver(model_.connect(connection));
  return connection;
}

void RelayNode::disconnect(ConnectionId connection) {
  clients_.erase(connection);
  model_.disconnect(connection);
}

void RelayNode::say(ConnectionId connection, nostr::ClientMessage message) {
  const auto client = clients_.find(connection);
  if (client == clients_.end()) return;
  world_.send({client->second.place, place_, true},
              [this, connection, message = std::move(message)] {
                if (!clients_.contains(connection)) return;
                world_.count_event();
                deliver(model_.handle(world_.clock().wall, connection, message));
              });
}

void RelayNode::deliver(RelayModel::Replies replies) {
  for (auto& reply : replies) {
    const auto client = clients_.find(reply.first);
    if (client == clients_.end()) continue;
    world_.send({client->second.place, place_, false},
                [this, to = reply.first, message = std::move(reply.second)]() mutable {
                  const auto it = clients_.find(to);
                  if (it == clients_.end()) return;
                  const auto ears = it->second.ears;  // it may disconnect while it hears
                  ears->said(std::move(message));
                });
  }
}

void RelayNode::accept(const nostr::Event& event) {
  if (!down_) deliver(model_.handle(world_.clock().wall, stranger_, nostr::Publish{event}));
}

void RelayNode::inject(const nostr::Event& event) {
  if (!down_) deliver(model_.pass_on(event));
}

void RelayNode::replay(size_t count) {
  if (!down_) deliver(model_.replay(count, mischief_));
}

// --- faults ------------------------------------------------------------------------------------

void RelayNode::drop_clients(NodeName client) {
  std::vector<ConnectionId> dropped;
  for (const auto& [connection, state] : clients_)
    if (client.role == Role::Anyone || state.ears->client == client) dropped.push_back(connection);
  for (ConnectionId connection : dropped) {
    const auto it = clients_.find(connection);
    if (it == clients_.end()) continue;
    const auto ears = it->second.ears;
    disconnect(connection);
    ears->closed();
  }
}

void RelayNode::begin(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::RelayRestart:
    case FaultKind::RelayForget:
      world_.mark(fault.kind == FaultKind::RelayForget ? "relay forgot" : "relay restarted",
                  name());
      model_.faults().forget_at_restart = fault.kind == FaultKind::RelayForget;
      down_ = true;
      drop_clients({});
      model_.restart();
      return;
    case FaultKind::ReplayOld:
      world_.mark("old events replayed", name());
      return replay(static_cast<size_t>(fault.amount));
    case FaultKind::Flood: world_.mark("flood", name()); return flood(fault.amount);
    default:
      world_.mark(info_of(fault.kind).lies ? "relay lied" : "relay misbehaved", name());
      return set_lie(fault, true);
  }
}

void RelayNode::end(const Fault& fault) {
  if (fault.kind != FaultKind::RelayRestart && fault.kind != FaultKind::RelayForget)
    return set_lie(fault, false);
  down_ = false;
  model_.connect(stranger_);
}

void RelayNode::set_lie(const Fault& fault, bool on) {
  RelayFaults& f = model_.faults();
  if (fault.kind == FaultKind::AckAndDrop) f.accept_and_forget = on;
  if (fault.kind == FaultKind::StoreAndRefuse) f.store_and_refuse = on;
  if (fault.kind == FaultKind::Equivocate) f.equivocate = on;
  if (fault.kind == FaultKind::CloseRequests) f.close_requests = on;
  if (fault.kind == FaultKind::NoEose) f.no_eose = on;
  if (fault.kind != FaultKind::Withhold) return;
  const PubKey author = Identity(world_.tier(), fault.peer.number).key;
  if (on)
    f.withheld.insert(author);
  else
    f.withheld.erase(author);
}

// Private messages of nobody to every provider: signed, but nothing that can be opened.
void RelayNode::flood(int64_t count) {
  constexpr uint64_t kNobody = 900'000;
  SeededEntropy entropy(world_.seed(), number_, "flood");
  if (world_.providers().empty()) return;
  const Identity nobody(world_.tier(), kNobody + number_);
  for (int64_t i = 0; i < count; ++i) {
    const auto& to = world_.providers()[mischief_.below(world_.providers().size())];
    const nostr::Draft draft{world_.clock().wall,
                             nostr::kind::kGiftWrap,
                             {{"p", to->identity().key_hex}},
                             std::to_string(mischief_.next())};
    inject(world_.cryptography().sign(nobody, draft, entropy));
  }
}

// --- links -------------------------------------------------------------------------------------

ClientLinks::ClientLinks(World& world, NodeName client, Events events)
    : world_(world),
      client_(client),
      place_(world.client_place(client)),
      events_(std::move(events)) {}

bool ClientLinks::held_up(nostr::LinkId link) const {
  const Weather& weather = world_.weather();
  return weather.broken(place_, link.relay.value) ||
         weather.link(place_, link.relay.value, true).clogged > 0 ||
         weather.link(place_, link.relay.value, false).clogged > 0;
}

void ClientLinks::open(nostr::LinkId link) {
  const bool times_out = held_up(link);
  world_.queue().after(times_out ? kConnectTimeout : kConnect, [this, link, times_out] {
    if (gone_) return;
    if (times_out) return events_.down(link, nostr::LinkDown::Failed);
    RelayNode::Ears ears;
    ears.client = client_;
    ears.said = [this, link](nostr::WireMessage message) {
      events_.said(link, std::move(message));
    };
    ears.closed = [this, link] { lost(link); };
    const auto connection = relay(link).connect(std::move(ears));
    if (!connection) return events_.down(link, nostr::LinkDown::Failed);
    connections_[link] = *connection;
    events_.up(link);
  });
}

void ClientLinks::lost(nostr::LinkId link) {
  if (connections_.erase(link) == 0 || gone_) return;
  world_.mark("link broken", client_);
  events_.down(link, nostr::LinkDown::Closed);
}

void ClientLinks::close(nostr::LinkId link) {
  const auto it = connections_.find(link);
  if (it == connections_.end()) return;
  const ConnectionId connection = it->second;
  connections_.erase(it);
  relay(link).disconnect(connection);
}

void ClientLinks::ping(nostr::LinkId link) {
  const Micros slower = world_.weather().link(place_, link.relay.value, true).slower +
                        world_.weather().link(place_, link.relay.value, false).slower;
  world_.queue().after(kPingRoundTrip + slower, [this, link] {
    if (connections_.contains(link) && !held_up(link)) events_.pong(link);
  });
}

void ClientLinks::send(nostr::LinkId link, nostr::ClientMessage message) {
  const auto it = connections_.find(link);
  if (it != connections_.end()) relay(link).say(it->second, std::move(message));
}

void ClientLinks::close_for_good() {
  gone_ = true;
  while (!connections_.empty()) close(connections_.begin()->first);
}

}  // namespace paygress::sim
