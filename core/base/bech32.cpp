#include "core/base/bech32.h"

#include <algorithm>
#include <array>

#include "core/base/check.h"

namespace paygress {
namespace {

constexpr std::string_view kDigits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr size_t kPrefixCharsMax = 83;
constexpr size_t kChecksumDigits = 6;

constexpr std::array<int8_t, 128> inverse_digits() {
  std::array<int8_t, 128> table{};
  table.fill(-1);
  for (size_t i = 0; i < kDigits.size(); ++i)
    table[static_cast<size_t>(kDigits[i])] = static_cast<int8_t>(i);
  return table;
}
constexpr auto kInverse = inverse_digits();

// BIP-173's BCH code, fed one five-bit group at a time.
class Checksum {
 public:
  void feed(uint8_t group) {
    constexpr std::array<uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                                    0x2a1462b3};
    const uint32_t top = state_ >> 25;
    state_ = (state_ & 0x1ffffff) << 5 ^ group;
    for (size_t i = 0; i < kGenerator.size(); ++i)
      if ((top >> i & 1) != 0) state_ ^= kGenerator[i];
  }
  void feed_prefix(std::string_view prefix) {
    for (char c : prefix) feed(static_cast<uint8_t>(c) >> 5);
    feed(0);
    for (char c : prefix) feed(static_cast<uint8_t>(c) & 31);
  }
  uint32_t state() const { return state_; }

 private:
  uint32_t state_ = 1;
};

// Eight-bit groups to five-bit ones, zero bits at the end.
Bytes to_groups(ByteView data) {
  Bytes groups;
  groups.reserve((data.size() * 8 + 4) / 5);
  uint32_t bits = 0;
  int count = 0;
  for (uint8_t byte : data) {
    bits = (bits << 8 | byte) & 0xfff;
    for (count += 8; count >= 5;) groups.push_back(bits >> (count -= 5) & 31);
  }
  if (count > 0) groups.push_back(static_cast<uint8_t>(bits << (5 - count) & 31));
  return groups;
}

Result<Bytes> from_groups(ByteView groups) {
  Bytes data;
  data.reserve(groups.size() * 5 / 8);
  uint32_t bits = 0;
  int count = 0;
  for (uint8_t group : groups) {
    bits = (bits << 5 | group) & 0xfff;
    if ((count += 5) >= 8) data.push_back(static_cast<uint8_t>(bits >> (count -= 8)));
  }
  if (count >= 5 || (bits & ((1u << count) - 1)) != 0) return fail("bad bech32 padding");
  return data;
}

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

std::string to_bech32(std::string_view prefix, ByteView data) {
  PG_CHECK(!prefix.empty() && prefix.size() <= kPrefixCharsMax);
  PG_CHECK(std::none_of(prefix.begin(), prefix.end(),
                        [](char c) { return c < 33 || c > 126 || is_upper(c); }));
  std::string text(prefix);
  text.push_back('1');
  Checksum checksum;
  checksum.feed_prefix(prefix);
  for (uint8_t group : to_groups(data)) {
    checksum.feed(group);
    text.push_back(kDigits[group]);
  }
  for (size_t i = 0; i < kChecksumDigits; ++i) checksum.feed(0);
  const uint32_t sum = checksum.state() ^ 1;
  for (size_t i = 0; i < kChecksumDigits; ++i) text.push_back(kDigits[sum >> (25 - 5 * i) & 31]);
  return text;
}

Result<Bech32> from_bech32(std::string_view text) {
  if (text.size() > kBech32CharsMax) return fail("bech32 text is too long");
  if (std::any_of(text.begin(), text.end(), is_upper) &&
      std::any_of(text.begin(), text.end(), is_lower))
    return fail("bech32 text of mixed case");
  const size_t separator = text.rfind('1');
  if (separator == std::string_view::npos || separator == 0 || separator > kPrefixCharsMax ||
      text.size() - separator - 1 < kChecksumDigits)
    return fail("not bech32");
  const std::string lower = to_lower(text);
  Bech32 result;
  result.prefix = lower.substr(0, separator);
  for (char c : result.prefix)
    if (c < 33 || c > 126) return fail("bad character in bech32 prefix");
  Checksum checksum;
  checksum.feed_prefix(result.prefix);
  Bytes groups;
  groups.reserve(lower.size() - separator);
  for (char c : std::string_view(lower).substr(separator + 1)) {
    const auto code = static_cast<uint8_t>(c);
    if (code >= kInverse.size() || kInverse[code] < 0) return fail("not a bech32 character");
    groups.push_back(static_cast<uint8_t>(kInverse[code]));
    checksum.feed(groups.back());
  }
  if (checksum.state() != 1) return fail("wrong bech32 checksum");
  auto data = from_groups(ByteView(groups).first(groups.size() - kChecksumDigits));
  if (!data) return std::unexpected(data.error());
  result.data = std::move(*data);
  return result;
}

}  // namespace paygress
