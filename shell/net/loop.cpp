#include "shell/net/loop.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <map>
#include <utility>

#include "shell/base/clock.h"

namespace paygress::net {

namespace asio = boost::asio;

// One timerfd for the earliest deadline. Asio's own timers stand still while the machine sleeps.
struct Loop::State {
  using Key = std::pair<int64_t, TimerId>;  // due, then the order of setting

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::posix::stream_descriptor clock{context};
  std::map<Key, std::function<void()>> timers;
  std::map<TimerId, int64_t> due;
  TimerId last_id = 0;
  int64_t armed = INT64_MAX;

  State() {
    std::signal(SIGPIPE, SIG_IGN);
    const int number = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    PG_CHECK(number >= 0);
    clock.assign(number);
    wait();
  }

  void wait() {
    using Descriptor = asio::posix::stream_descriptor;
    clock.async_wait(Descriptor::wait_read, [this](boost::system::error_code error) {
      if (error) return;
      uint64_t expirations = 0;
      // The count does not matter, only that the descriptor is not readable any more.
      [[maybe_unused]] const ssize_t got =
          read(clock.native_handle(), &expirations, sizeof expirations);
      armed = INT64_MAX;
      run_due();
      wait();
    });
  }

  void run_due() {
    // Only what was due at the beginning: a timer that sets itself again must not hold the loop.
    const int64_t now = Loop::now().mono.value;
    const TimerId newest = last_id;
    while (!timers.empty()) {
      const auto first = timers.begin();
      if (first->first.first > now || first->first.second > newest) break;
      auto task = std::move(first->second);
      due.erase(first->first.second);
      timers.erase(first);
      task();
    }
    arm();
  }

  void arm() {
    const int64_t first = timers.empty() ? INT64_MAX : timers.begin()->first.first;
    if (first == armed) return;
    armed = first;
    itimerspec spec{};
    if (first != INT64_MAX) {
      const int64_t at = std::max<int64_t>(first, 1);  // zero would disarm
      spec.it_value.tv_sec = at / 1'000'000;
      spec.it_value.tv_nsec = at % 1'000'000 * 1000;
    }
    PG_CHECK(timerfd_settime(clock.native_handle(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
  }
};

Loop::Loop() : state_(std::make_unique<State>()) {}
Loop::~Loop() = default;

Now Loop::now() { return shell::now(); }

void Loop::run() {
  state_->context.restart();
  state_->context.run();
}

void Loop::stop() { state_->context.stop(); }

bool Loop::run_until(const std::function<bool()>& done, Micros limit) {
  bool expired = false;
  const TimerId alarm = after(limit, [&] { expired = true; });
  state_->context.restart();
  while (!done() && !expired && state_->context.run_one() > 0) {
  }
  cancel(alarm);
  return done();
}

void Loop::post(std::function<void()> task) { asio::post(state_->context, std::move(task)); }

TimerId Loop::at(Micros mono, std::function<void()> task) {
  PG_CHECK(task != nullptr);
  PG_CHECK(state_->timers.size() < kTimersMax);
  const TimerId id = ++state_->last_id;
  state_->timers.emplace(State::Key{mono.value, id}, std::move(task));
  state_->due.emplace(id, mono.value);
  state_->arm();
  return id;
}

TimerId Loop::after(Micros delay, std::function<void()> task) {
  return at(now().mono + delay, std::move(task));
}

bool Loop::cancel(TimerId id) {
  const auto it = state_->due.find(id);
  if (it == state_->due.end()) return false;
  PG_CHECK(state_->timers.erase({it->second, id}) == 1);
  state_->due.erase(it);
  state_->arm();
  return true;
}

asio::io_context& Loop::context() { return state_->context; }

}  // namespace paygress::net
