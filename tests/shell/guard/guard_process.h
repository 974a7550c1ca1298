// The real guard as a process, and a busy process for it to freeze. Everything is made in a cgroup
// of this test's own and removed by the end.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <new>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "shell/guard/protocol.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::guard {

inline Micros boot_time() {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return {int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000};
}

inline void pass_time(Micros time) {
  timespec t{time.value / 1'000'000, time.value % 1'000'000 * 1000};
  nanosleep(&t, nullptr);
}

template <class Condition>
bool within(Micros limit, Condition condition) {
  const Micros end = boot_time() + limit;
  while (!condition()) {
    if (boot_time() > end) return false;
    pass_time(2'000_us);
  }
  return true;
}

// Writes the time, again and again, to where its parent can read it: a frozen one does not.
class BusyProcess {
 public:
  // Enters `group` first, when there is one to enter.
  explicit BusyProcess(const std::string& group) : group_(group) {
    void* shared =
        mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    page_ = new (shared) Page;
    pid_ = fork();
    if (pid_ == 0) {
      std::ofstream(group + "/cgroup.procs") << 0 << std::flush;
      for (;;) page_->last = boot_time().value;
    }
  }
  ~BusyProcess() {
    kill(pid_, SIGKILL);
    // On v1 a frozen process dies when it is thawed; the guard may have frozen it again meanwhile.
    EXPECT_TRUE(within(micros(Seconds{5}), [&] {
      std::ofstream(group_ + "/freezer.state") << "THAWED";
      return dead();
    }));
    munmap(page_, sizeof(Page));
  }
  BusyProcess(const BusyProcess&) = delete;
  BusyProcess& operator=(const BusyProcess&) = delete;

  // When it ran last; 0: never.
  Micros last() const { return {page_->last.load()}; }
  bool runs() const {
    const Micros before = last();
    return within(500'000_us, [&] { return last() != before; });
  }
  bool stands() const {
    const Micros before = last();
    pass_time(150'000_us);
    return last() == before;
  }
  bool dead() { return reaped_ = reaped_ || waitpid(pid_, nullptr, WNOHANG) == pid_; }

 private:
  struct Page {
    std::atomic<int64_t> last = 0;
  };
  std::string group_;
  Page* page_ = nullptr;
  pid_t pid_ = -1;
  bool reaped_ = false;
};

// A daemon's end of the socket.
class Connection {
 public:
  explicit Connection(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    open_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (open_) hello_ = parse_hello(line().value_or("")).value_or(Hello{});
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool open() const { return open_; }
  const Hello& hello() const { return hello_; }
  bool send(const std::string& text) {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // Nothing when the other end closed, or said nothing for five seconds.
  std::optional<std::string> line() {
    for (;;) {
      if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
        const std::string found = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return found;
      }
      pollfd wanted{fd_, POLLIN, 0};
      char chunk[4096];
      if (poll(&wanted, 1, 5000) <= 0) return std::nullopt;
      const ssize_t n = recv(fd_, chunk, sizeof chunk, 0);
      if (n <= 0) return std::nullopt;
      buffer_.append(chunk, static_cast<size_t>(n));
    }
  }
  workload::GuardAnswered ask(const Request& request) {
    send(format(request) + "\n");
    const auto answer = parse_answer(line().value_or(""));
    EXPECT_TRUE(answer.has_value()) << format(request);
    return answer.value_or(workload::GuardAnswered{});
  }
  workload::Outcome hold(const std::string& name, Micros until) {
    return ask(workload::GuardHold{{1}, name, until}).outcome;
  }
  workload::Outcome freeze(const std::string& name) {
    return ask(workload::GuardFreeze{{2}, name}).outcome;
  }
  workload::Outcome kill_group(const std::string& name) {
    return ask(workload::GuardKill{{3}, name}).outcome;
  }
  workload::Outcome release(const std::string& name) {
    return ask(workload::GuardRelease{{4}, name}).outcome;
  }
  std::vector<workload::GuardGroup> groups() { return ask(workload::GuardQuery{{5}}).groups; }

 private:
  int fd_;
  bool open_ = false;
  Hello hello_;
  std::string buffer_;
};

class GuardProcess {
 public:
  GuardProcess(std::string hierarchy, std::vector<std::string> more = {})
      : hierarchy_(std::move(hierarchy)), more_(std::move(more)) {
    start();
  }
  ~GuardProcess() {
    end(SIGKILL);
    // What a test left is ended and removed by a guard that lives just for it, and does not leave
    // between the first look at it and the first question.
    more_.clear();
    start();
    if (Connection last(socket_path()); last.open())
      for (const auto& group : last.groups()) {
        last.kill_group(group.name);
        EXPECT_EQ(last.release(group.name), workload::Outcome::Done) << group.name;
      }
    end(SIGTERM);
    rmdir(root().c_str());
    EXPECT_NE(access(root().c_str(), F_OK), 0) << root();
  }
  GuardProcess(const GuardProcess&) = delete;
  GuardProcess& operator=(const GuardProcess&) = delete;

  void start() {
    pid_ = launch();
    EXPECT_TRUE(within(micros(Seconds{5}), [&] { return Connection(socket_path()).open(); }));
  }
  // Its exit status (128 + signal).
  int end(int signal) {
    if (pid_ > 0) kill(pid_, signal);
    return wait_for_end();
  }
  int wait_for_end() { return pid_ > 0 ? status_of(std::exchange(pid_, -1)) : 0; }
  // Another one with the same groups; its exit status. One that stays is killed after a while.
  int second() {
    const pid_t pid = launch();
    siginfo_t ended{};
    within(micros(Seconds{10}), [&] {
      return waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT | WNOHANG) == 0 &&
             ended.si_pid == pid;
    });
    kill(pid, SIGKILL);
    return status_of(pid);
  }

  std::string root() const { return hierarchy_ + "/" + group_; }
  std::string path(const std::string& name) const { return root() + "/" + name; }
  std::string socket_path() const { return directory_.file("guard.sock"); }
  std::string state_file() const { return directory_.file("guard.state"); }

 private:
  static int status_of(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  pid_t launch() {
    std::vector<std::string> words = {"paygress-guard", "--dir",       directory_.path(), "--group",
                                      group_,           "--hierarchy", hierarchy_};
    words.insert(words.end(), more_.begin(), more_.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid != 0) return pid;
    execv(PAYGRESS_GUARD_PROGRAM, argv.data());
    _exit(127);
  }

  test::TemporaryDirectory directory_;
  std::string hierarchy_;
  std::vector<std::string> more_;
  std::string group_ = "paygress-test-" + std::to_string(getpid());
  pid_t pid_ = -1;
};

}  // namespace paygress::guard
