// Dates as text, by calendar arithmetic alone: no locale, no time zone data, no C library clock.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/units.h"

namespace paygress::market {

// "2026-07-30T12:34:56+00:00": the one form the network writes. Outside the years 0000 to 9999 the
// nearest instant of that range is written.
std::string to_rfc3339(UnixSeconds at);

// RFC 3339 section 5.6 with any offset, a fraction (dropped) and "t"/"z" in lower case. Second 60
// is read as the first second of the next minute. Refuses days that the calendar does not have.
Result<UnixSeconds> parse_rfc3339(std::string_view text);

// "2026-07-30 12:34:56 UTC", for people.
std::string to_human_time(UnixSeconds at);

}  // namespace paygress::market
