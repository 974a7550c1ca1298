// Virtual machines as an engine: a qemu process per workload, each under a supervisor of its own
// (vm_layout.h), so that machines outlive the provider and are found again by the next one.
#pragma once

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "shell/backend/backend.h"
#include "shell/backend/kvm_command.h"
#include "shell/backend/kvm_image.h"
#include "shell/backend/object_engine.h"
#include "shell/backend/sandbox_cgroup.h"

namespace paygress::backend {

class KvmEngine final : public ObjectEngine {
 public:
  // `config.supervisor` is set, paths are absolute.
  KvmEngine(KvmConfig config, InstallId install);

  // Calls that wait for a guest or for an image return soon, with Unknown or a failure. Machines
  // stay as they are. Thread-safe.
  void leave();

 private:
  Answer probe(const Call& call) override;
  // May take as long as an image takes to fetch.
  Answer make(const Call& call) override;
  // May take as long as a guest takes to boot.
  Answer start(const Call& call, const StoredObject& object) override;
  Answer pause(const Call& call, const StoredObject& object) override;
  Answer resume(const Call& call, const StoredObject& object) override;
  Answer stop(const Call& call, const StoredObject& object) override;
  Answer remove(const Call& call, const StoredObject& object) override;
  workload::Running running_state(const StoredObject& object) const override;
  std::optional<Answer> launch(const Call& call, const StoredObject& object,
                               const Accelerator& accelerator) const;
  Answer await_guest(const Call& call, const StoredObject& object, int slower) const;
  Answer tell(const Call& call, const std::string& word, const std::string& expected) const;

  Result<void> fill(const std::filesystem::path& draft, const workload::Spec& spec,
                    const VerifiedImage& base) const;
  Result<void> prepare(const StoredObject& object, const Accelerator& accelerator) const;
  // The image of a spec: its template's, its own by name, or the one for all others.
  const KvmImage* image_of(const workload::Spec& spec) const;
  std::string key_trouble(const workload::Spec& spec) const;
  // Looked for once, by the first who needs it.
  Result<Accelerator> accelerator();
  // SIGKILL for the machine; waits for the end of its supervisor.
  bool kill_machine(const std::string& name) const;

  KvmConfig config_;
  CgroupHost cgroups_;
  KvmImages images_;
  std::atomic<bool> leaving_ = false;
  std::mutex accelerator_mutex_;
  std::optional<Accelerator> accelerator_;
};

}  // namespace paygress::backend
