// True time, and what is to happen at it. Ties go in the order in which they were planned.
//
// Nearly everything that happens is the arrival of a frame: those are plain values in slots that
// are used again, and cost no allocation. Everything else is a closure.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "core/base/units.h"

namespace paygress::sim::members {

template <class Frame>
class Queue {
 public:
  using Action = std::function<void()>;

  Micros now() const { return now_; }
  uint64_t done() const { return done_; }
  size_t bytes() const {
    return heap_.capacity() * sizeof(Entry) + frames_.capacity() * sizeof(Frame) +
           actions_.capacity() * sizeof(Action);
  }
  void at(Micros when, Action action) {
    plan(when, kAction, actions_, free_actions_, std::move(action));
  }
  void after(Micros delay, Action action) { at(now_ + delay, std::move(action)); }
  void frame_at(Micros when, Frame frame) {
    plan(when, 0, frames_, free_frames_, std::move(frame));
  }
  // Frames go to `arrive`. False when nothing is left before `end`; then it is `end`.
  template <class F>
  bool run_one(Micros end, F&& arrive) {
    if (heap_.empty() || heap_.front().at > end) {
      now_ = end;
      return false;
    }
    const Entry entry = heap_.front();
    pop();
    now_ = entry.at;
    ++done_;
    const uint32_t slot = entry.slot & ~kAction;
    if ((entry.slot & kAction) != 0) {
      const Action action = std::move(actions_[slot]);
      free_actions_.push_back(slot);
      action();
    } else {
      Frame frame = std::move(frames_[slot]);
      free_frames_.push_back(slot);
      arrive(frame);
    }
    return true;
  }

 private:
  static constexpr uint32_t kAction = uint32_t{1} << 31;
  struct Entry {
    Micros at;
    uint64_t number = 0;
    uint32_t slot = 0;
    bool operator<(const Entry& other) const {
      return at != other.at ? at < other.at : number < other.number;
    }
  };

  template <class T>
  void plan(Micros when, uint32_t kind, std::vector<T>& slots, std::vector<uint32_t>& free,
            T what) {
    uint32_t slot = static_cast<uint32_t>(slots.size());
    if (free.empty()) {
      slots.push_back(std::move(what));
    } else {
      slot = free.back();
      free.pop_back();
      slots[slot] = std::move(what);
    }
    push({std::max(when, now_), ++planned_, slot | kind});
  }

  // A heap with four children a node: half as deep as one with two.
  void push(Entry entry) {
    size_t i = heap_.size();
    heap_.push_back(entry);
    for (size_t parent; i > 0; i = parent) {
      parent = (i - 1) / 4;
      if (!(entry < heap_[parent])) break;
      heap_[i] = heap_[parent];
    }
    heap_[i] = entry;
  }
  void pop() {
    const Entry last = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return;
    size_t i = 0;
    for (size_t first = 1; first < heap_.size(); first = 4 * i + 1) {
      size_t least = first;
      const size_t end = std::min(first + 4, heap_.size());
      for (size_t child = first + 1; child < end; ++child)
        if (heap_[child] < heap_[least]) least = child;
      if (!(heap_[least] < last)) break;
      heap_[i] = heap_[least];
      i = least;
    }
    heap_[i] = last;
  }

  std::vector<Entry> heap_;
  std::vector<Frame> frames_;
  std::vector<Action> actions_;
  std::vector<uint32_t> free_frames_;
  std::vector<uint32_t> free_actions_;
  Micros now_;
  uint64_t planned_ = 0;
  uint64_t done_ = 0;
};

}  // namespace paygress::sim::members
