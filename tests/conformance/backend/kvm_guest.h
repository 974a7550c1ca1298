// What the tests of the KVM backend need; the disk that they boot is engine_image("kvm-guest").
#pragma once

#include "tests/conformance/backend/enclosure.h"
#include "tests/conformance/backend/real_client.h"

namespace paygress::conformance {

inline bool can_run_kvm() {
  return engine_there("/usr/bin/qemu-system-x86_64") && engine_there("/usr/sbin/debootstrap");
}

}  // namespace paygress::conformance
