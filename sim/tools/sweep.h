// Many seeds of one scenario: what was violated, what happened, how long things took.
#pragma once

#include "sim/tools/family.h"
#include "sim/tools/options.h"

namespace paygress::sim {

// A sweep of so many seeds fails when a mark of its scenario never fires; a smaller one reports it.
inline constexpr uint64_t kSeedsForMarks = 500;

// Prints one JSON object, or a summary, to stdout; progress, and one line a failure, to stderr. The
// first failure of each rule is shrunk, and left as a file that `replay` runs again.
int sweep(const Family& family, const Options& options);

}  // namespace paygress::sim
