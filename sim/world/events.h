// Virtual time: what happens when. Ties at one instant are broken by the order of scheduling.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>

#include "sim/world/agenda.h"

namespace paygress::sim {

class EventQueue {
 public:
  using Action = std::function<void()>;

  Micros now() const { return now_; }
  // Never in the past: an earlier instant means "next".
  void at(Micros when, Action action) {
    agenda_.add(std::max(when, now_), ++added_, actions_.put(std::move(action)));
  }
  void after(Micros delay, Action action) { at(now_ + delay, std::move(action)); }
  bool empty() const { return agenda_.empty(); }
  Micros next() const { return agenda_.first().at; }
  // Jumps to the earliest event and carries it out. Precondition: not empty.
  void run_one() {
    now_ = agenda_.first().at;
    const Action action = actions_.take(agenda_.first().place());
    agenda_.drop_first();
    action();
  }

 private:
  Micros now_;
  uint64_t added_ = 0;
  Agenda agenda_;
  Places<Action> actions_;
};

}  // namespace paygress::sim
