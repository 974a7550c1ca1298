// Virtual machines as an engine: carries out one call after the other, blocking. blocking.h puts it
// behind the loop. A qemu process per workload, each under a supervisor of its own
// (vm_layout.h), so that machines outlive the provider and are found again by the next one.
#pragma once

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "core/workload/backend.h"
#include "shell/backend/backend.h"
#include "shell/backend/kvm_command.h"
#include "shell/backend/kvm_image.h"
#include "shell/backend/object_dir.h"
#include "shell/backend/sandbox_cgroup.h"

namespace paygress::backend {

class KvmEngine {
 public:
  // `config.supervisor` is set, paths are absolute. Makes the root directory and sweeps what a
  // crash left in it.
  KvmEngine(KvmConfig config, InstallId install);

  // May take as long as an image takes to fetch (Create) or a guest to boot (Start). The deadline
  // is not looked at. Calls for different names may run at once on different threads.
  workload::Answer handle(const workload::Call& call);
  // Calls that wait for a guest or for an image return soon, with Unknown or a failure. Machines
  // stay as they are. Thread-safe.
  void leave();

 private:
  workload::Answer probe(const workload::Call& call);
  workload::Answer capacity(const workload::Call& call) const;
  workload::Answer list(const workload::Call& call) const;
  workload::Answer create(const workload::Call& call);
  workload::Answer start(const workload::Call& call, const StoredObject& object);
  workload::Answer await_guest(const workload::Call& call, const StoredObject& object) const;
  workload::Answer tell(const workload::Call& call, const std::string& word,
                        const std::string& expected) const;
  workload::Answer stop(const workload::Call& call) const;
  workload::Answer remove(const workload::Call& call, const StoredObject& object) const;
  workload::Object view(const std::string& name, const workload::Labels& labels) const;

  Result<void> fill(const std::filesystem::path& draft, const workload::Spec& spec,
                    const VerifiedImage& base) const;
  Result<void> prepare(const StoredObject& object, const Accelerator& accelerator) const;
  // The image of a spec: its template's, its own by name, or the one for all others.
  const KvmImage* image_of(const workload::Spec& spec) const;
  std::string key_trouble(const workload::Spec& spec) const;
  // Looked for once, by the first who needs it.
  Result<Accelerator> accelerator();
  std::filesystem::path state(const std::string& name) const;
  std::string group_name(const std::string& name) const;
  // SIGKILL for the machine; waits for the end of its supervisor.
  bool kill_machine(const std::string& name) const;

  KvmConfig config_;
  InstallId install_;
  CgroupHost cgroups_;
  KvmImages images_;
  std::atomic<bool> leaving_ = false;
  std::mutex accelerator_mutex_;
  std::optional<Accelerator> accelerator_;
};

}  // namespace paygress::backend
