// The guard's keeper on a thread of the test: real cgroups, for the suites on real engines.
#pragma once

#include <time.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "shell/guard/keeper.h"
#include "tests/conformance/backend/backend_conformance.h"

namespace paygress::conformance {

class TestGuard {
 public:
  // Nothing where this process may make no cgroups. `directory` holds its file.
  static std::unique_ptr<TestGuard> make(const std::filesystem::path& directory) {
    static int number = 0;
    const std::string group =
        "paygress-test-" + std::to_string(getpid()) + "-" + std::to_string(++number);
    auto freezer = guard::Freezer::open({}, group);
    if (geteuid() != 0 || !freezer) return nullptr;
    return std::unique_ptr<TestGuard>(new TestGuard(*std::move(freezer), directory));
  }
  ~TestGuard() {
    kill_all();
    for (const std::string& name : keeper_.freezer().names()) {
      EXPECT_EQ(ask(workload::GuardRelease{{1}, name}).outcome, Outcome::Done) << name;
    }
    ended_ = true;
    looking_.join();
    rmdir(keeper_.freezer().root().c_str());
  }
  TestGuard(const TestGuard&) = delete;
  TestGuard& operator=(const TestGuard&) = delete;

  void kill_all() {
    for (const std::string& name : keeper_.freezer().names())
      EXPECT_EQ(ask(workload::GuardKill{{1}, name}).outcome, Outcome::Done) << name;
  }
  std::string group(const std::string& name) const { return keeper_.freezer().root() / name; }
  static Micros now() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return {int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000};
  }
  workload::GuardAnswered ask(const guard::Request& request) {
    std::unique_lock lock(mutex_);
    replies_.clear();
    keeper_.take(1, request, now(), replies_);
    while (replies_.empty()) {
      lock.unlock();
      std::this_thread::sleep_for(kLook);
      lock.lock();
    }
    return replies_.front().answer;
  }

 private:
  static constexpr std::chrono::milliseconds kLook{5};

  TestGuard(guard::Freezer freezer, const std::filesystem::path& directory)
      : keeper_(std::move(freezer), directory / "guard.state", "boot"), looking_([this] {
          while (!ended_) {
            {
              const std::lock_guard lock(mutex_);
              keeper_.tick(now(), replies_);
            }
            std::this_thread::sleep_for(kLook);
          }
        }) {
    const std::lock_guard lock(mutex_);
    keeper_.begin(now());
  }

  std::mutex mutex_;
  guard::Keeper keeper_;
  std::vector<guard::Reply> replies_;
  std::atomic<bool> ended_ = false;
  std::thread looking_;
};

}  // namespace paygress::conformance
