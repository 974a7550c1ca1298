// The disk image that the tests of the KVM backend boot: made once from Debian packages by
// tests/tools/kvm_image.sh, kept in the build tree for the next run.
#pragma once

#include <sys/file.h>

#include <filesystem>
#include <string>

#include "tests/conformance/backend/enclosure.h"
#include "tests/conformance/backend/real_client.h"

namespace paygress::conformance {

inline bool can_run_kvm() {
  return engine_there("/usr/bin/qemu-system-x86_64") && engine_there("/usr/sbin/debootstrap");
}

// Its path; empty when it cannot be made (the reason is on stderr).
inline std::filesystem::path kvm_guest_image() {
  namespace fs = std::filesystem;
  const fs::path tools = PAYGRESS_TOOLS;
  const fs::path cache = PAYGRESS_ENGINE_CACHE;
  std::error_code error;
  fs::create_directories(cache, error);
  // Another script makes another image.
  const std::string digest =
      output_of("cat " + (tools / "kvm_image.sh").string() + " " +
                (tools / "kvm_guest_init.sh").string() + " | sha256sum | head -c 16");
  const fs::path image = cache / ("kvm-guest-" + digest + ".qcow2");
  // Test programs may run beside each other: one makes it, the others wait.
  const int lock = open((cache / "kvm-guest.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  flock(lock, LOCK_EX);
  if (!fs::exists(image, error))
    output_of("bash " + (tools / "kvm_image.sh").string() + " " + image.string() + " >&2");
  close(lock);
  return fs::exists(image, error) ? image : fs::path();
}

}  // namespace paygress::conformance
