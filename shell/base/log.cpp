#include "shell/base/log.h"

#include <fmt/chrono.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <iterator>

#include "core/base/bytes.h"

namespace paygress::shell {
namespace {

constexpr std::string_view kCut = " [cut]";

struct Settings {
  std::atomic<LogFormat> format{LogFormat::Auto};
  std::atomic<Level> least{Level::Info};
};

Settings& settings() {
  static Settings instance;
  return instance;
}

// spdlog brings the sink: locking, and writing whole lines.
spdlog::logger& sink() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("paygress",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::Debug: return "debug";
    case Level::Info: return "info";
    case Level::Warn: return "warn";
    case Level::Error: return "error";
  }
  return "unknown";
}

// Escapes what could end a line, move a cursor or, with `quotes`, leave a JSON string.
std::string escaped(std::string_view text, bool quotes) {
  const bool cut = text.size() > kLogLineBytesMax;
  if (cut) text = text.substr(0, kLogLineBytesMax);
  const bool utf8 = is_utf8(text);
  std::string out;
  out.reserve(text.size() + kCut.size());
  for (char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (quotes && (c == '"' || c == '\\')) {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  if (cut) out += kCut;
  return out;
}

std::string timestamp_now() {
  const auto time = std::chrono::system_clock::now();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03d}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)), ms);
}

}  // namespace

void configure_log(LogFormat format, Level least) {
  settings().format = format;
  settings().least = least;
}

bool log_enabled(Level level) { return level >= settings().least.load(); }

std::string format_log_line(LogFormat format, std::string_view timestamp, Level level,
                            std::string_view component, std::string_view text,
                            std::initializer_list<Field> fields) {
  std::string line;
  auto out = std::back_inserter(line);
  if (format == LogFormat::Json) {
    fmt::format_to(out, R"({{"ts":"{}","level":"{}","component":"{}","msg":"{}")", timestamp,
                   name_of(level), escaped(component, true), escaped(text, true));
    for (const Field& field : fields)
      fmt::format_to(out, R"(,"{}":"{}")", escaped(field.key, true), escaped(field.value, true));
    line.push_back('}');
    return line;
  }
  fmt::format_to(out, "{} {:<5} {}: {}", timestamp, name_of(level), escaped(component, false),
                 escaped(text, false));
  for (const Field& field : fields)
    fmt::format_to(out, " {}={}", escaped(field.key, false), escaped(field.value, false));
  return line;
}

void write_log(Level level, std::string_view component, std::string_view text,
               std::initializer_list<Field> fields) {
  if (!log_enabled(level)) return;
  LogFormat format = settings().format;
  if (format == LogFormat::Auto)
    format = isatty(STDERR_FILENO) != 0 ? LogFormat::Text : LogFormat::Json;
  const std::string line = format_log_line(format, timestamp_now(), level, component, text, fields);
  sink().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace paygress::shell
