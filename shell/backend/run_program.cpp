#include "shell/backend/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "core/base/check.h"

namespace paygress::backend {
namespace {

constexpr char kEnvironment[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
constexpr auto kLookAgain = std::chrono::milliseconds(5);

pid_t spawn(const std::vector<std::string>& argv, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  for (const auto& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  char* environment[] = {const_cast<char*>(kEnvironment), nullptr};
  pid_t pid = -1;
  if (posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments.data(), environment) != 0)
    pid = -1;
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

void drain(int fd, std::string& output) {
  char chunk[1024];
  for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) > 0;) {
    output.append(chunk, static_cast<size_t>(n));
    if (output.size() > kProgramOutputBytesMax)
      output.erase(0, output.size() - kProgramOutputBytesMax);
  }
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& argv, std::chrono::milliseconds limit,
                          std::string_view enough) {
  PG_CHECK(!argv.empty() && !argv.front().empty());
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return {-1, "no pipe"};
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  const pid_t pid = spawn(argv, out[1]);
  close(out[1]);
  ProgramResult result;
  if (pid < 0) {
    close(out[0]);
    return {-1, "cannot run " + argv.front()};
  }
  const auto end = std::chrono::steady_clock::now() + limit;
  int status = 0;
  bool killed = false;
  // Its end is awaited, not the end of its output: a daemon it leaves behind may hold the pipe.
  while (waitpid(pid, &status, WNOHANG) == 0) {
    drain(out[0], result.output);
    const bool said = !enough.empty() && result.output.find(enough) != std::string::npos;
    if (!killed && (said || std::chrono::steady_clock::now() > end))
      killed = kill(pid, SIGKILL) == 0;
    std::this_thread::sleep_for(kLookAgain);
  }
  drain(out[0], result.output);
  close(out[0]);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

Result<void> run_tool(const std::vector<std::string>& argv, std::chrono::milliseconds limit) {
  const auto result = run_program(argv, limit);
  if (result.status != 0) return fail(argv.front() + ": " + result.output);
  return {};
}

std::filesystem::path find_program(const std::string& name) {
  for (const char* directory : {"/usr/sbin", "/usr/bin"}) {  // /sbin and /bin are links to them
    const std::filesystem::path file = std::filesystem::path(directory) / name;
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

}  // namespace paygress::backend
