// Logging to stderr: text for a terminal, one JSON object a line otherwise. Thread-safe.
//
//   Logger log{"relay"};
//   log.info("connected to {}", url);
//
// Secrets are of type Secret and print as "[redacted]". Control characters are escaped, so that
// what a peer sent cannot forge a line.
#pragma once

#include <fmt/core.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "shell/base/secret.h"

namespace paygress::shell {

enum class Level : uint8_t { Debug, Info, Warn, Error };
enum class LogFormat : uint8_t { Auto, Text, Json };  // Auto: text when stderr is a terminal

constexpr size_t kLogLineBytesMax = 16 * 1024;  // longer texts are cut and say so

// Call before the first line; the default is Info and Auto.
void configure_log(LogFormat format, Level least);

struct Field {
  std::string_view key;
  std::string value;
};

// What the functions below end in. In JSON: ts, level, component, msg, then the fields.
void write_log(Level level, std::string_view component, std::string_view text,
               std::initializer_list<Field> fields = {});
bool log_enabled(Level level);

// The line as it would be written (without the time of day being read): for tests.
std::string format_log_line(LogFormat format, std::string_view timestamp, Level level,
                            std::string_view component, std::string_view text,
                            std::initializer_list<Field> fields);

class Logger {
 public:
  explicit Logger(std::string component) : component_(std::move(component)) {}

  template <class... Args>
  void debug(fmt::format_string<Args...> text, Args&&... args) const {
    say(Level::Debug, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) const {
    say(Level::Info, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> text, Args&&... args) const {
    say(Level::Warn, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void error(fmt::format_string<Args...> text, Args&&... args) const {
    say(Level::Error, text, std::forward<Args>(args)...);
  }

 private:
  template <class... Args>
  void say(Level level, fmt::format_string<Args...> text, Args&&... args) const {
    if (log_enabled(level))
      write_log(level, component_, fmt::format(text, std::forward<Args>(args)...));
  }
  std::string component_;
};

}  // namespace paygress::shell
