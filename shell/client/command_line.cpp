#include "shell/client/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>

#include "core/base/nearest.h"
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

// The verb that was reached: its help says what it takes.
const CLI::App& reached(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return verbs.empty() ? app : reached(*verbs.front());
}

std::string path_of(const CLI::App& app) {
  return (app.get_parent() == nullptr ? "" : path_of(*app.get_parent()) + " ") + app.get_name();
}

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!verb->get_name().empty()) names.push_back(verb->get_name());
  return names;
}

// Of a verb, its option groups, and what holds it: options may stand anywhere after the verb.
std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  const auto add = [&](const CLI::App& from) {
    for (const CLI::Option* option : from.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  };
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    add(*at);
    for (const CLI::App* group : at->get_subcommands([](const CLI::App*) { return true; }))
      if (group->get_name().empty()) add(*group);
  }
  return names;
}

// "Did you mean X?", when one is near.
std::string meant(const std::string& word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const auto near = nearest(word, views);
  return near ? fmt::format("Did you mean {}? ", *near) : "";
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

Failure usage_failure(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& verb = reached(app);
  const std::string help = "`" + path_of(verb) + " --help` says how it is used.";
  const auto verbs = verbs_of(verb);
  const std::string all = fmt::format("Verbs of `{}`: {}.", path_of(verb), fmt::join(verbs, ", "));
  const auto is_option = [](const std::string& word) { return word.starts_with('-'); };
  const auto unknown = app.remaining(true);
  const auto word = std::ranges::find_if_not(unknown, is_option);
  if (!verbs.empty() && word != unknown.end())
    return {ExitCode::Usage, fmt::format("there is no verb \"{}\"", *word),
            meant(*word, verbs) + all};
  if (const auto option = std::ranges::find_if(unknown, is_option); option != unknown.end())
    return {ExitCode::Usage, fmt::format("there is no option \"{}\"", *option),
            meant(*option, options_of(verb)) + help};
  if (!verbs.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
    return {ExitCode::Usage, "a verb is needed", all};
  if (word != unknown.end())
    return {ExitCode::Usage, fmt::format("\"{}\" is one word too many", *word), help};
  return {ExitCode::Usage, error.what(), help};
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
    return report(usage_failure(app, error), json);
  }
  return 0;
}

}  // namespace paygress::client
