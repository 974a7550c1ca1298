// The engines behind one interface, on the loop. What the calls mean is the contract of
// core/workload/backend.h; tests/conformance/backend holds every implementation to it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/ids.h"
#include "core/base/result.h"
#include "core/workload/backend.h"
#include "shell/net/loop.h"

namespace paygress::backend {

// Used from the thread that runs the loop, and nowhere else.
class Backend {
 public:
  using Done = std::function<void(workload::Answer)>;

  virtual ~Backend() = default;

  // Asks the engine. `done` is called exactly once, on the loop's thread, never from inside call(),
  // and not later than call.deadline (a duration from now; clamped to kDeadlineMax): with
  // Outcome::Unknown when the engine has not answered by then. What was begun may still happen
  // after such an answer. Calls that are outstanding when the backend is destroyed are never
  // answered. Calls for one name are carried out in the order they were made; others may overtake
  // them.
  virtual void call(const workload::Call& call, Done done) = 0;
};

inline constexpr Micros kDeadlineMax{int64_t{3600} * 1'000'000};
inline constexpr size_t kMessageBytesMax = 1000;  // of Answer::message

// Objects are directories under `root`; see sandbox.h for what is in them.
struct SandboxConfig {
  std::filesystem::path root;        // "<data_dir>/sandbox"; made when absent (0700)
  // The program that stays with each workload. Empty: paygress-sandbox-init beside this program.
  std::filesystem::path supervisor;
};

struct DockerConfig {
  std::filesystem::path socket = "/var/run/docker.sock";
  // Of an existing network. Empty: one of our own, where tenants cannot reach each other, which is
  // there as long as a container of ours is.
  std::string network;
};

// A project of our own on an LXD server, made when absent. Other projects are never looked at.
struct LxdConfig {
  std::filesystem::path socket = "/var/lib/lxd/unix.socket";
  std::string project = "paygress";
  std::string pool;                  // empty: the first one there is
  std::string network = "lxdbr0";    // a managed network; empty: workloads have no network card
  std::map<std::string, std::string> images;   // a name that tenants ask for -> an image of ours
  std::map<std::string, std::string> remotes;  // "ubuntu" in "ubuntu:22.04" -> simplestreams URL
};

// Of the config's backend_type names, the ones that are not built are refused by make_backend.
enum class Kind : uint8_t { Sandbox, Docker, Lxd, Proxmox, Kvm };

struct BackendConfig {
  Kind kind = Kind::Sandbox;
  InstallId install;                 // only objects that carry it are ours; no other is seen
  SandboxConfig sandbox;
  DockerConfig docker;
  LxdConfig lxd;
};

// Does not talk to the engine: that is Verb::Probe. Fails for a kind that is not built and for a
// config that cannot work. `loop` must outlive the backend.
Result<std::unique_ptr<Backend>> make_backend(net::Loop& loop, const BackendConfig& config);

}  // namespace paygress::backend
