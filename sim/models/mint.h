// A model of a Cashu mint with its own books (NUT-00 to 07, 09, 12, 23). A peer, never a part of
// the provider: it shares only types and codecs with it. Pure: the time is an argument, keys come
// from a seed. It serves typed calls for the simulator and bytes for a development server.
//
// MintCrypto is how it signs: `real_mint_crypto` is secp256k1; `fake_mint_crypto` is the same
// algebra in a small group without any secrecy (see fake_curve.h), fast enough for millions of
// swaps.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/random.h"
#include "core/cashu/redeem.h"
#include "core/cashu/types.h"

namespace paygress::sim {

using MintAnswer = decltype(cashu::MintReply::answer);

class MintCrypto {
 public:
  virtual ~MintCrypto() = default;
  virtual cashu::Point public_key(const cashu::Scalar& k) const = 0;  // K = kG
  // C_ = kB_ with its NUT-12 proof; nothing when B_ is not a point.
  virtual std::optional<cashu::BlindSignature> sign(const cashu::Scalar& k,
                                                    const cashu::BlindedMessage& output) const = 0;
  virtual bool verify(const cashu::Scalar& k, const cashu::Proof& proof) const = 0;  // C == kY
  virtual std::optional<cashu::Point> y_of(const std::string& secret) const = 0;
  // A proof as a payer holds it: secret and blinding factor are derived from `number`.
  virtual cashu::Proof issue(const cashu::Scalar& k, cashu::Amount amount,
                             const std::string& keyset, uint64_t number) const = 0;
  // Whether points in request bodies must be on secp256k1.
  virtual bool reads_real_points() const = 0;
};
std::unique_ptr<MintCrypto> real_mint_crypto();
std::unique_ptr<MintCrypto> fake_mint_crypto();

struct MintSettings {
  std::string url = "https://mint.example";
  std::string name = "model mint";
  uint64_t seed = 1;
  std::string unit = "sat";
  uint64_t input_fee_ppk = 100;
  uint8_t keyset_version = 0;  // 0 = "00" ids, 1 = "01" ids (NUT-02)
  size_t key_count = 24;       // amounts 1, 2, 4, ... 2^(key_count - 1)
  std::vector<uint32_t> nuts = {4, 5, 7, 8, 9, 12};
  size_t items_max = 1000;     // inputs or outputs of one request
  Micros latency = 20'000_us;  // of an answer that nothing delays
};

// What goes wrong on the way of ONE call. Chosen by the caller, or drawn from MintFaultRates.
enum class MintFault : uint8_t {
  None,
  Unreachable,   // the request never arrives; no answer
  DropAnswer,    // carried out; no answer
  ErrorAfter,    // carried out; 500 with a body that says nothing
  DoubleAnswer,  // carried out; the answer arrives twice
  SlowRequest,   // no answer in time; the request is carried out `delay` later
  SlowAnswer,    // carried out at once; the answer takes `delay`
  Garbage,       // not carried out; an answer of another endpoint
  WrongAmounts,  // carried out; signatures in the answer name other amounts
  BadDleq        // carried out; DLEQs in the answer are wrong
};
struct MintFaultRates {  // per call, in millionths; the rest is None
  std::map<MintFault, uint32_t> ppm;
  Micros delay_max = 90'000'000_us;  // of SlowRequest and SlowAnswer
};

// One answer on its way to the caller. Calls whose answer is lost have none.
struct MintDelivery {
  Micros after;  // from the call
  MintAnswer answer;
};

struct MintSwap {  // the books: what really happened, in order
  uint64_t number = 0;
  Micros at;
  std::vector<cashu::Proof> inputs;  // empty for issuance
  std::vector<cashu::BlindedMessage> outputs;
  cashu::Amount fee = 0;
  cashu::Amount paid = 0;  // over Lightning, with what that cost
};

// What becomes of a payment over Lightning. One that hangs is settled by settle_lightning.
enum class Lightning : uint8_t { Pays, Fails, Hangs };

// An invoice of the regression-test network; the numbers make them differ.
std::string make_invoice(Msat amount, uint64_t number);

class Mint {
 public:
  Mint(MintSettings settings, std::shared_ptr<const MintCrypto> crypto);

