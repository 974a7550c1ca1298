#include "shell/backend/sandbox_host.h"

#include <unistd.h>

#include "shell/backend/run_program.h"

namespace paygress::backend {

SandboxHost find_sandbox_host() {
  SandboxHost host;
  host.root = geteuid() == 0;
  host.bwrap = find_program("bwrap");
  host.dropbear = find_program("dropbear");
  host.dropbearkey = find_program("dropbearkey");
  host.busybox = find_program("busybox");
  host.cgroups = find_cgroups("paygress-sandbox");
  return host;
}

std::string what_is_missing(const SandboxHost& host) {
  std::string missing;
  auto add = [&missing](const char* text) {
    if (!missing.empty()) missing += "; ";
    missing += text;
  };
  if (!host.can_ssh()) add("no SSH (needs root and the package dropbear-bin)");
  if (host.busybox.empty()) add("no hello template (needs the package busybox)");
  if (host.cgroups.memory.empty()) add("memory is not limited");
  if (host.cgroups.cpu.empty()) add("processor time is not limited");
  if (host.cgroups.pids.empty()) add("the number of processes is not limited");
  add("disk space is not limited");
  add("the network is the host's own");
  return missing;
}

}  // namespace paygress::backend
