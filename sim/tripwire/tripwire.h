// Aborts when code in the program reaches for the outside world: clocks, entropy, files, sockets,
// environment, threads. The linker leads the calls of every object of a program that links this
// (not those inside shared libraries) here instead; symbols.inc lists which. The simulator needs
// none of them, so they trip always. The one exception is the steady clock, with which it times
// itself: that one trips while a world runs.
//
// Not active under sanitizers and coverage: their own runtimes need these functions.
#pragma once

namespace paygress::sim {

// While one is alive, the steady clock trips too. One thread only; they do not nest.
class Armed {
 public:
  Armed();
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;
  ~Armed();
};

}  // namespace paygress::sim
