#include "sim/world/line_text.h"

namespace paygress::sim {
namespace {

constexpr Names<Way, 3> kWays{{{Way::Both, "both"}, {Way::To, "to"}, {Way::From, "from"}}};
constexpr Names<Tier, 2> kTiers{{{Tier::Fast, "fast"}, {Tier::Real, "real"}}};

}  // namespace

std::string text_of(Bug v) {
  for (const PlantedBug& bug : kPlantedBugs)
    if (bug.bug == v) return std::string(bug.name);
  return "none";
}
std::string text_of(const std::vector<NodeName>& v) {
  std::string text;
  for (NodeName node : v) text += (text.empty() ? "" : ",") + to_text(node);
  return text;
}
std::string text_of(Tier v) { return name_in(kTiers, v); }
std::string text_of(Way v) { return name_in(kWays, v); }

bool read(std::string_view text, bool& v) {
  v = text == "yes";
  return v || text == "no";
}
bool read(std::string_view text, std::string& v) {
  v = text;
  return !text.empty();
}
bool read(std::string_view text, Micros& v) {
  const auto time = parse_time(text);
  if (time) v = *time;
  return time.has_value();
}
bool read(std::string_view text, NodeName& v) {
  const auto node = parse_node(text);
  if (node) v = *node;
  return node.has_value();
}
bool read(std::string_view text, std::vector<NodeName>& v) {
  v.clear();
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    if (!read(text.substr(at, end - at), v.emplace_back())) return false;
    at = end + 1;
  }
  return true;
}
bool read(std::string_view text, Bug& v) {
  for (const PlantedBug& bug : kPlantedBugs)
    if (bug.name == text) v = bug.bug;
  return v != Bug::none;
}
bool read(std::string_view text, Tier& v) { return find_in(kTiers, text, v); }
bool read(std::string_view text, Way& v) { return find_in(kWays, text, v); }

std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace paygress::sim
