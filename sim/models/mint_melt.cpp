// The mint pays invoices (NUT-05) and gives change (NUT-08).
#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/invoice.h"
#include "core/cashu/keyset.h"
#include "sim/models/mint.h"

namespace paygress::sim {
namespace {

cashu::MintError melt_refusal(uint32_t code, std::string detail) {
  return {400, code, std::move(detail)};
}

}  // namespace

std::string make_invoice(Msat amount, uint64_t number) {
  constexpr std::string_view kData = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  constexpr size_t kChars = 120;
  std::string text = "lnbcrt" + std::to_string(amount.value) + "0p1";
  for (size_t i = 0; i < kChars; ++i) {
    text.push_back(kData[number % kData.size()]);
    number /= kData.size();
  }
  return text;
}

MintAnswer Mint::melt_quote(const std::string& invoice, const std::string& unit) {
  if (unit != settings_.unit) return melt_refusal(11013, "unit is not supported");
  const auto asks = cashu::invoice_amount(invoice);
  if (!asks) return melt_refusal(20000, "not an invoice");
  if (!*asks) return melt_refusal(11011, "an invoice without an amount");
  if (times_paid(invoice) > 0) return melt_refusal(20006, "invoice is paid already");
  const int64_t coin = unit == "sat" ? 1000 : 1;
  Melt melt;
  melt.invoice = invoice;
  melt.amount = static_cast<cashu::Amount>(((*asks)->value + coin - 1) / coin);
  melt.reserve = 1 + melt.amount / 50;
  const std::string quote = "melt-" + std::to_string(melts_made_++);
  const auto entry = melts_.emplace(quote, std::move(melt)).first;
  return answer_of(quote, entry->second);
}

MintAnswer Mint::answer_of(const std::string& quote, const Melt& melt) const {
  cashu::QuoteAnswer answer;
  answer.quote = quote;
  answer.request = melt.invoice;
  answer.state = melt.state;
  answer.amount = melt.amount;
  answer.fee_reserve = melt.reserve;
  if (melt.state != "PAID") return answer;
  answer.preimage = "preimage-of-" + quote;
  if (!change_hidden_) answer.change = melt.change;
  return answer;
}

MintAnswer Mint::melt_quote_state(const std::string& quote) const {
  const auto found = melts_.find(quote);
  if (found == melts_.end()) return melt_refusal(20000, "quote is not known");
  return answer_of(quote, found->second);
}

std::optional<cashu::MintError> Mint::check_melt(
    const Melt& melt, const std::vector<cashu::BlindedMessage>& blanks) const {
  if (melt.state == "PENDING") return melt_refusal(20005, "quote is pending");
  if (melt.state == "PAID" || times_paid(melt.invoice) > 0)
    return melt_refusal(20006, "invoice is paid already");
  std::set<cashu::Point> seen;
  for (const cashu::BlindedMessage& blank : blanks) {
    const OwnKeyset* own = find_keyset(blank.keyset);
    if (!own) return melt_refusal(12001, "keyset of an output is not known");
    if (!own->keyset.active) return melt_refusal(12002, "keyset is inactive");
    if (!seen.insert(blank.b).second) return melt_refusal(11008, "duplicate outputs");
    if (signatures_.contains(blank.b)) return melt_refusal(11003, "outputs already signed");
  }
  return std::nullopt;
}

MintAnswer Mint::melt(Micros now, const std::string& quote, const std::vector<cashu::Proof>& inputs,
                      const std::vector<cashu::BlindedMessage>& blanks) {
  const auto found = melts_.find(quote);
  if (found == melts_.end()) return melt_refusal(20000, "quote is not known");
  Melt& melt = found->second;
  if (inputs.size() > settings_.items_max) return melt_refusal(11014, "too many inputs");
  if (blanks.size() > settings_.items_max) return melt_refusal(11015, "too many outputs");
  if (auto bad = check_melt(melt, blanks)) return *bad;
  std::vector<cashu::Point> ys;
  cashu::Amount in = 0;
  uint64_t ppk = 0;
  if (auto bad = check_inputs(now, inputs, ys, in, ppk)) return *bad;
  const cashu::Amount fee = (ppk + 999) / 1000;
  if (in < melt.amount + melt.reserve + fee)
    return melt_refusal(11005, "transaction is not balanced");
  melt.state = "PENDING";
  melt.inputs = inputs;
  melt.ys = ys;
  melt.blanks = blanks;
  melt.fee = fee;
  for (const cashu::Point& y : ys) pending_[y] = Micros::max();
  if (lightning_ == Lightning::Hangs) return answer_of(quote, melt);
  if (lightning_ == Lightning::Fails) {
    give_up(melt);
    return melt_refusal(20004, "no route to the receiver");
  }
  pay(now, melt);
  return answer_of(quote, melt);
}

// What Lightning did not take comes back in the first blank outputs, as far as they reach.
void Mint::pay(Micros now, Melt& melt) {
  cashu::Amount in = 0;
  for (const cashu::Proof& input : melt.inputs) in += input.amount;
  const cashu::Amount change = in - melt.amount - melt.reserve / 2 - melt.fee;
  MintSwap booked{books_.size(), now, melt.inputs, {}, melt.fee, in - melt.fee};
  if (change > 0 && !melt.blanks.empty()) {
    const OwnKeyset* own = find_keyset(melt.blanks.front().keyset);
    auto amounts = cashu::split_amount(change, own->keyset.keys).value();
    std::ranges::sort(amounts, std::greater{});
    amounts.resize(std::min(amounts.size(), melt.blanks.size()));
    for (size_t i = 0; i < amounts.size(); ++i) {
      cashu::BlindedMessage output = melt.blanks[i];
      output.amount = amounts[i];
      const auto signature = crypto_->sign(own->secrets.at(amounts[i]), output);
      PG_CHECK(signature.has_value());
      melt.change.push_back(*signature);
      PG_CHECK(signatures_.emplace(output.b, Signed{*signature, output, now}).second);
      booked.outputs.push_back(output);
      booked.paid -= amounts[i];
    }
  }
  for (const cashu::Point& y : melt.ys) {
    pending_.erase(y);
    PG_CHECK(spent_.emplace(y, booked.number).second);
  }
  circulation_ -= booked.fee + booked.paid;
  books_.push_back(std::move(booked));
  invoices_paid_.push_back(melt.invoice);
  melt.state = "PAID";
}

void Mint::give_up(Melt& melt) {
  for (const cashu::Point& y : melt.ys) pending_.erase(y);
  melt.state = "UNPAID";
}

void Mint::settle_lightning(Micros now, bool pays) {
  for (auto& [quote, melt] : melts_) {
    if (melt.state != "PENDING") continue;
    pays ? pay(now, melt) : give_up(melt);
  }
}

size_t Mint::hanging() const {
  return static_cast<size_t>(std::ranges::count_if(
      melts_, [](const auto& entry) { return entry.second.state == "PENDING"; }));
}

size_t Mint::times_paid(const std::string& invoice) const {
  return static_cast<size_t>(std::ranges::count(invoices_paid_, invoice));
}

}  // namespace paygress::sim
