#include "shell/net/control_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <future>

#include "tests/shell/temporary_directory.h"

namespace paygress::net {
namespace {

constexpr Micros kPatience = micros(Seconds{20});

// ask_daemon blocks, so it has a thread of its own.
std::expected<std::string, ControlFailure> ask(Loop& loop, const std::string& path,
                                               std::string request) {
  std::atomic<bool> done{false};
  auto answer = std::async(std::launch::async, [&, request = std::move(request)] {
    auto result = ask_daemon(path, request, kPatience);
    done = true;
    loop.post([] {});
    return result;
  });
  EXPECT_TRUE(loop.run_until([&] { return done.load(); }, kPatience));
  return answer.get();
}

class ControlSocket : public ::testing::Test {
 protected:
  std::string path() const { return directory_.file("control.sock"); }
  test::TemporaryDirectory directory_;
  Loop loop_;
};

TEST_F(ControlSocket, AnswersALineWithALine) {
  auto server = ControlServer::listen(loop_, path(), [](std::string_view request, auto reply) {
    reply("you said " + std::string(request));
  });
  ASSERT_TRUE(server) << to_string(server.error());
  EXPECT_EQ(ask(loop_, path(), "{\"verb\":\"status\"}").value(), "you said {\"verb\":\"status\"}");
  EXPECT_EQ(ask(loop_, path(), "").value(), "you said ");
}

TEST_F(ControlSocket, MayAnswerLaterAndAtLength) {
  ControlServer::Reply later;
  auto server = ControlServer::listen(loop_, path(), [&](std::string_view, auto reply) {
    loop_.after(1_ms, [reply] { reply(std::string(3'000'000, 'x')); });
  });
  ASSERT_TRUE(server);
  EXPECT_EQ(ask(loop_, path(), "x").value().size(), 3'000'000U);
}

TEST_F(ControlSocket, ClosesWhenTheHandlerForgets) {
  auto server = ControlServer::listen(loop_, path(), [](std::string_view, auto) {});
  ASSERT_TRUE(server);
  const auto answer = ask(loop_, path(), "x");
  ASSERT_FALSE(answer);
  EXPECT_FALSE(answer.error().nobody_listens);
}

TEST_F(ControlSocket, RefusesARequestThatIsTooLong) {
  bool asked = false;
  auto server = ControlServer::listen(loop_, path(), [&](std::string_view, auto) { asked = true; });
  ASSERT_TRUE(server);
  EXPECT_FALSE(ask(loop_, path(), std::string(kControlRequestBytesMax + 1, 'x')));
  EXPECT_FALSE(asked);
}

TEST_F(ControlSocket, IsForItsOwnerOnly) {
  auto server = ControlServer::listen(loop_, path(), [](std::string_view, auto) {});
  ASSERT_TRUE(server);
  struct stat info{};
  ASSERT_EQ(stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(ControlSocket, SaysWhenNobodyListens) {
  auto answer = ask_daemon(path(), "x", kPatience);
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().nobody_listens);
}

TEST_F(ControlSocket, ReplacesADeadSocketButNotALiveOneNorAFile) {
  {
    auto server = ControlServer::listen(loop_, path(), [](std::string_view, auto) {});
    ASSERT_TRUE(server);
    EXPECT_FALSE(ControlServer::listen(loop_, path(), [](std::string_view, auto) {}));
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
  std::ofstream(path()) << "precious";
  EXPECT_FALSE(ControlServer::listen(loop_, path(), [](std::string_view, auto) {}));
  EXPECT_TRUE(std::filesystem::exists(path()));
}

}  // namespace
}  // namespace paygress::net
