#include "core/crypto/bip39.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/crypto/hash.h"

namespace paygress::crypto {
namespace {

constexpr std::array<std::string_view, 2048> kWords = {
#include "core/crypto/bip39_english.inc"
};
static_assert(std::ranges::is_sorted(kWords) && !kWords.back().empty());

constexpr size_t kBitsPerWord = 11;
constexpr size_t kWordsMax = 24;
constexpr size_t kMnemonicBytesMax = 512;
constexpr int kRounds = 2048;
constexpr std::string_view kSalt = "mnemonic";

bool is_entropy_size(size_t bytes) { return bytes >= 16 && bytes <= 32 && bytes % 4 == 0; }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool bit_of(ByteView bytes, size_t index) { return (bytes[index / 8] >> (7 - index % 8) & 1) != 0; }

// The index of each word; nothing is said about which word is wrong but its number.
Result<std::vector<size_t>> read_words(std::string_view mnemonic) {
  if (mnemonic.size() > kMnemonicBytesMax) return fail("mnemonic is too long");
  std::vector<size_t> indices;
  for (size_t i = 0; i < mnemonic.size();) {
    if (is_space(mnemonic[i])) {
      ++i;
      continue;
    }
    std::string word;
    for (; i < mnemonic.size() && !is_space(mnemonic[i]); ++i)
      word.push_back(to_lower(mnemonic[i]));
    const auto found = std::ranges::lower_bound(kWords, std::string_view(word));
    if (found == kWords.end() || *found != word)
      return fail("word " + std::to_string(indices.size() + 1) + " is not in the English list");
    indices.push_back(static_cast<size_t>(found - kWords.begin()));
  }
  if (indices.size() < 12 || indices.size() > kWordsMax || indices.size() % 3 != 0)
    return fail("a mnemonic has 12, 15, 18, 21 or 24 words, not " + std::to_string(indices.size()));
  return indices;
}

}  // namespace

std::string mnemonic_from_entropy(ByteView entropy) {
  PG_CHECK(is_entropy_size(entropy.size()));
  // The checksum is one bit for each four bytes of entropy: at most the digest's first byte.
  Bytes bits(entropy.begin(), entropy.end());
  bits.push_back(sha256(entropy)[0]);
  const size_t word_count = entropy.size() * 3 / 4;
  PG_CHECK(word_count * kBitsPerWord <= bits.size() * 8);
  std::string mnemonic;
  for (size_t word = 0; word < word_count; ++word) {
    size_t index = 0;
    for (size_t bit = 0; bit < kBitsPerWord; ++bit)
      index = index << 1 | (bit_of(bits, word * kBitsPerWord + bit) ? 1U : 0U);
    if (word != 0) mnemonic += ' ';
    mnemonic += kWords[index];
  }
  return mnemonic;
}

Result<Bytes> entropy_from_mnemonic(std::string_view mnemonic) {
  const auto indices = read_words(mnemonic);
  if (!indices) return std::unexpected(indices.error());
  const size_t entropy_bytes = indices->size() * 4 / 3;
  Bytes entropy(entropy_bytes + 1);
  for (size_t position = 0; position < indices->size() * kBitsPerWord; ++position) {
    const size_t word = (*indices)[position / kBitsPerWord];
    const size_t bit = word >> (kBitsPerWord - 1 - position % kBitsPerWord) & 1;
    entropy[position / 8] |= static_cast<uint8_t>(bit << (7 - position % 8));
  }
  const uint8_t checksum = entropy.back();
  entropy.pop_back();
  PG_CHECK(is_entropy_size(entropy.size()));
  const size_t checksum_bits = entropy_bytes / 4;
  const auto mask = static_cast<uint8_t>(0xff << (8 - checksum_bits));
  if ((sha256(entropy)[0] & mask) != checksum) return fail("the mnemonic's checksum is wrong");
  return entropy;
}

Result<ByteArray<64>> seed_from_mnemonic(std::string_view mnemonic) {
  const auto entropy = entropy_from_mnemonic(mnemonic);
  if (!entropy) return std::unexpected(entropy.error());
  const std::string canonical = mnemonic_from_entropy(*entropy);
  ByteArray<64> seed;
  PG_CHECK(PKCS5_PBKDF2_HMAC(canonical.data(), static_cast<int>(canonical.size()),
                             as_bytes(kSalt).data(), static_cast<int>(kSalt.size()), kRounds,
                             EVP_sha512(), static_cast<int>(seed.size()), seed.data()) == 1);
  return seed;
}

}  // namespace paygress::crypto
