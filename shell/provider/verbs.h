// The command line of paygress-provider.
#pragma once

namespace paygress::daemon {

// docs/operator.md, "Exit codes".
// Unknown: it may have happened, and asking again is safe.
enum class Exit : int { Ok = 0, Failed = 1, Usage = 2, NotFound = 3, Unknown = 6, Findings = 7 };

// Data on stdout, messages on stderr. Returns the exit code.
int run_command_line(int argc, char** argv);

}  // namespace paygress::daemon
