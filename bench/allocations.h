// Counts what the program takes from the heap, by replacing operator new for the whole of it.
// Included by exactly one file of a program.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace paygress::bench {
inline std::atomic<uint64_t> allocations{0};
}

// Not inlined: the compiler would see malloc's memory given to a delete expression.
[[gnu::noinline]] void* operator new(size_t size) {
  ++paygress::bench::allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }
