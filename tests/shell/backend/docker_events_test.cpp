// A stream of the engine's words that is lost again and again.
#include "shell/backend/docker_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tests/shell/backend/scripted_engine.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::backend {
namespace {

TEST(DockerEvents, AreOpenedAnewLaterEachTimeAndTheLossIsTold) {
  const test::TemporaryDirectory dir;
  std::atomic<int> opened{0};
  const std::string lease(32, 'a');
  ScriptedEngine engine(dir.file("socket"), [&](const std::string& line) {
    EXPECT_TRUE(line.starts_with("GET /events?since=")) << line;
    ++opened;
    // One word, and the end of the stream long before it is due.
    return ScriptedEngine::Answer{200, R"({"Actor":{"Attributes":{"paygress.lease":")" + lease +
                                           R"("}},"time":1})"
                                           "\n"};
  });
  ASSERT_TRUE(engine.listens());
  net::Loop loop;
  std::vector<workload::Noticed> heard;
  InstallId install;
  install.bytes.fill(0x11);
  DockerEvents events(loop, dir.file("socket"), install,
                      [&](const workload::Noticed& word) { heard.push_back(word); });
  EXPECT_TRUE(heard.empty()) << "never from inside";
  EXPECT_TRUE(loop.run_until([&] { return heard.size() >= 3; }, 60'000'000_us));
  ASSERT_GE(heard.size(), 3u);
  ASSERT_TRUE(heard[0].lease.has_value());
  EXPECT_EQ(heard[0].lease->hex(), lease);
  EXPECT_FALSE(heard[1].lease.has_value()) << "words may be missing";
  EXPECT_TRUE(heard[2].lease.has_value()) << "from the second stream";
  EXPECT_EQ(opened, 2);
}

TEST(DockerEvents, WaitAMinuteAtMost) {
  EXPECT_EQ(docker_events_wait(0), 1'000'000_us);
  EXPECT_EQ(docker_events_wait(1), 2'000'000_us);
  EXPECT_EQ(docker_events_wait(6), docker_events_wait(1'000'000));
  EXPECT_EQ(docker_events_wait(6), 64'000'000_us);
}

}  // namespace
}  // namespace paygress::backend
