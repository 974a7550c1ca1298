#include "core/cashu/cbor.h"

#include <cbor.h>

namespace paygress::cashu {
namespace {

// What libcbor's callbacks leave behind for next().
struct Head {
  CborItem item;
  const char* refused = nullptr;
};

Head& head(void* context) { return *static_cast<Head*>(context); }

void set_number(void* context, CborType type, uint64_t number) {
  head(context).item = {type, number, {}};
}

template <CborType type, class T>
void on_number(void* context, T number) {
  set_number(context, type, number);
}

template <CborType type>
void on_string(void* context, cbor_data data, size_t size) {
  head(context).item = {type, size, {data, size}};
}

void on_simple(void* context) { set_number(context, CborType::Simple, 0); }
void on_bool(void* context, bool) { on_simple(context); }
void on_float(void* context, float) { on_simple(context); }
void on_double(void* context, double) { on_simple(context); }
void on_tag(void* context, uint64_t) { head(context).refused = "CBOR tags are not accepted"; }
void on_indefinite(void* context) {
  head(context).refused = "CBOR items of indefinite length are not accepted";
}
void on_break(void* context) { head(context).refused = "CBOR break outside an item"; }

cbor_callbacks make_callbacks() {
  cbor_callbacks calls = cbor_empty_callbacks;
  calls.uint8 = on_number<CborType::Uint, uint8_t>;
  calls.uint16 = on_number<CborType::Uint, uint16_t>;
  calls.uint32 = on_number<CborType::Uint, uint32_t>;
  calls.uint64 = on_number<CborType::Uint, uint64_t>;
  calls.negint8 = on_number<CborType::Negative, uint8_t>;
  calls.negint16 = on_number<CborType::Negative, uint16_t>;
  calls.negint32 = on_number<CborType::Negative, uint32_t>;
  calls.negint64 = on_number<CborType::Negative, uint64_t>;
  calls.byte_string = on_string<CborType::Bytes>;
  calls.string = on_string<CborType::Text>;
  calls.array_start = on_number<CborType::Array, size_t>;
  calls.map_start = on_number<CborType::Map, size_t>;
  calls.byte_string_start = on_indefinite;
  calls.string_start = on_indefinite;
  calls.indef_array_start = on_indefinite;
  calls.indef_map_start = on_indefinite;
  calls.indef_break = on_break;
  calls.tag = on_tag;
  calls.float2 = on_float;
  calls.float4 = on_float;
  calls.float8 = on_double;
  calls.undefined = on_simple;
  calls.null = on_simple;
  calls.boolean = on_bool;
  return calls;
}

}  // namespace

Result<CborItem> CborReader::next() {
  static const cbor_callbacks callbacks = make_callbacks();
  const ByteView rest = all_.subspan(offset_);
  if (rest.empty()) return error("CBOR ends too early");
  Head read;
  const cbor_decoder_result result =
      cbor_stream_decode(rest.data(), rest.size(), &callbacks, &read);
  if (result.status == CBOR_DECODER_NEDATA) return error("CBOR ends too early");
  if (result.status != CBOR_DECODER_FINISHED || result.read == 0 || result.read > rest.size())
    return error("malformed CBOR");
  if (read.refused != nullptr) return error(read.refused);
  const CborItem& item = read.item;
  const size_t after = rest.size() - result.read;
  // Every element takes a byte at least, so an honest count is bounded by what follows.
  if ((item.type == CborType::Array && item.number > after) ||
      (item.type == CborType::Map && item.number > after / 2))
    return error("CBOR ends too early");
  if (item.type == CborType::Text && !is_utf8(as_text(item.bytes)))
    return error("CBOR text is not UTF-8");
  offset_ += result.read;
  return item;
}

Result<CborItem> CborReader::next(CborType type) {
  constexpr std::string_view kNames[] = {
      "unsigned integer", "negative integer", "byte string", "text", "array", "map",
      "simple value"};
  auto item = next();
  if (item && item->type != type)
    return error("expected " + std::string(kNames[static_cast<size_t>(type)]) + ", found " +
                 std::string(kNames[static_cast<size_t>(item->type)]));
  return item;
}

Result<void> CborReader::skip(int depth) {
  if (depth >= kCborDepthMax)
    return error("CBOR nested deeper than " + std::to_string(kCborDepthMax));
  const auto item = next();
  if (!item) return std::unexpected(item.error());
  if (item->type == CborType::Array) {
    for (uint64_t i = 0; i < item->number; ++i)
      if (auto ok = skip(depth + 1); !ok) return ok;
  } else if (item->type == CborType::Map) {
    std::set<std::string_view> seen;
    for (uint64_t i = 0; i < item->number; ++i) {
      const size_t start = offset_;
      if (auto ok = skip(depth + 1); !ok) return ok;
      if (!seen.insert(as_text(all_.subspan(start, offset_ - start))).second)
        return error("duplicate key in a map");
      if (auto ok = skip(depth + 1); !ok) return ok;
    }
  }
  return {};
}

}  // namespace paygress::cashu
