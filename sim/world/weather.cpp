#include "sim/world/weather.h"

#include <algorithm>

namespace paygress::sim {
namespace {

bool is(NodeName pattern, NodeName node) { return pattern.role == Role::Anyone || pattern == node; }

uint64_t name_of(NodeName from, NodeName to) {
  const auto one = [](NodeName n) { return static_cast<uint64_t>(n.role) << 32 | n.number; };
  return mix64(one(from)) ^ (one(to) * 0x9e3779b97f4a7c15ULL);
}

}  // namespace

Weather::Weather(uint64_t seed, std::vector<NodeName> clients, std::vector<NodeName> relays)
    : clients_(std::move(clients)), relays_(std::move(relays)) {
  links_.reserve(clients_.size() * relays_.size() * 2);
  for (NodeName client : clients_)
    for (NodeName relay : relays_) {
      links_.emplace_back(RandomStream(seed, name_of(client, relay), "network"));
      links_.emplace_back(RandomStream(seed, name_of(relay, client), "network"));
    }
}

template <class F>
void Weather::for_each(const Fault& fault, F&& change) {
  for (size_t c = 0; c < clients_.size(); ++c)
    for (size_t r = 0; r < relays_.size(); ++r) {
      const bool from_client = is(fault.node, clients_[c]) && is(fault.peer, relays_[r]);
      const bool from_relay = is(fault.node, relays_[r]) && is(fault.peer, clients_[c]);
      if (!from_client && !from_relay) continue;
      // `way` is seen from `node`.
      const Way to_relay = from_client ? Way::To : Way::From;
      const Way to_client = from_client ? Way::From : Way::To;
      if (fault.way == Way::Both || fault.way == to_relay) change(link(c, r, true));
      if (fault.way == Way::Both || fault.way == to_client) change(link(c, r, false));
    }
}

void Weather::begin(const Fault& fault) {
  const auto amount = static_cast<uint32_t>(std::clamp<int64_t>(fault.amount, 0, 1'000'000));
  for_each(fault, [&](Link& link) {
    if (fault.kind == FaultKind::Cut) ++link.cut;
    if (fault.kind == FaultKind::Lose) link.lose_ppm += amount;
    if (fault.kind == FaultKind::Double) link.double_ppm += amount;
    if (fault.kind == FaultKind::Slow) link.slower += Micros{fault.amount * 1000};
    if (fault.kind == FaultKind::Clog) {
      ++link.clogged;
      link.clogged_until = std::max(link.clogged_until, fault.at + fault.lasts);
    }
  });
}

void Weather::end(const Fault& fault) {
  const auto amount = static_cast<uint32_t>(std::clamp<int64_t>(fault.amount, 0, 1'000'000));
  for_each(fault, [&](Link& link) {
    if (fault.kind == FaultKind::Cut) --link.cut;
    if (fault.kind == FaultKind::Lose) link.lose_ppm -= amount;
    if (fault.kind == FaultKind::Double) link.double_ppm -= amount;
    if (fault.kind == FaultKind::Slow) link.slower -= Micros{fault.amount * 1000};
    if (fault.kind == FaultKind::Clog && --link.clogged == 0) link.clogged_until = {};
    PG_CHECK(link.cut >= 0 && link.clogged >= 0);
  });
}

}  // namespace paygress::sim
