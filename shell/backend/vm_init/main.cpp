// paygress-vm-init <state directory>: stays with one virtual machine from its start to its end.
//
// It starts qemu as the files of the directory say (shell/backend/vm_layout.h), goes to the
// background once qemu answers QMP, keeps the log within bounds, answers pause, resume, status and
// stop, and writes down how and when the machine ended. It is no child of the provider, so the
// machine outlives that; but the machine cannot outlive it.
//
// Exit status of the foreground process: 0 started, 1 not started (the reason in state/log),
// kRunsAlready it runs already.
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <sstream>

#include "shell/backend/keeper.h"
#include "shell/backend/qmp.h"
#include "shell/backend/sandbox_cgroup.h"
#include "shell/backend/sandbox_layout.h"
#include "shell/backend/vm_layout.h"

namespace paygress::backend {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSpeakLimitSeconds = 50;  // until qemu has answered QMP, on a loaded machine
constexpr int64_t kPressAgainSeconds = 4;   // a guest that boots overlooks the power button

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "paygress-vm-init: %s: %s\n", what, std::strerror(errno));
  _exit(1);
}

int64_t now() {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return t.tv_sec;
}

// A copy in memory that anybody may open who has the descriptor: qemu opens it by its number.
int secret_fd(const fs::path& path) {
  const int fd = memfd_create("secret", 0);
  const std::string secret = read_small_file(path);
  if (secret.empty()) return -1;
  const bool written =
      write(fd, secret.data(), secret.size()) == static_cast<ssize_t>(secret.size());
  return written && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
}

void open_files(const fs::path& state) {
  for (const auto& file : parse_files(read_small_file(state / kFilesFile))) {
    int fd = -1;
    switch (file.mode) {
      case VmFile::Mode::Secret: fd = secret_fd(file.path); break;
      case VmFile::Mode::Read: fd = open(file.path.c_str(), O_RDONLY); break;
      case VmFile::Mode::ReadWrite: fd = open(file.path.c_str(), O_RDWR); break;
    }
    if (fd < 0) die(file.path.c_str());
    if (fd == file.fd) continue;
    if (dup2(fd, file.fd) != file.fd) die("dup2");
    close(fd);
  }
}

