#include "shell/provider/control.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "shell/provider/ledger_export.h"
#include "shell/provider/ledger_view.h"
#include "shell/provider/story.h"
#include "shell/provider/wallet_view.h"

namespace paygress::daemon {
namespace {

namespace json = boost::json;
using Reply = net::ControlServer::Reply;

json::object error_json(const std::string& reason, bool not_found = false) {
  return {{"error", reason}, {"not_found", not_found}};
}

std::string text_of(const json::object& request, std::string_view key) {
  const json::value* value = request.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

Scan scan_of(store::Ledger& ledger) {
  return [&ledger](const journal::Visitor& visit) { return ledger.read(1, visit); };
}

// On a worker, beside no write: what is read is what is durable.
void answer_from_ledger(JournalWriter& writer, Reply reply,
                        std::function<json::object(store::Ledger&)> read) {
  const bool taken = writer.with_ledger([reply, read = std::move(read)](store::Ledger& ledger) {
    return [reply, text = json::serialize(read(ledger))] { reply(text); };
  });
  if (!taken) reply(json::serialize(error_json("the ledger is busy: try again")));
}

json::object verify(store::Ledger& ledger, const std::string& data_dir) {
  // The ledger compared itself with its mark when it was opened, and has held the lock since.
  return to_json(verify_ledger(ledger.header(), ledger.acknowledged(), usable_snapshot(data_dir),
                               scan_of(ledger)));
}

json::object show(store::Ledger& ledger, const std::string& name) {
  const auto story = tell_story(scan_of(ledger), name);
  return story ? to_json(*story) : error_json(story.error().reason, story.error().not_found);
}

json::object movements(store::Ledger& ledger) {
  const auto found = money_movements(scan_of(ledger));
  return found ? to_json(*found) : error_json(to_string(found.error()));
}

json::object history(store::Ledger& ledger) {
  const auto found = wallet_history(scan_of(ledger));
  return found ? to_json(*found) : error_json(to_string(found.error()));
}

json::object withdrawal(store::Ledger& ledger, const std::string& id) {
  const auto found = find_withdrawal(scan_of(ledger), id);
  return found ? *found : error_json(found.error().reason, found.error().not_found);
}

}  // namespace

net::ControlServer::Handler control_handler(ControlVerbs verbs) {
  return [verbs = std::move(verbs)](std::string_view line, Reply reply) {
    boost::system::error_code bad;
    const json::value parsed = json::parse(line, bad);
    if (bad || !parsed.is_object()) return reply(json::serialize(error_json("not a JSON object")));
    const json::object& request = parsed.get_object();
    const std::string verb = text_of(request, "verb");
    if (verb == "status") return reply(json::serialize(verbs.status()));
    if (verb == "drain") {
      const json::value* on = request.if_contains("on");
      const bool wanted = on == nullptr || !on->is_bool() || on->get_bool();
      verbs.drain(wanted);
      return reply(json::serialize(json::object{{"draining", wanted}}));
    }
    if (verb == "ledger-verify")
      return answer_from_ledger(
          *verbs.writer, reply,
          [dir = verbs.data_dir](store::Ledger& ledger) { return verify(ledger, dir); });
    if (verb == "ledger-export") return answer_from_ledger(*verbs.writer, reply, movements);
    if (verb == "wallet-balance") return reply(json::serialize(verbs.wallet->balance()));
    if (verb == "wallet-check") return verbs.wallet->check(std::move(reply));
    if (verb == "wallet-restore") return verbs.wallet->restore(std::move(reply));
    if (verb == "ledger-release") {
      const json::value* force = request.if_contains("force");
      return verbs.wallet->release(force != nullptr && force->is_bool() && force->get_bool(),
                                   std::move(reply));
    }
    if (verb == "wallet-send") return verbs.wallet->send(request, std::move(reply));
    if (verb == "wallet-pay") return verbs.wallet->pay(request, std::move(reply));
    if (verb == "wallet-history") return answer_from_ledger(*verbs.writer, reply, history);
    if (verb == "wallet-token")
      return answer_from_ledger(
          *verbs.writer, reply,
          [id = text_of(request, "id")](store::Ledger& ledger) { return withdrawal(ledger, id); });
    if (verb == "ledger-show")
      return answer_from_ledger(
          *verbs.writer, reply,
          [name = text_of(request, "lease")](store::Ledger& ledger) { return show(ledger, name); });
    reply(json::serialize(error_json("no such verb")));
  };
}

}  // namespace paygress::daemon
