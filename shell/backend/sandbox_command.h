// What runs in a sandbox and what it sees, as pure functions of the spec and the machine.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/workload/backend.h"
#include "shell/backend/sandbox_host.h"

namespace paygress::backend {

// Why this machine cannot make such a sandbox: an unknown template, a template without a port.
Result<void> check_sandbox_spec(const workload::Spec& spec, const SandboxHost& host);

bool sandbox_serves_ssh(const workload::Spec& spec, const SandboxHost& host);
// The host ports something inside will listen on, SSH's first.
std::vector<uint16_t> sandbox_ports(const workload::Spec& spec, const SandboxHost& host);

// The shell script that is the workload: /run/paygress/start.
std::string start_script(const workload::Spec& spec, const SandboxHost& host);
// bwrap's options (all but the command) for the object in `dir`. They go through a file, not argv:
// they hold the environment.
std::vector<std::string> bwrap_options(const workload::Spec& spec, const SandboxHost& host,
                                       const std::filesystem::path& dir);
// What the template "hello" serves.
std::string hello_page(const workload::Spec& spec);
// `export NAME='value'` lines for login shells. Names that no shell can export are left out.
std::string profile_script(const workload::Spec& spec);

}  // namespace paygress::backend
