#include "shell/provider/asking.h"

#include <fmt/format.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "core/base/check.h"
#include "shell/net/control_socket.h"
#include "shell/provider/setup.h"
#include "shell/store/high_water.h"
#include "shell/store/sqlite_journal.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

constexpr Micros kAskPatience = micros(Seconds{60});  // verifying a long ledger takes its time

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::expected<ClosedLedger, Exit> open_ledger(const std::string& data_dir, Exit when_damaged) {
  if (!exists(data_dir + "/" + store::kLedgerFile)) {
    if (!exists(data_dir + "/" + store::kMarkFile))
      return said(data_dir + ": there is no ledger", Exit::NotFound);
    return said(data_dir +
                    ": the ledger is gone, but its high-water mark is there: put back your "
                    "last backup",
                when_damaged);
  }
  auto ledger = open_closed_ledger(data_dir);
  if (!ledger) return said(to_string(ledger.error()), when_damaged);
  return *std::move(ledger);
}

void on_contradiction(const char* expression, const char*, int) {
  say(fmt::format("DAMAGED: a record contradicts the earlier ones ({})", expression));
  finish(Exit::Findings);
  std::fflush(nullptr);
  _exit(static_cast<int>(Exit::Findings));
}

// Of the one verb that a process runs.
struct Answering {
  bool in_json = false;
  bool put_object = false;
  std::vector<std::string> said;
};
Answering g_answering;

// On a terminal: what takes its time, and how long it has taken.
class Waiting {
 public:
  explicit Waiting(const std::string& what) {
    if (what.empty() || isatty(STDERR_FILENO) == 0) return;
    thread_ = std::jthread([what](const std::stop_token& stop) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any ended;
      const auto stopped = [&stop] { return stop.stop_requested(); };
      for (int seconds = 1; !ended.wait_for(lock, stop, std::chrono::seconds{1}, stopped);
           ++seconds)
        fmt::print(stderr, "\r\x1b[K{}, {} s", what, seconds);
      fmt::print(stderr, "\r\x1b[K");
    });
  }

 private:
  std::jthread thread_;
};

}  // namespace

void note(const std::string& text) { fmt::print(stderr, "{}\n", text); }
void note_offline() { note("no daemon answers; this is what the ledger says"); }
void say(const std::string& text) {
  if (g_answering.in_json && !g_answering.put_object)
    g_answering.said.push_back(text);
  else
    note(text);
}
void put(const std::string& text) { fmt::print("{}", text); }
void put(const json::object& object) {
  g_answering.put_object = true;
  fmt::print("{}\n", json::serialize(object));
}

void answer_in_json() { g_answering.in_json = true; }

Exit finish(Exit exit) {
  const std::vector<std::string> said = std::exchange(g_answering.said, {});
  if (exit == Exit::Ok || g_answering.put_object || said.empty()) {
    for (const std::string& text : said) note(text);
    return exit;
  }
  json::object error{{"error", said.front()}, {"exit_code", static_cast<int>(exit)}};
  std::string advice;
  for (size_t i = 1; i < said.size(); ++i) advice += (i > 1 ? "\n" : "") + said[i];
  if (!advice.empty()) error["advice"] = advice;
  put(error);
  return exit;
}

Asked ask(const std::string& data_dir, const json::object& request, const std::string& waits_for) {
  Asked asked;
  const auto reply = [&] {
    const Waiting waiting(waits_for);
    return net::ask_daemon(data_dir + "/" + kControlSocket, json::serialize(request), kAskPatience);
  }();
  if (!reply) {
    asked.no_daemon = reply.error().nobody_listens;
    if (!asked.no_daemon) say(reply.error().reason);
    return asked;
  }
  boost::system::error_code bad;
  json::value parsed = json::parse(*reply, bad);
  if (bad || !parsed.is_object()) {
    say("the daemon's answer cannot be read");
    return asked;
  }
  const json::object& object = parsed.get_object();
  if (const json::value* error = object.if_contains("error")) {
    asked.refused = true;
    say(error->is_string() ? std::string(error->get_string()) : "the daemon refused");
    const json::value* missing = object.if_contains("not_found");
    if (missing != nullptr && missing->is_bool() && missing->get_bool())
      asked.exit = Exit::NotFound;
    return asked;
  }
  asked.answer = object;
  return asked;
}

void say_it_alone(const std::string& does) {
  say("no daemon answers, and it alone " + does + ": start it with `paygress-provider run`");
}

std::unexpected<Exit> said(const std::string& what, Exit exit) {
  say(what);
  return std::unexpected(exit);
}

Told ask_running(const std::string& data_dir, const json::object& request, const std::string& does,
                 const std::string& waits_for) {
  Asked asked = ask(data_dir, request, waits_for);
  if (asked.answer) return *std::move(asked.answer);
  if (asked.no_daemon) say_it_alone(does);
  return std::unexpected(asked.exit);
}

Told ask_or_read(const std::string& data_dir, const json::object& request,
                 const std::function<Told(const ClosedLedger&)>& read, Exit when_damaged) {
  Asked asked = ask(data_dir, request);
  if (asked.answer) return *std::move(asked.answer);
  if (!asked.no_daemon) return std::unexpected(asked.exit);
  const auto ledger = open_ledger(data_dir, when_damaged);
  if (!ledger) return std::unexpected(ledger.error());
  set_check_handler(on_contradiction);
  return read(*ledger);
}

}  // namespace paygress::daemon
