#include "core/crypto/cipher.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "core/base/check.h"
#include "core/crypto/hash.h"

namespace paygress::crypto {
namespace {

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

// Fetched once: a fetch per message costs more than the cipher (OpenSSL 3).
const EVP_CIPHER* chacha20_algorithm() {
  static EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "ChaCha20", nullptr);
  PG_CHECK(algorithm != nullptr);
  return algorithm;
}
const EVP_CIPHER* aes_algorithm() {
  static EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  PG_CHECK(algorithm != nullptr);
  return algorithm;
}

// Holds key material between calls; every use ends with a reset, which wipes it.
EVP_CIPHER_CTX* scratch_context() {
  thread_local std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context(EVP_CIPHER_CTX_new());
  PG_CHECK(context != nullptr);
  return context.get();
}

int checked_size(size_t size) {
  PG_CHECK(size < static_cast<size_t>(std::numeric_limits<int>::max()) - kAesBlockBytes);
  return static_cast<int>(size);
}

}  // namespace

void chacha20(const ByteArray<32>& key, const ByteArray<12>& nonce, std::span<uint8_t> data) {
  // OpenSSL's 16-byte "iv" is the 32-bit little-endian block counter, then the nonce.
  ByteArray<16> iv{};
  std::copy(nonce.begin(), nonce.end(), iv.begin() + 4);
  EVP_CIPHER_CTX* context = scratch_context();
  int written = 0;
  PG_CHECK(EVP_EncryptInit_ex2(context, chacha20_algorithm(), key.data(), iv.data(), nullptr) == 1);
  PG_CHECK(EVP_EncryptUpdate(context, data.data(), &written, data.data(),
                             checked_size(data.size())) == 1);
  PG_CHECK(EVP_CIPHER_CTX_reset(context) == 1);
  PG_CHECK(static_cast<size_t>(written) == data.size());
}

Bytes aes256_cbc_encrypt(const ByteArray<32>& key, const ByteArray<16>& iv, ByteView plaintext) {
  EVP_CIPHER_CTX* context = scratch_context();
  Bytes out(plaintext.size() + kAesBlockBytes);
  int body = 0;
  int tail = 0;
  PG_CHECK(EVP_EncryptInit_ex2(context, aes_algorithm(), key.data(), iv.data(), nullptr) == 1);
  PG_CHECK(EVP_EncryptUpdate(context, out.data(), &body, plaintext.data(),
                             checked_size(plaintext.size())) == 1);
  PG_CHECK(EVP_EncryptFinal_ex(context, out.data() + body, &tail) == 1);
  PG_CHECK(EVP_CIPHER_CTX_reset(context) == 1);
  out.resize(static_cast<size_t>(body + tail));
  PG_CHECK(out.size() % kAesBlockBytes == 0 && out.size() > plaintext.size());
  return out;
}

Result<Bytes> aes256_cbc_decrypt(const ByteArray<32>& key, const ByteArray<16>& iv,
                                 ByteView ciphertext) {
  if (ciphertext.empty() || ciphertext.size() % kAesBlockBytes != 0)
    return fail("cannot be decrypted");
  EVP_CIPHER_CTX* context = scratch_context();
  Bytes out(ciphertext.size() + kAesBlockBytes);
  int body = 0;
  int tail = 0;
  PG_CHECK(EVP_DecryptInit_ex2(context, aes_algorithm(), key.data(), iv.data(), nullptr) == 1);
  PG_CHECK(EVP_DecryptUpdate(context, out.data(), &body, ciphertext.data(),
                             checked_size(ciphertext.size())) == 1);
  const bool padding_good = EVP_DecryptFinal_ex(context, out.data() + body, &tail) == 1;
  PG_CHECK(EVP_CIPHER_CTX_reset(context) == 1);
  if (!padding_good) {
    wipe(out);
    return fail("cannot be decrypted");
  }
  out.resize(static_cast<size_t>(body + tail));
  return out;
}

void hkdf_expand(ByteView pseudorandom_key, ByteView info, std::span<uint8_t> out) {
  PG_CHECK(out.size() <= 255 * sizeof(Digest));
  const HmacSha256 hmac(pseudorandom_key);
  Digest block{};
  size_t done = 0;
  for (uint8_t counter = 1; done < out.size(); ++counter) {
    const ByteView previous = counter == 1 ? ByteView{} : ByteView(block);
    block = hmac({previous, info, ByteView(&counter, 1)});
    const size_t take = std::min(block.size(), out.size() - done);
    std::copy_n(block.begin(), take, out.begin() + static_cast<ptrdiff_t>(done));
    done += take;
  }
  wipe(block);
}

void wipe(std::span<uint8_t> bytes) { OPENSSL_cleanse(bytes.data(), bytes.size()); }

}  // namespace paygress::crypto
