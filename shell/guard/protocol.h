// What goes over the guard's socket: lines of text, each end a state of its own. After connecting
// the guard says hello once; then one answer per request, whenever it has it:
//
//   guard:   paygress-guard 1 <boot id> <v1|v2> <directory of the groups>
//   daemon:  <number> hold <name> <deadline in microseconds of CLOCK_BOOTTIME>
//            <number> freeze|kill|release <name>
//            <number> query
//   guard:   <number> done|failed|unknown <now> <groups> <message>
//            groups: name=thawed|freezing|frozen|unknown:<deadline>:<0|1 populated>,... or -
//
// A line that is none of these ends the connection: whoever sends it is no daemon of ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/result.h"
#include "core/workload/guard.h"

namespace paygress::guard {

inline constexpr size_t kRequestBytesMax = 256;
inline constexpr size_t kAnswerBytesMax = 64 * 1024;
inline constexpr size_t kNameBytesMax = 63;

using Request = std::variant<workload::GuardHold, workload::GuardFreeze, workload::GuardKill,
                             workload::GuardRelease, workload::GuardQuery>;

struct Hello {
  std::string boot;  // /proc/sys/kernel/random/boot_id
  bool v2 = false;
  std::string root;  // absolute; the group of an object is <root>/<name>
};

// A name is one directory below the guard's own: lower-case letters, digits and '-', at most
// kNameBytesMax, no leading '-'. So nothing outside can be named.
bool is_group_name(std::string_view name);

// Lines are without their line end.
Result<Request> parse_request(std::string_view line);
std::string format(const Request& request);
Result<workload::GuardAnswered> parse_answer(std::string_view line);
std::string format(const workload::GuardAnswered& answer);
Result<Hello> parse_hello(std::string_view line);
std::string format(const Hello& hello);

}  // namespace paygress::guard
