// Which way of running guest code works on this machine. That /dev/kvm exists proves nothing, and
// neither does a qemu that starts and answers QMP: a guest is started that must write to its serial
// port.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "shell/backend/kvm_command.h"

namespace paygress::backend {

// Of the file that a probe makes, for who cleans up after one that was killed.
inline constexpr std::string_view kProbePrefix = ".probe-";

// Tries KVM with the host's processor, then with a plain one, then emulation, as far as `wanted`
// goes; takes the first that speaks. Blocks for some seconds. `scratch` is an existing directory;
// nothing stays in it. The error says what became of each.
Result<Accelerator> find_accelerator(const std::filesystem::path& scratch, Acceleration wanted);

}  // namespace paygress::backend
