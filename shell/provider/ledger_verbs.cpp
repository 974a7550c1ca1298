#include "shell/provider/ledger_verbs.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "core/base/check.h"
#include "core/market/time_text.h"
#include "shell/base/clock.h"
#include "shell/base/file.h"
#include "shell/net/control_socket.h"
#include "shell/provider/ledger_export.h"
#include "shell/provider/ledger_view.h"
#include "shell/provider/setup.h"
#include "shell/provider/status.h"
#include "shell/provider/story.h"
#include "shell/store/sqlite_journal.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

constexpr Micros kAskPatience = micros(Seconds{60});  // verifying a long ledger takes its time

void say(const std::string& text) { fmt::print(stderr, "{}\n", text); }
void put(const std::string& text) { fmt::print("{}", text); }
void put(const json::object& object) { fmt::print("{}\n", json::serialize(object)); }

// The daemon's answer; nothing when there is no daemon; else the failure was said.
struct Asked {
  std::optional<json::object> answer;
  bool no_daemon = false;
  Exit exit = Exit::Failed;
};

Asked ask(const std::string& data_dir, const json::object& request) {
  Asked asked;
  const auto reply = net::ask_daemon(data_dir + "/" + kControlSocket, json::serialize(request),
                                     kAskPatience);
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
    say(error->is_string() ? std::string(error->get_string()) : "the daemon refused");
    const json::value* missing = object.if_contains("not_found");
    if (missing != nullptr && missing->is_bool() && missing->get_bool())
      asked.exit = Exit::NotFound;
    return asked;
  }
  asked.answer = object;
  return asked;
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// Says what is wrong.
std::expected<ClosedLedger, Exit> open_ledger(const std::string& data_dir, Exit when_damaged) {
  if (!exists(data_dir + "/" + store::kLedgerFile)) {
    const bool lost = exists(data_dir + "/" + store::kMarkFile);
    say(lost ? data_dir + ": the ledger is gone, but its high-water mark is there: put back your "
                          "last backup"
             : data_dir + ": there is no ledger");
    return std::unexpected(lost ? when_damaged : Exit::NotFound);
  }
  auto ledger = open_closed_ledger(data_dir);
  if (!ledger) {
    say(to_string(ledger.error()));
    return std::unexpected(when_damaged);
  }
  return *std::move(ledger);
}

void on_contradiction(const char* expression, const char*, int) {
  say(fmt::format("DAMAGED: a record contradicts the earlier ones ({})", expression));
  std::fflush(nullptr);
  _exit(static_cast<int>(Exit::Findings));
}

std::expected<json::object, Exit> folded_status(const std::string& data_dir) {
  auto ledger = open_ledger(data_dir, Exit::Failed);
  if (!ledger) return std::unexpected(ledger.error());
  set_check_handler(on_contradiction);
  Books books;
  const auto read = each_record(
      ledger->scan, [&](uint64_t, const provider::Record& record) { books.fold(record); });
  if (!read) {
    say(to_string(read.error()));
    return std::unexpected(Exit::Failed);
  }
  const Now now = shell::now();
  books.settle({machine_boot().value_or(lease::BootId{}), now.mono, now.wall});
  json::object out{{"running", false}, {"ready", false}, {"data_dir", data_dir}};
  if (books.installed()) out["provider"] = books.installed()->provider.hex();
  for (auto& [key, value] : state_json(view_of(books), now)) out[key] = std::move(value);
  return out;
}

std::expected<json::object, Exit> status_of(const std::string& data_dir) {
  Asked asked = ask(data_dir, {{"verb", "status"}});
  if (asked.answer) return *std::move(asked.answer);
  if (!asked.no_daemon) return std::unexpected(asked.exit);
  say("no daemon answers; this is what the ledger says");
  return folded_status(data_dir);
}

std::string verification_text(const json::object& found) {
  std::string out = fmt::format("{} batches, {} records\n", json::serialize(found.at("batches")),
                                json::serialize(found.at("records")));
  for (const json::value& entry : found.at("money").get_array()) {
    const json::object& line = entry.get_object();
    const auto n = [&](const char* key) { return json::serialize(line.at(key)); };
    out += fmt::format(
        "{} {}: {} msat redeemed = {} consumed + {} on leases + {} owed + {} kept; {} "
        "refunded, {} in the wallet\n",
        line.at("mint").get_string().c_str(), line.at("unit").get_string().c_str(),
        n("redeemed_msat"), n("consumed_msat"), n("open_msat"), n("claims_msat"), n("kept_msat"),
        n("refunded_msat"), n("wallet_msat"));
  }
  for (const json::value& problem : found.at("problems").get_array())
    out += fmt::format("DAMAGED: {}\n", problem.get_string().c_str());
  if (found.at("sound").get_bool())
    out += "sound: the chain is whole and every msat is accounted for\n";
  return out;
}

