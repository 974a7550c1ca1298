// Encrypted payloads, as they arrive and with a right MAC around arbitrary bytes: without the
// second nothing behind the MAC would ever be reached.
#include <algorithm>

#include "core/base/check.h"
#include "core/crypto/cipher.h"
#include "core/crypto/hash.h"
#include "core/nostr/nip04.h"
#include "core/nostr/nip44.h"

using namespace paygress;
using namespace paygress::nostr;

namespace {

std::string authentic(const nip44::ConversationKey& key, ByteView padded) {
  nip44::MessageKeys keys;
  const ByteArray<32> nonce{};
  derive(key, nonce, keys);
  Bytes payload(1 + nonce.size());
  payload[0] = 2;
  payload.insert(payload.end(), padded.begin(), padded.end());
  const std::span<uint8_t> body = std::span(payload).subspan(1 + nonce.size());
  crypto::chacha20(keys.chacha_key, keys.chacha_nonce, body);
  const auto mac = crypto::hmac_sha256(keys.hmac_key, {nonce, body});
  payload.insert(payload.end(), mac.begin(), mac.end());
  return to_base64(payload, Base64::Standard, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const nip44::ConversationKey key;
  const std::string_view text = as_text({data, size});
  (void)nip44::decrypt(key, text);
  (void)nip04::decrypt(key.secret, text);
  if (const auto plain = nip44::decrypt(key, authentic(key, {data, size}))) {
    PG_CHECK(!plain->empty() && is_utf8(*plain) && plain->size() <= size);
  }
  if (size > 0 && size <= nip44::kPlaintextBytesMax) {
    const auto payload = nip44::encrypt(key, text, {});
    PG_CHECK(payload && payload->size() <= nip44::kPayloadCharsMax);
    const auto plain = nip44::decrypt(key, *payload);
    PG_CHECK(plain.has_value() == is_utf8(text));
    PG_CHECK(!plain || *plain == text);
  }
  return 0;
}
