#include "sim/tripwire/tripwire.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "core/base/check.h"

namespace paygress::sim {
namespace {

bool armed = false;

}  // namespace

Armed::Armed() {
  PG_CHECK(!armed);
  armed = true;
}
Armed::~Armed() { armed = false; }

#ifdef PAYGRESS_TRIPWIRES
namespace {

[[noreturn]] void trip(const char* symbol) {
  std::fprintf(stderr, "tripwire: %s was called\n", symbol);
  std::abort();
}

}  // namespace

// The linker's --wrap=X turns calls of X into calls of __wrap_X, and __real_X into X. These never
// return, so it does not matter with which arguments they are called.
#define TRIPWIRE(symbol)                                        \
  [[noreturn]] void trip_##symbol() __asm__("__wrap_" #symbol); \
  void trip_##symbol() { trip(#symbol); }
#include "sim/tripwire/symbols.inc"
#undef TRIPWIRE

using SteadyTime = std::chrono::steady_clock::time_point;
// Weak: a program without the wires has no such symbol, and never comes here.
[[gnu::weak]] SteadyTime real_steady_now() __asm__("__real__ZNSt6chrono3_V212steady_clock3nowEv");
SteadyTime steady_now() __asm__("__wrap__ZNSt6chrono3_V212steady_clock3nowEv");
SteadyTime steady_now() {
  if (armed) trip("std::chrono::steady_clock::now");
  return real_steady_now();
}
#endif

}  // namespace paygress::sim
