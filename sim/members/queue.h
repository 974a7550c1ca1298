// True time, and what is to happen at it. Ties go in the order in which they were planned.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "core/base/units.h"

namespace paygress::sim::members {

class Queue {
 public:
  using Action = std::function<void()>;

  Micros now() const { return now_; }
  uint64_t done() const { return done_; }
  void at(Micros when, Action action) {
    heap_.push_back({std::max(when, now_), ++planned_, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  void after(Micros delay, Action action) { at(now_ + delay, std::move(action)); }
  // False when nothing is left before `end`; then it is `end`.
  bool run_one(Micros end) {
    if (heap_.empty() || heap_.front().at > end) {
      now_ = end;
      return false;
    }
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Entry entry = std::move(heap_.back());
    heap_.pop_back();
    now_ = entry.at;
    ++done_;
    entry.action();
    return true;
  }

 private:
  struct Entry {
    Micros at;
    uint64_t number = 0;
    Action action;
  };
  static bool later(const Entry& a, const Entry& b) {
    return std::pair(a.at, a.number) > std::pair(b.at, b.number);
  }

  std::vector<Entry> heap_;
  Micros now_;
  uint64_t planned_ = 0;
  uint64_t done_ = 0;
};

}  // namespace paygress::sim::members
