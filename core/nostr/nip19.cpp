#include "core/nostr/nip19.h"

#include <algorithm>

#include "core/base/bech32.h"
#include "core/crypto/cipher.h"
#include "core/crypto/schnorr.h"

namespace paygress::nostr {
namespace {

constexpr uint8_t kSpecial = 0;
constexpr uint8_t kRelay = 1;
constexpr uint8_t kAuthor = 2;
constexpr uint8_t kKind = 3;
constexpr size_t kValueBytesMax = 255;
// Relays read or written; with them the text stays far below kBech32CharsMax.
constexpr size_t kHintsMax = 8;
constexpr std::string_view kUriScheme = "nostr:";

void append_entry(Bytes& out, uint8_t type, ByteView value) {
  out.push_back(type);
  out.push_back(static_cast<uint8_t>(value.size()));
  out.insert(out.end(), value.begin(), value.end());
}

void append_relays(Bytes& out, const std::vector<std::string>& relays) {
  size_t count = 0;
  for (const std::string& url : relays)
    if (!url.empty() && url.size() <= kValueBytesMax && count++ < kHintsMax)
      append_entry(out, kRelay, as_bytes(url));
}

void append_kind(Bytes& out, uint32_t kind) {
  ByteArray<4> bytes;
  for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(kind >> (24 - 8 * i));
  append_entry(out, kKind, bytes);
}

struct Writer {
  Result<std::string> operator()(const PubKey& key) const { return to_npub(key); }
  Result<std::string> operator()(const EventId& id) const { return to_note(id); }
  Result<std::string> operator()(const ProfilePointer& p) const {
    Bytes out;
    append_entry(out, kSpecial, p.pubkey.bytes);
    append_relays(out, p.relays);
    return to_bech32("nprofile", out);
  }
  Result<std::string> operator()(const EventPointer& p) const {
    Bytes out;
    append_entry(out, kSpecial, p.id.bytes);
    append_relays(out, p.relays);
    if (p.author) append_entry(out, kAuthor, p.author->bytes);
    if (p.kind) append_kind(out, *p.kind);
    return to_bech32("nevent", out);
  }
  Result<std::string> operator()(const AddressPointer& p) const {
    if (p.identifier.size() > kValueBytesMax) return fail("identifier is too long for naddr");
    Bytes out;
    append_entry(out, kSpecial, as_bytes(p.identifier));
    append_relays(out, p.relays);
    append_entry(out, kAuthor, p.author.bytes);
    append_kind(out, p.kind);
    return to_bech32("naddr", out);
  }
};

// Type-length-value entries, the first of each type but relays.
struct Entries {
  std::optional<Bytes> special;
  std::vector<std::string> relays;
  std::optional<PubKey> author;
  std::optional<uint32_t> kind;
};

template <class Id>
Result<Id> id_from(ByteView bytes) {
  Id id;
  if (bytes.size() != id.bytes.size()) return fail("expected 32 bytes");
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

Result<void> take_entry(Entries& entries, uint8_t type, ByteView value) {
  if (type == kSpecial && !entries.special) {
    entries.special = Bytes(value.begin(), value.end());
  } else if (type == kRelay && entries.relays.size() < kHintsMax) {
    if (!is_utf8(as_text(value))) return fail("relay is not text");
    entries.relays.emplace_back(as_text(value));
  } else if (type == kAuthor && !entries.author) {
    const auto author = id_from<PubKey>(value);
    if (!author) return std::unexpected(author.error());
    entries.author = *author;
  } else if (type == kKind && !entries.kind) {
    if (value.size() != 4) return fail("kind is not four bytes");
    entries.kind = static_cast<uint32_t>(value[0]) << 24 | static_cast<uint32_t>(value[1]) << 16 |
                   static_cast<uint32_t>(value[2]) << 8 | value[3];
  }
  return {};
}

Result<Entries> read_entries(ByteView data) {
  Entries entries;
  while (!data.empty()) {
    if (data.size() < 2 || data.size() - 2 < data[1]) return fail("entry is cut short");
    const size_t length = data[1];
    if (auto ok = take_entry(entries, data[0], data.subspan(2, length)); !ok)
      return std::unexpected(ok.error());
    data = data.subspan(2 + length);
  }
  if (!entries.special) return fail("entry 0 is missing");
  return entries;
}

Result<Pointer> read_pointer(const Bech32& text) {
  auto entries = read_entries(text.data);
  if (!entries) return std::unexpected(entries.error());
  if (text.prefix == "naddr") {
    if (!entries->author || !entries->kind) return fail("naddr lacks author or kind");
    if (!is_utf8(as_text(*entries->special))) return fail("identifier is not text");
    return AddressPointer{std::string(as_text(*entries->special)), *entries->author, *entries->kind,
                          std::move(entries->relays)};
  }
  if (text.prefix == "nprofile") {
    const auto key = id_from<PubKey>(*entries->special);
    if (!key) return std::unexpected(key.error());
    return ProfilePointer{*key, std::move(entries->relays)};
  }
  const auto id = id_from<EventId>(*entries->special);
  if (!id) return std::unexpected(id.error());
  return EventPointer{*id, std::move(entries->relays), entries->author, entries->kind};
}

template <class Id>
Result<Pointer> read_bare(const Bech32& text) {
  const auto id = id_from<Id>(text.data);
  if (!id) return std::unexpected(id.error());
  return Pointer(*id);
}

std::string_view without_scheme(std::string_view text) {
  return text.starts_with(kUriScheme) ? text.substr(kUriScheme.size()) : text;
}

}  // namespace

std::string to_npub(const PubKey& key) { return to_bech32("npub", key.bytes); }
std::string to_note(const EventId& id) { return to_bech32("note", id.bytes); }
std::string to_nsec(const SecretKey& key) { return to_bech32("nsec", key.bytes); }

Result<std::string> to_nip19(const Pointer& pointer) { return std::visit(Writer{}, pointer); }

Result<Pointer> parse_pointer(std::string_view text) {
  const auto decoded = from_bech32(without_scheme(text));
  if (!decoded) return std::unexpected(decoded.error());
  if (decoded->prefix == "npub") return read_bare<PubKey>(*decoded);
  if (decoded->prefix == "note") return read_bare<EventId>(*decoded);
  if (decoded->prefix == "nprofile" || decoded->prefix == "nevent" || decoded->prefix == "naddr")
    return read_pointer(*decoded);
  return fail("not a Nostr pointer");
}

Result<PubKey> parse_public_key(std::string_view text) {
  PubKey key;
  const std::string_view bare = without_scheme(text);
  if (const auto bytes = from_hex(bare); bytes && bytes->size() == key.bytes.size()) {
    std::copy(bytes->begin(), bytes->end(), key.bytes.begin());
  } else {
    const auto pointer = parse_pointer(bare);
    if (!pointer) return fail("not a public key: expected 64 hex digits, npub or nprofile");
    if (const auto* npub = std::get_if<PubKey>(&*pointer))
      key = *npub;
    else if (const auto* profile = std::get_if<ProfilePointer>(&*pointer))
      key = profile->pubkey;
    else
      return fail("names an event, not a public key");
  }
  if (!crypto::is_valid(key)) return fail("not a public key: not on the curve");
  return key;
}

Result<SecretKey> parse_secret_key(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes) {
    auto decoded = from_bech32(text);
    if (!decoded || decoded->prefix != "nsec")
      return fail("not a secret key: expected 64 hex digits or nsec");
    bytes = std::move(decoded->data);
  }
  SecretKey key;
  if (bytes->size() != key.bytes.size())
    return fail("not a secret key: expected 64 hex digits or nsec");
  std::copy(bytes->begin(), bytes->end(), key.bytes.begin());
  crypto::wipe(*bytes);
  if (auto pair = crypto::Keypair::from(key); !pair) return std::unexpected(pair.error());
  return key;
}

bool same_key(std::string_view a, std::string_view b) {
  const auto key_a = parse_public_key(a);
  const auto key_b = parse_public_key(b);
  return key_a && key_b && *key_a == *key_b;
}

}  // namespace paygress::nostr
