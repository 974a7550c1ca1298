// BIP-39 with the English word list and the empty passphrase.
#pragma once

#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace paygress::crypto {

// 16, 20, 24, 28 or 32 bytes of entropy as 12, 15, 18, 21 or 24 words parted by one space. Other
// sizes are a broken invariant.
std::string mnemonic_from_entropy(ByteView entropy);
// Reads words parted by white space (upper case is lowered) and checks number, words and checksum.
// The error never quotes a word.
Result<Bytes> entropy_from_mnemonic(std::string_view mnemonic);
// PBKDF2-HMAC-SHA512, 2048 rounds, salt "mnemonic"; of the canonical spelling of a valid mnemonic.
Result<ByteArray<64>> seed_from_mnemonic(std::string_view mnemonic);

}  // namespace paygress::crypto
