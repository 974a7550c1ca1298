// What the verbs of `paygress-provider` have in common: they ask the running daemon, and read the
// ledger themselves when none answers.
#pragma once

#include <boost/json/object.hpp>

#include <expected>
#include <optional>
#include <string>

#include "shell/provider/ledger_view.h"
#include "shell/provider/verbs.h"

namespace paygress::daemon {

// A message on stderr, data on stdout.
void say(const std::string& text);
void put(const std::string& text);
void put(const boost::json::object& object);

// The daemon's answer; nothing when there is no daemon; else the failure was said. Neither
// answered, refused nor without a daemon: what was asked for may have happened.
struct Asked {
  std::optional<boost::json::object> answer;
  bool no_daemon = false;
  bool refused = false;
  Exit exit = Exit::Failed;
};
Asked ask(const std::string& data_dir, const boost::json::object& request);

// Of a daemon that does not run. Says what is wrong.
std::expected<ClosedLedger, Exit> open_ledger(const std::string& data_dir, Exit when_damaged);
// From here on a record that contradicts the earlier ones ends the process: Exit::Findings.
void end_on_contradiction();

}  // namespace paygress::daemon
