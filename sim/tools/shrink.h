// Makes a failing history small: delta debugging (Zeller and Hildebrandt 2002) over the lines of
// its text, then nodes with all that names them, then times and numbers. A smaller history counts
// when the same rule is violated and it is as fair as the first.
#pragma once

#include "sim/tools/family.h"

namespace paygress::sim {

struct Shrunk {
  std::string text;
  std::string rule;
  uint64_t runs = 0;
  size_t lines_before = 0;
  size_t lines_after = 0;  // comments not counted
};

// Error: the text does not run, or violates nothing.
Result<Shrunk> shrink(const Family& family, const std::string& text, double seconds_max);

}  // namespace paygress::sim
