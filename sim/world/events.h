// Virtual time: what happens when. Ties at one instant are broken by the order of scheduling.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "core/base/units.h"

namespace paygress::sim {

class EventQueue {
 public:
  using Action = std::function<void()>;

  Micros now() const { return now_; }
  // Never in the past: an earlier instant means "next".
  void at(Micros when, Action action) {
    heap_.push_back({std::max(when, now_), ++sequence_, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
  }
  void after(Micros delay, Action action) { at(now_ + delay, std::move(action)); }
  bool empty() const { return heap_.empty(); }
  Micros next() const { return heap_.front().at; }
  // Jumps to the earliest event and carries it out. Precondition: not empty.
  void run_one() {
    std::pop_heap(heap_.begin(), heap_.end(), Later{});
    Entry entry = std::move(heap_.back());
    heap_.pop_back();
    now_ = entry.at;
    entry.action();
  }

 private:
  struct Entry {
    Micros at;
    uint64_t sequence;
    Action action;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
    }
  };
  Micros now_;
  uint64_t sequence_ = 0;
  std::vector<Entry> heap_;
};

}  // namespace paygress::sim
