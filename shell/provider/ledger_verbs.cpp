#include "shell/provider/ledger_verbs.h"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include "core/base/codec.h"
#include "core/market/time_text.h"
#include "core/nostr/nip19.h"
#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "shell/provider/asking.h"
#include "shell/provider/ledger_export.h"
#include "shell/provider/setup.h"
#include "shell/provider/status.h"
#include "shell/provider/story.h"
#include "shell/provider/wallet_view.h"
#include "shell/store/high_water.h"
#include "shell/store/sqlite_journal.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;

Told folded_status(const std::string& data_dir, const ClosedLedger& ledger) {
  note_offline();
  Books books;
  const auto read = each_record(
      ledger.scan, [&](uint64_t, const provider::Record& record) { books.fold(record); });
  if (!read) return said(to_string(read.error()));
  const Now now = shell::now();
  books.settle({machine_boot().value_or(lease::BootId{}), now.mono, now.wall});
  json::object out = unknown_status();
  out["data_dir"] = data_dir;
  if (books.installed()) {
    out["provider"] = books.installed()->provider.hex();
    out["npub"] = nostr::to_npub(books.installed()->provider);
  }
  for (auto& [key, value] : state_json(view_of(books), now)) out[key] = std::move(value);
  return out;
}

Told status_of(const std::string& data_dir) {
  return ask_or_read(data_dir, {{"verb", "status"}},
                     [&](const ClosedLedger& ledger) { return folded_status(data_dir, ledger); });
}

std::string verification_text(const json::object& found) {
  std::string out = fmt::format("{} batches, {} records\n", json::serialize(found.at("batches")),
                                json::serialize(found.at("records")));
  for (const json::value& entry : found.at("money").get_array()) {
    const json::object& line = entry.get_object();
    const auto n = [&](const char* key) { return sat_text(line.at(key)); };
    out += fmt::format(
        "{} ({}), in sat, since the ledger began:\n"
        "  redeemed     {} = {} consumed + {} on leases now + {} unused + {} kept\n"
        "  refunded     {} of the {} unused; the rest was the mint's fees, or is owed still\n"
        "  withdrawn    {}, found by the seed {}, lost {}\n"
        "  wallet now   {}\n",
        line.at("mint").get_string().c_str(), line.at("unit").get_string().c_str(),
        n("redeemed_msat"), n("consumed_msat"), n("open_msat"), n("claims_msat"), n("kept_msat"),
        n("refunded_msat"), n("claims_msat"), n("withdrawn_msat"), n("restored_msat"),
        n("lost_msat"), n("wallet_msat"));
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

std::string intention(const std::string& data_dir, uint64_t marked) {
  return fmt::format(
      "{}: the mark says batch {}. With --yes what is there of the ledger is taken "
      "up, and {} if there is none. From then on what was done after its last batch "
      "is not known: `paygress-provider run` searches the mints, sells and pays "
      "nothing, and waits for `ledger release`. Keep a copy of the directory first; "
      "if there is a newer copy of the ledger, take that.",
      data_dir, marked, marked > 0 ? "one is made in its place" : "a new one is made");
}

// That the ledger misses its end is durable, and the mark moved, when this returns.
Result<provider::RecoveryBegan> take_up(const std::string& data_dir, uint64_t marked) {
  store::LedgerOptions options;
  options.directory = data_dir;
  options.take_up = true;
  shell::OsEntropy entropy;
  const auto ledger = store::Ledger::open(options, entropy, {});
  if (!ledger) return std::unexpected(ledger.error());
  const provider::RecoveryBegan began{(*ledger)->acknowledged().sequence, marked,
                                      shell::now().wall};
  const auto appended =
      (*ledger)->append({encode_bytes(provider::Record(provider::OwnRecord(began)))});
  if (!appended) return std::unexpected(appended.error());
  if (const auto written = (*ledger)->commit(); !written) return std::unexpected(written.error());
  if (const auto problem = (*ledger)->mark_problem()) return std::unexpected(*problem);
  return began;
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
    put(on ? "draining: no new leases; those there are run to their end\n" : "selling again\n");
  return Exit::Ok;
}

Exit verb_ledger_verify(const std::string& data_dir, bool as_json) {
  const Told found = ask_or_read(
      data_dir, {{"verb", "ledger-verify"}},
      [](const ClosedLedger& ledger) -> Told {
        return to_json(verify_ledger(ledger.header, ledger.mark, ledger.snapshot, ledger.scan));
      },
      Exit::Findings);
  return found ? report_verification(*found, as_json) : found.error();
}

Exit verb_ledger_show(const std::string& data_dir, const std::string& lease, bool as_json) {
  if (lease.empty())
    return say("name a lease: the begin of its id, its pod or its workload id"), Exit::Usage;
  const auto read = [&](const ClosedLedger& ledger) -> Told {
    const auto story = tell_story(ledger.scan, lease);
    if (story) return to_json(*story);
    return said(lease + ": " + story.error().reason,
                story.error().not_found ? Exit::NotFound : Exit::Failed);
  };
  const Told story = ask_or_read(data_dir, {{"verb", "ledger-show"}, {"lease", lease}}, read);
  return story ? report_story(*story, as_json) : story.error();
}

Exit verb_ledger_export(const std::string& data_dir, bool as_json) {
  const auto read = [](const ClosedLedger& ledger) -> Told {
    const auto found = money_movements(ledger.scan);
    if (found) return to_json(*found);
    return said(to_string(found.error()));
  };
  const Told found = ask_or_read(data_dir, {{"verb", "ledger-export"}}, read);
  if (!found) return found.error();
  if (as_json)
    put(*found);
  else
    put(to_csv(*found));
  return Exit::Ok;
}

Exit verb_ledger_recover(const std::string& data_dir, bool yes, bool as_json) {
  const auto mark = store::read_any_high_water(data_dir + "/" + store::kMarkFile);
  const uint64_t marked = mark && *mark ? (*mark)->tip.sequence : 0;
  if (!yes) return say(intention(data_dir, marked)), Exit::Usage;
  const auto began = take_up(data_dir, marked);
  if (!began) return say(to_string(began.error())), Exit::Failed;
  if (as_json)
    put(json::object{{"recovering", true}, {"ended", began->ended}, {"marked", marked}});
  else
    put(
        fmt::format("the ledger is taken up at batch {}; the mark said {}\n"
                    "next: paygress-provider run, then paygress-provider ledger release\n",
                    began->ended, marked));
  return Exit::Ok;
}

Exit verb_ledger_release(const std::string& data_dir, bool force, bool as_json) {
  const Told answer =
      ask_running(data_dir, {{"verb", "ledger-release"}, {"force", force}}, "ends a recovery");
  if (!answer) return answer.error();
  const json::array& waits = answer->at("waits_for").as_array();
  if (as_json) {
    put(*answer);
  } else if (answer->at("released").as_bool()) {
    put("released: the provider works again\n");
  } else if (waits.empty()) {
    put("there is nothing to release: the ledger is not being recovered\n");
  } else {
    for (const json::value& reason : waits)
      say(fmt::format("it waits for {}", reason.as_string().c_str()));
    say("ask again later, or insist with --force: what is not found then is found by `wallet "
        "restore`");
  }
  return waits.empty() ? Exit::Ok : Exit::Failed;
}

}  // namespace paygress::daemon
