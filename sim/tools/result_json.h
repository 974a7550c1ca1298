// The result of one history as one line of JSON, and back: how a sweep's processes report.
#pragma once

#include <boost/json.hpp>

#include "sim/world/run_result.h"

namespace paygress::sim {

struct HistoryResult {
  std::string scenario;
  uint64_t seed = 0;
  double wall_seconds = 0;
  RunResult run;
};

boost::json::object to_json(const HistoryResult& result);
// Nothing when the line is not one of to_json().
std::optional<HistoryResult> parse_result(std::string_view line);
std::string hash_text(uint64_t hash);

}  // namespace paygress::sim
