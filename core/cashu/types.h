// Cashu's objects (NUT-00 to NUT-03, 07, 09, 12), decoded. Amounts are in the keyset's unit.
#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/ids.h"
#include "core/base/units.h"

namespace paygress::cashu {

using Amount = uint64_t;
using Point = ByteArray<33>;   // compressed secp256k1 point
using Scalar = ByteArray<32>;  // big endian, in [1, n)

// Token and payment caps (docs/limits.md); a token beyond them is refused with this said.
inline constexpr size_t kTokenBytesMax = 256 * 1024;
inline constexpr size_t kProofsMax = 256;
inline constexpr size_t kSecretBytesMax = 1024;

struct Dleq {
  Scalar e{};
  Scalar s{};
  std::optional<Scalar> r;  // only in tokens between people; NEVER sent to a mint (NUT-12)
  bool operator==(const Dleq&) const = default;
};
BOOST_DESCRIBE_STRUCT(Dleq, (), (e, s, r))

struct Proof {
  Amount amount = 0;
  std::string keyset;  // lower-case hex id: "00"+14, "01"+64, or a V4 token's 16-digit short id
  std::string secret;  // the UTF-8 text that hash_to_curve takes
  Point c{};
  std::string witness;  // empty when there is none
  std::optional<Dleq> dleq;
  bool operator==(const Proof&) const = default;
};
BOOST_DESCRIBE_STRUCT(Proof, (), (amount, keyset, secret, c, witness, dleq))

// A token of one mint. `unit` is what the token says; the keyset's unit is what counts.
struct Token {
  std::string mint;
  std::string unit;
  std::string memo;
  std::vector<Proof> proofs;
  bool operator==(const Token&) const = default;
};
BOOST_DESCRIBE_STRUCT(Token, (), (mint, unit, memo, proofs))

struct BlindedMessage {
  Amount amount = 0;
  std::string keyset;
  Point b{};
  bool operator==(const BlindedMessage&) const = default;
};
BOOST_DESCRIBE_STRUCT(BlindedMessage, (), (amount, keyset, b))

struct BlindSignature {
  Amount amount = 0;
  std::string keyset;
  Point c{};
  std::optional<Dleq> dleq;
  bool operator==(const BlindSignature&) const = default;
};
BOOST_DESCRIBE_STRUCT(BlindSignature, (), (amount, keyset, c, dleq))

struct Keyset {
  std::string id;
  std::string unit;
  bool active = false;
  uint64_t input_fee_ppk = 0;
  std::optional<UnixSeconds> final_expiry;
  std::map<Amount, Point> keys;  // empty when only listed (NUT-02 /v1/keysets)
  bool operator==(const Keyset&) const = default;
};
BOOST_DESCRIBE_STRUCT(Keyset, (), (id, unit, active, input_fee_ppk, final_expiry, keys))

enum class ProofState : uint8_t { Unspent, Pending, Spent };

// --- what a mint is asked (bodies are exact bytes, made once and kept) and what it answers
// ---------
enum class Endpoint : uint8_t {
  Info,
  Keys,
  Keysets,
  KeysById,
  Swap,
  CheckState,
  Restore,
  MintQuote,
  MintQuoteState,
  Mint,
  MeltQuote,
  MeltQuoteState,
  Melt
};

struct MintError {
  uint32_t http_status = 0;
  std::optional<uint32_t>
      code;  // NUT error code: for messages and retry speed only, never a verdict
  std::string detail;
};
BOOST_DESCRIBE_STRUCT(MintError, (), (http_status, code, detail))

struct InfoAnswer {  // supported NUT numbers
  std::string name;
  std::vector<uint32_t> nuts;
};
struct KeysetsAnswer {  // Keys, KeysById and Keysets
  std::vector<Keyset> keysets;
};
struct SwapAnswer {  // Swap and Mint
  std::vector<BlindSignature> signatures;
};
struct StateEntry {
  Point y{};
  ProofState state = ProofState::Unspent;
};
struct CheckAnswer {
  std::vector<StateEntry> states;
};
struct RestoreAnswer {
  std::vector<BlindedMessage> outputs;
  std::vector<BlindSignature> signatures;
};
// MintQuote, MintQuoteState; and MeltQuote, MeltQuoteState, Melt, whose members are the last ones.
struct QuoteAnswer {
  std::string quote;
  std::string request;
  std::string state;
  Amount amount = 0;
  Amount fee_reserve = 0;             // the most that Lightning may cost beside `amount`
  std::optional<UnixSeconds> expiry;  // the mint does not pay it later
  std::string preimage;               // of what was paid
  std::optional<std::vector<BlindSignature>> change;  // of the blank outputs, the first ones
};
BOOST_DESCRIBE_STRUCT(InfoAnswer, (), (name, nuts))
BOOST_DESCRIBE_STRUCT(KeysetsAnswer, (), (keysets))
BOOST_DESCRIBE_STRUCT(SwapAnswer, (), (signatures))
BOOST_DESCRIBE_STRUCT(StateEntry, (), (y, state))
BOOST_DESCRIBE_STRUCT(CheckAnswer, (), (states))
BOOST_DESCRIBE_STRUCT(RestoreAnswer, (), (outputs, signatures))
BOOST_DESCRIBE_STRUCT(QuoteAnswer, (),
                      (quote, request, state, amount, fee_reserve, expiry, preimage, change))

}  // namespace paygress::cashu
