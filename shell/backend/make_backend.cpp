#include <unistd.h>

#include "shell/backend/backend.h"
#include "shell/backend/blocking.h"
#include "shell/backend/docker.h"
#include "shell/backend/kvm_engine.h"
#include "shell/backend/lxd.h"
#include "shell/backend/proxmox_engine.h"
#include "shell/backend/sandbox_engine.h"
#include "shell/backend/swarm.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

// Absolute: supervisors get paths with another working directory.
fs::path program_beside_us(const fs::path& configured, const char* name) {
  std::error_code error;
  if (!configured.empty()) return fs::absolute(configured, error);
  return fs::read_symlink("/proc/self/exe", error).parent_path() / name;
}

// Calls of blocking engines that may be under way beside each other.
constexpr size_t kSandboxLanes = 4;
constexpr size_t kProxmoxLanes = 8;
constexpr size_t kKvmLanes = 16;  // a start takes as long as its guest takes to boot

Result<std::unique_ptr<Backend>> make_sandbox_backend(net::Loop& loop,
                                                      const BackendConfig& config) {
  SandboxConfig sandbox = config.sandbox;
  sandbox.supervisor = program_beside_us(sandbox.supervisor, "paygress-sandbox-init");
  if (sandbox.root.empty()) return fail("the sandbox needs a directory", "sandbox.root");
  sandbox.root = fs::absolute(sandbox.root).lexically_normal();
  auto engine =
      std::make_shared<SandboxEngine>(std::move(sandbox), config.install, find_sandbox_host());
  return std::make_unique<BlockingBackend>(
      loop, [engine](const workload::Call& call) { return engine->handle(call); }, kSandboxLanes);
}

Result<std::unique_ptr<Backend>> make_kvm(net::Loop& loop, const BackendConfig& config) {
  KvmConfig kvm = config.kvm;
  if (kvm.root.empty()) return fail("machines need a directory", "kvm.root");
  for (const auto& [name, image] : kvm.images)
    if (auto ok = check_image(image); !ok)
      return fail(ok.error().message, "kvm.images." + name + "." + ok.error().where);
  kvm.root = fs::absolute(kvm.root).lexically_normal();
  if (kvm.image_directory.empty()) kvm.image_directory = kvm.root.string() + "-images";
  kvm.supervisor = program_beside_us(kvm.supervisor, "paygress-vm-init");
  auto engine = std::make_shared<KvmEngine>(std::move(kvm), config.install);
  return std::make_unique<BlockingBackend>(
      loop, [engine](const workload::Call& call) { return engine->handle(call); }, kKvmLanes,
      [engine] { engine->leave(); });
}

Result<std::unique_ptr<Backend>> make_proxmox(net::Loop& loop, const BackendConfig& config) {
  ProxmoxConfig proxmox = config.proxmox;
  while (proxmox.url.ends_with('/')) proxmox.url.pop_back();
  if (!proxmox.url.ends_with("/api2/json")) proxmox.url += "/api2/json";
  auto engine = std::make_shared<ProxmoxEngine>(std::move(proxmox), config.install);
  return std::make_unique<BlockingBackend>(
      loop, [engine](const workload::Call& call) { return engine->handle(call); }, kProxmoxLanes);
}

Result<std::unique_ptr<Backend>> make_docker(net::Loop& loop, const BackendConfig& config) {
  if (!config.docker.socket.is_absolute())
    return fail("the path of the engine's socket is not absolute", "docker.socket");
  if (!config.docker.members.empty())
    return std::make_unique<SwarmBackend>(loop, config.docker, config.install);
  DockerConfig docker = config.docker;
  if (!docker.volume_directory.empty())
    docker.volume_directory = fs::absolute(docker.volume_directory).lexically_normal();
  return std::make_unique<DockerBackend>(loop, std::move(docker), config.install);
}

Result<std::unique_ptr<Backend>> make_lxd(net::Loop& loop, const BackendConfig& config) {
  if (!config.lxd.socket.is_absolute())
    return fail("the path of the server's socket is not absolute", "lxd.socket");
  if (!is_object_name(config.lxd.project)) return fail("not a project's name", "lxd.project");
  return std::make_unique<LxdBackend>(loop, config.lxd, config.install);
}

}  // namespace

bool can_be_guarded(const BackendConfig& config) {
  return config.kind == Kind::Sandbox ||
         (config.kind == Kind::Docker && config.docker.members.empty());
}

Result<std::unique_ptr<Backend>> make_backend(net::Loop& loop, const BackendConfig& config) {
  if (config.install.is_zero()) return fail("the install id is not set", "install");
  switch (config.kind) {
    case Kind::Sandbox: return make_sandbox_backend(loop, config);
    case Kind::Docker: return make_docker(loop, config);
    case Kind::Lxd: return make_lxd(loop, config);
    case Kind::Proxmox: return make_proxmox(loop, config);
    case Kind::Kvm: return make_kvm(loop, config);
  }
  return fail("no such backend", "backend_type");
}

}  // namespace paygress::backend
