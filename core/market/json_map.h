// Reads and writes described structs (BOOST_DESCRIBE_STRUCT) as JSON objects, by the rules of the
// existing network's serde structs. Everything is derived from the members' types; what cannot be
// is said once, in JsonRules<T> or JsonValue<T>.
//
//   bool, integers    strict: no fraction, no exponent, in range; never written as text
//   string            UTF-8
//   quantities        whole numbers from 0
//   ids               lower-case hex (public keys are read in every form that people write)
//   optional<T>       missing or null is nothing; left out when written (Rule::Null: as null)
//   vector<T>         an array of at most kListMax
//   described struct  an object; unknown members are ignored, a known one named twice is refused
//
// There is no form of a struct as a JSON array. A reader never quotes a value of the input.
#pragma once

#include <boost/describe.hpp>
#include <boost/mp11.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/market/json_tree.h"
#include "core/market/messages.h"

namespace paygress::market::json {

// What is special about a member. Without an entry a member is required, an optional one Skip.
enum class Rule : uint8_t {
  Skip,      // optional<T>: left out when nothing
  Null,      // optional<T>: written as null when nothing
  Required,  // missing or null is refused
  Default,   // missing keeps the member's initial value; null is refused; always written
  SkipEmpty  // as Default, and left out when written empty
};
struct Exception {
  std::string_view member;
  Rule rule;
};
template <class T>
struct JsonRules {
  static constexpr std::array<Exception, 0> kExceptions{};
  // With a member `kForgiving` the others are Default and Null instead of Required and Skip.
};
// Specialised for values that are not described structs: read(Reading&, const Where&, const Node&,
// T&) and write(std::string&, const T&).
template <class T>
struct JsonValue;

// The path of a value, as a chain of frames on the stack; spelled only when something is wrong.
struct Where {
  const Where* up = nullptr;
  std::string_view name;  // of a member; empty for an element
  size_t index = 0;       // of an element
  std::string path() const;
};

// What reading found. A message is refused at the first error; a config is read to its end.
class Reading {
 public:
  struct Unknown {
    std::string path;  // of the object that holds it; empty for the outermost
    std::string name;
    std::vector<std::string_view> known;  // the names that object could have
  };
  enum class Mode : uint8_t { FirstError, Everything };
  static constexpr size_t kUnknownMax = 50;  // more are not reported

  explicit Reading(Mode mode) : mode_(mode) {}
  bool everything() const { return mode_ == Mode::Everything; }
  bool over() const { return mode_ == Mode::FirstError && !errors.empty(); }
  void refuse(const Where& at, std::string message) {
    errors.push_back(Error{std::move(message), at.path()});
  }

  std::vector<Error> errors;
  std::vector<Unknown> unknown;  // filled with Mode::Everything only

