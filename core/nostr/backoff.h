// Exponential backoff with full jitter: a relay that comes back must not meet all of its clients in
// the same second (nostr.md section 4, "27 retries/s is DoS").
#pragma once

#include <algorithm>

#include "core/base/random.h"
#include "core/base/units.h"

namespace paygress::nostr {

// Delays are uniform in [floor, min(longest, first * 2^n)], n counting the calls since reset().
struct BackoffPolicy {
  Micros first;
  Micros longest;
  Micros floor = 100_ms;
};

class Backoff {
 public:
  explicit Backoff(BackoffPolicy policy) : policy_(policy) {
    PG_CHECK(policy.floor <= policy.first && policy.first <= policy.longest);
  }

  Micros next(RandomStream& jitter) {
    const Micros ceiling = std::min(step_, policy_.longest);
    step_ = ceiling + ceiling;
    return {jitter.between(policy_.floor.value, ceiling.value)};
  }
  void reset() { step_ = policy_.first; }

 private:
  BackoffPolicy policy_;
  Micros step_ = policy_.first;
};

}  // namespace paygress::nostr