void drop_rights(const fs::path& state) {
  std::istringstream in(read_small_file(state / kUserFile));
  uid_t uid = 0;
  gid_t gid = 0;
  gid_t extra = 0;
  if (!(in >> uid >> gid >> extra)) return;
  if (setgroups(1, &extra) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
    die("cannot give up root's rights");
}

// In the forked child: everything qemu needs, or death.
[[noreturn]] void become_qemu(const fs::path& state, pid_t parent, int log_fd, int qmp_fd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  // Out of the way of the numbers they are about to get.
  const int log_high = fcntl(log_fd, F_DUPFD_CLOEXEC, 100);
  const int qmp_high = fcntl(qmp_fd, F_DUPFD_CLOEXEC, 100);
  if (dup2(null, 0) != 0 || dup2(log_high, 1) != 1 || dup2(log_high, 2) != 2 ||
      dup2(qmp_high, kQmpFd) != kQmpFd)
    die("dup2");
  std::string args = read_small_file(state / kArgsFile);
  std::vector<char*> argv;
  for (size_t at = 0; at < args.size(); at += std::strlen(&args[at]) + 1) argv.push_back(&args[at]);
  if (argv.empty()) die("no arguments");
  argv.push_back(nullptr);
  if (!join(read_groups(state))) die("cannot enter the control groups");
  open_files(state);
  drop_rights(state);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // After the change of user, which clears it. The parent may have died before.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* const environment[] = {path, nullptr};
  execvpe(argv[0], argv.data(), environment);
  die(argv[0]);
}

class Supervisor {
 public:
  Supervisor(fs::path state, int ready) : state_(std::move(state)), ready_(ready) {}

  int run() {
    unlink((state_ / kExitFile).c_str());
    unlink((state_ / kRunFile).c_str());
    if (!listen_for_control() || !start_qemu()) return 1;
    const int64_t speak_by = now() + kSpeakLimitSeconds;
    while (!ended_) {
      wait_for_something();
      if (!begun_ && now() >= speak_by) send_signal(run_.init, SIGKILL);
    }
    log_.drain(log_in_);
    unlink((state_ / kControlSocket).c_str());
    // A machine that never ran has no end: the foreground process reports the failure.
    if (begun_) write_exit(state_, {code_, std::time(nullptr)});
    return 0;
  }

 private:
  bool listen_for_control() {
    control_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, kControlSocket);
    // Relative, for the path's length; nothing else here depends on the working directory.
    if (chdir(state_.c_str()) != 0) return false;
    unlink(kControlSocket);
    return bind(control_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
           listen(control_, 16) == 0;
  }

  bool start_qemu() {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGCHLD);
    sigprocmask(SIG_BLOCK, &wanted, nullptr);
    signal(SIGPIPE, SIG_IGN);
    signals_ = signalfd(-1, &wanted, SFD_CLOEXEC);
    int log_pipe[2];
    int qmp_pair[2];
    if (signals_ < 0 || pipe2(log_pipe, O_CLOEXEC) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, qmp_pair) != 0)
      return false;
    log_in_ = log_pipe[0];
    fcntl(log_in_, F_SETFL, O_NONBLOCK);
    qmp_fd_ = qmp_pair[0];
    fcntl(qmp_fd_, F_SETFL, O_NONBLOCK);
    const pid_t parent = getpid();
    qemu_ = fork();
    if (qemu_ == 0) become_qemu(state_, parent, log_pipe[1], qmp_pair[1]);
    close(log_pipe[1]);
    close(qmp_pair[1]);
    const auto self = identify(getpid());
    const auto qemu = qemu_ > 0 ? identify(qemu_) : std::nullopt;
    if (!self || !qemu) return false;
    run_ = {*self, *qemu};
    return true;
  }

  // Tells the foreground process that the machine runs.
  void begin() {
    begun_ = write_run(state_, run_);
    if (!begun_)
      send_signal(run_.init, SIGKILL);
    else if (write(ready_, "R", 1) != 1)
      stop();  // nobody waits any more
    close(ready_);
  }

  void wait_for_something() {
    std::array<pollfd, 5> fds = {pollfd{signals_, POLLIN, 0}, pollfd{log_in_, POLLIN, 0},
                                 pollfd{qmp_fd_, POLLIN, 0}, pollfd{control_, POLLIN, 0},
                                 pollfd{client_, POLLIN, 0}};
    poll(fds.data(), fds.size(), begun_ && stage_ == Stage::Running ? -1 : 500);
    if (stage_ != Stage::Running) go_on_stopping();
    if (fds[1].revents != 0) log_.drain(log_in_);
    if (fds[2].revents != 0) drain_qmp();
    if (fds[3].revents != 0 && client_ < 0)
      client_ = accept4(control_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fds[4].revents != 0) take_word();
    if (fds[0].revents != 0) take_signal();
  }

  void take_signal() {
    signalfd_siginfo info;
    if (read(signals_, &info, sizeof info) != sizeof info) return;
    if (info.ssi_signo == SIGTERM) stop();
    int status = 0;
    while (waitpid(qemu_, &status, WNOHANG) == qemu_) {
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      ended_ = true;
    }
  }

  // One client at a time, one word each.
  void take_word() {
    char text[64];
    const ssize_t n = recv(client_, text, sizeof text, 0);
    const std::string word(text, n > 0 ? static_cast<size_t>(n) : 0);
    if (word == "pause") return command("stop", "paused");
    if (word == "resume") return command("cont", "running");
    if (word == "stop") {
      stop();
      return answer("stopping");
    }
    answer(word == "status" ? (paused_ ? "paused" : "running") : "error: unknown word");
  }
  void command(const std::string& name, const std::string& success) {
    const int client = client_;
    qmp_.command(name, [this, client, success](const std::string& problem) {
      if (client_ == client) answer(problem.empty() ? success : "error: " + problem);
    });
  }
  void answer(const std::string& text) {
    send(client_, text.data(), text.size(), MSG_NOSIGNAL);
    close(client_);
    client_ = -1;
  }

  // The power button, then `quit`, then SIGKILL.
  void stop() {
    if (stage_ != Stage::Running) return;
    stage_ = Stage::Button;
    next_stage_at_ = now() + kShutdownGraceSeconds;
    press_at_ = 0;
    if (paused_) qmp_.command("cont", nullptr);
    go_on_stopping();
  }
  void go_on_stopping() {
    if (stage_ == Stage::Button && now() >= press_at_) {
      qmp_.command("system_powerdown", nullptr);
      press_at_ = now() + kPressAgainSeconds;
    }
    if (now() < next_stage_at_) return;
    if (stage_ == Stage::Button) {
      stage_ = Stage::Quit;
      next_stage_at_ = now() + kQuitGraceSeconds;
      qmp_.command("quit", nullptr);
    } else {
      send_signal(run_.init, SIGKILL);
      next_stage_at_ = now() + 1;
    }
  }

  void drain_qmp() {
    char chunk[4096];
    for (;;) {
      const ssize_t n = recv(qmp_fd_, chunk, sizeof chunk, 0);
      if (n < 0) return;
      if (n > 0 && qmp_.receive({chunk, static_cast<size_t>(n)})) continue;
      // It is ending, or cannot be asked for anything any more: its end is awaited, then forced.
      close(qmp_fd_);
      qmp_fd_ = -1;
      stage_ = Stage::Quit;
      next_stage_at_ = now() + kQuitGraceSeconds;
      return;
    }
  }

  enum class Stage : uint8_t { Running, Button, Quit };

  fs::path state_;
  int ready_;
  BoundedLog log_{state_ / kLogFile};
  int signals_ = -1;
  int log_in_ = -1;
  int qmp_fd_ = -1;
  int control_ = -1;
  int client_ = -1;
  pid_t qemu_ = -1;
  Run run_;
  Qmp qmp_{{[this](std::string_view bytes) { send(qmp_fd_, bytes.data(), bytes.size(), 0); },
            [this] { begin(); },
            [this](const std::string& name) {
              if (name == "STOP") paused_ = true;
              if (name == "RESUME") paused_ = false;
            }}};
  bool begun_ = false;
  bool paused_ = false;
  bool ended_ = false;
  int32_t code_ = 1;
  Stage stage_ = Stage::Running;
  int64_t next_stage_at_ = 0;  // CLOCK_BOOTTIME seconds, as are all of these
  int64_t press_at_ = 0;
};

}  // namespace
}  // namespace paygress::backend

int main(int argc, char** argv) {
  using namespace paygress::backend;
  return keeper_main(
      argc, argv, {"paygress-vm-init", "machine"},
      [](const fs::path& state, int ready) { return Supervisor(state, ready).run(); });
}
