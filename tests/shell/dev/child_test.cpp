// Child processes: what they get, how they end, and that nobody is left.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "shell/dev/child.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::dev {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{20'000};
const std::atomic<bool> kNeverStop = false;

Command shell_command(const std::string& script) { return {{"/bin/sh", "-c", script}, {}}; }

bool exists(pid_t pid) { return kill(pid, 0) == 0; }

TEST(Child, Output_and_status_are_kept_apart) {
  const auto done = run_command(shell_command("echo out; echo err >&2; exit 7"), kLong, kNeverStop);
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->status, 7);
  EXPECT_EQ(done->out, "out\n");
  EXPECT_EQ(done->err, "err\n");
  EXPECT_TRUE(done->in_time);
}

TEST(Child, More_output_than_a_pipe_holds_arrives_whole) {
  const auto done = run_command(shell_command("head -c 1000000 /dev/zero"), kLong, kNeverStop);
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->out.size(), 1'000'000u);
}

TEST(Child, One_that_takes_too_long_is_killed_with_its_children) {
  const auto done =
      run_command(shell_command("sleep 1000 & echo $!; wait"), milliseconds{300}, kNeverStop);
  ASSERT_TRUE(done.has_value());
  EXPECT_FALSE(done->in_time);
  EXPECT_EQ(done->status, 128 + SIGKILL);
  const auto grandchild = static_cast<pid_t>(std::stol(done->out));
  for (int look = 0; look < 500 && exists(grandchild); ++look) usleep(10'000);
  // Where nobody reaps orphans it stays as a zombie, which is dead too.
  std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
  std::string pid, name, state;
  stat >> pid >> name >> state;
  EXPECT_TRUE(!exists(grandchild) || state == "Z") << state;
}

TEST(Child, A_request_to_stop_ends_it) {
  const std::atomic<bool> stop = true;
  const auto done = run_command(shell_command("sleep 1000"), kLong, stop);
  ASSERT_TRUE(done.has_value());
  EXPECT_FALSE(done->in_time);
}

// A seed in our environment would become every provider's.
TEST(Child, Secrets_and_service_manager_of_ours_are_not_inherited) {
  setenv("CASHU_WALLET_MNEMONIC", "abandon", 1);
  setenv("NOTIFY_SOCKET", "/nowhere", 1);
  setenv("PAYGRESS_HOME", "/ours", 1);
  Command command = shell_command(
      "echo \"${CASHU_WALLET_MNEMONIC-none} ${NOTIFY_SOCKET-none} "
      "$PAYGRESS_HOME $(cat)\"");
  command.environment["PAYGRESS_HOME"] = "/theirs";
  const auto done = run_command(command, kLong, kNeverStop);
  for (const char* name : {"CASHU_WALLET_MNEMONIC", "NOTIFY_SOCKET", "PAYGRESS_HOME"})
    unsetenv(name);
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->out, "none none /theirs \n");
}

TEST(Child, A_program_that_is_not_there_is_an_error) {
  EXPECT_FALSE(run_command({{"/nowhere/at-all"}, {}}, kLong, kNeverStop).has_value());
}

TEST(Child, Its_log_is_closed_to_others_and_it_dies_with_its_owner) {
  const test::TemporaryDirectory directory;
  const std::string log = directory.file("log");
  pid_t pid = 0;
  {
    auto child = Child::start(shell_command("echo begun; exec sleep 1000"), log);
    ASSERT_TRUE(child.has_value());
    pid = child->pid();
    EXPECT_EQ(getpgid(pid), pid);
    EXPECT_FALSE(child->wait(milliseconds{0}).has_value());
  }
  EXPECT_FALSE(exists(pid));
  struct stat info{};
  ASSERT_EQ(stat(log.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(Child, What_a_person_would_type) {
  EXPECT_EQ(shell_text({{"/usr/bin/paygress", "list", "a b", "it's", ""}, {}}),
            "paygress list 'a b' 'it'\\''s' ''");
}

TEST(Child, The_end_of_a_log) {
  const test::TemporaryDirectory directory;
  const std::string file = directory.file("log");
  std::ofstream(file) << "one\ntwo\nthree\n";
  EXPECT_EQ(tail_of(file, 2), "two\nthree\n");
  EXPECT_EQ(tail_of(file, 9), "one\ntwo\nthree\n");
  EXPECT_EQ(tail_of(directory.file("absent"), 2), "");
}

}  // namespace
}  // namespace paygress::dev
