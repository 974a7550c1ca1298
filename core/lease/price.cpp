#include "core/lease/price.h"

namespace paygress::lease {

Purchase buy(Msat money, Msat rate) {
  PG_CHECK(money.value >= 0);
  PG_CHECK(rate.value > 0);
  return {{money.value / rate.value}, {money.value % rate.value}};
}

std::optional<Msat> price_of(Seconds time, Msat rate) {
  const auto product = checked_mul(time.value, rate.value);
  if (!product) return std::nullopt;
  return Msat{*product};
}

Seconds charged(Micros used) {
  PG_CHECK(used.value >= 0);
  return {used.value / 1'000'000 + (used.value % 1'000'000 != 0)};
}

}  // namespace paygress::lease
