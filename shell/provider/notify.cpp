#include "shell/provider/notify.h"

#include <systemd/sd-daemon.h>

namespace paygress::daemon {

void notify_ready() { sd_notify(0, "READY=1"); }
void notify_stopping() { sd_notify(0, "STOPPING=1"); }
void notify_watchdog() { sd_notify(0, "WATCHDOG=1"); }

void notify_status(const std::string& text) { sd_notify(0, ("STATUS=" + text).c_str()); }

std::optional<Micros> watchdog_interval() {
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return Micros{static_cast<int64_t>(microseconds / 2)};
}

}  // namespace paygress::daemon
