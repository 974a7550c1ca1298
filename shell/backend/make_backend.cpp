#include <unistd.h>

#include "shell/backend/backend.h"
#include "shell/backend/docker.h"
#include "shell/backend/lxd.h"
#include "shell/backend/sandbox.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSupervisorName = "paygress-sandbox-init";

Result<std::unique_ptr<Backend>> make_sandbox(net::Loop& loop, const BackendConfig& config) {
  SandboxConfig sandbox = config.sandbox;
  std::error_code error;
  if (sandbox.supervisor.empty())
    sandbox.supervisor = fs::read_symlink("/proc/self/exe", error).parent_path() / kSupervisorName;
  // The supervisor gets these paths with another working directory.
  sandbox.supervisor = fs::absolute(sandbox.supervisor, error);
  if (sandbox.root.empty()) return fail("the sandbox needs a directory", "sandbox.root");
  sandbox.root = fs::absolute(sandbox.root, error).lexically_normal();
  return std::make_unique<SandboxBackend>(loop, std::move(sandbox), config.install);
}

Result<std::unique_ptr<Backend>> make_docker(net::Loop& loop, const BackendConfig& config) {
  if (!config.docker.socket.is_absolute())
    return fail("the path of the engine's socket is not absolute", "docker.socket");
  return std::make_unique<DockerBackend>(loop, config.docker, config.install);
}

Result<std::unique_ptr<Backend>> make_lxd(net::Loop& loop, const BackendConfig& config) {
  if (!config.lxd.socket.is_absolute())
    return fail("the path of the server's socket is not absolute", "lxd.socket");
  if (!is_object_name(config.lxd.project)) return fail("not a project's name", "lxd.project");
  return std::make_unique<LxdBackend>(loop, config.lxd, config.install);
}

}  // namespace

Result<std::unique_ptr<Backend>> make_backend(net::Loop& loop, const BackendConfig& config) {
  if (config.install.is_zero()) return fail("the install id is not set", "install");
  switch (config.kind) {
    case Kind::Sandbox: return make_sandbox(loop, config);
    case Kind::Docker: return make_docker(loop, config);
    case Kind::Lxd: return make_lxd(loop, config);
    case Kind::Proxmox: return fail("the backend Proxmox is not built yet", "backend_type");
    case Kind::Kvm: return fail("the backend KVM is not built yet", "backend_type");
  }
  return fail("no such backend", "backend_type");
}

}  // namespace paygress::backend
