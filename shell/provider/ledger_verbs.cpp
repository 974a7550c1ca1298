#include "shell/provider/ledger_verbs.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "core/market/time_text.h"
#include "shell/base/clock.h"
#include "shell/provider/asking.h"
#include "shell/provider/ledger_export.h"
#include "shell/provider/setup.h"
#include "shell/provider/status.h"
#include "shell/provider/story.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

std::expected<json::object, Exit> folded_status(const std::string& data_dir) {
  auto ledger = open_ledger(data_dir, Exit::Failed);
  if (!ledger) return std::unexpected(ledger.error());
  end_on_contradiction();
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
        "refunded, {} withdrawn, {} in the wallet\n",
        line.at("mint").get_string().c_str(), line.at("unit").get_string().c_str(),
        n("redeemed_msat"), n("consumed_msat"), n("open_msat"), n("claims_msat"), n("kept_msat"),
        n("refunded_msat"), n("withdrawn_msat"), n("wallet_msat"));
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
  end_on_contradiction();
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
  end_on_contradiction();
  const auto found = money_movements(ledger->scan);
  if (found) return report(to_json(*found));
  say(to_string(found.error()));
  return Exit::Failed;
}

}  // namespace paygress::daemon
