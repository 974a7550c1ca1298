#include "shell/backend/overwrite.h"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace paygress::backend {

bool overwrite_with_zeros(int fd, uint64_t offset, uint64_t length) {
  static constexpr std::array<char, 64 * 1024> kZeros{};
  for (uint64_t done = 0; done < length;) {
    const size_t size = std::min<uint64_t>(kZeros.size(), length - done);
    const ssize_t n = pwrite(fd, kZeros.data(), size, static_cast<off_t>(offset + done));
    if (n <= 0) return false;
    done += static_cast<uint64_t>(n);
  }
  return fsync(fd) == 0;
}

}  // namespace paygress::backend
