#include "core/base/bytes.h"

#include "core/base/check.h"

namespace paygress {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlSafe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<int8_t, 256> inverse(std::string_view alphabet) {
  std::array<int8_t, 256> table{};
  table.fill(-1);
  for (size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
  return table;
}
constexpr auto kHexInverse = inverse(kHexDigits);
constexpr auto kStandardInverse = inverse(kStandard);
constexpr auto kUrlSafeInverse = inverse(kUrlSafe);

int hex_value(char c) { return kHexInverse[static_cast<uint8_t>(to_lower(c))]; }

}  // namespace

ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_lower(c);
  return out;
}

std::string to_hex(ByteView bytes) {
  std::string hex(bytes.size() * 2, '0');
  char* out = hex.data();
  for (uint8_t b : bytes) {
    *out++ = kHexDigits[b >> 4];
    *out++ = kHexDigits[b & 15];
  }
  return hex;
}

Result<Bytes> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return fail("odd number of hex digits");
  Bytes bytes(hex.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return fail("not a hex digit");
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return bytes;
}

Result<void> from_lower_hex(std::string_view hex, std::span<uint8_t> out) {
  if (hex.size() != out.size() * 2)
    return fail("expected " + std::to_string(out.size() * 2) + " hex digits");
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = kHexInverse[static_cast<uint8_t>(hex[2 * i])];
    const int low = kHexInverse[static_cast<uint8_t>(hex[2 * i + 1])];
    if (high < 0 || low < 0) return fail("not a lower-case hex digit");
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return {};
}

std::string to_base64(ByteView bytes, Base64 alphabet, bool padded) {
  const std::string_view digits = alphabet == Base64::Standard ? kStandard : kUrlSafe;
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < have ? bytes[i + k] : 0);
    for (size_t k = 0; k < 4; ++k) {
      if (k <= have)
        text.push_back(digits[group >> (18 - 6 * k) & 63]);
      else if (padded)
        text.push_back('=');
    }
  }
  return text;
}

Result<Bytes> from_base64(std::string_view text, Base64 alphabet, Padding padding) {
  const auto& values = alphabet == Base64::Standard ? kStandardInverse : kUrlSafeInverse;
  size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  const size_t pads = text.size() - digits;
  const size_t pads_wanted = (4 - digits % 4) % 4;
  if (digits % 4 == 1) return fail("impossible base64 length");
  if (pads != 0 && (padding == Padding::Forbidden || pads != pads_wanted))
    return fail("wrong base64 padding");
  if (pads == 0 && pads_wanted != 0 && padding == Padding::Required)
    return fail("missing base64 padding");
  Bytes bytes(digits * 3 / 4);
  const auto* in = reinterpret_cast<const uint8_t*>(text.data());
  uint8_t* out = bytes.data();
  size_t i = 0;
  for (; i + 4 <= digits; i += 4) {
    // A value below zero leaves the sign bit set in the union of the four.
    const int a = values[in[i]];
    const int b = values[in[i + 1]];
    const int c = values[in[i + 2]];
    const int d = values[in[i + 3]];
    if ((a | b | c | d) < 0) break;
    *out++ = static_cast<uint8_t>(a << 2 | b >> 4);
    *out++ = static_cast<uint8_t>(b << 4 | c >> 2);
    *out++ = static_cast<uint8_t>(c << 6 | d);
  }
  uint32_t bits = 0;
  int bit_count = 0;
  for (; i < digits; ++i) {  // the last one to three, or the group that holds no digit
    const int value = values[in[i]];
    if (value < 0) return fail("not a base64 digit", "offset " + std::to_string(i));
    bits = bits << 6 | static_cast<uint32_t>(value);
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      *out++ = static_cast<uint8_t>(bits >> bit_count);
    }
  }
  PG_CHECK(out == bytes.data() + bytes.size());
  if ((bits & ((1u << bit_count) - 1)) != 0) return fail("non-zero trailing base64 bits");
  return bytes;
}

bool is_utf8(std::string_view text) {
  size_t i = 0;
  const auto byte = [&](size_t k) { return static_cast<uint8_t>(text[k]); };
  while (i < text.size()) {
    const uint8_t lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k)
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    const uint8_t second = byte(i + 1);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
      return false;
    i += length;
  }
  return true;
}

}  // namespace paygress
