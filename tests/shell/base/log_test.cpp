#include "shell/base/log.h"

#include <gtest/gtest.h>

namespace paygress::shell {
namespace {

constexpr std::string_view kTime = "2026-01-02T03:04:05.006Z";

std::string json_line(std::string_view text, std::initializer_list<Field> fields = {}) {
  return format_log_line(LogFormat::Json, kTime, Level::Warn, "relay", text, fields);
}

TEST(Log, WritesTextForPeople) {
  EXPECT_EQ(format_log_line(LogFormat::Text, kTime, Level::Info, "relay", "connected",
                            {{"url", "wss://r"}}),
            "2026-01-02T03:04:05.006Z info  relay: connected url=wss://r");
}

TEST(Log, WritesJsonForMachines) {
  EXPECT_EQ(json_line("lost", {{"url", "wss://r"}}),
            R"({"ts":"2026-01-02T03:04:05.006Z","level":"warn","component":"relay",)"
            R"("msg":"lost","url":"wss://r"})");
}

TEST(Log, APeersTextCannotForgeALine) {
  const std::string evil = "x\n{\"level\":\"info\"}\x1b[2J\"\\\x7f\xff";
  for (const auto format : {LogFormat::Text, LogFormat::Json}) {
    const std::string line = format_log_line(format, kTime, Level::Info, "c", evil, {{"k", evil}});
    for (char c : line) {
      EXPECT_GE(static_cast<unsigned char>(c), 0x20);
      EXPECT_NE(c, '\x7f');
    }
  }
  EXPECT_NE(json_line("quote \" slash \\ line \n").find(R"("quote \" slash \\ line \u000a")"),
            std::string::npos);
}

TEST(Log, CutsALongText) {
  const std::string line = json_line(std::string(kLogLineBytesMax + 1, 'x'));
  EXPECT_LT(line.size(), kLogLineBytesMax + 200);
  EXPECT_NE(line.find("[cut]"), std::string::npos);
}

TEST(Log, ASecretIsNotFormatted) {
  const Secret secret("hunter2");
  EXPECT_EQ(json_line(fmt::format("key {}", secret)).find("hunter2"), std::string::npos);
}

TEST(Log, LevelsBelowTheLeastAreOff) {
  configure_log(LogFormat::Json, Level::Warn);
  EXPECT_FALSE(log_enabled(Level::Info));
  EXPECT_TRUE(log_enabled(Level::Warn));
  configure_log(LogFormat::Auto, Level::Info);
  EXPECT_TRUE(log_enabled(Level::Info));
}

}  // namespace
}  // namespace paygress::shell
