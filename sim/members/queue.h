// True time, and what is to happen at it. Ties go in the order in which they were planned.
//
// Nearly everything that happens is the arrival of a frame: those are plain values, and cost no
// allocation. Everything else is a closure.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>

#include "sim/world/agenda.h"

namespace paygress::sim::members {

template <class Frame>
class Queue {
 public:
  using Action = std::function<void()>;

  Micros now() const { return now_; }
  uint64_t done() const { return done_; }
  size_t bytes() const { return agenda_.bytes() + frames_.bytes() + actions_.bytes(); }
  void at(Micros when, Action action) {
    agenda_.add(std::max(when, now_), actions_.put(std::move(action)) | kAction);
  }
  void after(Micros delay, Action action) { at(now_ + delay, std::move(action)); }
  void frame_at(Micros when, Frame frame) {
    agenda_.add(std::max(when, now_), frames_.put(std::move(frame)));
  }
  // Frames go to `arrive`. False when nothing is left before `end`; then it is `end`.
  template <class F>
  bool run_one(Micros end, F&& arrive) {
    if (agenda_.empty() || agenda_.first().at > end) {
      now_ = end;
      return false;
    }
    now_ = agenda_.first().at;
    const uint32_t place = agenda_.first().place;
    agenda_.drop_first();
    ++done_;
    if ((place & kAction) != 0) {
      const Action action = actions_.take(place & ~kAction);
      action();
    } else {
      const Frame frame = frames_.take(place);
      arrive(frame);
    }
    return true;
  }

 private:
  static constexpr uint32_t kAction = uint32_t{1} << 31;  // of a place: in actions_

  Micros now_;
  Agenda agenda_;
  Places<Frame> frames_;
  Places<Action> actions_;
  uint64_t done_ = 0;
};

}  // namespace paygress::sim::members
