// NIP-04 direct messages (kind 4): what the existing network's clients send. No message
// authentication of its own; only the event's signature vouches for the content.
#pragma once

#include <string>
#include <string_view>

#include "core/base/random.h"
#include "core/crypto/schnorr.h"
#include "core/nostr/event.h"

namespace paygress::nostr::nip04 {

// Bounds the work a content may cause before anything is allocated for it.
inline constexpr size_t kContentBytesMax = kEventBytesMax;

// `base64(AES-256-CBC(x, iv, text))?iv=base64(iv)`; `shared` from crypto::shared_x.
std::string encrypt(const SecretKey& shared, std::string_view text, const ByteArray<16>& iv);
// One error text whatever failed: no padding oracle. The result is valid UTF-8.
Result<std::string> decrypt(const SecretKey& shared, std::string_view content);

// A kind 4 event to be signed by `author`; tags `p` and `alt` as the existing network writes them
// (network.md 1.5); the caller may append an `e` tag. Fails when `receiver` is no key, or the text
// would not fit an event.
Result<Draft> seal(const crypto::Keypair& author, const PubKey& receiver, std::string_view text,
                   UnixSeconds now, Entropy& entropy);

// The text of a kind 4 event whose first `p` tag is `me`. The sender is the event's author.
Result<std::string> open(const VerifiedEvent& event, const crypto::Keypair& me);

}  // namespace paygress::nostr::nip04
