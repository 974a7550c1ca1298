// The engines behind one interface, on the loop. What the calls mean is the contract of
// core/workload/backend.h; tests/conformance/backend holds every implementation to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/ids.h"
#include "core/base/result.h"
#include "core/workload/backend.h"
#include "shell/backend/kvm_image.h"
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

  // From here on `hear` is told, on the loop's thread and never from inside listen(), what the
  // engine says by itself of our objects. Engines that say nothing, or nobody asks, never call it.
  using Hear = std::function<void(const workload::Noticed&)>;
  virtual void listen(Hear) {}
};

inline constexpr Micros kDeadlineMax{int64_t{3600} * 1'000'000};
inline constexpr size_t kMessageBytesMax = 1000;  // of Answer::message

// Objects are directories under `root`; see sandbox_layout.h for what is in them.
struct SandboxConfig {
  std::filesystem::path root;  // "<data_dir>/sandbox"; made when absent (0700)
  // The program that stays with each workload. Empty: paygress-sandbox-init beside this program.
  std::filesystem::path supervisor;
};

// A member of a cluster.
struct Member {
  std::string address;       // where consumers reach it
  std::string bind_address;  // where ports are opened on it; empty: everywhere
};

struct DockerConfig {
  std::filesystem::path socket = "/var/run/docker.sock";
  // Of an existing network. Empty: one of our own, where tenants cannot reach each other, which is
  // there as long as a container of ours is; in a swarm, the one that each machine has as `bridge`.
  std::string network;
  std::map<std::string, Member> members;  // of the swarm it manages, by name; empty: a lone engine
  // Encrypted volumes of a lone engine, "<data_dir>/volumes" (made when one is made, 0700), and
  // their keys (volume_key.h). An empty path: none can be made.
  std::filesystem::path volume_directory = {};
  std::filesystem::path key_directory = {};
};

// A project of our own on an LXD server, made when absent. Other projects are never looked at.
struct LxdConfig {
  std::filesystem::path socket = "/var/lib/lxd/unix.socket";
  std::string project = "paygress";
  std::string pool;                // empty: the first one there is
  std::string network = "lxdbr0";  // a managed network; empty: workloads have no network card
  std::map<std::string, std::string> images;   // a name that tenants ask for -> an image of ours
  std::map<std::string, std::string> remotes;  // "ubuntu" in "ubuntu:22.04" -> simplestreams URL
  std::map<std::string, Member> members;       // by name; empty: a server that is in no cluster
};

// Containers (LXC) on one node of a Proxmox VE cluster.
struct ProxmoxConfig {
  std::string url;       // "https://host:8006/api2/json"
  std::string token_id;  // "user@realm!name"
  std::string token_secret;
  std::string ca_file;             // PEM; empty: the system's store
  std::string pinned_key;          // "sha256//..." of the server's key, instead of any authority
  std::vector<std::string> nodes;  // at least one; with more it is a cluster
  std::string storage;             // on each of them
  std::string bridge;
  std::string pool;            // empty: none
  uint32_t vmid_first = 1000;  // numbers that containers may get, inclusive
  uint32_t vmid_last = 1999;
  // Proxmox' templates ("local:vztmpl/...") by the name that a spec asks for. kAnyImage serves
  // every image name that is not there, and no template of ours.
  std::map<std::string, std::string> images;
  // Publishes ports: PROGRAM add NAME ADDRESS PORT CONTAINER-ADDRESS CONTAINER-PORT, once for each
  // port and again after every start; PROGRAM remove NAME. Empty: no port is published.
  std::filesystem::path forwarder;
};

// How guests may be run. Emulation (TCG) is 10 to 30 times slower, so it must be asked for.
enum class Acceleration : uint8_t { Kvm, KvmOrTcg, Tcg };
// Whether a virtual machine may reach anything but the ports published for it.
enum class Egress : uint8_t { None, Host };

// Machines are directories under `root`; vm_layout.h says what is in them.
struct KvmConfig {
  std::filesystem::path root;             // "<data_dir>/kvm"; made when absent (0700)
  std::filesystem::path image_directory;  // where fetched base images are kept
  // Keys of encrypted disks (volume_key.h). Empty, or not in memory: none can be made.
  std::filesystem::path key_directory;
  // The program that stays with each machine. Empty: paygress-vm-init beside this program.
  std::filesystem::path supervisor;
  // Base images by the name that a spec asks for. kAnyImage serves every image name that is not
  // there, and no template.
  std::map<std::string, KvmImage> images;
  Acceleration acceleration = Acceleration::Kvm;
  Egress egress = Egress::None;
  std::chrono::seconds boot_limit{120};  // from the start until SSH answers
};
inline constexpr const char* kAnyImage = "*";

// Of the config's backend_type names, the ones that are not built are refused by make_backend.
enum class Kind : uint8_t { Sandbox, Docker, Lxd, Proxmox, Kvm };

struct BackendConfig {
  Kind kind = Kind::Sandbox;
  InstallId install;  // only objects that carry it are ours; no other is seen
  SandboxConfig sandbox;
  DockerConfig docker;
  LxdConfig lxd;
  ProxmoxConfig proxmox;
  KvmConfig kvm;
};

// Whether its workloads can be put into the guard's group (workload::Call::guard_group), which warm
// standby needs.
bool can_be_guarded(const BackendConfig& config);

// Does not talk to the engine: that is Verb::Probe. Fails for a kind that is not built and for a
// config that cannot work. `loop` must outlive the backend.
Result<std::unique_ptr<Backend>> make_backend(net::Loop& loop, const BackendConfig& config);

}  // namespace paygress::backend
