#include "shell/dev/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/base/check.h"
#include "shell/base/file.h"

namespace paygress::dev {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLook{20};
// A secret seed in ours would become every provider's; the others mean our own service manager.
constexpr std::array<std::string_view, 4> kNotInherited = {
    "CASHU_WALLET_MNEMONIC=", "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "PAYGRESS_"};

// The strings and the array that execve wants.
struct Strings {
  explicit Strings(std::vector<std::string> all) : kept(std::move(all)) {
    for (std::string& text : kept) pointers.push_back(text.data());
    pointers.push_back(nullptr);
  }
  std::vector<std::string> kept;
  std::vector<char*> pointers;
};

std::vector<std::string> environment_for(const Command& command) {
  std::vector<std::string> made;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const bool left_out = std::any_of(kNotInherited.begin(), kNotInherited.end(),
                                      [&](auto prefix) { return text.starts_with(prefix); });
    const std::string name(text.substr(0, text.find('=')));
    if (!left_out && !command.environment.contains(name)) made.emplace_back(text);
  }
  for (const auto& [name, value] : command.environment) made.push_back(name + "=" + value);
  return made;
}

// In the child: only calls that are safe after fork in a process with threads.
[[noreturn]] void become(const Strings& argv, const Strings& environment, int out, int err,
                         pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the line above
  const int empty = open("/dev/null", O_RDONLY);
  dup2(empty, 0);
  dup2(out, 1);
  dup2(err, 2);
  close_range(3, ~0U, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
  execve(argv.pointers[0], argv.pointers.data(), environment.pointers.data());
  _exit(127);
}

Result<pid_t> spawn(const Command& command, int out, int err) {
  PG_CHECK(!command.argv.empty());
  const Strings argv(command.argv);
  const Strings environment(environment_for(command));
  if (access(argv.pointers[0], X_OK) != 0)
    return shell::system_failure("cannot run", command.argv[0]);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return shell::system_failure("cannot fork for", command.argv[0]);
  if (pid == 0) become(argv, environment, out, err, parent);
  setpgid(pid, pid);  // both sides set it: neither may use it before it is set
  return pid;
}

int status_of(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

struct Pipe {
  shell::FileDescriptor read;
  shell::FileDescriptor write;
};
Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return shell::system_failure("cannot make", "a pipe");
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Pipe{shell::FileDescriptor(ends[0]), shell::FileDescriptor(ends[1])};
}

// What is there now. False when the other end is closed.
bool drain(const shell::FileDescriptor& from, std::string& into) {
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = read(from.number(), buffer.data(), buffer.size());
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    const size_t room = kChildOutputBytesMax - std::min(kChildOutputBytesMax, into.size());
    into.append(buffer.data(), std::min(room, static_cast<size_t>(got)));
  }
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::strchr("-_./:=@%+,", c) != nullptr;
}

}  // namespace

std::string shell_text(const Command& command) {
  std::string text;
  for (size_t i = 0; i < command.argv.size(); ++i) {
    std::string word = command.argv[i];
    if (i == 0) word = word.substr(word.rfind('/') + 1);
    if (i > 0) text += ' ';
    if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) {
      text += word;
      continue;
    }
    text += '\'';
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += '\'';
  }
  return text;
}

Result<Finished> run_command(const Command& command, milliseconds limit,
                             const std::atomic<bool>& stop) {
  auto out = make_pipe();
  if (!out) return std::unexpected(out.error());
  auto err = make_pipe();
  if (!err) return std::unexpected(err.error());
  const auto pid = spawn(command, out->write.number(), err->write.number());
  if (!pid) return std::unexpected(pid.error());
  out->write = {};
  err->write = {};

  const auto deadline = Clock::now() + limit;
  Finished finished;
  int raw = 0;
  while (waitpid(*pid, &raw, WNOHANG) == 0) {
    if (finished.in_time && (stop.load() || Clock::now() >= deadline)) {
      finished.in_time = false;
      ::kill(-*pid, SIGKILL);
    }
    std::array<pollfd, 2> wanted = {pollfd{out->read.number(), POLLIN, 0},
                                    pollfd{err->read.number(), POLLIN, 0}};
    poll(wanted.data(), wanted.size(), static_cast<int>(kLook.count()));
    const bool some_out = drain(out->read, finished.out);
    const bool some_err = drain(err->read, finished.err);
    if (some_out || some_err) continue;
    std::this_thread::sleep_for(kLook);  // closed its output and goes on
  }
  drain(out->read, finished.out);
  drain(err->read, finished.err);
  finished.status = status_of(raw);
  return finished;
}

Result<Child> Child::start(const Command& command, const std::string& log_file) {
  const auto log = shell::open_file(log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (!log) return std::unexpected(log.error());
  const auto pid = spawn(command, log->number(), log->number());
  if (!pid) return std::unexpected(pid.error());
  return Child(*pid);
}

Child::~Child() {
  if (pid_ == 0 || wait(milliseconds{0})) return;
  signal(SIGKILL);
  wait(milliseconds{10'000});
}

std::optional<int> Child::wait(milliseconds limit) {
  PG_CHECK(pid_ > 0);
  const auto deadline = Clock::now() + limit;
  for (;;) {
    int raw = 0;
    if (!status_ && waitpid(pid_, &raw, WNOHANG) == pid_) status_ = status_of(raw);
    if (status_ || Clock::now() >= deadline) return status_;
    std::this_thread::sleep_for(kLook);
  }
}

void Child::signal(int number) const {
  if (!status_) ::kill(pid_, number);
}

std::string tail_of(const std::string& file, size_t lines) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  size_t from = text.size();
  if (from > 0) --from;  // the last line's own end does not count
  for (; lines > 0 && from != std::string::npos && from > 0; --lines)
    from = text.rfind('\n', from - 1);
  return from == std::string::npos || from == 0 ? text : text.substr(from + 1);
}

}  // namespace paygress::dev
