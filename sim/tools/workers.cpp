#include "sim/tools/workers.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <list>

extern char** environ;

namespace paygress::sim {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kChunkMax = 200;  // seeds of one process
constexpr uint64_t kChunksPerJob = 8;

struct Worker {
  pid_t pid = 0;
  int out = -1;
  SeedRange left;       // not reported yet, in order
  std::string partial;  // of a line
  Clock::time_point heard;
};

class Pool {
 public:
  Pool(const WorkOrder& order, const std::function<bool(const HistoryResult&)>& take)
      : order_(order), take_(take), next_(order.seeds.first) {
    const uint64_t count = order.seeds.last - order.seeds.first + 1;
    chunk_ = std::clamp<uint64_t>(count / (order.jobs * kChunksPerJob), 1, kChunkMax);
  }
  ~Pool() {
    for (Worker& worker : workers_) {
      ::kill(worker.pid, SIGKILL);
      reap(worker);
    }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  Result<void> run() {
    while (going_ && (!workers_.empty() || next_ <= order_.seeds.last || !again_.empty())) {
      while (workers_.size() < order_.jobs)
        if (auto started = start_next(); !started)
          return std::unexpected(started.error());
        else if (!*started)
          break;
      listen();
    }
    return {};
  }

 private:
  // False: no seeds are left to hand out.
  Result<bool> start_next() {
    if (!again_.empty()) {
      const SeedRange range = again_.back();
      again_.pop_back();
      return start(range);
    }
    if (next_ > order_.seeds.last) return false;
    const SeedRange range{next_, std::min(order_.seeds.last, next_ + chunk_ - 1)};
    next_ = range.last + 1;
    return start(range);
  }

  Result<bool> start(SeedRange range) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail("no pipe: " + std::string(strerror(errno)));
    std::vector<std::string> words = {"paygress-sim", "run"};
    words.insert(words.end(), order_.arguments.begin(), order_.arguments.end());
    words.insert(words.end(), {"--json", "--seeds",
                               std::to_string(range.first) + ".." + std::to_string(range.last)});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    Worker worker;
    const int failed =
        posix_spawn(&worker.pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (failed != 0) {
      ::close(ends[0]);
      return fail("no process: " + std::string(strerror(failed)));
    }
    worker.out = ends[0];
    worker.left = range;
    worker.heard = Clock::now();
    workers_.push_back(std::move(worker));
    return true;
  }

  void listen() {
    std::vector<pollfd> waiting;
    for (const Worker& worker : workers_) waiting.push_back({worker.out, POLLIN, 0});
    ::poll(waiting.data(), waiting.size(), 1000);
    auto worker = workers_.begin();
    for (const pollfd& one : waiting) {
      const auto here = worker++;
      if (one.revents != 0)
        read_from(*here);
      else if (Clock::now() - here->heard > std::chrono::seconds(order_.silent_seconds_max))
        finish(*here, "hung");
      if (here->pid == 0) workers_.erase(here);
      if (!going_) return;
    }
  }

  void read_from(Worker& worker) {
    char buffer[65536];
    const ssize_t count = ::read(worker.out, buffer, sizeof buffer);
    if (count <= 0) return finish(worker, "died");
    worker.heard = Clock::now();
    worker.partial.append(buffer, static_cast<size_t>(count));
    size_t from = 0;
    for (size_t end = worker.partial.find('\n'); end != worker.partial.npos && going_;
         end = worker.partial.find('\n', from)) {
      if (auto result = parse_result(std::string_view(worker.partial).substr(from, end - from))) {
        worker.left.first = result->seed + 1;
        going_ = take_(*result);
      }
      from = end + 1;
    }
    worker.partial.erase(0, from);
  }

  // It has ended, or must. What it had not reported is a finding, and the rest is done by another.
  void finish(Worker& worker, const std::string& how) {
    ::kill(worker.pid, SIGKILL);
    reap(worker);
    if (worker.left.first > worker.left.last || !going_) return;
    HistoryResult result;
    result.scenario = order_.arguments.front();
    result.seed = worker.left.first;
    result.run.violations.push_back({how, "the process " + how + " at this seed", {}});
    going_ = take_(result);
    if (++worker.left.first <= worker.left.last) again_.push_back(worker.left);
  }

  void reap(Worker& worker) {
    if (worker.pid == 0) return;
    ::close(worker.out);
    ::waitpid(worker.pid, nullptr, 0);
    worker.pid = 0;
  }

  const WorkOrder& order_;
  const std::function<bool(const HistoryResult&)>& take_;
  uint64_t next_;
  uint64_t chunk_ = 1;
  std::list<Worker> workers_;
  std::vector<SeedRange> again_;
  bool going_ = true;
};

}  // namespace

Result<void> run_seeds(const WorkOrder& order,
                       const std::function<bool(const HistoryResult&)>& take) {
  return Pool(order, take).run();
}

Result<std::optional<HistoryResult>> first_wanted(
    WorkOrder order, const std::function<bool(const HistoryResult&)>& wanted) {
  std::optional<HistoryResult> first;
  bool again = true;  // several jobs stop while one is still at an earlier seed
  while (again && order.seeds.first <= order.seeds.last) {
    again = false;
    const auto done = run_seeds(order, [&](const HistoryResult& result) {
      if (!wanted(result)) return true;
      if (!first || result.seed < first->seed) first = result;
      again = order.jobs > 1;
      return false;
    });
    if (!done) return std::unexpected(done.error());
    if (first) order.seeds.last = first->seed - 1;
  }
  return first;
}

}  // namespace paygress::sim
