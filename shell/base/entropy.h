// The operating system's random generator as paygress::Entropy.
#pragma once

#include "core/base/random.h"

namespace paygress::shell {

// getrandom(2). A kernel that cannot deliver ends the process: there is no safe way to go on.
class OsEntropy final : public Entropy {
 public:
  void fill(std::span<uint8_t> out) override;
};

}  // namespace paygress::shell
