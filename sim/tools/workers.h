// Runs a range of seeds in several processes of this program, and hands over what each history
// gave. A process that dies, or is silent for too long, is a finding about the seed it was at.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "sim/tools/result_json.h"

namespace paygress::sim {

struct SeedRange {
  uint64_t first = 1;
  uint64_t last = 1;
};

struct WorkOrder {
  std::vector<std::string> arguments;  // of `paygress-sim run`, but for the seeds and --json
  SeedRange seeds;
  size_t jobs = 1;
  int silent_seconds_max = 300;  // for one history
};

// `take` is called for each seed, in no particular order; false: that is enough, stop. Error: no
// process could be started.
Result<void> run_seeds(const WorkOrder& order,
                       const std::function<bool(const HistoryResult&)>& take);
// The history of the least seed that is `wanted`, whatever the number of jobs; nothing: none is.
Result<std::optional<HistoryResult>> first_wanted(
    WorkOrder order, const std::function<bool(const HistoryResult&)>& wanted);

}  // namespace paygress::sim
