// A real engine of the test's own: in namespaces that end with the test, however it ends, so that
// its bridges, packet filter rules, mounts and processes never touch the machine's.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "shell/backend/docker_json.h"
#include "shell/net/http_client.h"
#include "tests/conformance/backend/backend_enforcement.h"

namespace paygress::conformance {

namespace fs = std::filesystem;

// Where an engine is required (PAYGRESS_REQUIRE_ENGINES, set by .ci/run), one that cannot be had
// is a failure and not a skipped test.
inline bool engine_there(const char* program) {
  const bool there = geteuid() == 0 && access(program, X_OK) == 0;
  if (!there && std::getenv("PAYGRESS_REQUIRE_ENGINES")) {
    std::fprintf(stderr, "%s cannot be run here, and is required\n", program);
    std::abort();
  }
  return there;
}

// The namespaces, and what is run in them. Needs root.
class Enclosure {
 public:
  // `dir` must exist. This program's own network is the enclosure's from here on, so that
  // published ports are in its reach.
  explicit Enclosure(fs::path dir) : dir_(std::move(dir)) {
    keeper_ = spawn({"unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
                     "--mount-proc", PAYGRESS_TEST_DIR "/enclosure.sh", dir_},
                    dir_ / "enclosure.log");
    EXPECT_TRUE(eventually([&] { return fs::exists(dir_ / "ready"); }))
        << output_of("cat " + (dir_ / "enclosure.log").string());
    first_ = child_of(keeper_);
    const int net = open(("/proc/" + std::to_string(first_) + "/ns/net").c_str(), O_RDONLY);
    EXPECT_EQ(setns(net, CLONE_NEWNET), 0);
    close(net);
  }
  // Every process in it dies.
  ~Enclosure() {
    if (keeper_ <= 0) return;
    if (first_ > 0) kill(first_, SIGKILL);
    waitpid(keeper_, nullptr, 0);
  }
  Enclosure(const Enclosure&) = delete;
  Enclosure& operator=(const Enclosure&) = delete;

  // Starts an engine in it; what it says goes to `log`.
  pid_t start(std::vector<std::string> argv, const fs::path& log) {
    std::vector<std::string> all = {
        "nsenter", "--target", std::to_string(first_), "--net", "--mount", "--pid", "--"};
    all.insert(all.end(), argv.begin(), argv.end());
    return spawn(all, log);
  }
  // Ends what start() gave with that signal, and returns when it has ended.
  void end(pid_t started, int signal) {
    const pid_t engine = child_of(started);
    if (engine > 0) kill(engine, signal);
    waitpid(started, nullptr, 0);
  }

 private:
  static pid_t spawn(const std::vector<std::string>& argv, const fs::path& log) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    std::vector<char*> words;
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execvp(words[0], words.data());
    _exit(127);
  }
  static pid_t child_of(pid_t parent) {
    const std::string id = std::to_string(parent);
    pid_t child = 0;
    eventually(
        [&] { return bool(std::ifstream("/proc/" + id + "/task/" + id + "/children") >> child); });
    return child;
  }

  fs::path dir_;
  pid_t keeper_ = -1;  // unshare(1)
  pid_t first_ = -1;   // the first process of the namespaces
};

// A private directory, an enclosure and an engine on a unix socket in it. One for a whole program:
// engines take seconds to start.
class EngineHost : public ::testing::Environment {
 public:
  void SetUp() override {
    if (!can_run()) return;
    std::string pattern = fs::temp_directory_path() / "paygress-engine-XXXXXX";
    dir_ = mkdtemp(pattern.data());
    chmod(dir_.c_str(), 0711);  // root in a container is nobody here, and its files lie below
    make_images();
    enclosure_ = std::make_unique<Enclosure>(dir_);
    start();
    prepare();
  }
  void TearDown() override {
    if (!enclosure_) return;
    stop(SIGTERM);
    enclosure_.reset();
    // Its groups, empty now; engines leave them behind.
    for (const auto& name : groups())
      output_of("find /sys/fs/cgroup -depth -type d -path '*/" + name +
                "*' -exec rmdir {} ';' 2>/dev/null");
    fs::remove_all(dir_);
  }
  virtual bool can_run() const = 0;
  // Unique to this program: what an engine makes on the host is recognised by it.
  static std::string mark() { return "pgtest" + std::to_string(getpid()); }
  const fs::path& dir() const { return dir_; }
  virtual fs::path socket() const = 0;

  void start() {
    pid_ = enclosure_->start(command(), dir_ / "log");
    EXPECT_TRUE(eventually([&] { return answers(); }))
        << output_of("tail -5 " + (dir_ / "log").string());
  }
  void stop(int signal) {
    if (pid_ > 0) enclosure_->end(pid_, signal);
    pid_ = -1;
  }

  // 0 when the engine did not answer.
  int ask(const std::string& method, const std::string& path, std::string body = {},
          std::string* reply = nullptr, const char* type = "application/json",
          net::HttpHeaders more = {}) const {
    net::Loop loop;
    net::HttpClient http(loop);
    std::optional<int> status;
    net::HttpCall call;
    call.method = method;
    call.url = "http://engine" + path;
    call.unix_socket = socket();
    call.body = std::move(body);
    call.headers = std::move(more);
    call.headers.emplace_back("Content-Type", type);
    call.timeout = 120'000'000_us;
    http.start(std::move(call), [&](net::HttpOutcome outcome) {
      const auto* answered = std::get_if<net::Answered>(&outcome);
      status = answered ? answered->status : 0;
      if (answered && reply) *reply = answered->body;
    });
    loop.run_until([&] { return status.has_value(); }, 130'000'000_us);
    return status.value_or(0);
  }

 protected:
  virtual std::vector<std::string> command() const = 0;
  virtual bool answers() const = 0;
  // While the machine's own network can still be reached.
  virtual void make_images() {}
  // What the engine must have, once.
  virtual void prepare() {}
  virtual std::vector<std::string> groups() const = 0;
  // Another program in the engine's namespaces; it ends with them.
  void start_beside(std::vector<std::string> argv) {
    enclosure_->start(std::move(argv), dir_ / "beside.log");
  }

 private:
  fs::path dir_;
  std::unique_ptr<Enclosure> enclosure_;
  pid_t pid_ = -1;
};

// A file of tests/conformance/backend/images.sh, made when it is not there yet. Empty when it
// cannot be made.
inline std::string engine_image(const std::string& name) {
  const std::string path =
      output_of(PAYGRESS_TEST_DIR "/images.sh " + name + " " + PAYGRESS_ENGINE_CACHE);
  EXPECT_NE(path, "") << "images.sh could not make " << name;
  return path;
}
inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace paygress::conformance
