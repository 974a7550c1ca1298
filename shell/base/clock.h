// The shell's only clock. Everything else is told the time.
#pragma once

#include "core/base/units.h"

namespace paygress::shell {

// `mono` is CLOCK_BOOTTIME: it counts while the machine is suspended, so that a timeout means the
// same to us and to a guard that watches us. `wall` is CLOCK_REALTIME, for people and peers.
Now now();

}  // namespace paygress::shell
