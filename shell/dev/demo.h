// The story that `paygress demo` plays: a market is used, hurt and audited through the real
// programs, each as a person would run it.
#pragma once

#include <boost/json/value.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "shell/dev/market.h"

namespace paygress::dev {

inline constexpr size_t kDemoProvidersMin = 3;  // one holds a workload, two stand by

struct DemoStep {
  std::string name;
  std::string command;  // what a person would type; empty when we did it ourselves
  int64_t milliseconds = 0;
  bool ok = false;
  std::string note;  // what was seen, or what went wrong
};

struct DemoReport {
  bool ok = false;
  int64_t milliseconds = 0;
  std::string backend;
  std::vector<DemoStep> steps;
};

// Plays it, from starting the market to cleaning up. `told` is called after each step.
DemoReport play_demo(const MarketOptions& options,
                     const std::function<void(const DemoStep&)>& told);

// {"ok": true, "milliseconds": n, "backend": "...", "steps": [...]}: stable.
boost::json::value to_json(const DemoReport& report);

}  // namespace paygress::dev
