// Money to time (nothing is lost to rounding), and what is given out (decisions.md "Selling").
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

#include "core/lease/allocator.h"
#include "core/lease/price.h"

namespace paygress::lease {
namespace {

LeaseId lease_of(uint32_t n) {
  LeaseId id;
  id.bytes[0] = static_cast<uint8_t>(n);
  id.bytes[1] = static_cast<uint8_t>(n >> 8);
  return id;
}

TEST(Price, BuyingConserves) {
  EXPECT_TRUE(rc::check([] {
    const Msat money{*rc::gen::inRange<int64_t>(0, std::numeric_limits<int64_t>::max())};
    const Msat rate{*rc::gen::inRange<int64_t>(1, 1'000'000'000'000)};
    const Purchase p = buy(money, rate);
    RC_ASSERT(p.credit >= Msat{0} && p.credit < rate);
    RC_ASSERT(price_of(p.bought, rate).value() + p.credit == money);
  }));
}

TEST(Price, UsedTimeIsRoundedUp) {
  EXPECT_EQ(charged(Micros{0}), Seconds{0});
  EXPECT_EQ(charged(Micros{1}), Seconds{1});
  EXPECT_EQ(charged(Micros{1'000'000}), Seconds{1});
  EXPECT_EQ(charged(Micros{1'000'001}), Seconds{2});
}

TEST(Price, AProductThatDoesNotFitIsNothing) {
  EXPECT_EQ(price_of(Seconds::max(), Msat{2}), std::nullopt);
  EXPECT_EQ(price_of(Seconds::max(), Msat{1}), Msat::max());
}

Tier tier(uint64_t cpu = 1) {
  Tier t;
  t.cpu_millicores = cpu;
  t.memory_mb = 1;
  t.storage_gb = 1;
  return t;
}

void take(Allocator& a, uint32_t n, const Allocation& found, uint16_t count) {
  std::vector<uint16_t> ports;
  for (uint16_t i = 0; i < count; ++i)
    ports.push_back(static_cast<uint16_t>(*found.port_block + i));
  a.take(lease_of(n), tier(), found.number, ports);
}

TEST(Allocator, NumbersAreInclusiveAndNotReusedWhileHeld) {
  Allocator a({100, 100, 100}, {5, 7, 30'000, 30'099});
  std::set<uint32_t> numbers;
  for (uint32_t i = 1; i <= 3; ++i) {
    const auto found = a.find(tier(), 1);
    ASSERT_TRUE(found);
    numbers.insert(found->number);
    take(a, i, *found, 1);
  }
  EXPECT_THAT(numbers, ::testing::ElementsAre(5, 6, 7));
  EXPECT_FALSE(a.find(tier(), 1));
  a.release(lease_of(2));
  EXPECT_EQ(a.find(tier(), 1)->number, 6u);
  a.release(lease_of(2));  // twice is once
  EXPECT_EQ(a.size(), 2u);
}

// Who had it before may still ask what became of his lease, by its number.
TEST(Allocator, ANumberIsUsedAgainOnlyWhenAllWere) {
  Allocator a({100, 100, 100}, {5, 7, 30'000, 30'099});
  for (uint32_t i = 1; i <= 3; ++i) {
    const auto found = a.find(tier(), 1);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->number, 4 + i);
    take(a, i, *found, 1);
    a.release(lease_of(i));
  }
  EXPECT_EQ(a.find(tier(), 1)->number, 5u);
}

TEST(Allocator, TheLastPortsOfTheTypeAreGivenWithoutWrapping) {
  Allocator a({100, 100, 100}, {1, 9, 65'530, 65'535});
  const auto first = a.find(tier(), 4);
  ASSERT_TRUE(first && first->port_block);
  EXPECT_EQ(*first->port_block, 65'530);
  take(a, 1, *first, 4);
  EXPECT_FALSE(a.find(tier(), 3));  // 65534, 65535 and not 0
  const auto second = a.find(tier(), 2);
  ASSERT_TRUE(second && second->port_block);
  EXPECT_EQ(*second->port_block, 65'534);
  take(a, 2, *second, 2);
  EXPECT_FALSE(a.find(tier(), 1));
  EXPECT_TRUE(a.find(tier(), 0));  // no port asked for
}

TEST(Allocator, ABlockThatDoesNotFitAtAllIsNothing) {
  Allocator a({100, 100, 100}, {1, 9, 40'000, 40'002});
  EXPECT_TRUE(a.find(tier(), 3));
  EXPECT_FALSE(a.find(tier(), 4));
  EXPECT_FALSE(a.find(tier(), 60'000));
}

TEST(Allocator, PortsOfOthersAreSkipped) {
  Allocator a({100, 100, 100}, {1, 9, 40'000, 40'005});
  a.set_foreign_ports({40'001, 40'002});
  EXPECT_EQ(a.find(tier(), 2)->port_block, 40'003);
  EXPECT_FALSE(a.find(tier(), 4));
  a.set_foreign_ports({});
  EXPECT_EQ(a.find(tier(), 4)->port_block, 40'000);
}

TEST(Allocator, ALeaseMovesToOtherPortsAndGivesItsOwnBack) {
  Allocator a({100, 100, 100}, {1, 9, 40'000, 40'005});
  a.take(lease_of(1), tier(), 1, {40'000, 40'001});
  EXPECT_EQ(a.find_ports(2), 40'002);
  a.move_ports(lease_of(1), {40'002, 40'003});
  EXPECT_EQ(a.size(), 1u);
  EXPECT_EQ(a.find_ports(3), std::nullopt) << "two on either side of its own";
  a.release(lease_of(1));
  EXPECT_TRUE(a.find_ports(6));
}

TEST(Allocator, CapacityIsExactInEveryDimension) {
  Allocator a({3, 2, 5}, {1, 9, 40'000, 40'005});
  EXPECT_TRUE(a.find(tier(3), 0));
  EXPECT_FALSE(a.find(tier(4), 0));
  a.take(lease_of(1), tier(2), 1, {});
  EXPECT_EQ(a.unreserved(), (Resources{1, 1, 4}));
  EXPECT_FALSE(a.find(tier(2), 0));
  a.set_sold({1, 2, 5});  // less than is reserved already
  EXPECT_EQ(a.unreserved().cpu_millicores, 0u);
}

TEST(AllocatorProperty, WhatIsHeldIsDisjointAndFreedWhenReleased) {
  EXPECT_TRUE(rc::check([] {
    const Ranges ranges{10, 14, 50'000, 50'011};
    Allocator a({100, 100, 100}, ranges);
    std::map<uint32_t, std::pair<uint32_t, std::vector<uint16_t>>> held;
    const auto ops = *rc::gen::container<std::vector<std::pair<int, int>>>(
        rc::gen::pair(rc::gen::inRange(0, 8), rc::gen::inRange(1, 5)));
    std::set<uint16_t> foreign;
    for (const auto& [n, count] : ops) {
      const auto id = static_cast<uint32_t>(n);
      if (held.erase(id) > 0) {
        a.release(lease_of(id));
        continue;
      }
      foreign = {static_cast<uint16_t>(50'000 + n)};
      a.set_foreign_ports(foreign);
      const auto found = a.find(tier(), static_cast<uint16_t>(count));
      std::set<uint16_t> used(foreign);
      for (const auto& [l, h] : held) used.insert(h.second.begin(), h.second.end());
      bool possible = held.size() < 5;
      bool block = false;
      for (int p = 50'000; p + count - 1 <= 50'011; ++p) {
        bool free = true;
        for (int i = 0; i < count; ++i) free = free && !used.contains(static_cast<uint16_t>(p + i));
        block = block || free;
      }
      RC_ASSERT(found.has_value() == (possible && block));
      if (!found) continue;
      std::vector<uint16_t> ports;
      for (int i = 0; i < count; ++i)
        ports.push_back(static_cast<uint16_t>(*found->port_block + i));
      for (uint16_t p : ports) RC_ASSERT(p >= 50'000 && p <= 50'011 && !used.contains(p));
      for (const auto& [l, h] : held) RC_ASSERT(h.first != found->number);
      RC_ASSERT(found->number >= 10 && found->number <= 14);
      take(a, id, *found, static_cast<uint16_t>(count));
      held[id] = {found->number, ports};
    }
    for (const auto& [id, h] : held) a.release(lease_of(id));
    RC_ASSERT(a.unreserved() == (Resources{100, 100, 100}));
  }));
}

}  // namespace
}  // namespace paygress::lease