Exit report_verification(const json::object& found, bool as_json) {
  if (as_json)
    put(found);
  else
    put(verification_text(found));
  return found.at("sound").get_bool() ? Exit::Ok : Exit::Findings;
}

Exit report_story(const json::object& story, bool as_json) {
  if (as_json) return put(story), Exit::Ok;
  put(fmt::format("lease {}\n", story.at("lease").get_string().c_str()));
  for (const json::value& entry : story.at("story").get_array()) {
    const auto at = market::parse_rfc3339(entry.at("at").get_string());
    put(fmt::format("{}  {}\n", at ? market::to_human_time(*at) : "",
                    entry.at("text").get_string().c_str()));
  }
  return Exit::Ok;
}

}  // namespace

Exit verb_status(const std::string& data_dir, bool as_json) {
  const auto status = status_of(data_dir);
  if (!status) return status.error();
  if (as_json)
    put(*status);
  else
    put(status_text(*status));
  return Exit::Ok;
}

Exit verb_leases(const std::string& data_dir, bool all, bool as_json) {
  auto status = status_of(data_dir);
  if (!status) return status.error();
  if (!as_json) return put(leases_text(*status, all)), Exit::Ok;
  json::array leases;
  for (json::value& lease : status->at("leases").get_array())
    if (all || lease.at("open").get_bool()) leases.push_back(std::move(lease));
  put(json::object{{"leases", std::move(leases)}});
  return Exit::Ok;
}

Exit verb_drain(const std::string& data_dir, bool on, bool as_json) {
  const Asked asked = ask(data_dir, {{"verb", "drain"}, {"on", on}});
  if (asked.no_daemon) say("no daemon answers: there is nothing to drain");
  if (!asked.answer) return asked.exit;
  if (as_json)
    put(*asked.answer);
  else
    put(on ? "draining: no new leases; those there are run to their end\n"
           : "selling again\n");
  return Exit::Ok;
}

Exit verb_ledger_verify(const std::string& data_dir, bool as_json) {
  const Asked asked = ask(data_dir, {{"verb", "ledger-verify"}});
  if (asked.answer) return report_verification(*asked.answer, as_json);
  if (!asked.no_daemon) return asked.exit;
  const auto ledger = open_ledger(data_dir, Exit::Findings);
  if (!ledger) return ledger.error();
  set_check_handler(on_contradiction);
  return report_verification(
      to_json(verify_ledger(ledger->header, ledger->mark, ledger->scan)), as_json);
}

Exit verb_ledger_show(const std::string& data_dir, const std::string& lease, bool as_json) {
  const Asked asked = ask(data_dir, {{"verb", "ledger-show"}, {"lease", lease}});
  if (asked.answer) return report_story(*asked.answer, as_json);
  if (!asked.no_daemon) return asked.exit;
  const auto ledger = open_ledger(data_dir, Exit::Failed);
  if (!ledger) return ledger.error();
  const auto story = tell_story(ledger->scan, lease);
  if (story) return report_story(to_json(*story), as_json);
  say(lease + ": " + story.error().reason);
  return story.error().not_found ? Exit::NotFound : Exit::Failed;
}

Exit verb_ledger_export(const std::string& data_dir, bool as_json) {
  const auto report = [&](const json::object& found) {
    if (as_json)
      put(found);
    else
      put(to_csv(found));
    return Exit::Ok;
  };
  const Asked asked = ask(data_dir, {{"verb", "ledger-export"}});
  if (asked.answer) return report(*asked.answer);
  if (!asked.no_daemon) return asked.exit;
  const auto ledger = open_ledger(data_dir, Exit::Failed);
  if (!ledger) return ledger.error();
  set_check_handler(on_contradiction);
  const auto found = money_movements(ledger->scan);
  if (found) return report(to_json(*found));
  say(to_string(found.error()));
  return Exit::Failed;
}

}  // namespace paygress::daemon
