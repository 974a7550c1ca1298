// NIP-44 version 2: authenticated encryption between two keys.
#pragma once

#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/ids.h"
#include "core/base/result.h"

namespace paygress::nostr::nip44 {

// The standard's limit is 2^32 - 1 bytes; an event cannot carry this project's limit either way.
inline constexpr size_t kPlaintextBytesMax = 1 << 20;
inline constexpr size_t kPayloadCharsMin = 132;
// Characters of the payload of a plaintext of kPlaintextBytesMax.
inline constexpr size_t kPayloadCharsMax = (1 + 32 + 6 + kPlaintextBytesMax + 32 + 2) / 3 * 4;

// What two keys share; the same in both directions and for ever, so a caller may keep it per peer
// and save an ECDH (a third of the cost of an unwrap). Wiped when destroyed.
struct ConversationKey {
  SecretKey secret;
};
Result<ConversationKey> conversation_key(const SecretKey& mine, const PubKey& peer);

// Keys of one message ("get message keys"). Wiped when destroyed.
struct MessageKeys {
  ByteArray<32> chacha_key{};
  ByteArray<12> chacha_nonce{};
  ByteArray<32> hmac_key{};

  MessageKeys() = default;
  MessageKeys(const MessageKeys&) = delete;
  MessageKeys& operator=(const MessageKeys&) = delete;
  ~MessageKeys();
};
void derive(const ConversationKey& key, const ByteArray<32>& nonce, MessageKeys& out);

// "calc_padded_len": bytes of the padded plaintext without its length prefix. Precondition: n > 0.
uint64_t padded_length(uint64_t n);

// `nonce` is 32 fresh unpredictable bytes: a repeated one reveals both plaintexts.
// Refuses an empty plaintext and one above kPlaintextBytesMax.
Result<std::string> encrypt(const ConversationKey& key, std::string_view plaintext,
                            const ByteArray<32>& nonce);

// The payload must be a version 2 payload made with the same key. Sizes are checked before any
// work, the MAC before decryption, then the padding; the text is valid UTF-8.
Result<std::string> decrypt(const ConversationKey& key, std::string_view payload);

}  // namespace paygress::nostr::nip44
