#include "shell/base/clock.h"

#include <time.h>

namespace paygress::shell {

Now now() {
  timespec mono{};
  timespec wall{};
  PG_CHECK(clock_gettime(CLOCK_BOOTTIME, &mono) == 0);
  PG_CHECK(clock_gettime(CLOCK_REALTIME, &wall) == 0);
  return {Micros{int64_t{mono.tv_sec} * 1'000'000 + mono.tv_nsec / 1000}, UnixSeconds{wall.tv_sec}};
}

}  // namespace paygress::shell
