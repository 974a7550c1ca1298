// Ciphers (OpenSSL) and HKDF, as NIP-04 and NIP-44 need them.
#pragma once

#include <span>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace paygress::crypto {

inline constexpr size_t kAesBlockBytes = 16;

// RFC 8439 section 2.4, block counter 0. Encrypts or decrypts `data` in place.
void chacha20(const ByteArray<32>& key, const ByteArray<12>& nonce, std::span<uint8_t> data);

// AES-256-CBC with PKCS#7 padding. Unauthenticated: whoever decrypts must not tell the sender why
// it failed (padding oracle), so there is one error text for everything.
Bytes aes256_cbc_encrypt(const ByteArray<32>& key, const ByteArray<16>& iv, ByteView plaintext);
Result<Bytes> aes256_cbc_decrypt(const ByteArray<32>& key, const ByteArray<16>& iv,
                                 ByteView ciphertext);

// RFC 5869 section 2.3 with SHA-256. At most 255 * 32 bytes. (Extract is HMAC: see hash.h.)
void hkdf_expand(ByteView pseudorandom_key, ByteView info, std::span<uint8_t> out);

// Overwrites with zeros in a way the compiler keeps.
void wipe(std::span<uint8_t> bytes);

}  // namespace paygress::crypto
