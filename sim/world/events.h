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
    heap_.push_back({std::max(when, now_), ++sequence_, place(std::move(action))});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
  }
  void after(Micros delay, Action action) { at(now_ + delay, std::move(action)); }
  bool empty() const { return heap_.empty(); }
  Micros next() const { return heap_.front().at; }
  // Jumps to the earliest event and carries it out. Precondition: not empty.
  void run_one() {
    std::pop_heap(heap_.begin(), heap_.end(), Later{});
    const Entry entry = heap_.back();
    heap_.pop_back();
    now_ = entry.at;
    const Action action = std::exchange(actions_[entry.place], nullptr);
    free_.push_back(entry.place);
    action();
  }

 private:
  // What is to be done stands apart: the heap moves small entries only.
  struct Entry {
    Micros at;
    uint64_t sequence;
    size_t place;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
    }
  };
  size_t place(Action action) {
    if (free_.empty()) return actions_.push_back(std::move(action)), actions_.size() - 1;
    const size_t place = free_.back();
    free_.pop_back();
    actions_[place] = std::move(action);
    return place;
  }

  Micros now_;
  uint64_t sequence_ = 0;
  std::vector<Entry> heap_;
  std::vector<Action> actions_;
  std::vector<size_t> free_;  // places of actions_
};

}  // namespace paygress::sim
