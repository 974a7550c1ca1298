// How the rigs read a ledger: as the daemon does, from a snapshot and the batches after it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

#include "core/provider/provider.h"

namespace paygress::sim {

// From a snapshot of half of the batches. Folding all of them must find the same, which is checked
// at every start of every test.
inline std::unique_ptr<provider::Provider> read_ledger(
    const std::vector<std::vector<provider::Record>>& ledger,
    const std::function<std::unique_ptr<provider::Provider>()>& make) {
  auto whole = make();
  auto shortcut = make();
  for (size_t i = 0; i < ledger.size(); ++i) {
    for (const provider::Record& record : ledger[i]) {
      whole->fold(record);
      if (i > ledger.size() / 2) shortcut->fold(record);
    }
    if (i == ledger.size() / 2) {
      const auto loaded = shortcut->load(whole->snapshot());
      EXPECT_TRUE(loaded) << to_string(loaded.error());
    }
  }
  EXPECT_EQ(shortcut->snapshot(), whole->snapshot());
  shortcut->check_invariants();
  return shortcut;
}

}  // namespace paygress::sim
