#include "sim/tools/shrink.h"

#include <algorithm>
#include <chrono>

namespace paygress::sim {
namespace {

using Lines = std::vector<std::string>;
using Clock = std::chrono::steady_clock;

Lines lines_of(const std::string& text) {
  Lines lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, std::min(end, text.find('#', at)) - at);
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) lines.push_back(std::move(line));
    at = end + 1;
  }
  return lines;
}

std::string text_of(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string line_of(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

// The parts of a value that is a list.
std::vector<std::string> listed(const std::string& value) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= value.size();) {
    const size_t end = std::min(value.find(',', at), value.size());
    parts.push_back(value.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

bool names(const std::string& line, const std::string& node) {
  for (const std::string& word : words_of(line)) {
    const size_t equals = word.find('=');
    const std::string value = equals == word.npos ? word : word.substr(equals + 1);
    const std::vector<std::string> parts = listed(value);
    if (std::ranges::find(parts, node) != parts.end()) return true;
  }
  return false;
}

// Simpler values for one of a line: rounder, then smaller.
std::vector<std::string> simpler(const std::string& value) {
  std::vector<std::string> out;
  if (const auto time = parse_time(value)) {
    const int64_t second = 1'000'000;
    for (int64_t step : {600 * second, 60 * second, 10 * second, second})
      if (time->value > step)
        out.push_back(to_text(Micros{(time->value + step - 1) / step * step}));
    if (time->value > second) out.push_back(to_text(Micros{second}));
    if (time->value > 2 * second) out.push_back(to_text(Micros{time->value / 2 / second * second}));
  } else if (!value.empty() &&
             std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
    if (value != "0") out.push_back("0");
    if (value.size() > 1 || value > "1") out.push_back("1");
    if (value.size() > 1) out.push_back(value.substr(0, 1) + std::string(value.size() - 1, '0'));
  } else if (const auto parts = listed(value); parts.size() > 1) {
    for (size_t left_out = 0; left_out < parts.size(); ++left_out) {
      std::string shorter;
      for (size_t i = 0; i < parts.size(); ++i)
        if (i != left_out) shorter += (shorter.empty() ? "" : ",") + parts[i];
      out.push_back(std::move(shorter));
    }
  }
  std::erase(out, value);
  return out;
}

class Shrinker {
 public:
  Shrinker(const Family& family, Lines lines, std::string rule, bool fair, double seconds)
      : family_(family),
        lines_(std::move(lines)),
        rule_(std::move(rule)),
        fair_(fair),
        end_(Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000))) {}

  Shrunk run() {
    Shrunk out;
    out.lines_before = lines_.size();
    size_t before = 0;
    do {
      before = size();
      remove_kind([](const std::string& first) { return first == "fault"; });
      remove_kind([](const std::string& first) { return first != "scenario" && first != "fault"; });
      remove_nodes();
      simplify();
    } while (size() < before && !late());
    out.text = text_of(lines_);
    out.rule = rule_;
    out.runs = runs_;
    out.lines_after = lines_.size();
    return out;
  }

 private:
  bool late() const { return Clock::now() >= end_; }
  size_t size() const { return text_of(lines_).size(); }

  bool take(Lines candidate) {
    if (late()) return false;
    const std::string text = text_of(candidate);
    if (fair_ && !family_.unfair(text).empty()) return false;
    ++runs_;
    const auto result = family_.run(text, nullptr);
    if (!result || result->violations.empty() || result->violations.front().rule != rule_)
      return false;
    lines_ = std::move(candidate);
    return true;
  }

  // ddmin: ever smaller parts of these lines are left out.
  template <class Wanted>
  void remove_kind(Wanted&& wanted) {
    for (size_t part = lines_.size(); part > 0; part /= 2) {
      for (size_t from = 0; !late();) {
        std::vector<size_t> these;
        for (size_t i = 0; i < lines_.size(); ++i)
          if (wanted(words_of(lines_[i]).front())) these.push_back(i);
        if (from >= these.size()) break;
        const size_t to = std::min(from + part, these.size());
        Lines candidate;
        for (size_t i = 0; i < lines_.size(); ++i)
          if (!std::binary_search(these.begin() + static_cast<ptrdiff_t>(from),
                                  these.begin() + static_cast<ptrdiff_t>(to), i))
            candidate.push_back(lines_[i]);
        if (!take(std::move(candidate))) from = to;
      }
    }
  }

  // A node goes with every line that names it.
  void remove_nodes() {
    for (size_t i = lines_.size(); i-- > 0 && !late();) {
      if (i >= lines_.size()) continue;
      const std::string node = words_of(lines_[i]).front();
      if (node.find('-') == node.npos) continue;
      Lines candidate;
      for (const std::string& line : lines_)
        if (!names(line, node)) candidate.push_back(line);
      take(std::move(candidate));
    }
  }

  void simplify() {
    for (size_t i = 0; i < lines_.size(); ++i) {
      const bool header = i == 0;
      for (size_t w = words_of(lines_[i]).size(); w-- > 0 && !late();) {
        const std::vector<std::string> words = words_of(lines_[i]);
        const size_t equals = words[w].find('=');
        if (equals == words[w].npos) continue;
        const std::string key = words[w].substr(0, equals);
        // With another seed it is another history, and with less time to settle an unfair one.
        if (header && (key == "seed" || key == "plant" || key == "off" || key == "settle"))
          continue;
        std::vector<std::string> without = words;
        without.erase(without.begin() + static_cast<ptrdiff_t>(w));
        if (replace_line(i, line_of(without))) continue;
        for (const std::string& value : simpler(words[w].substr(equals + 1))) {
          std::vector<std::string> with = words;
          with[w] = key + "=" + value;
          if (replace_line(i, line_of(with))) break;
        }
      }
    }
  }

  bool replace_line(size_t i, std::string line) {
    Lines candidate = lines_;
    candidate[i] = std::move(line);
    return take(std::move(candidate));
  }

  const Family& family_;
  Lines lines_;
  std::string rule_;
  bool fair_;
  Clock::time_point end_;
  uint64_t runs_ = 0;
};

}  // namespace

Result<Shrunk> shrink(const Family& family, const std::string& text, double seconds_max) {
  const Lines lines = lines_of(text);
  const auto first = family.run(text_of(lines), nullptr);
  if (!first) return std::unexpected(first.error());
  if (first->violations.empty()) return fail("nothing is violated; there is nothing to shrink");
  const bool fair = family.unfair(text).empty();
  return Shrinker(family, lines, first->violations.front().rule, fair, seconds_max).run();
}

}  // namespace paygress::sim
