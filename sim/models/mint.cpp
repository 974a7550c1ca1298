// The protocol and the books. Faults, moods and bytes are in mint_serve.cpp.
#include "sim/models/mint.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/cashu/keyset.h"
#include "core/crypto/hash.h"

namespace paygress::sim {
namespace {

cashu::MintError refusal(uint32_t code, std::string detail) {
  return {400, code, std::move(detail)};
}

cashu::Keyset without_keys(cashu::Keyset keyset) {
  keyset.keys.clear();
  return keyset;
}

}  // namespace

Mint::Mint(MintSettings settings, std::shared_ptr<const MintCrypto> crypto)
    : settings_(std::move(settings)),
      crypto_(std::move(crypto)),
      random_(settings_.seed, name64(settings_.url), "mint") {
  PG_CHECK(crypto_ && settings_.key_count >= 1 && settings_.key_count <= 63);
  open_keyset(settings_.input_fee_ppk);
}

std::string Mint::open_keyset(uint64_t input_fee_ppk) {
  OwnKeyset own;
  own.keyset.unit = settings_.unit;
  own.keyset.active = true;
  own.keyset.input_fee_ppk = input_fee_ppk;
  for (size_t i = 0; i < settings_.key_count; ++i) {
    const cashu::Amount amount = cashu::Amount{1} << i;
    const cashu::Scalar secret =
        crypto::sha256({as_bytes("mint key"), as_bytes(settings_.url), encode_bytes(settings_.seed),
                        encode_bytes(keysets_.size()), encode_bytes(amount)});
    own.keyset.keys.emplace(amount, crypto_->public_key(secret));
    own.secrets.emplace(amount, secret);
  }
  own.keyset.id = settings_.keyset_version == 0
                      ? cashu::keyset_id_v1(own.keyset.keys)
                      : cashu::keyset_id_v2(own.keyset.keys, own.keyset.unit, input_fee_ppk, {});
  PG_CHECK(!find_keyset(own.keyset.id));
  keysets_.push_back(std::move(own));
  return keysets_.back().keyset.id;
}

const Mint::OwnKeyset* Mint::find_keyset(const std::string& id) const {
  const auto found = std::find_if(keysets_.begin(), keysets_.end(),
                                  [&](const OwnKeyset& own) { return own.keyset.id == id; });
  return found == keysets_.end() ? nullptr : &*found;
}

const std::string& Mint::active_keyset() const {
  PG_CHECK(!keysets_.empty() && keysets_.back().keyset.active);
  return keysets_.back().keyset.id;
}

uint64_t Mint::fee_ppk(const std::string& keyset) const {
  const OwnKeyset* own = find_keyset(keyset);
  return own == nullptr ? 0 : own->keyset.input_fee_ppk;
}

// --- reading ----------------------------------------------------------------------------------

MintAnswer Mint::info() const { return cashu::InfoAnswer{settings_.name, settings_.nuts}; }

MintAnswer Mint::keys() const {
  cashu::KeysetsAnswer answer;
  for (const OwnKeyset& own : keysets_)
    if (own.keyset.active) answer.keysets.push_back(own.keyset);
  return answer;
}

MintAnswer Mint::keys_of(const std::string& keyset) const {
  const OwnKeyset* own = find_keyset(keyset);
  if (!own) return refusal(12001, "keyset is not known");
  return cashu::KeysetsAnswer{{own->keyset}};
}

MintAnswer Mint::keysets() const {
  cashu::KeysetsAnswer answer;
  for (const OwnKeyset& own : keysets_) answer.keysets.push_back(without_keys(own.keyset));
  return answer;
}

// --- signing ----------------------------------------------------------------------------------

std::optional<cashu::MintError> Mint::check_inputs(Micros now,
                                                   const std::vector<cashu::Proof>& inputs,
                                                   std::vector<cashu::Point>& ys,
                                                   cashu::Amount& total, uint64_t& ppk) const {
  std::set<cashu::Point> seen;
  for (const cashu::Proof& input : inputs) {
    const OwnKeyset* own = find_keyset(input.keyset);
    if (!own) return refusal(12001, "keyset of an input is not known");
    const auto secret = own->secrets.find(input.amount);
    const auto y = crypto_->y_of(input.secret);
    if (!y || secret == own->secrets.end() || !crypto_->verify(secret->second, input))
      return refusal(10001, "proof verification failed");
    if (!seen.insert(*y).second) return refusal(11007, "duplicate inputs");
    if (spent_.contains(*y)) return refusal(11001, "proofs already spent");
    if (const auto held = pending_.find(*y); held != pending_.end() && now < held->second)
      return refusal(11002, "proofs are pending");
    if (__builtin_add_overflow(total, input.amount, &total))
      return refusal(11005, "transaction is not balanced");
    ppk += own->keyset.input_fee_ppk;
    ys.push_back(*y);
  }
  return std::nullopt;
}

std::optional<cashu::MintError> Mint::check_outputs(
    const std::vector<cashu::BlindedMessage>& outputs, cashu::Amount& total) const {
  std::set<cashu::Point> seen;
  for (const cashu::BlindedMessage& output : outputs) {
    const OwnKeyset* own = find_keyset(output.keyset);
    if (!own) return refusal(12001, "keyset of an output is not known");
    if (!own->keyset.active) return refusal(12002, "keyset is inactive");
    if (!own->secrets.contains(output.amount)) return refusal(11006, "amount out of range");
    if (!seen.insert(output.b).second) return refusal(11008, "duplicate outputs");
    if (signatures_.contains(output.b)) return refusal(11003, "outputs already signed");
    if (__builtin_add_overflow(total, output.amount, &total))
      return refusal(11005, "transaction is not balanced");
  }
  return std::nullopt;
}

// All or nothing: the signatures are kept only when every output could be signed.
MintAnswer Mint::sign_all(Micros now, const std::vector<cashu::BlindedMessage>& outputs) {
  cashu::SwapAnswer answer;
  for (const cashu::BlindedMessage& output : outputs) {
    const OwnKeyset* own = find_keyset(output.keyset);
    PG_CHECK(own != nullptr);
    auto signature = crypto_->sign(own->secrets.at(output.amount), output);
    if (!signature) return refusal(10000, "an output is not a point");
    answer.signatures.push_back(std::move(*signature));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Signed kept{answer.signatures[i], outputs[i], now};
    PG_CHECK(signatures_.emplace(outputs[i].b, kept).second);
  }
  return answer;
}

MintAnswer Mint::swap(Micros now, const std::vector<cashu::Proof>& inputs,
                      const std::vector<cashu::BlindedMessage>& outputs) {
  if (!refusals_.empty()) {
    const uint32_t code = refusals_.front();
    refusals_.erase(refusals_.begin());
    return refusal(code, "refused as planned");
  }
  if (refusing_ != 0) return refusal(refusing_, "refused as planned");
  if (inputs.empty() || outputs.empty()) return refusal(11000, "nothing to swap");
  if (inputs.size() > settings_.items_max) return refusal(11014, "too many inputs");
  if (outputs.size() > settings_.items_max) return refusal(11015, "too many outputs");
  std::vector<cashu::Point> ys;
  cashu::Amount in = 0;
  cashu::Amount out = 0;
  uint64_t ppk = 0;
  if (auto bad = check_inputs(now, inputs, ys, in, ppk)) return *bad;
  if (auto bad = check_outputs(outputs, out)) return *bad;
  const cashu::Amount fee = (ppk + 999) / 1000;
  if (fee > in || in - fee != out) return refusal(11005, "transaction is not balanced");
  if (!stalled_) return carry_out(now, inputs, ys, outputs, fee);
  taken_.push_back({inputs, outputs, fee});
  return cashu::NoReply{};
}

MintAnswer Mint::carry_out(Micros now, const std::vector<cashu::Proof>& inputs,
                           const std::vector<cashu::Point>& ys,
                           const std::vector<cashu::BlindedMessage>& outputs, cashu::Amount fee) {
  MintAnswer answer = sign_all(now, outputs);
  if (!std::holds_alternative<cashu::SwapAnswer>(answer)) return answer;
  for (const cashu::Point& y : ys) PG_CHECK(spent_.emplace(y, books_.size()).second);
  books_.push_back({books_.size(), now, inputs, outputs, fee, 0});
  circulation_ -= fee;
  return answer;
}

void Mint::carry_out_stalled(Micros now) {
  for (const Swap& taken : std::exchange(taken_, {})) {
    std::vector<cashu::Point> ys;
    cashu::Amount in = 0;
    uint64_t ppk = 0;
    const bool again = std::ranges::any_of(
        taken.outputs, [&](const auto& output) { return signatures_.contains(output.b); });
    if (again || check_inputs(now, taken.inputs, ys, in, ppk)) continue;
    carry_out(now, taken.inputs, ys, taken.outputs, taken.fee);
  }
}

// --- looking back -----------------------------------------------------------------------------

MintAnswer Mint::check_state(Micros now, const std::vector<cashu::Point>& ys) const {
  if (ys.size() > settings_.items_max) return refusal(11014, "too many Ys");
  cashu::CheckAnswer answer;
  for (const cashu::Point& y : ys) {
    cashu::ProofState state = cashu::ProofState::Unspent;
    if (const auto held = pending_.find(y); held != pending_.end() && now < held->second)
      state = cashu::ProofState::Pending;
    if (spent_.contains(y)) state = cashu::ProofState::Spent;
    answer.states.push_back({y, state});
  }
  return answer;
}

MintAnswer Mint::restore(Micros now, const std::vector<cashu::BlindedMessage>& outputs) {
  if (outputs.size() > settings_.items_max) return refusal(11015, "too many outputs");
  cashu::RestoreAnswer answer;
  for (const cashu::BlindedMessage& output : outputs) {
    const auto found = signatures_.find(output.b);
    if (found == signatures_.end() || now < found->second.at + restore_lag_) continue;
    answer.outputs.push_back(found->second.output);
    answer.signatures.push_back(found->second.signature);
  }
  if (restore_reversed_) {
    std::reverse(answer.outputs.begin(), answer.outputs.end());
    std::reverse(answer.signatures.begin(), answer.signatures.end());
  }
  if (cut_restores_ > 0 && answer.outputs.size() > 1) {
    --cut_restores_;
    answer.outputs.resize(answer.outputs.size() / 2);
    answer.signatures.resize(answer.outputs.size());
  }
  return answer;
}

// --- quotes -----------------------------------------------------------------------------------

MintAnswer Mint::mint_quote(cashu::Amount amount, const std::string& unit) {
  if (unit != settings_.unit) return refusal(11013, "unit is not supported");
  const std::string id = "quote-" + std::to_string(quotes_.size());
  quotes_.emplace(id, Quote{amount, unit, false});
  return cashu::QuoteAnswer{id, "lnmodel" + id, "UNPAID", amount, 0, {}, {}, {}};
}

MintAnswer Mint::mint_quote_state(const std::string& quote) const {
  const auto found = quotes_.find(quote);
  if (found == quotes_.end()) return refusal(20000, "quote is not known");
  return cashu::QuoteAnswer{quote,
                            "lnmodel" + quote,
                            found->second.issued ? "ISSUED" : "PAID",
                            found->second.amount,
                            0,
                            {},
                            {},
                            {}};
}

MintAnswer Mint::mint(Micros now, const std::string& quote,
                      const std::vector<cashu::BlindedMessage>& outputs) {
  const auto found = quotes_.find(quote);
  if (found == quotes_.end()) return refusal(20000, "quote is not known");
  if (found->second.issued) return refusal(20002, "tokens already issued for this quote");
  cashu::Amount out = 0;
  if (auto bad = check_outputs(outputs, out)) return *bad;
  if (out != found->second.amount) return refusal(11005, "amounts differ from the quote");
  MintAnswer answer = sign_all(now, outputs);
  if (!std::holds_alternative<cashu::SwapAnswer>(answer)) return answer;
  found->second.issued = true;
  books_.push_back({books_.size(), now, {}, outputs, 0, 0});
  circulation_ += out;
  return answer;
}

// --- books ------------------------------------------------------------------------------------

cashu::ProofState Mint::state_of(Micros now, const cashu::Proof& proof) const {
  const auto y = crypto_->y_of(proof.secret);
  PG_CHECK(y.has_value());
  return std::get<cashu::CheckAnswer>(check_state(now, {*y})).states.at(0).state;
}

bool Mint::is_valid(const cashu::Proof& proof) const {
  const OwnKeyset* own = find_keyset(proof.keyset);
  if (!own) return false;
  const auto secret = own->secrets.find(proof.amount);
  return secret != own->secrets.end() && crypto_->verify(secret->second, proof);
}

void Mint::check_invariants() const {
  cashu::Amount issued = 0;
  cashu::Amount fees = 0;
  size_t inputs = 0;
  for (const MintSwap& swap : books_) {
    cashu::Amount in = 0;
    cashu::Amount out = 0;
    for (const cashu::Proof& proof : swap.inputs) in += proof.amount;
    for (const cashu::BlindedMessage& output : swap.outputs) out += output.amount;
    PG_CHECK(swap.inputs.empty() || in == out + swap.fee + swap.paid);
    if (swap.inputs.empty()) issued += out;
    fees += swap.fee + swap.paid;
    inputs += swap.inputs.size();
  }
  PG_CHECK(inputs == spent_.size());
  PG_CHECK(issued == circulation_ + fees);
}

}  // namespace paygress::sim
