// SHA-256 and HMAC-SHA-256 (OpenSSL).
#pragma once

#include <initializer_list>

#include "core/base/bytes.h"

namespace paygress::crypto {

using Digest = ByteArray<32>;

Digest sha256(ByteView data);
// Of the concatenation of the parts.
Digest sha256(std::initializer_list<ByteView> parts);

// RFC 2104: HMAC with the key's two blocks hashed once, for several messages under one key. Wiped
// when destroyed.
class HmacSha256 {
 public:
  explicit HmacSha256(ByteView key);
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;
  ~HmacSha256();
  // Of the concatenation of the parts.
  Digest operator()(std::initializer_list<ByteView> parts) const;

 private:
  struct States;
  ByteArray<224> states_;  // two SHA256_CTX
};
Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> parts);

// Compares without revealing where the first difference is. False when the sizes differ.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace paygress::crypto
