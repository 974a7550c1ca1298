// The words of a command line of paygress-sim.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/tools/workers.h"
#include "sim/world/fault_plan.h"

namespace paygress::sim {

namespace exit_code {
inline constexpr int kOk = 0;
inline constexpr int kUsage = 2;
inline constexpr int kNotFound = 3;
inline constexpr int kFailed = 4;    // a file that cannot be read or written, a process not started
inline constexpr int kFindings = 7;  // something was violated
}  // namespace exit_code

struct Options {
  std::vector<std::string> positional;  // the verb first
  SeedRange seeds;
  Tier tier = Tier::Fast;
  Bug plant = Bug::none;
  std::string off;  // a rule of the money that is switched off
  size_t jobs = 1;
  double seconds = 60;  // of shrinking
  std::string out;      // a file, or the folder of a sweep's findings
  bool json = false;
  bool shrink = true;
  bool help = false;
};

// Error: the message for the person who typed it.
Result<Options> parse_options(const std::vector<std::string>& words);

Result<std::string> read_file(const std::string& path);
Result<void> write_file(const std::string& path, const std::string& text);
// The name of a planted bug as it is typed, with "-" or "_".
std::optional<Bug> bug_named(std::string name);

}  // namespace paygress::sim
