// What one history came to. Apart from the world that made it: the tools know results, not worlds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/units.h"

namespace paygress::sim {

struct Violation {
  std::string rule;  // short and stable: "lost-msat", "two-copies", "invariant", "unanswered"
  std::string detail;
  Micros at;
};

// A duration that was measured often, against the longest that is allowed.
struct Sample {
  std::vector<Micros> values;
  Micros bound;  // zero: none
};

struct RunResult {
  uint64_t hash = 0;
  uint64_t events = 0;  // inputs of providers and frames between peers
  Micros virtual_time;
  std::vector<Violation> violations;
  // What happened, so that a run that tested nothing is seen: "lease", "refusal", "crash", ...
  std::map<std::string, uint64_t, std::less<>> marks;
  std::map<std::string, Sample> samples;
};

}  // namespace paygress::sim
