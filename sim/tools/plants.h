// Does the simulator find what is wrong? Every planted bug is switched on alone, and the seeds
// until it is found are counted.
#pragma once

#include "sim/tools/options.h"

namespace paygress::sim {

inline constexpr uint64_t kSeedsToDetection = 2000;

// Prints a table in Markdown. The bugs named in `options`, or all. Findings: one was not found.
int plants(const Options& options);

}  // namespace paygress::sim
