// What the texts of histories have in common (fault_plan.h, sim/members/plan_text.h): lines of
// words and key=value pairs. What a line can say stands once, in a function describe(visitor, line)
// beside its type: printing, parsing and the defaults all come from it.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/world/fault_plan.h"

namespace paygress::sim {

inline constexpr size_t kLinesMax = 100'000;
inline constexpr size_t kLineBytesMax = 1'000;

template <class N>
bool parse_number(std::string_view text, N& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

// Names of an enumeration whose values count from 0.
template <class Enum, size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;
template <class Enum, size_t N>
std::string name_in(const Names<Enum, N>& names, Enum v) {
  return std::string(names.at(static_cast<size_t>(v)).second);
}
template <class Enum, size_t N>
bool find_in(const Names<Enum, N>& names, std::string_view text, Enum& v) {
  for (const auto& [value, name] : names)
    if (name == text) return v = value, true;
  return false;
}

// --- one value ---------------------------------------------------------------------------------

inline std::string text_of(uint32_t v) { return std::to_string(v); }
inline std::string text_of(uint64_t v) { return std::to_string(v); }
inline std::string text_of(int64_t v) { return std::to_string(v); }
inline std::string text_of(bool v) { return v ? "yes" : "no"; }
inline std::string text_of(const std::string& v) { return v; }
inline std::string text_of(Micros v) { return to_text(v); }
inline std::string text_of(NodeName v) { return to_text(v); }
inline std::string text_of(const std::optional<uint32_t>& v) { return v ? std::to_string(*v) : ""; }
std::string text_of(const std::vector<NodeName>& v);  // with commas
std::string text_of(Bug v);
std::string text_of(Tier v);
std::string text_of(Way v);

inline bool read(std::string_view text, uint32_t& v) { return parse_number(text, v); }
inline bool read(std::string_view text, uint64_t& v) { return parse_number(text, v); }
inline bool read(std::string_view text, int64_t& v) { return parse_number(text, v); }
bool read(std::string_view text, bool& v);
bool read(std::string_view text, std::string& v);
bool read(std::string_view text, Micros& v);
bool read(std::string_view text, NodeName& v);
bool read(std::string_view text, std::vector<NodeName>& v);
inline bool read(std::string_view text, std::optional<uint32_t>& v) {
  return parse_number(text, v.emplace());
}
bool read(std::string_view text, Bug& v);
bool read(std::string_view text, Tier& v);
bool read(std::string_view text, Way& v);

// --- lines -------------------------------------------------------------------------------------

// Prints what differs from a default value.
template <class T>
class Printer {
 public:
  explicit Printer(T defaults) : defaults_(std::move(defaults)) { describe(*this, defaults_); }
  std::string print(T value) {
    pass_ = Pass::Print;
    position_ = 0;
    describe(*this, value);
    return std::move(out_);
  }
  template <class F>
  void operator()(std::string_view key, F& field) {
    if (pass_ == Pass::Defaults) return default_texts_.push_back(text_of(field));
    std::string text = text_of(field);
    if (text != default_texts_.at(position_++)) out_ += " " + std::string(key) + "=" + text;
  }

 private:
  enum class Pass : uint8_t { Defaults, Print };
  T defaults_;
  Pass pass_ = Pass::Defaults;
  std::vector<std::string> default_texts_;
  size_t position_ = 0;
  std::string out_;
};

// The key=value pairs of one line.
class Pairs {
 public:
  Result<void> add(std::string_view word) {
    const size_t equals = word.find('=');
    if (equals == word.npos) return fail("'" + std::string(word) + "' is not key=value");
    if (!values_.emplace(std::string(word.substr(0, equals)), word.substr(equals + 1)).second)
      return fail("'" + std::string(word.substr(0, equals)) + "' stands there twice");
    return {};
  }
  template <class T>
  Result<void> into(T& value) {
    describe(*this, value);
    if (!problem_.empty()) return fail(problem_);
    if (!values_.empty()) return fail("'" + values_.begin()->first + "' is no key of this line");
    return {};
  }
  template <class F>
  void operator()(std::string_view key, F& field) {
    const auto it = values_.find(std::string(key));
    if (it == values_.end()) return;
    if (!read(it->second, field))
      problem_ = "'" + it->second + "' is no value for " + std::string(key);
    values_.erase(it);
  }

 private:
  std::map<std::string, std::string> values_;
  std::string problem_;
};

template <class T>
std::string print(const T& value, const T& defaults = {}) {
  return Printer<T>(defaults).print(value);
}

// The words of a line, without its comment.
std::vector<std::string_view> words_of(std::string_view line);
// Hands each line's words to `take`. Errors name the line.
template <class F>
Result<void> for_each_line(std::string_view text, F&& take) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string where = "line " + std::to_string(number) + ": ";
    if (number > kLinesMax || line.size() > kLineBytesMax) return fail(where + "too long");
    if (auto ok = take(number, words_of(line)); !ok) return fail(where + ok.error().message);
  }
  return {};
}
// The key=value pairs from the word `from` on.
template <class T>
Result<void> read_pairs(const std::vector<std::string_view>& words, size_t from, T& value) {
  Pairs pairs;
  for (size_t i = from; i < words.size(); ++i)
    if (auto ok = pairs.add(words[i]); !ok) return ok;
  return pairs.into(value);
}

}  // namespace paygress::sim
