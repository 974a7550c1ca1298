// The clocks of one machine of the simulated world, as functions of true time: a monotonic one that
// runs a little fast or slow, and a wall clock that is also off and can be set, backwards too.
#pragma once

#include <algorithm>

#include "core/base/units.h"

namespace paygress::sim {

class NodeClock {
 public:
  static constexpr Micros kBootTime{1'000'000'000};
  static constexpr UnixSeconds kStart{1'780'000'000};

  NodeClock() = default;
  NodeClock(Micros wall_offset, int64_t drift_ppm) : offset_(wall_offset), drift_ppm_(drift_ppm) {}

  Now at(Micros truth) const {
    const Micros elapsed = local(truth);
    int64_t wall = (elapsed + offset_).value;
    wall = wall >= 0 ? wall / 1'000'000 : -((-wall + 999'999) / 1'000'000);
    return {elapsed + kBootTime, kStart + Seconds{wall}};
  }
  // How long, in true time, until the monotonic clock shows at least `due`.
  Micros until(Micros due, Micros truth) const {
    const int64_t local_us = std::max<int64_t>(0, (due - at(truth).mono).value);
    if (drift_ppm_ == 0) return {local_us};
    return {local_us + (local_us < 1'000'000'000'000 ? -local_us * drift_ppm_ / 1'000'000 : 0) + 2};
  }
  void step_wall(Micros by) { offset_ += by; }
  // From now on; what has passed stays passed.
  void set_drift(int64_t ppm, Micros truth) {
    passed_ = local(truth);
    since_ = truth;
    drift_ppm_ = ppm;
  }

 private:
  Micros local(Micros truth) const {
    const int64_t span = (truth - since_).value;
    return passed_ + Micros{span + span / 1'000 * drift_ppm_ / 1'000};
  }

  Micros offset_;
  int64_t drift_ppm_ = 0;
  Micros since_;   // of the present drift, in true time
  Micros passed_;  // of local time until then
};

}  // namespace paygress::sim
