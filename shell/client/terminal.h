// What the verbs print. Data goes to stdout; progress goes to stderr, and only to a terminal.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "shell/client/failure.h"

namespace paygress::client {

// One line of progress, replaced by the next; nothing unless stderr is a terminal.
void progress(std::string_view text);
void end_progress();
// A message for a person, on stderr.
void note(std::string_view text);
// The failure on stderr, or as {"error": ...} on stdout with --json. Returns the exit code.
int report(const Failure& failure, bool json);

void print_line(std::string_view text);
void print_json(const boost::json::value& value);
// Columns as wide as their widest cell, the last one open. Control characters become '?'.
void print_table(const std::vector<std::vector<std::string>>& rows);
std::string table_text(const std::vector<std::vector<std::string>>& rows);

// What a peer wrote, safe for a terminal: control characters become '?'.
std::string printable(std::string_view text);

// A line or more from stdin, surrounding white space removed; at most 1 MiB.
Outcome<std::string> read_stdin();

}  // namespace paygress::client
