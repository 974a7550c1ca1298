#include "core/failover/profile.h"

#include <array>
#include <string>
#include <utility>

#include "core/base/check.h"

namespace paygress::failover {
namespace {

constexpr int64_t kMillion = 1'000'000;

constexpr std::array<std::pair<std::string_view, Profile>, 3> kNamed{
    {{"default", kDefaultProfile}, {"fast", kFastProfile}, {"demo", kDemoProfile}}};

// Rounded down: what is left of a duration on a clock that runs fast.
Micros shrunk(Micros duration) {
  return {duration.value - stretched(duration).value + duration.value};
}

std::string seconds(Micros duration) {
  const int64_t tenths = duration.value / 100'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

}  // namespace

std::optional<Profile> profile_named(std::string_view name) {
  for (const auto& [known, profile] : kNamed)
    if (known == name) return profile;
  return std::nullopt;
}

std::string_view name_of(const Profile& profile) {
  for (const auto& [known, numbers] : kNamed)
    if (numbers == profile) return known;
  return {};
}

Micros stretched(Micros duration) {
  PG_CHECK(duration >= Micros{0});
  return {duration.value + (duration.value / kMillion + 1) * kDriftPpm};
}

Result<void> check_profile(const Profile& p) {
  for (const Micros number :
       {p.heartbeat, p.retry, p.fence, p.stop, p.delay, p.silence, p.claim_ttl})
    if (number <= Micros{0} || number > micros(Seconds{86'400}))
      return fail("every number of a fail-over profile is above zero and at most a day");
  if (p.backoff < Micros{0} || p.backoff > micros(Seconds{86'400}))
    return fail("backoff is at least zero and at most a day");
  const Micros stopped = stretched(p.fence + p.stop) + p.delay;
  if (shrunk(p.silence) < stopped)
    return fail(
        "silence is too short: less 0.1 % it must be at least fence + stop, plus 0.1 %, "
        "plus D: " +
        seconds(p.silence) + " against " + seconds(stopped));
  const Micros beats = p.heartbeat + p.delay + Micros{3 * p.retry.value};
  if (p.fence < beats)
    return fail("fence is too short: it must be at least heartbeat + D + 3 * retry: " +
                seconds(p.fence) + " against " + seconds(beats));
  const Micros legs{5 * p.delay.value};
  if (p.claim_ttl < legs)
    return fail("claim_ttl is too short: it must be at least 5 * D: " + seconds(p.claim_ttl) +
                " against " + seconds(legs));
  return {};
}

// ttl * (1 + rho) / (1 - rho) + D, rounded up.
Micros claim_void_after(const Profile& p) {
  const int64_t ttl = p.claim_ttl.value;
  const int64_t wide = (ttl / (kMillion - kDriftPpm) + 1) * (2 * kDriftPpm);
  return Micros{ttl + wide} + p.delay;
}

Micros hold_off(const Profile& p, size_t members) {
  return {2 * (p.claim_ttl.value + static_cast<int64_t>(members) * p.backoff.value)};
}

Quorums quorums(uint32_t relays, uint32_t faulty) {
  PG_CHECK(relays >= 1);
  PG_CHECK(faulty == 0 || relays >= 3 * faulty + 1);
  const uint32_t both = relays + faulty + 1;
  return {relays, both / 2, both - both / 2};
}

}  // namespace paygress::failover
