// The consumer's journal: what must survive of a wallet, its tokens, requests and leases. The state
// (wallet_state.h) is the fold of these; nothing else is state.
//
// Order that keeps money whole: outputs, counters and request bytes BEFORE a POST to the mint; a
// token BEFORE it is printed; token and request BEFORE the request leaves.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/codec.h"
#include "core/cashu/types.h"
#include "core/market/wire_types.h"

namespace paygress::consumer {

// First of every journal: the wallet's seed comes from the identity, so another identity must not
// go on with these counters. The hash of the public key.
struct WalletMade {
  ByteArray<32> owner{};
};

// Operations and tokens are numbered from 1 by one counter: a person can name them.
enum class OpKind : uint8_t {
  Mint,     // a paid quote becomes proofs (NUT-04)
  Receive,  // a stored token's proofs are swapped for ours
  Split     // our proofs are swapped for others of ours, some of which become a token
};
BOOST_DESCRIBE_ENUM(OpKind, Mint, Receive, Split)

struct QuoteMade {  // op `number` will be the Mint of this quote
  uint64_t number = 0;
  std::string mint;  // normalised
  std::string unit;
  std::string quote;
  std::string invoice;
  cashu::Amount amount = 0;
  UnixSeconds at;
};
struct QuoteDropped {  // never paid, or unknown to the mint
  uint64_t number = 0;
  UnixSeconds at;
};

struct OpStarted {  // from here on the body may have been sent
  uint64_t number = 0;
  OpKind kind = OpKind::Mint;
  std::string mint;
  std::string unit;
  std::string quote;   // Mint
  uint64_t token = 0;  // Receive: the token; Split: the one it makes
  std::vector<cashu::Proof> inputs;
  std::string keyset;
  uint32_t counter_start = 0;  // NUT-13 counters [start, start + outputs.size())
  std::vector<cashu::BlindedMessage> outputs;
  std::vector<uint32_t> given;  // Split: indices of the outputs that become the token
  Bytes body;                   // the exact bytes of the POST
  UnixSeconds at;
};
struct OpDone {
  uint64_t number = 0;
  std::vector<cashu::Proof> proofs;
  UnixSeconds at;
};
// Nothing was signed and nothing is under way: inputs of ours are ours again, except `spent` (by
// secret), which the mint says are gone.
struct OpFailed {
  uint64_t number = 0;
  std::string why;
  std::vector<std::string> spent;
  UnixSeconds at;
};

enum class TokenOrigin : uint8_t {
  Made,   // from our own proofs
  Given,  // typed in by the owner
  Refund  // in a provider's reply
};
BOOST_DESCRIBE_ENUM(TokenOrigin, Made, Given, Refund)

struct TokenStored {
  uint64_t number = 0;
  TokenOrigin origin = TokenOrigin::Made;
  bool from_purse = false;   // Made: of proofs as they lay there, without a swap
  bool for_request = false;  // Made: until a RequestMade names it, it has not left
  std::string text;          // secret
  std::string mint;
  std::string unit;
  cashu::Amount amount = 0;
  std::vector<cashu::Proof> proofs;
  std::optional<market::RequestId> request;  // Refund: whose answer it came in
  UnixSeconds at;
};
enum class TokenFate : uint8_t {
  Here,      // stored; nobody else was given it (a token of `send` is printed after this)
  Sent,      // it left: in a request, or printed
  Taken,     // the provider redeemed it
  Returned,  // Made: its proofs are in the purse again
  Received,  // swapped for proofs of ours
  Lost       // spent by somebody else
};
BOOST_DESCRIBE_ENUM(TokenFate, Here, Sent, Taken, Returned, Received, Lost)
struct TokenChanged {
  uint64_t number = 0;
  TokenFate fate = TokenFate::Here;
  UnixSeconds at;
};

enum class Transport : uint8_t { Nip17, Nip04 };
BOOST_DESCRIBE_ENUM(Transport, Nip17, Nip04)

struct RequestMade {
  market::RequestId request;
  PubKey provider;
  std::string provider_name;
  Transport transport = Transport::Nip17;
  std::vector<std::string> relays;
  std::string json;    // secret: exactly what is sent, now and when it is repeated
  uint64_t token = 0;  // 0: none
  UnixSeconds at;      // of the rumor: the same in every repetition
};
// The final answer; the last one counts (an answer may change once, to a refund).
struct RequestAnswered {
  market::RequestId request;
  std::string json;
  UnixSeconds at;
};

struct LeaseSeen {  // for status and topup; the newest of provider and pod counts
  std::string pod;
  PubKey provider;
  std::string provider_name;
  market::RequestId request;  // of the spawn
  std::string tier;
  uint64_t rate_msats_per_sec = 0;
  std::vector<std::string> mints;  // the provider's, normalised
  std::vector<std::string> relays;
  Transport transport = Transport::Nip17;
  std::string host;
  uint16_t ssh_port = 0;
  std::string username;
  std::string password;  // secret
  UnixSeconds expires_at;
  UnixSeconds at;
};

BOOST_DESCRIBE_STRUCT(WalletMade, (), (owner))
BOOST_DESCRIBE_STRUCT(QuoteMade, (), (number, mint, unit, quote, invoice, amount, at))
BOOST_DESCRIBE_STRUCT(QuoteDropped, (), (number, at))
BOOST_DESCRIBE_STRUCT(OpStarted, (),
                      (number, kind, mint, unit, quote, token, inputs, keyset, counter_start,
                       outputs, given, body, at))
BOOST_DESCRIBE_STRUCT(OpDone, (), (number, proofs, at))
BOOST_DESCRIBE_STRUCT(OpFailed, (), (number, why, spent, at))
BOOST_DESCRIBE_STRUCT(TokenStored, (),
                      (number, origin, from_purse, for_request, text, mint, unit, amount, proofs,
                       request, at))
BOOST_DESCRIBE_STRUCT(TokenChanged, (), (number, fate, at))
BOOST_DESCRIBE_STRUCT(RequestMade, (),
                      (request, provider, provider_name, transport, relays, json, token, at))
BOOST_DESCRIBE_STRUCT(RequestAnswered, (), (request, json, at))
BOOST_DESCRIBE_STRUCT(LeaseSeen, (),
                      (pod, provider, provider_name, request, tier, rate_msats_per_sec, mints,
                       relays, transport, host, ssh_port, username, password, expires_at, at))

using Record = std::variant<WalletMade, QuoteMade, QuoteDropped, OpStarted, OpDone, OpFailed,
                            TokenStored, TokenChanged, RequestMade, RequestAnswered, LeaseSeen>;

}  // namespace paygress::consumer
