#include "shell/client/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>

#include "shell/base/usage.h"
#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

std::string problem_of(std::string& text, uint64_t max) {
  const bool digits =
      !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return "must be a whole number, greater than 0";
  text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value > max) return fmt::format("must not be greater than {}", max);
  return value == 0 ? "must be greater than 0" : "";
}

}  // namespace

CLI::Validator number_up_to(uint64_t max) {
  return CLI::Validator([max](std::string& text) { return problem_of(text, max); }, "");
}

void refuse_empty_values(CLI::App& app) {
  const CLI::Validator not_empty(
      [](std::string& text) { return std::string(text.empty() ? "must not be empty" : ""); }, "");
  for (CLI::Option* option : app.get_options())
    if (option->get_items_expected_max() > 0) option->check(not_empty);
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; }))
    refuse_empty_values(*verb);
}

int parse_and_run(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // for the help or the version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    // The flag itself is not read when the line is wrong.
    const std::span<const char* const> words(argv, static_cast<size_t>(argc));
    const bool json = std::ranges::find(words, std::string_view("--json")) != words.end();
    const shell::Usage usage = shell::usage_of(app, error);
    return report({ExitCode::Usage, usage.problem, usage.advice}, json);
  }
  return 0;
}

}  // namespace paygress::client
