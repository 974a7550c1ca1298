#include "shell/client/terminal.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <string>

namespace paygress::client {
namespace {

constexpr size_t kInputBytesMax = size_t{1} << 20;
bool progress_shown = false;

// Characters, not bytes: a name may hold any UTF-8.
size_t width_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

void progress(std::string_view text) {
  if (isatty(STDERR_FILENO) == 0) return;
  fmt::print(stderr, "\r\033[K{}", printable(text));
  std::fflush(stderr);
  progress_shown = true;
}

void end_progress() {
  if (!progress_shown) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  progress_shown = false;
}

void note(std::string_view text) {
  end_progress();
  fmt::print(stderr, "{}\n", text);
}

int report(const Failure& failure, bool json) {
  end_progress();
  if (json) {
    boost::json::object out{{"error", printable(failure.message)},
                            {"exit_code", static_cast<int>(failure.code)}};
    if (!failure.advice.empty()) out["advice"] = printable(failure.advice);
    print_json(out);
  } else {
    fmt::print(stderr, "paygress: {}\n", printable(failure.message));
    if (!failure.advice.empty()) fmt::print(stderr, "  {}\n", printable(failure.advice));
  }
  return static_cast<int>(failure.code);
}

void print_line(std::string_view text) {
  end_progress();
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

void print_json(const boost::json::value& value) { print_line(boost::json::serialize(value)); }

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(printable(row[i])));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string cell = printable(row[i]);
      line += cell;
      if (i + 1 < row.size()) line += std::string(widths[i] - width_of(cell) + 2, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  end_progress();
  fmt::print("{}", table_text(rows));
  std::fflush(stdout);
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

Outcome<std::string> read_stdin() {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0) return failure(ExitCode::Usage, "stdin cannot be read");
    if (n == 0) break;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > kInputBytesMax) return failure(ExitCode::Usage, "stdin: too much text");
  }
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return failure(ExitCode::Usage, "stdin: nothing was given");
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

}  // namespace paygress::client
