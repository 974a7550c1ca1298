// Deterministic secrets (NUT-13): every output of ours can be derived again from the wallet's seed,
// its keyset and its counter, so no signed output is ever lost with the database.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/cashu/types.h"
#include "core/crypto/bip32.h"

namespace paygress::cashu {

// The wallet's seed. Wiped when destroyed; no text form and no comparison on purpose.
struct WalletSeed {
  ByteArray<64> bytes{};

  WalletSeed() = default;
  explicit WalletSeed(const ByteArray<64>& b) : bytes(b) {}
  WalletSeed(const WalletSeed&) = default;
  WalletSeed& operator=(const WalletSeed&) = default;
  ~WalletSeed();
};

// `config_key` is the LITERAL text of the config's private key: the same key written as nsec and as
// hex gives two different wallets (so does the existing network; restore tries both spellings).
// The mnemonic whose entropy is the first half of SHA-256("paygress-cashu-wallet-bip39-v1:" + key).
std::string mnemonic_from_key(std::string_view config_key);
// The existing network's seed: BIP-39 of mnemonic_from_key.
WalletSeed seed_from_key(std::string_view config_key);
// The seed document's older form, kept for restore only:
// SHA-256("paygress-cashu-wallet-v1:a:" + key) || SHA-256("paygress-cashu-wallet-v1:b:" + key).
WalletSeed legacy_seed_from_key(std::string_view config_key);
// Of an operator's CASHU_WALLET_MNEMONIC. White space around it is ignored.
Result<WalletSeed> seed_from_mnemonic(std::string_view mnemonic);

struct OutputSecret {
  std::string secret;  // 64 lower-case hex characters; hash_to_curve takes this text
  Scalar r{};          // blinding factor
};

// Derives the outputs of one keyset. Keeps the part of the BIP-32 path that they share.
class OutputDeriver {
 public:
  // `keyset` is a full id: "00" + 14 hex digits (BIP-32) or "01" + 64 (HMAC). Else an error.
  static Result<OutputDeriver> make(const WalletSeed& seed, std::string_view keyset);
  // Counters are below 2^31. Error when the counter is above, or (once in 2^127) has no secret.
  Result<OutputSecret> at(uint32_t counter) const;

 private:
  OutputDeriver() = default;
  bool bip32_ = false;
  crypto::ExtendedKey keyset_node_;  // m/129372'/0'/{keyset int}' of a "00" keyset
  WalletSeed seed_;                  // of a "01" keyset
  Bytes keyset_id_;
};

// An output of a refund token. Not NUT-13: it depends on the claim and on nothing that a ledger
// counts, so that a ledger that was rolled back makes the same token again (money-sagas.md flaw
// 15). HMAC-SHA-256(seed, "paygress-refund-v1" || claim || attempt || index || kind), numbers in 4
// bytes big endian; kind 0 is the secret, kind 1 the blinding factor. Error once in 2^127.
Result<OutputSecret> refund_output(const WalletSeed& seed, const ClaimId& claim, uint32_t attempt,
                                   uint32_t index);

}  // namespace paygress::cashu
