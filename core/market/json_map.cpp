#include "core/market/json_map.h"

#include "core/base/check.h"

namespace paygress::market::json {

std::string Where::path() const {
  std::string before = up ? up->path() : std::string{};
  if (up == nullptr) return before;
  if (name.empty()) return before + "[" + std::to_string(index) + "]";
  if (!before.empty()) before += '.';
  return before + std::string(name);
}

namespace detail {
namespace {

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::Null: return "null";
    case Kind::Bool: return "true or false";
    case Kind::Number: return "a number";
    case Kind::String: return "a string";
    case Kind::Array: return "an array";
    case Kind::Object: return "an object";
  }
  PG_CHECK(false);
  return {};
}

}  // namespace

bool expect(Reading& in, const Where& at, const Node& node, Kind kind) {
  if (node.kind == kind) return true;
  in.refuse(at,
            "must be " + std::string(name_of(kind)) + ", not " + std::string(name_of(node.kind)));
  return false;
}

std::optional<uint64_t> read_unsigned(Reading& in, const Where& at, const Node& node,
                                      uint64_t max) {
  if (!expect(in, at, node, Kind::Number)) return std::nullopt;
  uint64_t value = 0;
  bool too_large = false;
  for (const char c : node.text) {
    if (c < '0' || c > '9') {
      in.refuse(at, "must be a whole number from 0, without fraction or exponent");
      return std::nullopt;
    }
    too_large = too_large || __builtin_mul_overflow(value, uint64_t{10}, &value) ||
                __builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value);
  }
  if (!too_large && value <= max) return value;
  in.refuse(at, "must be at most " + std::to_string(max));
  return std::nullopt;
}

}  // namespace detail
}  // namespace paygress::market::json
