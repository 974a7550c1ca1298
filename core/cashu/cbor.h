// Reading of CBOR (RFC 8949) item by item over libcbor's stateless decoder: no tree, no allocation
// that a length in the input decides, every bound explicit. Only what tokens are made of is read:
// tags, indefinite lengths and floating-point keys are refused by name.
#pragma once

#include <set>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace paygress::cashu {

inline constexpr int kCborDepthMax = 8;

enum class CborType : uint8_t { Uint, Negative, Bytes, Text, Array, Map, Simple };

struct CborItem {
  CborType type = CborType::Simple;
  uint64_t number = 0;  // Uint: the value; Array and Map: the count of elements or pairs
  ByteView bytes;       // Bytes and Text: the content, inside the input
};

class CborReader {
 public:
  // The bytes must outlive the reader and its items.
  explicit CborReader(ByteView bytes) : all_(bytes) {}

  bool at_end() const { return offset_ == all_.size(); }
  // The next head, with its content for strings. A count larger than the rest of the input can
  // hold, and ill-formed UTF-8 in a text, are errors. Errors carry the byte offset.
  Result<CborItem> next();
  // As above, and it must be of this type.
  Result<CborItem> next(CborType type);
  // Steps over one whole value, nested at most kCborDepthMax - depth deep; duplicate keys inside it
  // are an error.
  Result<void> skip(int depth);

  // Reads a map with text keys. `on_key(key)` must consume the value (skip it when unknown) and
  // return Result<void>. Duplicate keys are an error.
  template <class OnKey>
  Result<void> read_map(OnKey on_key) {
    const auto map = next(CborType::Map);
    if (!map) return std::unexpected(map.error());
    std::set<std::string_view> seen;
    for (uint64_t i = 0; i < map->number; ++i) {
      const auto key = next(CborType::Text);
      if (!key) return std::unexpected(key.error());
      const std::string_view name = as_text(key->bytes);
      if (!seen.insert(name).second) return error("duplicate key in a map");
      if (auto ok = on_key(name); !ok) return ok;
    }
    return {};
  }

  std::unexpected<Error> error(std::string message) const {
    return fail(std::move(message), "offset " + std::to_string(offset_));
  }

 private:
  ByteView all_;
  size_t offset_ = 0;
};

}  // namespace paygress::cashu
