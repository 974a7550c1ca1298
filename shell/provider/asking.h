// What the verbs of `paygress-provider` have in common: they ask the running daemon, and read the
// ledger themselves when none answers.
#pragma once

#include <boost/json/object.hpp>

#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "shell/provider/ledger_view.h"
#include "shell/provider/verbs.h"

namespace paygress::daemon {

// A message on stderr, data on stdout.
void say(const std::string& text);
void put(const std::string& text);
void put(const boost::json::object& object);
// A message that is no part of what went wrong, should something.
void note(const std::string& text);
void note_offline();

// From now on, and for what fails before there is data: {"error": the first thing that was said,
// "exit_code", "advice": the rest} on stdout in place of the messages on stderr.
void answer_in_json();
// The last call of a verb, before the process ends with `exit`.
Exit finish(Exit exit);

// The daemon's answer; nothing when there is no daemon; else the failure was said. Neither
// answered, refused nor without a daemon: what was asked for may have happened.
struct Asked {
  std::optional<boost::json::object> answer;
  bool no_daemon = false;
  bool refused = false;
  Exit exit = Exit::Failed;
};
// `waits_for`: what takes its time, for a person at a terminal.
Asked ask(const std::string& data_dir, const boost::json::object& request,
          const std::string& waits_for = {});

// An object, or that what is wrong was said, and how to exit.
using Told = std::expected<boost::json::object, Exit>;
// No daemon runs, which would have to: "may spend".
void say_it_alone(const std::string& does);
std::unexpected<Exit> said(const std::string& what, Exit exit = Exit::Failed);
// The daemon's answer to what it alone does: "may spend".
Told ask_running(const std::string& data_dir, const boost::json::object& request,
                 const std::string& does, const std::string& waits_for = {});
// The daemon's answer; where none runs, what `read` finds in the ledger. There a record that
// contradicts the earlier ones ends the process with Exit::Findings.
Told ask_or_read(const std::string& data_dir, const boost::json::object& request,
                 const std::function<Told(const ClosedLedger&)>& read,
                 Exit when_damaged = Exit::Failed);

}  // namespace paygress::daemon
