#include "core/market/json_tree.h"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace paygress::market::json {
namespace {

// Builds the tree from the parser's events. Everything is in one buffer, so the parser gives whole
// numbers; strings may come in parts.
class Builder {
 public:
  using Code = boost::json::error_code;
  using View = boost::json::string_view;
  static constexpr size_t max_object_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_array_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_key_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_string_size = std::numeric_limits<size_t>::max();

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) { return open(Kind::Object); }
  bool on_object_end(size_t, Code&) { return close(); }
  bool on_array_begin(Code&) { return open(Kind::Array); }
  bool on_array_end(size_t, Code&) { return close(); }
  bool on_key_part(View part, size_t, Code&) { return append(key_, part); }
  bool on_key(View part, size_t, Code&) { return append(key_, part); }
  bool on_string_part(View part, size_t, Code&) { return append(text_, part); }
  bool on_string(View part, size_t, Code&) {
    append(text_, part);
    return leaf(Kind::String);
  }
  bool on_number_part(View part, Code&) { return append(text_, part); }
  bool on_int64(int64_t, View text, Code&) { return number(text); }
  bool on_uint64(uint64_t, View text, Code&) { return number(text); }
  bool on_double(double, View text, Code&) { return number(text); }
  bool on_bool(bool truth, Code&) {
    add(Kind::Bool).truth = truth;
    return true;
  }
  bool on_null(Code&) {
    add(Kind::Null);
    return true;
  }
  bool on_comment_part(View, Code&) { return true; }
  bool on_comment(View, Code&) { return true; }

  Node take() { return std::move(root_); }

 private:
  static bool append(std::string& to, View part) {
    to.append(part.data(), part.size());
    return true;
  }
  bool number(View text) {
    append(text_, text);
    return leaf(Kind::Number);
  }
  bool leaf(Kind kind) {
    add(kind).text = std::move(text_);
    text_.clear();
    return true;
  }
  bool open(Kind kind) {
    open_.push_back(&add(kind));
    return true;
  }
  bool close() {
    PG_CHECK(!open_.empty());
    open_.pop_back();
    return true;
  }
  // A pointer in open_ stays valid: its node's siblings come only after it is closed.
  Node& add(Kind kind) {
    Node* node = &root_;
    if (!open_.empty()) {
      Node& parent = *open_.back();
      node = &parent.items.emplace_back();
      if (parent.kind == Kind::Object) parent.names.push_back(std::move(key_));
      key_.clear();
    }
    node->kind = kind;
    return *node;
  }

  Node root_;
  std::vector<Node*> open_;
  std::string key_;
  std::string text_;
};

}  // namespace

const Node* Node::find(std::string_view name, bool* twice) const {
  const Node* found = nullptr;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] != name) continue;
    if (!found) {
      found = &items[i];
    } else if (twice) {
      *twice = true;
    }
  }
  return found;
}

Result<Node> parse_tree(std::string_view text, Limits limits) {
  if (text.size() > limits.bytes)
    return fail("is longer than " + std::to_string(limits.bytes) + " bytes");
  boost::json::parse_options options;
  options.max_depth = limits.depth;
  boost::json::basic_parser<Builder> parser(options);
  boost::json::error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (error == boost::json::error::too_deep)
    return fail("is nested deeper than " + std::to_string(limits.depth) + " levels");
  if (error == boost::json::error::incomplete) return fail("ends before the JSON text does");
  if (error || used != text.size())
    return fail("is not valid JSON", "byte " + std::to_string(used));
  return parser.handler().take();
}

void put_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const bool valid = is_utf8(text);
  const auto stands_for_itself = [&](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte >= 0x20 && c != '"' && c != '\\' && (byte < 0x80 || valid);
  };
  out += '"';
  for (auto rest = text.begin(); rest != text.end();) {
    const auto special = std::find_if_not(rest, text.end(), stands_for_itself);
    out.append(rest, special);
    rest = special;
    if (rest == text.end()) break;
    const char c = *rest++;
    const auto byte = static_cast<uint8_t>(c);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (byte < 0x20) {
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 15];
        } else {
          out += "\xef\xbf\xbd";
        }
    }
  }
  out += '"';
}

}  // namespace paygress::market::json
