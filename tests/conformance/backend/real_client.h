// What the suites on real engines share: a loop with one client per daemon, ports, and the ways a
// consumer reaches a workload.
#pragma once

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "shell/backend/backend.h"
#include "shell/backend/calls.h"
#include "shell/backend/port_check.h"
#include "shell/net/loop.h"
#include "tests/conformance/backend/backend_conformance.h"
#include "tests/conformance/backend/test_guard.h"

namespace paygress::conformance {

// Runs the command with a shell and returns its standard output.
inline std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return output;
  std::array<char, 4096> chunk;
  for (size_t n; (n = fread(chunk.data(), 1, chunk.size(), pipe)) > 0;)
    output.append(chunk.data(), n);
  pclose(pipe);
  return output;
}

// A client's view of one port. A reply that stops for two seconds is taken to have ended.
inline std::string http_get(uint16_t port, const char* host = "127.0.0.1") {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, host, &address.sin_addr);
  std::string reply;
  const std::string request = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    std::array<char, 4096> chunk;
    for (ssize_t n; (n = recv(fd, chunk.data(), chunk.size(), 0)) > 0;)
      reply.append(chunk.data(), static_cast<size_t>(n));
  }
  close(fd);
  return reply;
}

// Standard output of `command` for root at 127.0.0.1:port. The password goes by the environment;
// what ssh complains of is for the test's log.
inline std::string ssh_run(uint16_t port, const std::string& password, const std::string& command,
                           const std::string& options = {}) {
  setenv("SSHPASS", password.c_str(), 1);
  const std::string output =
      output_of("sshpass -e ssh -F none " + options +
                " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
                " -o NumberOfPasswordPrompts=1 -o PubkeyAuthentication=no -p " +
                std::to_string(port) + " root@127.0.0.1 '" + command + "' </dev/null");
  unsetenv("SSHPASS");
  return output;
}

// The moment of a kill that is to come anywhere in a call: there is no event to wait for.
inline std::function<void()> after(std::chrono::milliseconds time) {
  return [time] { std::this_thread::sleep_for(time); };
}

class RealClient : public BackendUnderTest {
 public:
  Answer call(Daemon daemon, const Call& call) override {
    std::optional<Answer> answer;
    client(daemon).call(call, [&answer](Answer got) {
      EXPECT_FALSE(answer.has_value()) << "a second answer";
      answer = std::move(got);
    });
    EXPECT_FALSE(answer.has_value()) << "answered from inside call()";
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, call.deadline + 5'000_ms))
        << "no answer within the deadline";
    return answer.value_or(Answer{});
  }
  // All at once; the answers in the order of the calls.
  std::vector<Answer> call_all(const std::vector<Call>& calls) {
    std::vector<std::optional<Answer>> answers(calls.size());
    Micros longest;
    for (size_t i = 0; i < calls.size(); ++i) {
      longest = std::max(longest, calls[i].deadline);
      client(Daemon::Ours).call(calls[i], [&answers, i](Answer got) {
        answers[i] = std::move(got);
      });
    }
    const auto all = [&] {
      return std::ranges::all_of(answers, [](const auto& a) { return a.has_value(); });
    };
    EXPECT_TRUE(loop_.run_until(all, longest + 5'000_ms)) << "not every call was answered";
    std::vector<Answer> out;
    for (auto& answer : answers) out.push_back(std::move(answer).value_or(Answer{}));
    return out;
  }
  void restart_client() override { clients_.erase(Daemon::Ours); }
  bool told_of(const LeaseId& lease, Micros within) override {
    return loop_.run_until([&] { return told_.contains(lease); }, within);
  }
  // `work` in a provider of its own process, which is killed as soon as `moment` returns.
  void kill_at(const std::function<void()>& moment, const std::function<void()>& work) {
    const pid_t provider = fork();
    ASSERT_GE(provider, 0);
    if (provider == 0) {
      work();
      _exit(1);
    }
    moment();
    kill(provider, SIGKILL);
    ASSERT_EQ(waitpid(provider, nullptr, 0), provider);
    restart_client();
  }
  void call_and_die(const std::vector<Call>& calls, const std::function<void()>& moment) {
    kill_at(moment, [&] {
      net::Loop loop;  // not the parent's
      auto ours = backend::make_backend(loop, config(Daemon::Ours));
      for (const Call& call : calls) (*ours)->call(call, [](const Answer&) {});
      loop.run_until([] { return false; }, calls.front().deadline);
    });
  }
  bool told_that_words_are_missing(Micros within) {
    return loop_.run_until([&] { return missing_; }, within);
  }
  uint16_t unused_port() override { return pick_port(); }
  std::optional<workload::GuardAnswered> ask_guard(const GuardRequest& request) override {
    if (!guard_) guard_ = TestGuard::make(::testing::TempDir());
    if (!guard_) return std::nullopt;
    return std::visit([this](const auto& r) { return guard_->ask(r); }, request);
  }
  std::string guard_group(const std::string& name) override { return guard_->group(name); }
  Micros now() override { return TestGuard::now(); }
  std::string fetch(uint16_t port) override { return http_get(port); }
  std::string ssh(uint16_t port, const std::string& password, const std::string& command) override {
    return ssh_run(port, password, command);
  }

 protected:
  virtual backend::BackendConfig config(Daemon daemon) = 0;

  backend::Backend& client(Daemon daemon) {
    auto& client = clients_[daemon];
    if (!client) {
      auto made = backend::make_backend(loop_, config(daemon));
      if (!made) throw std::runtime_error(to_string(made.error()));
      client = std::move(*made);
      if (daemon == Daemon::Ours)
        client->listen([this](const workload::Noticed& word) {
          word.lease ? static_cast<void>(told_.insert(*word.lease)) : void(missing_ = true);
        });
    }
    return *client;
  }
  // Everything both daemons have, for the end of a test.
  void remove_all() {
    // What a test left frozen would not be removed.
    if (guard_) guard_->kill_all();
    for (Daemon daemon : {Daemon::Ours, Daemon::Theirs}) {
      const Answer all = call(daemon, {CallId{1}, Verb::List, {}, {}, {30'000'000}});
      EXPECT_EQ(all.outcome, Outcome::Done) << all.message;
      for (const auto& object : all.objects)
        EXPECT_DONE(call(daemon, {CallId{1}, Verb::Remove, object.name, {}, {30'000'000}}));
    }
    clients_.clear();
    guard_.reset();
  }

  net::Loop loop_;
  std::set<LeaseId> told_;
  bool missing_ = false;  // words of the engine
  std::map<Daemon, std::unique_ptr<backend::Backend>> clients_;
  std::unique_ptr<TestGuard> guard_;

 private:
  // A port where nobody listens, never the same one twice. Below those that the kernel gives to
  // outgoing connections (ip_local_port_range), and below those of the markets and daemons of other
  // tests, whose providers listen for a moment on each of theirs when they start (20 000 and up):
  // either would have it while its workload is stopped. Each process begins somewhere else.
  static uint16_t pick_port() {
    constexpr uint32_t kFirst = 12'000;
    constexpr uint32_t kCount = 8'000;
    static uint32_t next = static_cast<uint32_t>(getpid()) * 2'654'435'761U >> 16;
    for (uint32_t i = 0; i < kCount; ++i) {
      const auto port = static_cast<uint16_t>(kFirst + next++ % kCount);
      if (backend::port_is_free("127.0.0.1", port).value_or(false)) return port;
    }
    throw std::runtime_error("no port is free");
  }
};

}  // namespace paygress::conformance
