// What one step produced, and the numbering of its effects.
#pragma once

#include <vector>

#include "core/provider/effects.h"
#include "core/provider/records.h"

namespace paygress::provider {

// Carry out in this order: make `records` durable as one batch, THEN start `effects`.
struct Step {
  std::vector<Record> records;
  std::vector<Effect> effects;

  void tell(Level level, std::string text) { effects.push_back(Tell{level, std::move(text)}); }
};

// Call ids of one run of the program: the ledger's boot count in the upper bits, so that no answer
// of an earlier run is taken for one of this run. Each machine has a range of its own.
class CallIds {
 public:
  enum class Range : uint64_t { Provider = 0, Wallet = 1, Workloads = 2 };
  static constexpr int kRangeBits = 2;
  static constexpr int kCountBits = 40;

  CallIds(uint64_t boot, Range range)
      : next_(((boot << kRangeBits) | static_cast<uint64_t>(range)) << kCountBits) {
    PG_CHECK(boot < (uint64_t{1} << (64 - kRangeBits - kCountBits)));
  }
  CallId next() { return {++next_}; }

 private:
  uint64_t next_;
};

}  // namespace paygress::provider
