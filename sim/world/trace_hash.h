// The hash of a history: a word at a time, because it sees every byte of every event. Two runs that
// put the same values in the same order have the same digest, on every compiler and machine. Not
// cryptographic.
#pragma once

#include <bit>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/random.h"

namespace paygress::sim {

class TraceHash {
 public:
  void put(ByteView bytes) {
    const uint8_t* from = bytes.data();
    size_t left = bytes.size();
    length_ += left;
    for (; left >= 8; from += 8, left -= 8) absorb(load(from, 8));
    if (left > 0) absorb(load(from, left));
  }
  uint64_t digest() const { return mix64(state_ ^ mix64(length_)); }

 private:
  static uint64_t load(const uint8_t* from, size_t count) {
    uint64_t word = 0;
    std::memcpy(&word, from, count);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    return word;
  }
  void absorb(uint64_t word) {
    state_ = (state_ ^ word) * 0x9e3779b97f4a7c15ULL;
    state_ ^= state_ >> 29;
  }
  uint64_t state_ = 0x70617967726573ULL;
  uint64_t length_ = 0;
};

}  // namespace paygress::sim
