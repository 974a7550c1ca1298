// Byte strings and their text forms.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace paygress {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;
template <size_t N>
using ByteArray = std::array<uint8_t, N>;

ByteView as_bytes(std::string_view text);
std::string_view as_text(ByteView bytes);

// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
// Both cases are read; an odd length or another character is an error.
Result<Bytes> from_hex(std::string_view hex);
// Exactly 2*N lower-case characters (NIP-01 ids, keys and signatures), else an error.
Result<void> from_lower_hex(std::string_view hex, std::span<uint8_t> out);

enum class Base64 { Standard, UrlSafe };
enum class Padding { Required, Forbidden, Optional };

// RFC 4648 sections 4 and 5.
std::string to_base64(ByteView bytes, Base64 alphabet, bool padded);
// Strict: no white space, no other alphabet, no non-zero trailing bits (RFC 4648 section 3.5).
Result<Bytes> from_base64(std::string_view text, Base64 alphabet, Padding padding);

// ASCII letters in lower case; every other byte as it is, whatever the locale.
constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string to_lower(std::string_view text);

// True when `text` is well-formed UTF-8 without surrogates (Unicode 15, table 3-7).
bool is_utf8(std::string_view text);

}  // namespace paygress
