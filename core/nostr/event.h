// A Nostr event (NIP-01), and the proof in its type that it was verified.
#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.h"
#include "core/base/result.h"
#include "core/base/units.h"

namespace paygress::crypto {
class Keypair;
}

namespace paygress::nostr {

using Tag = std::vector<std::string>;

// Event kinds this project speaks (NIP-01, 04, 17, 42, 59; the market's own: network.md 1.1).
namespace kind {
inline constexpr uint16_t kEncryptedDirect = 4;
inline constexpr uint16_t kSeal = 13;
inline constexpr uint16_t kPrivateMessage = 14;
inline constexpr uint16_t kGiftWrap = 1059;
inline constexpr uint16_t kInboxRelays = 10050;
inline constexpr uint16_t kRelayAuth = 22242;
inline constexpr uint16_t kHeartbeatEphemeral = 20384;
inline constexpr uint16_t kEphemeralGiftWrap = 21059;
inline constexpr uint16_t kOffer = 38383;
inline constexpr uint16_t kHeartbeat = 38384;
inline constexpr uint16_t kRevocation = 38385;
inline constexpr uint16_t kPromotion = 38386;
}  // namespace kind

struct Event {
  EventId id;
  PubKey pubkey;
  UnixSeconds created_at;
  uint16_t kind = 0;
  std::vector<Tag> tags;
  std::string content;
  Signature sig;

  bool operator==(const Event&) const = default;
};
BOOST_DESCRIBE_STRUCT(Event, (), (id, pubkey, created_at, kind, tags, content, sig))

// What is to be signed: an event without id and signature. An unsigned rumor (NIP-59) likewise.
struct Draft {
  UnixSeconds created_at;
  uint16_t kind = 0;
  std::vector<Tag> tags;
  std::string content;

  bool operator==(const Draft&) const = default;
};
BOOST_DESCRIBE_STRUCT(Draft, (), (created_at, kind, tags, content))

// First value of the first tag named `name`, or nothing.
const std::string* tag_value(const std::vector<Tag>& tags, std::string_view name);

// NIP-40: the time after which the event is void. Nothing when absent or not a plain number.
std::optional<UnixSeconds> expires_at(const std::vector<Tag>& tags);
inline bool is_expired(const std::vector<Tag>& tags, UnixSeconds now) {
  const auto end = expires_at(tags);
  return end && *end <= now;
}

enum class Replacement : uint8_t { Regular, Replaceable, Ephemeral, Addressable };
// NIP-01, "Kinds".
Replacement replacement_of(uint16_t kind);
// NIP-01: newer created_at wins; at equal time the lowest id.
bool supersedes(const Event& candidate, const Event& stored);

// An event whose id is the hash of its content and whose signature is good. Made only by verify()
// and, without cryptography, by the simulator's fast tier through ModelWitness. Cheap to copy.
class VerifiedEvent {
 public:
  const Event& operator*() const { return *event_; }
  const Event* operator->() const { return event_.get(); }
  const Event& encoded_as() const { return *event_; }  // for hashing (core/base/codec.h)
  bool operator==(const VerifiedEvent& other) const { return *event_ == *other.event_; }

 private:
  explicit VerifiedEvent(std::shared_ptr<const Event> event) : event_(std::move(event)) {}
  friend Result<VerifiedEvent> verify(Event event);
  friend struct ModelWitness;
  std::shared_ptr<const Event> event_;
};

// Checks id, then signature (BIP-340 over the id). The fields' shapes were checked by the parser.
Result<VerifiedEvent> verify(Event event);

// The canonical serialisation whose SHA-256 is the id (NIP-01): `[0,"<pubkey>",...]`.
std::string canonical(const PubKey& author, const Draft& draft);
EventId event_id(const PubKey& author, const Draft& draft);

// Strict (nostr.md section 1): sizes, types, lower-case hex, integer time and kind, non-empty tags
// of strings, valid UTF-8, no duplicate keys. Unknown fields are ignored. Does NOT verify.
inline constexpr size_t kEventBytesMax = 65536;
Result<Event> parse_event(std::string_view json);
std::string to_json(const Event& event);

// Signs with 32 bytes of auxiliary entropy (BIP-340 "aux_rand"). Precondition: the key is valid.
Event sign(const SecretKey& key, const Draft& draft, const ByteArray<32>& aux);
// The same at half the cost, for a key that signs more than once.
Event sign(const crypto::Keypair& key, const Draft& draft, const ByteArray<32>& aux);

}  // namespace paygress::nostr
