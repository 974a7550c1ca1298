// paygress-sandbox-init <state directory>: stays with one sandbox from its start to its end.
//
// It starts bubblewrap as the files of the directory say (shell/backend/sandbox_layout.h), goes to
// the background once the sandbox exists, keeps its log within bounds, and writes down how and when
// it ended. SIGTERM stops the workload: SIGTERM to all of it, SIGKILL after kStopGraceSeconds; so
// does the end of its first process, and it has ended when no process of it is left. It is no child
// of the provider, so the workload outlives that; but the workload cannot outlive it.
//
// Exit status of the foreground process: 0 started, 1 not started (the reason on stderr),
// 3 it runs already.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "shell/backend/keeper.h"
#include "shell/backend/sandbox_cgroup.h"
#include "shell/backend/sandbox_layout.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

constexpr int kArgsFd = 3;
constexpr int kInfoFd = 4;

int complain(const char* what) {
  std::fprintf(stderr, "paygress-sandbox-init: %s: %s\n", what, std::strerror(errno));
  return 1;
}

// In the forked child: everything bwrap needs, or death.
[[noreturn]] void become_bwrap(const fs::path& state, const std::vector<fs::path>& groups,
                               int log_fd, int info_fd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int args = open((state / kArgsFile).c_str(), O_RDONLY | O_CLOEXEC);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  // Out of the way of the numbers they are about to get.
  const int args_high = fcntl(args, F_DUPFD_CLOEXEC, 10);
  const int info_high = fcntl(info_fd, F_DUPFD_CLOEXEC, 10);
  const int log_high = fcntl(log_fd, F_DUPFD_CLOEXEC, 10);
  const bool placed = args >= 0 && null >= 0 && dup2(null, 0) == 0 && dup2(log_high, 1) == 1 &&
                      dup2(log_high, 2) == 2 && dup2(args_high, kArgsFd) == kArgsFd &&
                      dup2(info_high, kInfoFd) == kInfoFd;
  if (!placed || !join(groups)) _exit(complain("cannot enter the control groups"));
  const char* const argv[] = {
      "bwrap", "--args", "3", "--info-fd", "4", "--", "/bin/sh", "/run/paygress/start", nullptr};
  execvp("bwrap", const_cast<char* const*>(argv));
  _exit(complain("cannot run bwrap"));
}

// bwrap writes {"child-pid": N} once the namespaces exist, and closes.
pid_t read_child_pid(int fd) {
  std::string text;
  char chunk[256];
  for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) > 0 && text.size() < 4096;)
    text.append(chunk, static_cast<size_t>(n));
  const std::string_view key = "\"child-pid\":";
  size_t at = text.find(key);
  if (at == text.npos) return 0;
  at = text.find_first_not_of(' ', at + key.size());
  pid_t pid = 0;
  if (at != text.npos) std::from_chars(text.data() + at, text.data() + text.size(), pid);
  return pid;
}

class Supervisor {
 public:
  Supervisor(fs::path state, int ready) : state_(std::move(state)), ready_(ready) {}

  int run() {
    groups_ = read_groups(state_);
    // bwrap ends with the first process of the sandbox, and leaves the others to us.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    unlink((state_ / kExitFile).c_str());
    unlink((state_ / kRunFile).c_str());
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGCHLD);
    sigprocmask(SIG_BLOCK, &wanted, nullptr);
    signals_ = signalfd(-1, &wanted, SFD_CLOEXEC);
    int log_pipe[2];
    int info_pipe[2];
    if (signals_ < 0 || pipe2(log_pipe, O_CLOEXEC) != 0 || pipe2(info_pipe, O_CLOEXEC) != 0)
      return complain("cannot prepare");
    log_in_ = log_pipe[0];
    fcntl(log_in_, F_SETFL, O_NONBLOCK);
    bwrap_ = fork();
    if (bwrap_ == 0) become_bwrap(state_, groups_, log_pipe[1], info_pipe[1]);
    close(log_pipe[1]);
    close(info_pipe[1]);
    const pid_t init = bwrap_ > 0 ? read_child_pid(info_pipe[0]) : 0;
    close(info_pipe[0]);
    begin(init);
    while (!ended_) wait_for_something();
    log_.drain(log_in_);
    write_exit(state_, {code_, std::time(nullptr)});
    return 0;
  }

 private:
  // Tells the foreground process how it went. Without an init there is only bwrap's end to await.
  void begin(pid_t init) {
    const auto self = identify(getpid());
    const auto first = identify(init);
    if (self && first) {
      run_ = {*self, *first};
      begun_ = write_run(state_, run_);
    }
    if (!begun_ && bwrap_ > 0) kill(bwrap_, SIGKILL);
    if (bwrap_ <= 0) ended_ = true;
    const char word = begun_ ? 'R' : 'F';
    if (write(ready_, &word, 1) != 1) complain("nobody waits");
    close(ready_);
  }

  void wait_for_something() {
    pollfd fds[] = {{signals_, POLLIN, 0}, {log_in_, POLLIN, 0}};
    int timeout = -1;
    if (kill_at_ != 0 && !killed_)
      timeout = kill_at_ > now() ? static_cast<int>(kill_at_ - now()) * 1000 : 0;
    const int ready = poll(fds, log_in_ >= 0 ? 2 : 1, timeout);
    if (!killed_ && kill_at_ != 0 && now() >= kill_at_) {
      send_signal(run_.init, SIGKILL);
      killed_ = true;
    }
    if (ready <= 0) return;
    if (fds[1].revents != 0) log_.drain(log_in_);
    if (fds[0].revents != 0) take_signal();
  }

  void take_signal() {
    signalfd_siginfo info;
    if (read(signals_, &info, sizeof info) != sizeof info) return;
    if (info.ssi_signo == SIGTERM && begun_) end_all();
    int status = 0;
    for (pid_t dead; (dead = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (dead != bwrap_) continue;
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      bwrap_ended_ = true;
      if (begun_) end_all();
    }
    // The namespace's init ends after all others in it (pid_namespaces(7)).
    ended_ = bwrap_ended_ && (!begun_ || identify(run_.init.pid) != run_.init);
  }

  void end_all() {
    if (kill_at_ == 0) kill_at_ = now() + kStopGraceSeconds;
    signal_namespace(run_.init, SIGTERM);
    // Frozen or stopped processes see the signal only now.
    thaw(groups_);
    signal_namespace(run_.init, SIGCONT);
  }

  static int64_t now() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec;
  }

  fs::path state_;
  int ready_;
  std::vector<fs::path> groups_;
  BoundedLog log_{state_ / kLogFile};
  int signals_ = -1;
  int log_in_ = -1;
  pid_t bwrap_ = -1;
  Run run_;
  bool begun_ = false;
  bool bwrap_ended_ = false;
  bool ended_ = false;
  int32_t code_ = 1;
  int64_t kill_at_ = 0;  // CLOCK_BOOTTIME seconds; 0: it is not to end
  bool killed_ = false;
};

}  // namespace
}  // namespace paygress::backend

int main(int argc, char** argv) {
  using namespace paygress::backend;
  return keeper_main(
      argc, argv, {"paygress-sandbox-init", "sandbox"},
      [](const fs::path& state, int ready) { return Supervisor(state, ready).run(); });
}
