// Removes what a provider left on its engine. Only for providers that will not run again.
#pragma once

#include <string>

#include "core/base/result.h"
#include "core/provider/config.h"

namespace paygress::dev {

// Every object that carries the install of the ledger in `data_dir` is stopped and removed through
// its backend, and confirmed absent. Nothing to do where there is no ledger. Precondition: the
// provider does not run. Backends of defaults only: Sandbox and Docker on its usual socket.
Result<void> sweep_workloads(const std::string& data_dir, provider::BackendType backend);

}  // namespace paygress::dev