  // --- the protocol. Exact and without faults; `now` decides windows and lags. ---
  MintAnswer info() const;
  MintAnswer keys() const;                              // active keysets only
  MintAnswer keys_of(const std::string& keyset) const;  // active or not
  MintAnswer keysets() const;
  MintAnswer swap(Micros now, const std::vector<cashu::Proof>& inputs,
                  const std::vector<cashu::BlindedMessage>& outputs);
  MintAnswer check_state(Micros now, const std::vector<cashu::Point>& ys) const;
  MintAnswer restore(Micros now, const std::vector<cashu::BlindedMessage>& outputs);
  MintAnswer mint_quote(cashu::Amount amount, const std::string& unit);  // pays itself
  MintAnswer mint_quote_state(const std::string& quote) const;
  MintAnswer mint(Micros now, const std::string& quote,
                  const std::vector<cashu::BlindedMessage>& outputs);
  // The reserve is two hundredths and a coin; half of it is what Lightning takes.
  MintAnswer melt_quote(const std::string& invoice, const std::string& unit);
  MintAnswer melt_quote_state(const std::string& quote) const;
  MintAnswer melt(Micros now, const std::string& quote, const std::vector<cashu::Proof>& inputs,
                  const std::vector<cashu::BlindedMessage>& blanks);
  // Decodes the body and does the above. A body that cannot be read is a MintError 400.
  MintAnswer handle(Micros now, cashu::Endpoint endpoint, const std::string& argument,
                    ByteView body);

  // --- the protocol with what the network and the mint's machine do to it ---
  std::vector<MintDelivery> serve(Micros now, const cashu::MintCall& call);
  // Faults for the next calls of this endpoint, first in first out; they precede the rates.
  void plan_fault(cashu::Endpoint endpoint, MintFault fault, Micros delay = {});
  void set_fault_rates(MintFaultRates rates) { rates_ = std::move(rates); }
  void set_reachable(bool reachable) { reachable_ = reachable; }
  // Carries out slow requests that are due. serve and handle do so first themselves.
  void advance(Micros now);
  std::optional<Micros> next_deadline() const;

  // --- bytes, for a development server: method and path to status and body ---
  struct HttpAnswer {
    uint32_t status = 200;
    Bytes body;
  };
  HttpAnswer handle_http(Micros now, bool post, std::string_view path, std::string_view body);

  // --- the mint's moods ---
  // Retires the active keyset and opens a new one. Returns its id.
  std::string rotate(uint64_t input_fee_ppk);
  void set_fee(uint64_t input_fee_ppk);  // version 0 only: its id does not bind the fee
  // The proofs count as PENDING until then (a held invoice); swaps of them get 11002.
  void hold_pending(const std::vector<cashu::Proof>& proofs, Micros until);
  // Outputs signed later than now - lag are invisible to restore (a lagging replica).
  void set_restore_lag(Micros lag) { restore_lag_ = lag; }
  void set_restore_reversed(bool reversed) { restore_reversed_ = reversed; }
  // The next `count` restore answers with several signatures leave out the second half.
  void cut_restores(size_t count) { cut_restores_ = count; }
  // The next swap is refused with this code although nothing is wrong with it.
  void refuse_next_swap(uint32_t code) { refusals_.push_back(code); }
  // Every swap is; 0: no longer.
  void set_refusing(uint32_t code) { refusing_ = code; }
  // Swaps that it would carry out now are taken and not answered. What was taken is carried out
  // later, in that order and on the terms of when it was taken: its keyset may have been retired
  // and the fee changed since.
  void set_stalled(bool stalled) { stalled_ = stalled; }
  void carry_out_stalled(Micros now);

  void set_lightning(Lightning lightning) { lightning_ = lightning; }
  // Those that hang.
  void settle_lightning(Micros now, bool pays);
  // Of what is paid the quote does not show the change: it has to be restored.
  void set_change_hidden(bool hidden) { change_hidden_ = hidden; }
  void forget_quotes() { melts_.clear(); }  // precondition: none hangs

  // --- payers ---
  // Fresh proofs of the active keyset worth `amount`, with DLEQ; booked as issuance.
  std::vector<cashu::Proof> issue(cashu::Amount amount);
  cashu::Token issue_token(cashu::Amount amount);
  // The payer swaps them to itself. False when the mint refuses.
  bool spend_elsewhere(Micros now, const std::vector<cashu::Proof>& proofs);

