// What systemd is told, when it started us (sd_notify(3)). Without NOTIFY_SOCKET nothing happens.
#pragma once

#include <optional>
#include <string>

#include "core/base/units.h"

namespace paygress::daemon {

void notify_ready();
void notify_stopping();
void notify_status(const std::string& text);
void notify_watchdog();

// How often notify_watchdog() is to be called: half of what the unit demands; nothing: never.
std::optional<Micros> watchdog_interval();

}  // namespace paygress::daemon
