#include "core/base/indexed_map.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>

namespace paygress {
namespace {

using Map = IndexedMap<int, std::string, std::hash<int>>;

// Against std::map: whatever is inserted and erased, the same entries in the same order.
RC_GTEST_PROP(IndexedMap, IsAnOrderedMap, ()) {
  Map map;
  std::map<int, std::string> plain;
  const auto keys = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 20));
  for (int key : keys) {
    if (plain.contains(key)) {
      RC_ASSERT(map.at(key) == plain.at(key));
      map.erase(key);
      plain.erase(key);
    } else {
      map.insert(key, std::to_string(key));
      plain.emplace(key, std::to_string(key));
    }
    RC_ASSERT(map.size() == plain.size());
    RC_ASSERT(map.contains(key) == plain.contains(key));
  }
  auto expected = plain.begin();
  for (const auto [key, value] : map) {
    RC_ASSERT(key == expected->first && value == expected->second);
    ++expected;
  }
  RC_ASSERT(expected == plain.end());
}

TEST(IndexedMap, ValuesStayWhereTheyAre) {
  Map map;
  std::string* first = &map.insert(-1, "first");
  for (int key = 0; key < 10'000; ++key) map.insert(key, "");
  EXPECT_EQ(map.find(-1), first);
  *first = "changed";
  EXPECT_EQ(std::as_const(map).at(-1), "changed");
  for (auto [key, value] : map) value = "all";
  EXPECT_EQ(*first, "all");
  EXPECT_EQ(map.find(10'000), nullptr);
}

TEST(IndexedMapDeathTest, WhatIsAskedForMustBeThere) {
  Map map;
  map.insert(1, "");
  EXPECT_DEATH(map.at(2), "");
  EXPECT_DEATH(map.erase(2), "");
  EXPECT_DEATH(map.insert(1, ""), "");
}

}  // namespace
}  // namespace paygress
