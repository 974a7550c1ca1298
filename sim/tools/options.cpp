#include "sim/tools/options.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

#include "sim/world/money_rules.h"

namespace paygress::sim {
namespace {

constexpr size_t kJobsMax = 256;

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string planted_names() {
  std::string names;
  for (const PlantedBug& bug : kPlantedBugs)
    names += (names.empty() ? " " : ", ") + std::string(bug.name);
  std::ranges::replace(names, '_', '-');
  return names;
}

Result<void> set(Options& options, const std::string& name, const std::string& value) {
  if (name == "--out") {
    options.out = value;
    return {};
  }
  if (name == "--off") {
    const auto rules = money_rules();
    if (std::ranges::none_of(rules, [&](const MoneyRule& r) { return r.name == value; }))
      return fail("there is no rule '" + value + "'; paygress-sim rules money shows them");
    options.off = value;
    return {};
  }
  if (name == "--tier") {
    if (value != "fast" && value != "real") return fail("--tier takes fast or real");
    options.tier = value == "real" ? Tier::Real : Tier::Fast;
    return {};
  }
  if (name == "--plant") {
    const auto bug = bug_named(value);
    if (!bug) return fail("there is no planted bug '" + value + "'; there are" + planted_names());
    if (!kPlantsCompiledIn)
      return fail("this program holds no planted bugs; ./dev build plant makes one that does");
    options.plant = *bug;
    return {};
  }
  const size_t dots = name == "--seeds" ? value.find("..") : value.npos;
  const auto first = number(value.substr(0, dots));
  const auto last = dots == value.npos ? first : number(value.substr(dots + 2));
  if (!first || !last || *last < *first)
    return fail(name + (name == "--seeds" ? " takes a whole number, or two as A..B"
                                          : " takes a whole number"));
  if (name == "--jobs") {
    if (*first == 0 || *first > kJobsMax)
      return fail("--jobs takes 1 to " + std::to_string(kJobsMax));
    options.jobs = *first;
  } else if (name == "--seconds") {
    options.seconds = static_cast<double>(*first);
  } else {
    options.seeds = {*first, *last};
  }
  return {};
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& words) {
  static const std::vector<std::string> with_value = {"--seed", "--seeds", "--tier",    "--plant",
                                                      "--off",  "--jobs",  "--seconds", "--out"};
  Options options;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    std::optional<std::string> value;
    if (word.starts_with("--") && word.find('=') != word.npos) {
      value = word.substr(word.find('=') + 1);
      word.resize(word.find('='));
    }
    if (word == "--help" || word == "-h")
      options.help = true;
    else if (word == "--json")
      options.json = true;
    else if (word == "--no-shrink")
      options.shrink = false;
    else if (std::ranges::find(with_value, word) != with_value.end()) {
      if (!value && i + 1 == words.size()) return fail(word + " needs a value");
      if (!value) value = words[++i];
      if (auto ok = set(options, word, *value); !ok) return std::unexpected(ok.error());
    } else if (word.starts_with("-")) {
      return fail("there is no option '" + word + "'");
    } else {
      options.positional.push_back(word);
    }
  }
  return options;
}

std::optional<Bug> bug_named(std::string name) {
  std::ranges::replace(name, '-', '_');
  for (const PlantedBug& bug : kPlantedBugs)
    if (bug.name == name) return bug.bug;
  return std::nullopt;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail("cannot read it", path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) return fail("cannot write it", path);
  return {};
}

}  // namespace paygress::sim
