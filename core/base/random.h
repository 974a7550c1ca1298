// Injected randomness: counter-based streams. A stream is named by (entity, purpose), so a draw
// added in one place changes no other, and a seed survives small edits (docs/simulator.md).
// This is for simulation, jitter and tie-breaking; keys and nonces come from `Entropy`.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/check.h"

namespace paygress {

// Finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection with good avalanche.
constexpr uint64_t mix64(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ x >> 31;
}

// Stable 64-bit name of a text (FNV-1a, then mixed).
constexpr uint64_t name64(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325ULL;
  for (char c : text) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3ULL;
  return mix64(h);
}

class RandomStream {
 public:
  RandomStream(uint64_t seed, uint64_t entity, std::string_view purpose)
      : key_(mix64(seed ^ mix64(entity ^ name64(purpose)))) {}

  uint64_t next() { return mix64(key_ + ++count_ * 0x9e3779b97f4a7c15ULL); }

  // Uniform in [0, n). Precondition: n > 0. Multiply and reject (Lemire 2019): no modulo bias.
  uint64_t below(uint64_t n) {
    PG_CHECK(n > 0);
    __extension__ using Wide = unsigned __int128;
    Wide product = static_cast<Wide>(next()) * n;
    if (static_cast<uint64_t>(product) < n) {
      const uint64_t threshold = (0 - n) % n;
      while (static_cast<uint64_t>(product) < threshold) product = static_cast<Wide>(next()) * n;
    }
    return static_cast<uint64_t>(product >> 64);
  }
  // Uniform in [low, high].
  int64_t between(int64_t low, int64_t high) {
    PG_CHECK(low <= high);
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  // True with probability ppm / 1 000 000.
  bool chance_ppm(uint32_t ppm) { return below(1'000'000) < ppm; }

 private:
  uint64_t key_;
  uint64_t count_ = 0;
};

// Source of unpredictable bytes, injected: the shell's is the operating system's generator, the
// simulator's is a stream. Implementations must fill the whole span.
class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual void fill(std::span<uint8_t> out) = 0;
};

// Entropy that repeats: for tests and the simulator only.
class SeededEntropy final : public Entropy {
 public:
  SeededEntropy(uint64_t seed, uint64_t entity, std::string_view purpose)
      : stream_(seed, entity, purpose) {}
  void fill(std::span<uint8_t> out) override {
    for (auto& b : out) b = static_cast<uint8_t>(stream_.next());
  }

 private:
  RandomStream stream_;
};

}  // namespace paygress
