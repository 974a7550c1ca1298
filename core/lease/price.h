// Money to time and back. Integers only; nothing is lost to rounding: what does not buy a whole
// second stays as credit, and used time is charged in whole seconds, rounded up.
#pragma once

#include <optional>

#include "core/base/units.h"

namespace paygress::lease {

struct Purchase {
  Seconds bought;
  Msat credit;  // less than one second's price

  bool operator==(const Purchase&) const = default;
};

// bought * rate + credit == money, always. Preconditions: money >= 0, rate > 0.
Purchase buy(Msat money, Msat rate);

// Nothing when the product does not fit.
std::optional<Msat> price_of(Seconds time, Msat rate);

// Whole seconds, rounded up: what a used time is charged as (money-sagas.md section 4).
Seconds charged(Micros used);

}  // namespace paygress::lease
