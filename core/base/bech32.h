// Bech32 (BIP-173): the text form of Nostr keys and pointers (NIP-19). Not bech32m.
#pragma once

#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace paygress {

// NIP-19's bound, in place of BIP-173's 90 characters.
inline constexpr size_t kBech32CharsMax = 5000;

struct Bech32 {
  std::string prefix;  // "human-readable part", always lower case here
  Bytes data;

  bool operator==(const Bech32&) const = default;
};

// Precondition: `prefix` is 1..83 lower-case printable ASCII characters.
std::string to_bech32(std::string_view prefix, ByteView data);

// Refuses mixed case, a wrong checksum (bech32m's too), more than kBech32CharsMax characters, and
// leftover bits that are not zero or make a whole group of five.
Result<Bech32> from_bech32(std::string_view text);

}  // namespace paygress
