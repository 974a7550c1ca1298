// Identifiers as distinct types, so that a lease cannot be looked up with an event.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace paygress {

// N opaque bytes; the text form is lower-case hex. Ordered bytewise.
template <class Tag, size_t N>
struct OpaqueId {
  static_assert(N % sizeof(uint64_t) == 0);
  ByteArray<N> bytes{};

  bool operator==(const OpaqueId&) const = default;
  // A word at a time, and no call: most maps are ordered by ids.
  std::strong_ordering operator<=>(const OpaqueId& other) const {
    for (size_t i = 0; i < N; i += sizeof(uint64_t))
      if (const auto order = word(i) <=> other.word(i); order != 0) return order;
    return std::strong_ordering::equal;
  }
  bool is_zero() const { return *this == OpaqueId{}; }
  std::string hex() const { return to_hex(bytes); }
  static Result<OpaqueId> parse(std::string_view hex) {
    OpaqueId id;
    if (auto ok = from_lower_hex(hex, id.bytes); !ok) return std::unexpected(ok.error());
    return id;
  }

 private:
  uint64_t word(size_t at) const {  // big endian: in the order of its bytes
    uint64_t bits = 0;
    std::memcpy(&bits, bytes.data() + at, sizeof bits);
    return std::endian::native == std::endian::big ? bits : std::byteswap(bits);
  }
};

using PubKey = OpaqueId<struct PubKeyTag, 32>;    // x-only secp256k1 key (BIP-340)
using EventId = OpaqueId<struct EventIdTag, 32>;  // SHA-256 of the canonical event (NIP-01)
using Signature = OpaqueId<struct SignatureTag, 64>;
using LeaseId = OpaqueId<struct LeaseIdTag, 16>;  // H(key, request id): money-sagas.md flaw 15
using OpId = OpaqueId<struct OpIdTag, 16>;        // H(smallest Y) of a redeem operation
using ClaimId = OpaqueId<struct ClaimIdTag, 16>;  // H(lease or op, reason)
using YHash = OpaqueId<struct YHashTag, 16>;      // first half of SHA-256(Y): kept for ever
using InstallId = OpaqueId<struct InstallIdTag, 16>;

// A 32-byte secret key. Wiped when destroyed; has no text form and no comparison on purpose.
struct SecretKey {
  ByteArray<32> bytes{};

  SecretKey() = default;
  explicit SecretKey(const ByteArray<32>& b) : bytes(b) {}
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();
};

// Identifies one effect whose answer is awaited. Unique over restarts: the journal's boot count
// stands in the upper bits, so that an answer from before a crash is recognised and ignored.
struct CallId {
  uint64_t value = 0;
  auto operator<=>(const CallId&) const = default;
};

// Index of a relay in the provider's configured list.
struct RelayIndex {
  uint32_t value = 0;
  auto operator<=>(const RelayIndex&) const = default;
};

// Hash of an opaque id for LookupMap: its bytes are already uniformly distributed.
struct IdHash {
  template <class Tag, size_t N>
  size_t operator()(const OpaqueId<Tag, N>& id) const {
    uint64_t word = 0;
    std::memcpy(&word, id.bytes.data(), sizeof word);
    return static_cast<size_t>(word);
  }
};

}  // namespace paygress