  // --- books, for auditors ---
  const MintSettings& settings() const { return settings_; }
  const std::string& active_keyset() const;
  uint64_t fee_ppk(const std::string& keyset) const;  // that it asks now; 0 of an unknown one
  const std::vector<MintSwap>& swaps() const { return books_; }
  size_t hanging() const;
  // How often an invoice was paid.
  size_t times_paid(const std::string& invoice) const;
  cashu::ProofState state_of(Micros now, const cashu::Proof& proof) const;
  bool is_signed(const cashu::Point& b) const { return signatures_.contains(b); }
  bool is_valid(const cashu::Proof& proof) const;  // signature only; says nothing about spending
  // Value issued - fees - value spent without being reissued = what is in circulation.
  cashu::Amount circulation() const { return circulation_; }
  void check_invariants() const;

 private:
  struct Signed {
    cashu::BlindSignature signature;
    cashu::BlindedMessage output;
    Micros at;
  };
  struct OwnKeyset {
    cashu::Keyset keyset;
    std::map<cashu::Amount, cashu::Scalar> secrets;
  };
  struct Quote {
    cashu::Amount amount = 0;
    std::string unit;
    bool issued = false;
  };
  struct Melt {
    std::string invoice;
    cashu::Amount amount = 0;
    cashu::Amount reserve = 0;
    std::string state = "UNPAID";
    std::vector<cashu::Proof> inputs;  // since it is PENDING
    std::vector<cashu::Point> ys;
    std::vector<cashu::BlindedMessage> blanks;
    cashu::Amount fee = 0;
    std::vector<cashu::BlindSignature> change;
  };
  struct PlannedFault {
    MintFault fault = MintFault::None;
    Micros delay;
  };
  struct Swap {
    std::vector<cashu::Proof> inputs;
    std::vector<cashu::BlindedMessage> outputs;
    cashu::Amount fee = 0;
  };
  struct LateRequest {
    Micros due;
    cashu::MintCall call;
  };

  std::string open_keyset(uint64_t input_fee_ppk);
  const OwnKeyset* find_keyset(const std::string& id) const;
  std::optional<cashu::MintError> check_inputs(Micros now, const std::vector<cashu::Proof>& inputs,
                                               std::vector<cashu::Point>& ys, cashu::Amount& total,
                                               uint64_t& ppk) const;
  std::optional<cashu::MintError> check_outputs(const std::vector<cashu::BlindedMessage>& outputs,
                                                cashu::Amount& total) const;
  MintAnswer carry_out(Micros now, const std::vector<cashu::Proof>& inputs,
                       const std::vector<cashu::Point>& ys,
                       const std::vector<cashu::BlindedMessage>& outputs, cashu::Amount fee);
  std::optional<cashu::MintError> check_melt(
      const Melt& melt, const std::vector<cashu::BlindedMessage>& blanks) const;
  void pay(Micros now, Melt& melt);
  void give_up(Melt& melt);
  MintAnswer answer_of(const std::string& quote, const Melt& melt) const;
  MintAnswer sign_all(Micros now, const std::vector<cashu::BlindedMessage>& outputs);
  PlannedFault draw_fault(cashu::Endpoint endpoint);
  void spoil(MintFault fault, MintAnswer& answer) const;

  MintSettings settings_;
  std::shared_ptr<const MintCrypto> crypto_;
  std::vector<OwnKeyset> keysets_;
  std::map<cashu::Point, uint64_t> spent_;     // Y -> number of the swap
  std::map<cashu::Point, Micros> pending_;     // Y -> until
  std::map<cashu::Point, Signed> signatures_;  // B_
  std::map<std::string, Quote> quotes_;
  std::map<std::string, Melt> melts_;
  uint64_t melts_made_ = 0;
  Lightning lightning_ = Lightning::Pays;
  bool change_hidden_ = false;
  std::vector<std::string> invoices_paid_;
  std::vector<MintSwap> books_;
  cashu::Amount circulation_ = 0;
  uint64_t payers_ = 0;  // proofs issued to payers so far
  std::map<cashu::Endpoint, std::vector<PlannedFault>> planned_;
  MintFaultRates rates_;
  RandomStream random_;
  std::vector<LateRequest> late_;  // ordered by due
  std::vector<uint32_t> refusals_;
  uint32_t refusing_ = 0;
  bool stalled_ = false;
  std::vector<Swap> taken_;  // while it is stalled
  bool reachable_ = true;
  bool restore_reversed_ = false;
  size_t cut_restores_ = 0;
  Micros restore_lag_;
};

}  // namespace paygress::sim
