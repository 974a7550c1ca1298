// NIP-19 (npub, nsec, note, nprofile, nevent, naddr) and NIP-21 (nostr: URIs): how people write
// keys and pointers. Never used inside events or filters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/ids.h"
#include "core/base/result.h"

namespace paygress::nostr {

struct ProfilePointer {
  PubKey pubkey;
  std::vector<std::string> relays;
  bool operator==(const ProfilePointer&) const = default;
};
struct EventPointer {
  EventId id;
  std::vector<std::string> relays;
  std::optional<PubKey> author;
  std::optional<uint32_t> kind;
  bool operator==(const EventPointer&) const = default;
};
struct AddressPointer {
  std::string identifier;  // the `d` tag
  PubKey author;
  uint32_t kind = 0;
  std::vector<std::string> relays;
  bool operator==(const AddressPointer&) const = default;
};
// An nsec is deliberately not among them: a secret is read by parse_secret_key only.
using Pointer = std::variant<PubKey, EventId, ProfilePointer, EventPointer, AddressPointer>;

// npub and note for the bare ids. Relay URLs are at most 255 bytes and so is the identifier; a
// longer one is left out (relays are hints) or refused (identifier).
std::string to_npub(const PubKey& key);
std::string to_note(const EventId& id);
std::string to_nsec(const SecretKey& key);
Result<std::string> to_nip19(const Pointer& pointer);

// npub, note, nprofile, nevent or naddr, with or without "nostr:". Unknown TLVs are ignored.
Result<Pointer> parse_pointer(std::string_view text);

// A public key however a person writes it: 64 hex digits of either case, npub, nprofile, each
// with or without "nostr:". Refuses a key that is not on the curve.
Result<PubKey> parse_public_key(std::string_view text);

// 64 hex digits or nsec. Refuses zero and values not below the group order. The error never
// quotes the text.
Result<SecretKey> parse_secret_key(std::string_view text);

// True when both texts are public keys and the same one.
bool same_key(std::string_view a, std::string_view b);

}  // namespace paygress::nostr
