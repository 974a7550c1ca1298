#include "shell/guard/protocol.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace paygress::guard {
namespace {

using workload::GroupState;
using workload::GuardAnswered;
using workload::GuardGroup;
using workload::Outcome;

constexpr std::string_view kHello = "paygress-guard 1 ";
constexpr std::array<std::string_view, 4> kStates = {"unknown", "thawed", "freezing", "frozen"};
constexpr std::array<std::string_view, 3> kOutcomes = {"done", "failed", "unknown"};

// Cuts the next word off; words are separated by exactly one `separator`.
std::string_view next(std::string_view& rest, char separator = ' ') {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

template <class Number>
bool read(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

template <class Enum, size_t N>
bool read_word(const std::array<std::string_view, N>& words, std::string_view text, Enum& out) {
  const auto found = std::ranges::find(words, text);
  if (found == words.end()) return false;
  out = static_cast<Enum>(found - words.begin());
  return true;
}

template <class Enum, size_t N>
std::string word(const std::array<std::string_view, N>& words, Enum value) {
  return std::string(words[static_cast<size_t>(value)]);
}

bool read_group(std::string_view text, GuardGroup& group) {
  group.name = next(text, '=');
  const std::string_view state = next(text, ':');
  const std::string_view deadline = next(text, ':');
  group.populated = text == "1";
  return is_group_name(group.name) && read_word(kStates, state, group.state) &&
         read(deadline, group.deadline.value) && (text == "0" || text == "1");
}

std::string text_of(const GuardGroup& group) {
  return group.name + "=" + word(kStates, group.state) + ":" +
         std::to_string(group.deadline.value) + ":" + (group.populated ? "1" : "0");
}

struct Formatter {
  std::string operator()(const workload::GuardHold& r) const {
    return number(r.id) + "hold " + r.name + " " + std::to_string(r.until.value);
  }
  std::string operator()(const workload::GuardFreeze& r) const {
    return number(r.id) + "freeze " + r.name;
  }
  std::string operator()(const workload::GuardKill& r) const {
    return number(r.id) + "kill " + r.name;
  }
  std::string operator()(const workload::GuardRelease& r) const {
    return number(r.id) + "release " + r.name;
  }
  std::string operator()(const workload::GuardQuery& r) const { return number(r.id) + "query"; }
  static std::string number(CallId id) { return std::to_string(id.value) + " "; }
};

}  // namespace

bool is_group_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '-' &&
         std::ranges::all_of(name, allowed);
}

Result<Request> parse_request(std::string_view line) {
  CallId id;
  if (line.size() > kRequestBytesMax) return fail("the line is too long");
  if (!read(next(line), id.value)) return fail("no number");
  const std::string_view verb = next(line);
  if (verb == "query" && line.empty()) return workload::GuardQuery{id};
  const std::string name(next(line));
  if (!is_group_name(name)) return fail("not the name of a group");
  Micros until;
  if (verb == "hold" && read(line, until.value)) return workload::GuardHold{id, name, until};
  if (!line.empty()) return fail("more than was expected");
  if (verb == "freeze") return workload::GuardFreeze{id, name};
  if (verb == "kill") return workload::GuardKill{id, name};
  if (verb == "release") return workload::GuardRelease{id, name};
  return fail("no such request");
}

std::string format(const Request& request) { return std::visit(Formatter{}, request); }

Result<GuardAnswered> parse_answer(std::string_view line) {
  GuardAnswered answer;
  if (line.size() > kAnswerBytesMax) return fail("the line is too long");
  if (!read(next(line), answer.id.value)) return fail("no number");
  if (!read_word(kOutcomes, next(line), answer.outcome)) return fail("no outcome");
  if (!read(next(line), answer.now.value)) return fail("no time");
  std::string_view groups = next(line);
  answer.message = line;
  if (groups == "-") return answer;
  while (!groups.empty()) {
    if (answer.groups.size() >= workload::kGuardGroupsMax) return fail("too many groups");
    if (!read_group(next(groups, ','), answer.groups.emplace_back())) return fail("no group");
  }
  return answer;
}

std::string format(const GuardAnswered& answer) {
  std::string groups;
  for (const GuardGroup& group : answer.groups)
    groups += (groups.empty() ? "" : ",") + text_of(group);
  if (groups.empty()) groups = "-";
  std::string message = answer.message;
  std::ranges::replace(message, '\n', ' ');
  return std::to_string(answer.id.value) + " " + word(kOutcomes, answer.outcome) + " " +
         std::to_string(answer.now.value) + " " + groups + " " + message;
}

Result<Hello> parse_hello(std::string_view line) {
  if (!line.starts_with(kHello)) return fail("not a guard of this version");
  line.remove_prefix(kHello.size());
  Hello hello;
  hello.boot = next(line);
  const std::string_view version = next(line);
  hello.v2 = version == "v2";
  hello.root = line;
  if (hello.boot.empty() || (version != "v1" && version != "v2") || !hello.root.starts_with('/'))
    return fail("not a guard's hello");
  return hello;
}

std::string format(const Hello& hello) {
  return std::string(kHello) + hello.boot + (hello.v2 ? " v2 " : " v1 ") + hello.root;
}

}  // namespace paygress::guard
