// Who watches a world: the tools (sim/tools) do, for their traces, timelines and comparisons. A
// world without one runs as fast as it can.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sim/world/fault_plan.h"

namespace paygress::sim {

class Observer {
 public:
  virtual ~Observer() = default;
  // A step of a provider. `hash` is of everything so far; `text` describes the step, and costs.
  virtual void on_step(Micros, NodeName, uint64_t /*hash*/,
                       const std::function<std::string()>& /*text*/) {}
  // Something worth telling happened at this node (World::mark).
  virtual void on_mark(Micros, NodeName, std::string_view /*what*/) {}
  // An object of a workload begins or stops to execute on a provider.
  virtual void on_running(Micros, NodeName, const std::string& /*object*/,
                          const std::string& /*workload*/, bool /*running*/) {}
};

}  // namespace paygress::sim
