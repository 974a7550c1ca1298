// The files of a sandbox (sandbox_layout.h).
#pragma once

#include <filesystem>

#include "core/base/result.h"
#include "core/workload/backend.h"
#include "shell/backend/sandbox_host.h"

namespace paygress::backend {

// Makes <root>/<spec.name> with everything of sandbox_layout.h, whole or not at all. Precondition:
// there is no such object.
Result<void> make_sandbox(const std::filesystem::path& root, const workload::Spec& spec,
                          const std::string& guard_group, const SandboxHost& host);

}  // namespace paygress::backend
