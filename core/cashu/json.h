// JSON forms of Cashu's objects (NUT-00), shared by tokens, the wallet's side and the mint's side.
// Used inside core/cashu only.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "core/cashu/types.h"

namespace paygress::cashu::json {

namespace bj = boost::json;

// Depth at most 16, well-formed UTF-8, nothing after the value.
Result<bj::value> parse(std::string_view text);
Result<bj::object> parse_object(std::string_view text);

// Members. Errors name the member. `text` bounds the length in bytes; integers must be JSON
// integers in [0, 2^64), never doubles; hex may be in either case.
const bj::value* find(const bj::object& object, std::string_view name);  // null counts as absent
Result<std::string> text(const bj::object& object, std::string_view name, size_t bytes_max);
Result<uint64_t> integer(const bj::object& object, std::string_view name);
Result<uint64_t> as_integer(const bj::value& value, std::string_view name);
Result<const bj::array*> array(const bj::object& object, std::string_view name, size_t items_max);
// 33 bytes that begin with 02 or 03.
Result<Point> point_shape(const bj::object& object, std::string_view name);
// As above, and on the curve.
Result<Point> point(const bj::object& object, std::string_view name);

inline constexpr size_t kKeysetIdBytesMax = 66;

Result<std::optional<Dleq>> dleq(const bj::object& object);
// C is checked for its shape only.
Result<Proof> proof(const bj::value& value);
Result<BlindedMessage> blinded_message(const bj::value& value);
Result<BlindSignature> blind_signature(const bj::value& value);

// Reads every element with `read`; the error's `where` becomes "name[i]...".
template <class T, class Read>
Result<std::vector<T>> list(const bj::object& object, std::string_view name, size_t items_max,
                            Read read) {
  const auto items = array(object, name, items_max);
  if (!items) return std::unexpected(items.error());
  std::vector<T> out;
  out.reserve((*items)->size());
  for (const bj::value& item : **items) {
    auto element = read(item);
    if (!element) {
      std::string where = std::string(name) + "[" + std::to_string(out.size()) + "]";
      if (!element.error().where.empty()) where += "." + element.error().where;
      return fail(element.error().message, std::move(where));
    }
    out.push_back(std::move(*element));
  }
  return out;
}

// Writers. The order of members is fixed, so equal objects give equal bytes.
enum class WithDleq : uint8_t { No, Yes };
bj::object write(const Proof& proof, WithDleq with_dleq);
bj::object write(const BlindedMessage& message);
bj::object write(const BlindSignature& signature);
Bytes to_bytes(const bj::value& value);

}  // namespace paygress::cashu::json
