// Quantities with their unit in the type. All are integers; there is no floating point in core/.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/base/check.h"

namespace paygress {

// A count of `Tag` in 64 bits. Addition and subtraction are checked: an overflow is a broken
// invariant, because every quantity that comes from outside is bounded where it enters.
template <class Tag>
struct Quantity {
  int64_t value = 0;

  constexpr auto operator<=>(const Quantity&) const = default;

  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    Quantity sum;
    PG_CHECK(!__builtin_add_overflow(a.value, b.value, &sum.value));
    return sum;
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    Quantity difference;
    PG_CHECK(!__builtin_sub_overflow(a.value, b.value, &difference.value));
    return difference;
  }
  constexpr Quantity& operator+=(Quantity other) { return *this = *this + other; }
  constexpr Quantity& operator-=(Quantity other) { return *this = *this - other; }

  static constexpr Quantity max() { return {std::numeric_limits<int64_t>::max()}; }
};

// Thousandths of a satoshi: the unit of every price, credit and payment.
using Msat = Quantity<struct MsatTag>;
// Whole seconds of lease time or of a policy.
using Seconds = Quantity<struct SecondsTag>;
// Microseconds of monotonic time or of a timeout.
using Micros = Quantity<struct MicrosTag>;
// Seconds since 1970-01-01T00:00:00Z: what peers and people read. Never used for a timeout.
using UnixSeconds = Quantity<struct UnixSecondsTag>;

constexpr Msat operator""_msat(unsigned long long n) { return {static_cast<int64_t>(n)}; }
constexpr Seconds operator""_s(unsigned long long n) { return {static_cast<int64_t>(n)}; }
constexpr Micros operator""_us(unsigned long long n) { return {static_cast<int64_t>(n)}; }
constexpr Micros operator""_ms(unsigned long long n) { return {static_cast<int64_t>(n) * 1000}; }

constexpr Micros micros(Seconds s) {
  int64_t us = 0;
  PG_CHECK(!__builtin_mul_overflow(s.value, int64_t{1'000'000}, &us));
  return {us};
}
constexpr UnixSeconds operator+(UnixSeconds t, Seconds s) { return t + UnixSeconds{s.value}; }
constexpr UnixSeconds operator-(UnixSeconds t, Seconds s) { return t - UnixSeconds{s.value}; }
constexpr Seconds elapsed(UnixSeconds from, UnixSeconds to) { return {(to - from).value}; }

// For numbers that come from outside: nothing instead of an overflow.
constexpr std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t r = 0;
  if (__builtin_add_overflow(a, b, &r)) return std::nullopt;
  return r;
}
constexpr std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t r = 0;
  if (__builtin_mul_overflow(a, b, &r)) return std::nullopt;
  return r;
}

// The instant of an input, injected. `mono` never goes back within one boot of the machine (the
// shell reads CLOCK_BOOTTIME) and is the only part a timeout may use; `wall` is what peers read.
struct Now {
  Micros mono;
  UnixSeconds wall;
};

}  // namespace paygress
