#include "shell/net/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace paygress::net {
namespace {

constexpr Micros kPatience = micros(Seconds{20});

TEST(WorkerPool, DeliversInOrderOfArrivalThoughALaterPieceIsDoneFirst) {
  Loop loop;
  WorkerPool pool(loop, 2);
  const auto queue = pool.make_queue(WorkerPool::Order::Parallel, 100);
  std::promise<void> second_done;
  std::vector<int> order;
  // The first waits for the second: only two threads at once get through.
  ASSERT_TRUE(pool.submit(queue, [&] {
    second_done.get_future().wait();
    return [&] { order.push_back(1); };
  }));
  ASSERT_TRUE(pool.submit(queue, [&] {
    second_done.set_value();
    return [&] { order.push_back(2); };
  }));
  for (int i = 3; i <= 50; ++i)
    ASSERT_TRUE(pool.submit(queue, [&order, i] { return [&order, i] { order.push_back(i); }; }));
  ASSERT_TRUE(loop.run_until([&] { return order.size() == 50; }, kPatience));
  for (int i = 1; i <= 50; ++i) EXPECT_EQ(order[static_cast<size_t>(i - 1)], i);
  EXPECT_EQ(pool.under_way(queue), 0U);
}

TEST(WorkerPool, ASerialQueueRunsOneAtATime) {
  Loop loop;
  WorkerPool pool(loop, 2);
  const auto queue = pool.make_queue(WorkerPool::Order::Serial, 100);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  int done = 0;
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(pool.submit(queue, [&] {
      most = std::max(most.load(), ++inside);
      std::this_thread::yield();
      --inside;
      return [&] { ++done; };
    }));
  ASSERT_TRUE(loop.run_until([&] { return done == 50; }, kPatience));
  EXPECT_EQ(most, 1);
}

TEST(WorkerPool, ABlockedQueueDoesNotBlockAnother) {
  Loop loop;
  WorkerPool pool(loop, 2);
  const auto slow = pool.make_queue(WorkerPool::Order::Serial, 10);
  const auto fast = pool.make_queue(WorkerPool::Order::Serial, 10);
  std::promise<void> release;
  bool fast_done = false;
  bool slow_done = false;
  ASSERT_TRUE(pool.submit(slow, [&] {
    release.get_future().wait();
    return [&] { slow_done = true; };
  }));
  ASSERT_TRUE(pool.submit(fast, [&] { return [&] { fast_done = true; }; }));
  ASSERT_TRUE(loop.run_until([&] { return fast_done; }, kPatience));
  EXPECT_FALSE(slow_done);
  release.set_value();
  EXPECT_TRUE(loop.run_until([&] { return slow_done; }, kPatience));
}

TEST(WorkerPool, RefusesMoreThanItsBound) {
  Loop loop;
  WorkerPool pool(loop, 1);
  const auto queue = pool.make_queue(WorkerPool::Order::Parallel, 2);
  int done = 0;
  const WorkerPool::Work piece = [&] { return [&] { ++done; }; };
  EXPECT_TRUE(pool.submit(queue, piece));
  EXPECT_TRUE(pool.submit(queue, piece));
  EXPECT_FALSE(pool.submit(queue, piece)) << "nothing is delivered before the loop runs";
  ASSERT_TRUE(loop.run_until([&] { return done == 2; }, kPatience));
  EXPECT_TRUE(pool.submit(queue, piece));
  EXPECT_TRUE(loop.run_until([&] { return done == 3; }, kPatience));
}

TEST(WorkerPool, DeliversNothingAfterItsEnd) {
  Loop loop;
  bool ran = false;
  bool passed = false;
  {
    WorkerPool pool(loop, 1);
    const auto queue = pool.make_queue(WorkerPool::Order::Parallel, 2);
    std::promise<void> started;
    ASSERT_TRUE(pool.submit(queue, [&] {
      started.set_value();
      return [&] { ran = true; };
    }));
    started.get_future().wait();
  }
  loop.post([&] { passed = true; });
  ASSERT_TRUE(loop.run_until([&] { return passed; }, kPatience));
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace paygress::net
