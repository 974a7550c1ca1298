#include "shell/base/usage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <vector>

#include "core/base/nearest.h"

namespace paygress::shell {
namespace {

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

Usage usage_of(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& verb = reached(app);
  const std::string help = "`" + path_of(verb) + " --help` says how it is used.";
  const auto verbs = verbs_of(verb);
  const std::string all = fmt::format("Verbs of `{}`: {}.", path_of(verb), fmt::join(verbs, ", "));
  const auto is_option = [](const std::string& word) { return word.starts_with('-'); };
  const auto unknown = app.remaining(true);
  const auto word = std::ranges::find_if_not(unknown, is_option);
  if (!verbs.empty() && word != unknown.end())
    return {fmt::format("there is no verb \"{}\"", *word), meant(*word, verbs) + all};
  if (const auto option = std::ranges::find_if(unknown, is_option); option != unknown.end())
    return {fmt::format("there is no option \"{}\"", *option),
            meant(*option, options_of(verb)) + help};
  if (!verbs.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
    return {"a verb is needed", all};
  if (word != unknown.end()) return {fmt::format("\"{}\" is one word too many", *word), help};
  return {error.what(), help};
}

}  // namespace paygress::shell
