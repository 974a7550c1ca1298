// True time, and what is to happen at it. Ties go in the order in which they were planned.
//
// Nearly everything that happens is the arrival of a frame: those are plain values, and cost no
// allocation. Everything else is a closure. Each has an agenda of its own: frames are few at a time
// and come soon, and need not be kept in order with deadlines and faults that are far away.
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
  size_t bytes() const {
    return frames_due_.bytes() + actions_due_.bytes() + frames_.bytes() + actions_.bytes();
  }
  void at(Micros when, Action action) {
    actions_due_.add(std::max(when, now_), ++added_, actions_.put(std::move(action)));
  }
  void after(Micros delay, Action action) { at(now_ + delay, std::move(action)); }
  void frame_at(Micros when, Frame frame) {
    frames_due_.add(std::max(when, now_), ++added_, frames_.put(std::move(frame)));
  }
  // Frames go to `arrive`. False when nothing is left before `end`; then it is `end`.
  template <class F>
  bool run_one(Micros end, F&& arrive) {
    const bool is_frame = actions_due_.empty() ||
                          (!frames_due_.empty() && frames_due_.first() < actions_due_.first());
    Agenda& agenda = is_frame ? frames_due_ : actions_due_;
    if (agenda.empty() || agenda.first().at > end) {
      now_ = end;
      return false;
    }
    now_ = agenda.first().at;
    const uint32_t place = agenda.first().place();
    agenda.drop_first();
    ++done_;
    if (is_frame) {
      const Frame frame = frames_.take(place);
      arrive(frame);
    } else {
      const Action action = actions_.take(place);
      action();
    }
    return true;
  }

 private:
  Micros now_;
  uint64_t added_ = 0;
  Agenda frames_due_;
  Agenda actions_due_;
  Places<Frame> frames_;
  Places<Action> actions_;
  uint64_t done_ = 0;
};

}  // namespace paygress::sim::members
