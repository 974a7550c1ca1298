// A JSON text (RFC 8259) as a tree that keeps what the market's strict rules need and a usual DOM
// loses: every number as it was written, and every member of an object, twice-named ones included.
// The grammar itself is Boost.JSON's; nothing here touches floating point.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace paygress::market::json {

enum class Kind : uint8_t { Null, Bool, Number, String, Array, Object };

struct Node {
  Kind kind = Kind::Null;
  bool truth = false;              // Bool
  std::string text;                // String: decoded; Number: as written
  std::vector<Node> items;         // Array: elements; Object: the members' values
  std::vector<std::string> names;  // Object: of `items`, in order, duplicates kept

  bool is_null() const { return kind == Kind::Null; }
  // The first member of that name, or nullptr. `twice` is set when there is another one.
  const Node* find(std::string_view name, bool* twice = nullptr) const;
};

struct Limits {
  size_t bytes = 64 * 1024;
  size_t depth = 16;  // nested arrays and objects
};

// One whole JSON text, white space around it allowed. Refused: more bytes or levels than `limits`,
// invalid UTF-8, lone surrogates, control characters in strings, anything after the text. The
// error quotes nothing; its `where` is "byte <offset>" for a text that is not JSON.
Result<Node> parse_tree(std::string_view text, Limits limits);

// Appends a JSON string as serde_json writes it: \b \f \n \r \t \" \\ by name, other controls as
// \u00xx in lower case, everything else raw. Text that is not UTF-8 is mended first: each byte
// beyond ASCII becomes U+FFFD, so that what we send always parses.
void put_string(std::string& out, std::string_view text);

}  // namespace paygress::market::json