 private:
  Mode mode_;
};

namespace detail {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOpaqueId : std::false_type {};
template <class Tag, size_t N>
struct IsOpaqueId<OpaqueId<Tag, N>> : std::true_type {};
template <class T>
struct IsQuantity : std::false_type {};
template <class Tag>
struct IsQuantity<Quantity<Tag>> : std::true_type {};

template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
template <class T>
concept HasJsonValue = requires { sizeof(JsonValue<T>); };

template <class T>
constexpr Rule rule_of(std::string_view member, bool optional) {
  for (const Exception& e : JsonRules<T>::kExceptions)
    if (e.member == member) return e.rule;
  if constexpr (requires { JsonRules<T>::kForgiving; })
    return optional ? Rule::Null : Rule::Default;
  return optional ? Rule::Skip : Rule::Required;
}

// True when every exception names a member, so that a renamed member cannot lose its rule.
template <class T>
constexpr bool exceptions_are_members() {
  size_t found = 0;
  boost::mp11::mp_for_each<Members<T>>([&](auto m) {
    for (const Exception& e : JsonRules<T>::kExceptions) found += e.member == m.name;
  });
  return found == JsonRules<T>::kExceptions.size();
}

// The number, or nothing after having refused it.
std::optional<uint64_t> read_unsigned(Reading& in, const Where& at, const Node& node, uint64_t max);
bool expect(Reading& in, const Where& at, const Node& node, Kind kind);

}  // namespace detail

template <class T>
void read(Reading& in, const Where& at, const Node& node, T& value);
template <class T>
void write(std::string& out, const T& value);

namespace detail {

template <class T>
void read_vector(Reading& in, const Where& at, const Node& node, std::vector<T>& value) {
  if (!expect(in, at, node, Kind::Array)) return;
  if (node.items.size() > kListMax)
    return in.refuse(at, "more than " + std::to_string(kListMax) + " entries");
  value.clear();
  value.reserve(node.items.size());
  for (size_t i = 0; i < node.items.size() && !in.over(); ++i)
    read(in, Where{&at, {}, i}, node.items[i], value.emplace_back());
}

template <class M>
void read_member(Reading& in, const Where& at, const Node* node, Rule rule, M& value) {
  const bool absent = node == nullptr || node->is_null();
  if constexpr (IsOptional<M>::value) {
    if (rule != Rule::Required) {
      if (absent) return value.reset();
      return read(in, at, *node, value.emplace());
    }
  }
  if (!absent) {
    if constexpr (IsOptional<M>::value)
      return read(in, at, *node, value.emplace());
    else
      return read(in, at, *node, value);
  }
  if (rule == Rule::Required)
    in.refuse(at, "is required");
  else if (node != nullptr)
    in.refuse(at, "must not be null");
}

template <class T>
void report_unknown(Reading& in, const Where& at, const Node& node) {
  std::vector<std::string_view> known;
  boost::mp11::mp_for_each<Members<T>>([&](auto m) { known.emplace_back(m.name); });
  for (const std::string& name : node.names)
    if (in.unknown.size() < Reading::kUnknownMax &&
        std::find(known.begin(), known.end(), name) == known.end())
      in.unknown.push_back({at.path(), name, known});
}

template <class T>
void read_object(Reading& in, const Where& at, const Node& node, T& value) {
  static_assert(exceptions_are_members<T>());
  if (!expect(in, at, node, Kind::Object)) return;
  boost::mp11::mp_for_each<Members<T>>([&](auto m) {
    if (in.over()) return;
    auto& member = value.*m.pointer;
    using M = std::remove_reference_t<decltype(member)>;
    const Where here{&at, m.name, 0};
    bool twice = false;
    const Node* found = node.find(m.name, &twice);
    if (twice) return in.refuse(here, "stands there twice");
    read_member(in, here, found, rule_of<T>(m.name, IsOptional<M>::value), member);
  });
  if (in.everything()) report_unknown<T>(in, at, node);
}

template <class M>
bool left_out(Rule rule, const M& member) {
  if constexpr (IsOptional<M>::value) return rule == Rule::Skip && !member;
  if constexpr (requires { member.empty(); }) return rule == Rule::SkipEmpty && member.empty();
  return false;
}

template <class T>
void write_object(std::string& out, const T& value) {
  bool first = true;
  out += '{';
  boost::mp11::mp_for_each<Members<T>>([&](auto m) {
    const auto& member = value.*m.pointer;
    using M = std::remove_cvref_t<decltype(member)>;
    if (left_out(rule_of<T>(m.name, IsOptional<M>::value), member)) return;
    if (!first) out += ',';
    first = false;
    put_string(out, m.name);
    out += ':';
    write(out, member);
  });
  out += '}';
}

}  // namespace detail

template <class T>
void read(Reading& in, const Where& at, const Node& node, T& value) {
  using namespace detail;
  if constexpr (HasJsonValue<T>) {
    JsonValue<T>::read(in, at, node, value);
  } else if constexpr (std::same_as<T, bool>) {
    if (expect(in, at, node, Kind::Bool)) value = node.truth;
  } else if constexpr (std::unsigned_integral<T>) {
    if (const auto number = read_unsigned(in, at, node, std::numeric_limits<T>::max()))
      value = static_cast<T>(*number);
  } else if constexpr (IsQuantity<T>::value) {
    constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (const auto number = read_unsigned(in, at, node, kMax))
      value.value = static_cast<int64_t>(*number);
  } else if constexpr (std::same_as<T, std::string>) {
    if (expect(in, at, node, Kind::String)) value = node.text;
  } else if constexpr (IsOpaqueId<T>::value) {
    if (!expect(in, at, node, Kind::String)) return;
    if (const auto id = T::parse(node.text))
      value = *id;
    else
      in.refuse(at, "must be " + std::to_string(2 * value.bytes.size()) + " lower-case hex digits");
  } else if constexpr (IsVector<T>::value) {
    read_vector(in, at, node, value);
  } else {
    read_object(in, at, node, value);
  }
}

template <class T>
void write(std::string& out, const T& value) {
  using namespace detail;
  if constexpr (HasJsonValue<T>) {
    JsonValue<T>::write(out, value);
  } else if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::unsigned_integral<T>) {
    out += std::to_string(value);
  } else if constexpr (IsQuantity<T>::value) {
    PG_CHECK(value.value >= 0);
    out += std::to_string(value.value);
  } else if constexpr (std::same_as<T, std::string>) {
    put_string(out, value);
  } else if constexpr (IsOpaqueId<T>::value) {
    put_string(out, value.hex());
  } else if constexpr (IsOptional<T>::value) {
    if (value)
      write(out, *value);
    else
      out += "null";
  } else if constexpr (IsVector<T>::value) {
    out += '[';
    for (size_t i = 0; i < value.size(); ++i) {
      if (i != 0) out += ',';
      write(out, value[i]);
    }
    out += ']';
  } else {
    write_object(out, value);
  }
}

// An enum as one of a few words. `From` gives nothing for another word.
template <class E, auto From>
struct TextEnum {
  static void read(Reading& in, const Where& at, const Node& node, E& value) {
    if (!detail::expect(in, at, node, Kind::String)) return;
    if (const auto found = From(node.text))
      value = *found;
    else
      in.refuse(at, "is none of the known values");
  }
  static void write(std::string& out, const E& value) { put_string(out, to_text(value)); }
};

}  // namespace paygress::market::json
