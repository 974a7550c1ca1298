// Faults that wait for the next calls of somebody: of a mint, or of an engine.
#pragma once

#include <deque>
#include <optional>

#include "sim/world/fault_plan.h"

namespace paygress::sim {

class ArmedFaults {
 public:
  // For the next `count` calls; a fault whose amount is no count is for one.
  void arm(const Fault& fault) {
    const bool counted = info_of(fault.kind).unit == "count";
    waiting_.push_back({fault, counted ? fault.amount : 1});
  }
  // The oldest that `fits`, used up by one.
  template <class Fits>
  std::optional<Fault> take(Fits&& fits) {
    for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
      if (it->left <= 0 || !fits(it->fault)) continue;
      const Fault fault = it->fault;
      if (--it->left == 0) waiting_.erase(it);
      return fault;
    }
    return std::nullopt;
  }
  void clear() { waiting_.clear(); }

 private:
  struct Waiting {
    Fault fault;
    int64_t left;
  };
  std::deque<Waiting> waiting_;
};

}  // namespace paygress::sim
