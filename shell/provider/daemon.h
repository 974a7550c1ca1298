// The provider's daemon: one loop that feeds the core, makes its records durable and carries out
// what it asks for (docs/architecture.md). Workloads are not its children: it comes and goes
// without touching them.
#pragma once

#include "shell/provider/setup.h"

namespace paygress::daemon {

// Runs until SIGTERM or SIGINT (0), or until it cannot go on (1, said in the log): the backend does
// not work, the ledger is not to be trusted or cannot be written, another daemon runs here.
// Once per process at a time.
int run_daemon(const Setup& setup);

}  // namespace paygress::daemon
