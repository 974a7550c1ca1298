#include "core/lease/allocator.h"

#include <algorithm>

namespace paygress::lease {

Allocator::Allocator(Resources sold, Ranges ranges)
    : sold_(sold),
      ranges_(ranges),
      next_number_(ranges.number_first),
      next_port_(ranges.port_first) {
  PG_CHECK(ranges.number_first <= ranges.number_last);
  PG_CHECK(ranges.port_first > 0 && ranges.port_first <= ranges.port_last);
}

std::optional<Allocation> Allocator::find(const Tier& tier, uint16_t port_count) const {
  if (!shortage(tier).empty()) return std::nullopt;
  Allocation allocation;
  // A new number while there are any: an ended lease is asked about by its number.
  allocation.number =
      next_number_ <= ranges_.number_last ? next_number_ : *released_numbers_.begin();
  if (port_count > 0) {
    allocation.port_block = find_ports(port_count);
    if (!allocation.port_block) return std::nullopt;
  }
  return allocation;
}

std::string_view Allocator::shortage(const Tier& tier) const {
  const Resources free = unreserved();
  if (tier.cpu_millicores > free.cpu_millicores) return "CPU";
  if (tier.memory_mb > free.memory_mb) return "memory";
  if (tier.storage_gb > free.storage_gb) return "disk";
  const bool numbers = next_number_ <= ranges_.number_last || !released_numbers_.empty();
  return numbers ? "" : "room for pods";
}

std::optional<uint16_t> Allocator::find_ports(uint16_t count) const {
  const uint32_t size = uint32_t{ranges_.port_last} - ranges_.port_first + 1;
  uint32_t run = 0;
  for (uint32_t i = 0; i < size + count - 1; ++i) {
    const uint32_t offset = (next_port_ - ranges_.port_first + i) % size;
    if (offset == 0) run = 0;  // a block does not wrap around
    const auto port = static_cast<uint16_t>(ranges_.port_first + offset);
    run = port_free(port) ? run + 1 : 0;
    if (run == count) return static_cast<uint16_t>(port - count + 1);
  }
  return std::nullopt;
}

bool Allocator::port_free(uint16_t port) const {
  return !ports_.contains(port) && !foreign_ports_.contains(port);
}

bool Allocator::in_range(uint32_t number) const {
  return number >= ranges_.number_first && number <= ranges_.number_last;
}

void Allocator::take(const LeaseId& lease, const Tier& tier, uint32_t number,
                     std::vector<uint16_t> ports) {
  if (in_range(number)) {  // a changed configuration may leave older leases outside
    for (; next_number_ <= number; ++next_number_) released_numbers_.insert(next_number_);
    PG_CHECK(released_numbers_.erase(number) == 1);
  }
  take_ports(ports);
  const Resources r{tier.cpu_millicores, tier.memory_mb, tier.storage_gb};
  reserved_.cpu_millicores += r.cpu_millicores;
  reserved_.memory_mb += r.memory_mb;
  reserved_.storage_gb += r.storage_gb;
  PG_CHECK(held_.emplace(lease, Held{r, number, std::move(ports)}).second);
}

void Allocator::take_ports(const std::vector<uint16_t>& ports) {
  for (uint16_t port : ports) {
    PG_CHECK(ports_.insert(port).second);
    next_port_ = port >= ranges_.port_first && port < ranges_.port_last
                     ? static_cast<uint16_t>(port + 1)
                     : ranges_.port_first;
  }
}

void Allocator::move_ports(const LeaseId& lease, std::vector<uint16_t> ports) {
  Held& held = held_.at(lease);
  take_ports(ports);
  for (uint16_t port : held.ports) PG_CHECK(ports_.erase(port) == 1);
  held.ports = std::move(ports);
}

void Allocator::release(const LeaseId& lease) {
  const auto it = held_.find(lease);
  if (it == held_.end()) return;
  const Held& held = it->second;
  if (in_range(held.number)) released_numbers_.insert(held.number);
  for (uint16_t port : held.ports) PG_CHECK(ports_.erase(port) == 1);
  reserved_.cpu_millicores -= held.resources.cpu_millicores;
  reserved_.memory_mb -= held.resources.memory_mb;
  reserved_.storage_gb -= held.resources.storage_gb;
  held_.erase(it);
}

Resources Allocator::unreserved() const {
  const auto rest = [](uint64_t sold, uint64_t taken) { return sold > taken ? sold - taken : 0; };
  return {rest(sold_.cpu_millicores, reserved_.cpu_millicores),
          rest(sold_.memory_mb, reserved_.memory_mb), rest(sold_.storage_gb, reserved_.storage_gb)};
}

}  // namespace paygress::lease
