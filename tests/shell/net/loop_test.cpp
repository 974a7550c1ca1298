#include "shell/net/loop.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <vector>

#include "shell/net/signals.h"

namespace paygress::net {
namespace {

constexpr Micros kPatience = micros(Seconds{20});

TEST(Loop, RunsTimersInTheOrderTheyAreDue) {
  Loop loop;
  std::vector<int> order;
  const Micros now = Loop::now().mono;
  loop.at(now + 3_ms, [&] { order.push_back(3); });
  loop.at(now + 1_ms, [&] { order.push_back(1); });
  loop.at(now + 2_ms, [&] { order.push_back(2); });
  loop.at(now + 3_ms, [&] { order.push_back(4); });  // a tie: after the one set before
  ASSERT_TRUE(loop.run_until([&] { return order.size() == 4; }, kPatience));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_GE(Loop::now().mono, now + 3_ms);
}

TEST(Loop, RunsATimerOfThePastSoonAndNeverInsideAt) {
  Loop loop;
  bool ran = false;
  loop.at(Micros{0}, [&] { ran = true; });
  EXPECT_FALSE(ran);
  EXPECT_TRUE(loop.run_until([&] { return ran; }, kPatience));
}

TEST(Loop, ACancelledTimerDoesNotRun) {
  Loop loop;
  bool first = false;
  bool second = false;
  const TimerId id = loop.after(1_ms, [&] { first = true; });
  EXPECT_TRUE(loop.cancel(id));
  EXPECT_FALSE(loop.cancel(id));
  EXPECT_FALSE(loop.cancel(0));
  loop.after(2_ms, [&] { second = true; });
  EXPECT_TRUE(loop.run_until([&] { return second; }, kPatience));
  EXPECT_FALSE(first);
}

TEST(Loop, ATimerThatSetsItselfAgainDoesNotStarveOthers) {
  Loop loop;
  int rounds = 0;
  bool posted = false;
  std::function<void()> again = [&] {
    ++rounds;
    loop.at(Micros{0}, again);
  };
  again();
  ASSERT_TRUE(loop.run_until([&] { return rounds > 3; }, kPatience));
  loop.post([&] { posted = true; });
  EXPECT_TRUE(loop.run_until([&] { return posted; }, kPatience));
}

TEST(Loop, PostsFromOtherThreadsKeepTheirOrder) {
  Loop loop;
  std::vector<int> seen;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) loop.post([&seen, i] { seen.push_back(i); });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  other.join();
  ASSERT_EQ(seen.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

TEST(Loop, RunUntilGivesUp) {
  Loop loop;
  EXPECT_FALSE(loop.run_until([] { return false; }, 1_ms));
}

TEST(Signals, ArriveOnTheLoop) {
  Loop loop;
  std::vector<int> seen;
  auto signals = std::make_unique<Signals>(loop, std::initializer_list<int>{SIGUSR1, SIGUSR2},
                                           [&](int number) { seen.push_back(number); });
  std::raise(SIGUSR1);
  ASSERT_TRUE(loop.run_until([&] { return seen.size() == 1; }, kPatience));
  std::raise(SIGUSR2);
  ASSERT_TRUE(loop.run_until([&] { return seen.size() == 2; }, kPatience));
  EXPECT_EQ(seen, (std::vector<int>{SIGUSR1, SIGUSR2}));
}

}  // namespace
}  // namespace paygress::net
