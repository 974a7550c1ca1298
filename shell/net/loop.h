// The event loop: one thread, one boost::asio::io_context, timers that count suspended time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/units.h"

namespace boost::asio {
class io_context;
}

namespace paygress::net {

// Names a timer; 0 names none.
using TimerId = uint64_t;

constexpr size_t kTimersMax = 100'000;

// Every callback of shell/net runs on the thread that is inside run(). Objects of shell/net are
// made, used and destroyed on that thread, BEFORE the loop is destroyed; only post() and stop() may
// be called from others. No callback of an object runs after its destruction.
class Loop {
 public:
  // From the first Loop on the process ignores SIGPIPE: TLS writes to sockets that peers closed.
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  static Now now();

  // Until stop(). The loop stays alive with nothing to do.
  void run();
  void stop();
  // Runs until `done` returns true or `limit` passed; returns the last `done()`. For tests and for
  // one-shot programs.
  bool run_until(const std::function<bool()>& done, Micros limit);

  // Soon, in the order of posting. Thread-safe.
  void post(std::function<void()> task);

  // Once, when Now::mono has reached `mono` (CLOCK_BOOTTIME: a suspended machine's timers are due
  // at once when it wakes). Ties run in the order they were set.
  TimerId at(Micros mono, std::function<void()> task);
  TimerId after(Micros delay, std::function<void()> task);
  // True when it was still to come. 0 and ids of the past are fine.
  bool cancel(TimerId id);

  boost::asio::io_context& context();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace paygress::net
