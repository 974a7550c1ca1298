#include "core/nostr/nip04.h"

#include <algorithm>

#include "core/crypto/cipher.h"
#include "core/crypto/ecdh.h"

namespace paygress::nostr::nip04 {
namespace {

constexpr std::string_view kIvMark = "?iv=";
// What the event around the content takes, generously.
constexpr size_t kEnvelopeBytes = 1024;

Result<std::string> undecryptable() { return fail("cannot be decrypted"); }

}  // namespace

std::string encrypt(const SecretKey& shared, std::string_view text, const ByteArray<16>& iv) {
  const Bytes ciphertext = crypto::aes256_cbc_encrypt(shared.bytes, iv, as_bytes(text));
  std::string content = to_base64(ciphertext, Base64::Standard, true);
  content.append(kIvMark).append(to_base64(iv, Base64::Standard, true));
  return content;
}

Result<std::string> decrypt(const SecretKey& shared, std::string_view content) {
  if (content.size() > kContentBytesMax) return undecryptable();
  const size_t mark = content.find(kIvMark);
  if (mark == std::string_view::npos) return undecryptable();
  const auto iv_bytes =
      from_base64(content.substr(mark + kIvMark.size()), Base64::Standard, Padding::Required);
  ByteArray<16> iv;
  if (!iv_bytes || iv_bytes->size() != iv.size()) return undecryptable();
  std::copy(iv_bytes->begin(), iv_bytes->end(), iv.begin());
  const auto ciphertext = from_base64(content.substr(0, mark), Base64::Standard, Padding::Required);
  if (!ciphertext) return undecryptable();
  auto text = crypto::aes256_cbc_decrypt(shared.bytes, iv, *ciphertext);
  if (!text) return undecryptable();
  Result<std::string> result = std::string(as_text(*text));
  crypto::wipe(*text);
  return is_utf8(*result) ? std::move(result) : undecryptable();
}

Result<Draft> seal(const crypto::Keypair& author, const PubKey& receiver, std::string_view text,
                   UnixSeconds now, Entropy& entropy) {
  const auto shared = crypto::shared_x(author.secret(), receiver);
  if (!shared) return std::unexpected(shared.error());
  ByteArray<16> iv;
  entropy.fill(iv);
  std::string content = encrypt(*shared, text, iv);
  if (content.size() + kEnvelopeBytes > kEventBytesMax) return fail("message is too large");
  return Draft{now,
               kind::kEncryptedDirect,
               {{"p", receiver.hex()}, {"alt", "Private Message"}},
               std::move(content)};
}

Result<std::string> open(const VerifiedEvent& event, const crypto::Keypair& me) {
  if (event->kind != kind::kEncryptedDirect) return fail("not a direct message", "kind");
  const std::string* receiver = tag_value(event->tags, "p");
  if (receiver == nullptr || *receiver != me.public_key().hex())
    return fail("not addressed to us", "tags");
  const auto shared = crypto::shared_x(me.secret(), event->pubkey);
  if (!shared) return std::unexpected(shared.error());
  return decrypt(*shared, event->content);
}

}  // namespace paygress::nostr::nip04
