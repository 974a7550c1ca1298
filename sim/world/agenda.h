// The parts of a queue of virtual time: an order of what comes when, and a place for what it is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/units.h"

namespace paygress::sim {

// Values at places that are used again: what waits is not moved while others come and go.
template <class T>
class Places {
 public:
  uint32_t put(T value) {
    if (free_.empty()) {
      values_.push_back(std::move(value));
      return static_cast<uint32_t>(values_.size() - 1);
    }
    const uint32_t place = free_.back();
    free_.pop_back();
    values_[place] = std::move(value);
    return place;
  }
  T take(uint32_t place) {
    free_.push_back(place);
    return std::move(values_[place]);
  }
  size_t bytes() const { return values_.capacity() * sizeof(T); }

 private:
  std::vector<T> values_;
  std::vector<uint32_t> free_;
};

// Which place is next. Ties go by number: every addition has a higher one than the last.
class Agenda {
 public:
  static constexpr uint64_t kPlaces = uint64_t{1} << 24;  // 40 bits are left for the number

  // Sixteen bytes: more of the heap is in the cache.
  struct Entry {
    Micros at;
    uint64_t order = 0;  // the number, then the place
    uint32_t place() const { return static_cast<uint32_t>(order & (kPlaces - 1)); }
    bool operator<(const Entry& other) const {
      return at != other.at ? at < other.at : order < other.order;
    }
  };

  bool empty() const { return heap_.empty(); }
  const Entry& first() const { return heap_.front(); }
  size_t bytes() const { return heap_.capacity() * sizeof(Entry); }

  // A heap with four children a node: half as deep as one with two.
  void add(Micros at, uint64_t number, uint32_t place) {
    PG_CHECK(place < kPlaces);
    const Entry entry{at, number * kPlaces | place};
    size_t i = heap_.size();
    heap_.push_back(entry);
    for (size_t parent; i > 0; i = parent) {
      parent = (i - 1) / 4;
      if (!(entry < heap_[parent])) break;
      heap_[i] = heap_[parent];
    }
    heap_[i] = entry;
  }
  void drop_first() {
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

 private:
  std::vector<Entry> heap_;
};

}  // namespace paygress::sim
