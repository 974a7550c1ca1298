// What a virtual machine is made of, as pure functions: qemu's arguments (QEMU 7.2, qemu(1)) and
// cloud-init's NoCloud seed (cloud-init 22.4, "NoCloud" and "Module reference").
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/workload/backend.h"
#include "shell/backend/backend.h"
#include "shell/backend/vm_layout.h"

namespace paygress::backend {

// How guest code is run here: found by kvm_probe.h, never assumed.
struct Accelerator {
  std::string name;  // "kvm" or "tcg"
  std::string cpu;   // of -cpu

  bool operator==(const Accelerator&) const = default;
};

struct MachineFiles {
  std::filesystem::path base;
  bool base_is_qcow2 = true;
  std::filesystem::path disk;  // qcow2, an overlay on base
  std::filesystem::path seed;
  std::optional<std::filesystem::path> key;  // of an encrypted disk: a passphrase, on a tmpfs
};

struct Machine {
  std::vector<std::string> arguments;  // qemu's, the program's name first
  std::vector<VmFile> files;           // that the arguments name by their descriptors
};

// `spec` as check_machine() accepts it. The arguments hold no secret.
Machine machine_of(const workload::Spec& spec, const Accelerator& accelerator, Egress egress,
                   const MachineFiles& files);
// Why there can be no such machine: an address that forwards cannot have, a port twice.
Result<void> check_machine(const workload::Spec& spec);

// What qemu needs besides the guest's memory: device models, and the translated code under TCG.
uint64_t overhead_mb(const Accelerator& accelerator);

// The seed's two files. The password is in it as a hash only.
std::string seed_meta_data(const workload::Spec& spec);
std::string seed_user_data(const workload::Spec& spec, const std::string& password_hash);

}  // namespace paygress::backend
