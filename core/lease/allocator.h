// What the operator sells, and what of it is taken: capacity, numbers and ports. A pure bookkeeper:
// it is told of reservations by the lease book's records and never decides when they end.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "core/base/ids.h"
#include "core/lease/records.h"

namespace paygress::lease {

struct Resources {
  uint64_t cpu_millicores = 0;
  uint64_t memory_mb = 0;
  uint64_t storage_gb = 0;

  bool operator==(const Resources&) const = default;
};
BOOST_DESCRIBE_STRUCT(Resources, (), (cpu_millicores, memory_mb, storage_gb))

struct Ranges {
  uint32_t number_first = 1000;  // inclusive, as the existing network's vmid range
  uint32_t number_last = 1999;
  uint16_t port_first = 30000;  // inclusive
  uint16_t port_last = 39999;

  bool operator==(const Ranges&) const = default;
};
BOOST_DESCRIBE_STRUCT(Ranges, (), (number_first, number_last, port_first, port_last))

struct Allocation {
  uint32_t number = 0;
  std::optional<uint16_t> port_block;  // first of the consecutive ports asked for
};

class Allocator {
 public:
  // Preconditions: both ranges are not empty, port_first > 0.
  Allocator(Resources sold, Ranges ranges);

  // What would be given for this tier and this many consecutive ports; nothing when something is
  // exhausted. Changes nothing: take() does, when the reservation is a record.
  std::optional<Allocation> find(const Tier& tier, uint16_t port_count) const;
  // In words, what there is too little of for this tier, ports left aside; empty: nothing.
  std::string_view shortage(const Tier& tier) const;
  // Preconditions: the lease holds nothing yet, the number and the ports are free.
  void take(const LeaseId& lease, const Tier& tier, uint32_t number, std::vector<uint16_t> ports);
  // The first of so many consecutive ports that are free.
  std::optional<uint16_t> find_ports(uint16_t count) const;
  // The lease holds these ports instead of those that it had. Preconditions: it holds something,
  // and the ports are free.
  void move_ports(const LeaseId& lease, std::vector<uint16_t> ports);
  // Capacity, number and ports are free again. No effect when the lease holds nothing.
  void release(const LeaseId& lease);

  // Ports on which somebody else listens: skipped, not taken. Replaces the last observation.
  void set_foreign_ports(std::set<uint16_t> ports) { foreign_ports_ = std::move(ports); }
  // The node's own word on what it has; the smaller of it and what is sold counts.
  void set_sold(Resources sold) { sold_ = sold; }
  Resources unreserved() const;
  size_t size() const { return held_.size(); }

  // What follows from the reservations, within the ranges.
  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.reserved_, self.held_, self.released_numbers_, self.next_number_,
                    self.ports_, self.next_port_);
  }

 private:
  struct Held {
    Resources resources;
    uint32_t number = 0;
    std::vector<uint16_t> ports;

    template <class Self>
    static auto durable(Self& self) {
      return std::tie(self.resources, self.number, self.ports);
    }
  };
  void take_ports(const std::vector<uint16_t>& ports);
  bool port_free(uint16_t port) const;
  bool in_range(uint32_t number) const;

  Resources sold_;
  Resources reserved_;
  Ranges ranges_;
  std::map<LeaseId, Held> held_;
  std::set<uint32_t> released_numbers_;  // below next_number_
  uint32_t next_number_;
  std::set<uint16_t> ports_;
  std::set<uint16_t> foreign_ports_;
  uint16_t next_port_;  // where the search begins: a freed port rests before it is used again
};

}  // namespace paygress::lease
