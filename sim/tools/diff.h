// The first event in which two histories differ, of what a provider is told and does.
#pragma once

#include "sim/tools/family.h"

namespace paygress::sim {

struct Difference {
  bool same = false;
  uint64_t step = 0;   // the first that differs, counted over all providers
  std::string first;   // what happened in it: the time, who, input, records, effects
  std::string second;  // empty: that history had ended
};

Result<Difference> compare(const std::string& a, const std::string& b);

}  // namespace paygress::sim
