// Gift wraps (NIP-59) and the private messages in them (NIP-17).
//
//   rumor (unsigned) -> seal (kind 13, signed by the author) -> wrap (kind 1059, throwaway key)
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/crypto/schnorr.h"
#include "core/nostr/event.h"
#include "core/nostr/nip44.h"

namespace paygress::nostr {

// Seals and wraps are dated up to this far back, so a subscription's `since` must be too.
inline constexpr Seconds kBackdateMax = 172'800_s;

struct Rumor {
  EventId id;  // always the hash of the rest
  PubKey author;
  Draft draft;

  bool operator==(const Rumor&) const = default;
};
Rumor make_rumor(const PubKey& author, Draft draft);
std::string to_json(const Rumor& rumor);

enum class WrapStyle : uint8_t {
  Stored,     // kind 1059, dated back at random: the normal one
  StoredNow,  // kind 1059, dated now: for relays that refuse old dates
  Ephemeral,  // kind 21059, dated now: relays drop old ephemeral events
};

// One wrap for one receiver. Every call draws a new throwaway key, new nonces and new dates from
// `entropy`. Dates are never after `now`. The same rumor wrapped again keeps its id: that is how a
// receiver recognises a repeated request.
// Fails when: the rumor is not the author's, the receiver is no key, the wrap would exceed
// kEventBytesMax (a rumor of 24 KiB, as JSON, always fits).
Result<Event> wrap(const Rumor& rumor, const crypto::Keypair& author, const PubKey& receiver,
                   UnixSeconds now, Entropy& entropy, WrapStyle style = WrapStyle::Stored);

// What a wrap held, after every check. `sender` is the seal's author, which signed it for us.
struct Unwrapped {
  PubKey sender;
  EventId wrap_id;
  EventId rumor_id;        // the identity of the message: the same in every copy of it
  UnixSeconds created_at;  // the rumor's, so the sender's word; the caller judges its age
  std::optional<UnixSeconds> expires_at;  // NIP-40, the earlier of the wrap's and the rumor's
  uint16_t kind = 0;                      // the caller drops kinds it does not expect
  std::vector<Tag> tags;
  std::string content;

  bool operator==(const Unwrapped&) const = default;
};
BOOST_DESCRIBE_STRUCT(Unwrapped, (),
                      (sender, wrap_id, rumor_id, created_at, expires_at, kind, tags, content))

// Conversation keys of recent senders, oldest entry replaced first. One per thread: not locked.
class ConversationKeys {
 public:
  static constexpr size_t kEntriesMax = 256;
  // From the cache, or worked out and kept.
  Result<nip44::ConversationKey> get(const crypto::Keypair& me, const PubKey& peer);

 private:
  struct Entry {
    PubKey mine;
    PubKey peer;
    nip44::ConversationKey key;
  };
  std::vector<Entry> entries_;
  size_t next_ = 0;
};

// NIP-59 and NIP-17, in this order: kind 1059 or 21059; a `p` tag names us; decryption; the seal
// is an event of kind 13 without tags, with good id and signature; decryption; the rumor's author
// is the seal's; its id, if it has one, is its hash. (The wrap's own id and signature are proven
// by its type.) NOT checked here, because they need time or memory: age, expiry, seen before.
// Pure; safe on any thread as long as each has its own `keys`, which may be null.
Result<Unwrapped> unwrap(const VerifiedEvent& wrap, const crypto::Keypair& me,
                         ConversationKeys* keys = nullptr);

}  // namespace paygress::nostr
