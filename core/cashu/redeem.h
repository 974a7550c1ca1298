// The redeem operation: turn somebody's token into proofs of ours without ever losing or doubling
// it (cashu.md 2.3, money-sagas.md section 3 "Redeem operation"). A sans-IO state machine.
//
// One Redeemer serves every mint and every operation. It is told things through handle_*; what it
// wants is returned as a RedeemStep: records that must be durable BEFORE its effects are carried
// out. apply(record) is the only function that changes durable state, live and at recovery alike.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/cashu/types.h"

namespace paygress::cashu {

// --- records ----------------------------------------------------------------------------------
struct Attempt {  // one set of outputs on one keyset; every attempt stays watched
  std::string keyset;
  uint32_t counter_start = 0;  // NUT-13 counters [start, start + outputs.size())
  std::vector<BlindedMessage> outputs;
  Bytes body;  // the exact bytes of POST /v1/swap
  // Of a refund: so many of the first outputs are the token's. Their secrets come from the claim
  // (nut13.h) and use no counters; the counters are those of the rest, the change.
  uint32_t of_token = 0;
  uint32_t number = 0;  // of a refund: in the derivation of the token's secrets
};
BOOST_DESCRIBE_STRUCT(Attempt, (), (keyset, counter_start, outputs, body, of_token, number))

struct OpOpened {  // written in one batch with the first AttemptMade
  OpId op;         // H(smallest Y)
  std::string mint;
  std::string unit;
  std::vector<Proof> inputs;
  std::vector<YHash> ys;  // unique for ever: a reused token finds its first operation
  UnixSeconds opened_at;
  UnixSeconds hold_until;     // after it nothing is posted any more (money-sagas.md flaw 5)
  std::vector<Point> points;  // hash_to_curve of each input, as `ys`: what checkstate asks by
};
struct AttemptMade {
  OpId op;
  Attempt attempt;
};
struct HoldEnded {  // no POST any more; restore and check go on
  OpId op;
};
// Since `at` restore is empty and the inputs are in this state; Pending = that is no longer so.
struct EmptySince {
  OpId op;
  UnixSeconds at;
  ProofState inputs = ProofState::Unspent;
};
struct OpDone {
  OpId op;
  std::vector<Proof> proofs;
  Amount fee = 0;
  bool late = false;
};
enum class Verdict : uint8_t { Released, SpentElsewhere };  // both provisional for 7 days
struct OpClosed {
  OpId op;
  Verdict verdict = Verdict::Released;
  UnixSeconds at;
};
struct OpForgotten {  // 7 days after OpClosed; the Ys stay
  OpId op;
};
// A refund: proofs of OURS become a token of what the claim is worth less the fee, and change. In
// one batch with its first AttemptMade; from here on the inputs are its own, and every attempt has
// them (money-sagas.md flaw 12). It has no hold and no verdict: only outputs seen close it.
struct RefundOpened {
  OpId op;  // own_op_id of claim and inputs
  ClaimId claim;
  std::string mint;
  std::string unit;
  std::vector<Proof> inputs;
  std::vector<Point> points;  // hash_to_curve of each input
  Amount face = 0;            // of the first attempt's token
  Amount fee = 0;             // of the first attempt; face + fee is what the claim is worth, and
                              // a later attempt's token is that less the fee it has to pay
  UnixSeconds opened_at;
  bool withdrawal = false;  // of the operator: nobody is owed it, so it never takes more than
                            // face + fee out of the wallet, whatever the fee grows to
};
struct RefundDone {
  OpId op;
  std::vector<Proof> token;   // given away
  std::vector<Proof> change;  // ours
  Amount fee = 0;             // what the mint really took
  std::string text;           // the token, as it is sent; secret
  bool found = false;         // an earlier life made the token (a rolled-back ledger): nothing of
                              // the inputs was spent
};
// The seed's outputs were looked through at a mint (restorer.h), and these are ours: signed,
// unspent and in no other record. No output of the keyset is made below `next_counter` any more.
struct ProofsFound {
  std::string mint;
  std::string unit;
  std::string keyset;
  uint32_t next_counter = 0;
  std::vector<Proof> proofs;
  UnixSeconds at;
};
// A life of this ledger that is lost has spent these. Also of proofs that an operation under way
// will bring: they are gone when they come.
struct ProofsLost {
  std::string mint;
  std::string unit;
  std::vector<std::string> secrets;
  UnixSeconds at;
};
// A Lightning invoice is paid (NUT-05): proofs of OURS for it, its fee and change. In one batch
// with its first AttemptMade, whose outputs are blank (NUT-08): the mint writes the change's
// amounts into the first ones. A later attempt swaps the same inputs to ourselves, so that no copy
// of the payment that is on its way can be carried out any more.
struct MeltOpened {
  OpId op;  // H(withdrawal): refused inputs may pay another one
  ClaimId withdrawal;
  std::string mint;
  std::string unit;
  std::vector<Proof> inputs;
  std::vector<Point> points;  // hash_to_curve of each input
  std::string quote;          // the mint's name for the payment
  std::string invoice;
  Amount amount = 0;   // of the invoice
  Amount reserve = 0;  // the most that Lightning may cost beside it
  Amount fee = 0;      // of the inputs
  UnixSeconds opened_at;
  UnixSeconds post_until;  // after it the payment is not asked for any more
};
enum class MeltEnd : uint8_t {
  Paid,
  Refused,   // every request was answered, nothing was paid, the inputs are unspent: ours again
  TakenBack  // nothing was paid, and the inputs are swapped for others of ours
};
struct MeltDone {
  OpId op;
  MeltEnd end = MeltEnd::Paid;
  std::vector<Proof> proofs;  // Paid: the change; TakenBack: all that there is; Refused: none
  Amount fee = 0;             // of the inputs, and of Lightning
  std::string preimage;       // of the invoice: the receipt; when the mint told it
};
BOOST_DESCRIBE_STRUCT(OpOpened, (), (op, mint, unit, inputs, ys, opened_at, hold_until, points))
BOOST_DESCRIBE_STRUCT(AttemptMade, (), (op, attempt))
BOOST_DESCRIBE_STRUCT(HoldEnded, (), (op))
BOOST_DESCRIBE_STRUCT(EmptySince, (), (op, at, inputs))
BOOST_DESCRIBE_STRUCT(OpDone, (), (op, proofs, fee, late))
BOOST_DESCRIBE_STRUCT(OpClosed, (), (op, verdict, at))
BOOST_DESCRIBE_STRUCT(OpForgotten, (), (op))
BOOST_DESCRIBE_STRUCT(RefundOpened, (),
                      (op, claim, mint, unit, inputs, points, face, fee, opened_at, withdrawal))
BOOST_DESCRIBE_STRUCT(RefundDone, (), (op, token, change, fee, text, found))
BOOST_DESCRIBE_STRUCT(ProofsFound, (), (mint, unit, keyset, next_counter, proofs, at))
BOOST_DESCRIBE_STRUCT(ProofsLost, (), (mint, unit, secrets, at))
BOOST_DESCRIBE_STRUCT(MeltOpened, (),
                      (op, withdrawal, mint, unit, inputs, points, quote, invoice, amount, reserve,
                       fee, opened_at, post_until))
BOOST_DESCRIBE_STRUCT(MeltDone, (), (op, end, proofs, fee, preimage))
using RedeemRecord =
    std::variant<OpOpened, AttemptMade, HoldEnded, EmptySince, OpDone, OpClosed, OpForgotten,
                 RefundOpened, RefundDone, ProofsFound, ProofsLost, MeltOpened, MeltDone>;

// --- effects and their answers ----------------------------------------------------------------
struct MintCall {  // HTTP to `mint` + the endpoint's path; answered by MintReply
  CallId id;
  std::string mint;
  Endpoint endpoint = Endpoint::Info;
  std::string path_argument;  // keyset or quote id for the endpoints that have one
  Bytes body;                 // empty for GET
  Micros deadline;            // from the start of the call; no answer by then is NoReply
};
// The outputs of a refund that make the token: derived from the claim and the attempt, so that a
// ledger that was rolled back makes the same token again and not a second one (flaw 15).
struct TokenOutputs {
  ClaimId claim;
  uint32_t attempt = 0;
  uint32_t count = 0;  // so many of the first outputs
};
BOOST_DESCRIBE_STRUCT(TokenOutputs, (), (claim, attempt, count))
// Derives and blinds outputs (NUT-13, NUT-00) and writes the request's bytes; answered by
// OutputsReady. Curve work: done outside step, by a pure function, with the wallet's seed.
struct MakeOutputs {
  CallId id;
  OpId op;
  std::string keyset;
  uint32_t counter_start = 0;
  std::vector<Amount> amounts;
  std::vector<Proof> inputs;           // for the body; sent without dleq
  std::optional<TokenOutputs> refund;  // then `points` of the answer are the inputs'
  std::string melt_quote;              // not empty: the body is one of POST /v1/melt
};
// Checks count, ids, amounts and DLEQ of signatures, then unblinds; answered by ProofsReady.
struct OpenSignatures {
  CallId id;
  OpId op;
  std::string keyset;
  uint32_t counter_start = 0;
  std::vector<BlindedMessage> outputs;
  std::vector<BlindSignature> signatures;
  std::map<Amount, Point> keys;
  std::optional<TokenOutputs> refund;
};
// Checks a received token: hash_to_curve of every secret, DLEQ where present; answered by
// TokenChecked. Done before anything is sent to the mint. Without keys nothing is verified: only
// the points are computed, to tell whether the token is known.
struct CheckToken {
  CallId id;
  std::vector<Proof> proofs;
  std::map<std::string, std::map<Amount, Point>> keys;  // by full keyset id
};
BOOST_DESCRIBE_STRUCT(MintCall, (), (id, mint, endpoint, path_argument, body, deadline))
BOOST_DESCRIBE_STRUCT(MakeOutputs, (),
                      (id, op, keyset, counter_start, amounts, inputs, refund, melt_quote))
BOOST_DESCRIBE_STRUCT(OpenSignatures, (),
                      (id, op, keyset, counter_start, outputs, signatures, keys, refund))
BOOST_DESCRIBE_STRUCT(CheckToken, (), (id, proofs, keys))
using RedeemEffect = std::variant<MintCall, MakeOutputs, OpenSignatures, CheckToken>;

struct NoReply {};  // time-out, lost connection, unreadable body: it may have happened
BOOST_DESCRIBE_STRUCT(NoReply, (), ())
struct MintReply {
  CallId id;
  std::variant<NoReply, MintError, InfoAnswer, KeysetsAnswer, SwapAnswer, CheckAnswer,
               RestoreAnswer, QuoteAnswer>
      answer;
};
struct OutputsReady {
  CallId id;
  std::vector<BlindedMessage> outputs;
  Bytes body;
  std::vector<Point> points;  // of a refund: hash_to_curve of each input
};
struct ProofsReady {
  CallId id;
  std::vector<Proof> proofs;
  std::string problem;  // empty = good
};
struct TokenChecked {
  CallId id;
  std::vector<Point> ys;  // hash_to_curve of each secret, in order
  std::string problem;    // empty = good; else which proof failed and how
};
BOOST_DESCRIBE_STRUCT(MintReply, (), (id, answer))
BOOST_DESCRIBE_STRUCT(OutputsReady, (), (id, outputs, body, points))
BOOST_DESCRIBE_STRUCT(ProofsReady, (), (id, proofs, problem))
BOOST_DESCRIBE_STRUCT(TokenChecked, (), (id, ys, problem))
using RedeemInput = std::variant<MintReply, OutputsReady, ProofsReady, TokenChecked>;

// --- what the caller is told ------------------------------------------------------------------
// An event belongs to the step that carries it: what the caller records because of it goes into
// the same batch as the step's records (credit and OpDone are one transaction).
struct Opened {  // OpOpened and AttemptMade are in this step; the POST follows it
  OpId op;
};
struct NotOpened {  // outputs could not be made; nothing was sent
  OpId op;
  std::string problem;
};
struct InDoubt {  // the first time in this process; for the interim answer
  OpId op;
};
struct HoldOver {  // money that still arrives is `late`: a refund, never a lease
  OpId op;
};
struct Redeemed {  // OpDone is in this step; at most once per operation, ever
  OpId op;
  std::string mint;
  std::string unit;
  Amount amount = 0;  // sum of the new proofs
  Amount fee = 0;     // the swap's input fee
  Msat value;         // of `amount`
  bool late = false;  // after HoldOver or NotTaken
};
struct NotTaken {  // provisional for 7 days
  OpId op;
  Verdict verdict = Verdict::Released;
};
struct Alarm {  // for the operator; the operation goes on
  OpId op;
  std::string text;
};
struct Checked {  // the answer to Redeemer::check
  TokenChecked result;
};
struct RefundMade {  // RefundDone is in this step; at most once per claim, ever
  ClaimId claim;
  std::string text;  // the token; secret
  Amount face = 0;
  Amount fee = 0;  // what the claim bears of the swap
};
struct RefundNotMade {  // nothing was sent, nothing is reserved: try again
  ClaimId claim;
};
struct Probed {  // the answer to Redeemer::probe
  CallId id;
  bool all_spent = false;
};
struct MintRead {  // its keysets are known: what waited for it may go on
  std::string mint;
};
// What the search of a mint came to, of one unit. The first two are in records by now.
struct Searched {
  Amount found = 0;       // ours, unspent, and new to the ledger
  Amount lost = 0;        // in the ledger, and spent by a life of it that is lost
  Amount known = 0;       // unspent, and in the ledger already
  Amount pending = 0;     // being spent: not taken
  Amount unreadable = 0;  // signed, but not provably by the mint's keys: not taken
  bool operator==(const Searched&) const = default;
};
BOOST_DESCRIBE_STRUCT(Searched, (), (found, lost, known, pending, unreadable))
struct MintSearched {  // the end of Redeemer::search
  std::string mint;
  bool complete = false;  // false: the mint did not answer, or a part was not taken
  std::map<std::string, Searched> units;
};
struct MeltQuote {  // what paying an invoice costs
  std::string quote;
  std::string invoice;
  Amount amount = 0;
  Amount reserve = 0;
  std::optional<UnixSeconds> expiry;
};
struct MeltQuoted {  // the answer to Redeemer::quote_melt
  CallId id;
  std::optional<MeltQuote> quote;
  std::string problem;  // when there is none
};
struct InvoicePaid {  // MeltDone is in this step; at most once per withdrawal, ever
  ClaimId withdrawal;
  Amount amount = 0;
  Amount fee = 0;
  std::string preimage;  // may be empty
};
struct InvoiceNotPaid {  // likewise; all but `fee` is in the wallet
  ClaimId withdrawal;
  Amount fee = 0;       // of taking it back
  std::string problem;  // as the mint said it; may be empty
};
using RedeemEvent = std::variant<Opened, NotOpened, InDoubt, HoldOver, Redeemed, NotTaken, Alarm,
                                 Checked, RefundMade, RefundNotMade, Probed, MintRead, MintSearched,
                                 MeltQuoted, InvoicePaid, InvoiceNotPaid>;

struct RedeemStep {
  std::vector<RedeemRecord> records;  // already applied to the Redeemer that returned them
  std::vector<RedeemEffect> effects;  // to be started only AFTER `records` are durable
  std::vector<RedeemEvent> events;
};

}  // namespace paygress::cashu
