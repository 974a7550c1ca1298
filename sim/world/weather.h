// What the network does to each directed link between a client and a relay, at this moment.
#pragma once

#include <vector>

#include "core/base/random.h"
#include "sim/world/fault_plan.h"

namespace paygress::sim {

// Nodes are named once, at the start; `client` and `relay` below are their places.
class Weather {
 public:
  struct Link {
    explicit Link(RandomStream stream) : random(stream) {}
    RandomStream random;
    int cut = 0;      // how many faults cut it now
    int clogged = 0;  // and hold it up; then everything passes at once
    uint32_t lose_ppm = 0;
    uint32_t double_ppm = 0;
    Micros slower;
    Micros clogged_until;
  };

  Weather(uint64_t seed, std::vector<NodeName> clients, std::vector<NodeName> relays);

  Link& link(size_t client, size_t relay, bool to_relay) {
    return links_[(client * relays_.size() + relay) * 2 + (to_relay ? 0 : 1)];
  }
  const Link& link(size_t client, size_t relay, bool to_relay) const {
    return links_[(client * relays_.size() + relay) * 2 + (to_relay ? 0 : 1)];
  }
  // Nothing passes, in one direction at least: what is begun over it gets no answer.
  bool broken(size_t client, size_t relay) const {
    return link(client, relay, true).cut > 0 || link(client, relay, false).cut > 0;
  }
  // A fault of a link begins or ends. Break is not one of them: it is over at once.
  void begin(const Fault& fault);
  void end(const Fault& fault);

 private:
  template <class F>
  void for_each(const Fault& fault, F&& change);

  std::vector<NodeName> clients_;
  std::vector<NodeName> relays_;
  std::vector<Link> links_;
};

}  // namespace paygress::sim
