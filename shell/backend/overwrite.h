// What held a key is overwritten before it is given up.
#pragma once

#include <cstdint>

namespace paygress::backend {

// True when the zeros are on the disk. What lies beyond the file's end is made part of it.
bool overwrite_with_zeros(int fd, uint64_t offset, uint64_t length);

}  // namespace paygress::backend
