// What happens to calls on their way, the mint's moods, its payers, and its bytes.
#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/cashu/keyset.h"
#include "core/cashu/mint_api.h"
#include "core/cashu/mint_wire.h"
#include "sim/models/fake_wire.h"
#include "sim/models/mint.h"

namespace paygress::sim {
namespace {

MintAnswer unreadable(const Error& error) { return cashu::MintError{400, {}, to_string(error)}; }

}  // namespace

// --- calls -------------------------------------------------------------------------------------

MintAnswer Mint::handle(Micros now, cashu::Endpoint endpoint, const std::string& argument,
                        ByteView body) {
  using cashu::Endpoint;
  const std::string_view text = as_text(body);
  const bool real = crypto_->reads_real_points();
  switch (endpoint) {
    case Endpoint::Info: return info();
    case Endpoint::Keys: return keys();
    case Endpoint::Keysets: return keysets();
    case Endpoint::KeysById: return keys_of(argument);
    case Endpoint::Swap: {
      auto request = real ? cashu::parse_swap_request(text) : read_fake_swap(text);
      return request ? swap(now, request->inputs, request->outputs) : unreadable(request.error());
    }
    case Endpoint::CheckState: {
      auto ys = real ? cashu::parse_check_request(text) : read_fake_check(text);
      return ys ? check_state(now, *ys) : unreadable(ys.error());
    }
    case Endpoint::Restore: {
      auto outputs = real ? cashu::parse_restore_request(text) : read_fake_restore(text);
      return outputs ? restore(now, *outputs) : unreadable(outputs.error());
    }
    case Endpoint::MintQuote: {
      auto request = cashu::parse_mint_quote_request(text);
      return request ? mint_quote(request->amount, request->unit) : unreadable(request.error());
    }
    case Endpoint::MintQuoteState: return mint_quote_state(argument);
    case Endpoint::Mint: {
      auto request = real ? cashu::parse_mint_request(text) : read_fake_mint(text);
      return request ? mint(now, request->quote, request->outputs) : unreadable(request.error());
    }
    case Endpoint::MeltQuote: {
      auto request = cashu::parse_melt_quote_request(text);
      return request ? melt_quote(request->invoice, request->unit) : unreadable(request.error());
    }
    case Endpoint::MeltQuoteState: return melt_quote_state(argument);
    case Endpoint::Melt: {
      auto request = real ? cashu::parse_melt_request(text) : read_fake_melt(text);
      return request ? melt(now, request->quote, request->inputs, request->outputs)
                     : unreadable(request.error());
    }
  }
  return cashu::MintError{404, {}, "not offered by this mint"};
}

std::vector<MintDelivery> Mint::serve(Micros now, const cashu::MintCall& call) {
  advance(now);
  const PlannedFault planned = draw_fault(call.endpoint);
  if (!reachable_ || planned.fault == MintFault::Unreachable) return {};
  if (planned.fault == MintFault::SlowRequest) {
    const Micros due = now + planned.delay;
    const auto later = std::find_if(late_.begin(), late_.end(),
                                    [&](const LateRequest& other) { return due < other.due; });
    late_.insert(later, {due, call});
    return {};
  }
  if (planned.fault == MintFault::Garbage)
    return {{settings_.latency, call.endpoint == cashu::Endpoint::Info
                                    ? MintAnswer(cashu::CheckAnswer{})
                                    : MintAnswer(cashu::InfoAnswer{})}};
  MintAnswer answer = handle(now, call.endpoint, call.path_argument, call.body);
  if (std::holds_alternative<cashu::NoReply>(answer)) return {};  // taken by a mint that is stalled
  spoil(planned.fault, answer);
  switch (planned.fault) {
    case MintFault::DropAnswer: return {};
    case MintFault::SlowAnswer: return {{planned.delay, std::move(answer)}};
    case MintFault::DoubleAnswer:
      return {{settings_.latency, answer}, {settings_.latency + planned.delay, answer}};
    default: return {{settings_.latency, std::move(answer)}};
  }
}

Mint::PlannedFault Mint::draw_fault(cashu::Endpoint endpoint) {
  if (auto& planned = planned_[endpoint]; !planned.empty()) {
    const PlannedFault first = planned.front();
    planned.erase(planned.begin());
    return first;
  }
  uint64_t dice = random_.below(1'000'000);
  for (const auto& [fault, ppm] : rates_.ppm) {
    if (dice < ppm) return {fault, {random_.between(0, rates_.delay_max.value)}};
    dice -= ppm;
  }
  return {};
}

void Mint::spoil(MintFault fault, MintAnswer& answer) const {
  if (fault == MintFault::ErrorAfter) answer = cashu::MintError{500, {}, "internal error"};
  std::vector<cashu::BlindSignature>* signatures = nullptr;
  if (auto* swapped = std::get_if<cashu::SwapAnswer>(&answer)) signatures = &swapped->signatures;
  if (auto* restored = std::get_if<cashu::RestoreAnswer>(&answer))
    signatures = &restored->signatures;
  if (auto* quote = std::get_if<cashu::QuoteAnswer>(&answer); quote != nullptr && quote->change)
    signatures = &*quote->change;
  if (!signatures) return;
  for (cashu::BlindSignature& signature : *signatures) {
    if (fault == MintFault::WrongAmounts) signature.amount *= 2;
    if (fault == MintFault::BadDleq && signature.dleq) signature.dleq->s[5] ^= 1;
  }
}

void Mint::plan_fault(cashu::Endpoint endpoint, MintFault fault, Micros delay) {
  planned_[endpoint].push_back({fault, delay});
}

void Mint::advance(Micros now) {
  while (!late_.empty() && late_.front().due <= now) {
    const LateRequest late = std::move(late_.front());
    late_.erase(late_.begin());
    handle(late.due, late.call.endpoint, late.call.path_argument, late.call.body);
  }
}

std::optional<Micros> Mint::next_deadline() const {
  return late_.empty() ? std::nullopt : std::optional(late_.front().due);
}

// --- moods -------------------------------------------------------------------------------------

std::string Mint::rotate(uint64_t input_fee_ppk) {
  keysets_.back().keyset.active = false;
  return open_keyset(input_fee_ppk);
}

void Mint::set_fee(uint64_t input_fee_ppk) {
  PG_CHECK(settings_.keyset_version == 0);
  for (OwnKeyset& own : keysets_) own.keyset.input_fee_ppk = input_fee_ppk;
}

void Mint::hold_pending(const std::vector<cashu::Proof>& proofs, Micros until) {
  for (const cashu::Proof& proof : proofs) {
    const auto y = crypto_->y_of(proof.secret);
    PG_CHECK(y.has_value());
    pending_[*y] = until;
  }
}

// --- payers ------------------------------------------------------------------------------------

std::vector<cashu::Proof> Mint::issue(cashu::Amount amount) {
  const OwnKeyset* own = find_keyset(active_keyset());
  const auto amounts = cashu::split_amount(amount, own->keyset.keys);
  PG_CHECK(amounts.has_value());
  std::vector<cashu::Proof> proofs;
  MintSwap issuance;
  issuance.number = books_.size();
  for (const cashu::Amount part : *amounts) {
    const uint64_t number = mix64(settings_.seed ^ name64(settings_.url)) + payers_++;
    proofs.push_back(crypto_->issue(own->secrets.at(part), part, own->keyset.id, number));
    // What the payer blinded is its own affair: the books keep the value only.
    issuance.outputs.push_back({part, own->keyset.id, {}});
  }
  books_.push_back(std::move(issuance));
  circulation_ += amount;
  return proofs;
}

cashu::Token Mint::issue_token(cashu::Amount amount) {
  return {settings_.url, settings_.unit, {}, issue(amount)};
}

bool Mint::spend_elsewhere(Micros now, const std::vector<cashu::Proof>& proofs) {
  std::vector<cashu::Point> ys;
  cashu::Amount in = 0;
  uint64_t ppk = 0;
  if (check_inputs(now, proofs, ys, in, ppk)) return false;
  const cashu::Amount fee = (ppk + 999) / 1000;
  if (fee > in) return false;
  MintSwap swap{books_.size(), now, proofs, {}, fee, 0};
  swap.outputs.push_back({in - fee, active_keyset(), {}});
  for (const cashu::Point& y : ys) spent_.emplace(y, swap.number);
  books_.push_back(std::move(swap));
  circulation_ -= fee;
  return true;
}

// --- bytes -------------------------------------------------------------------------------------

Mint::HttpAnswer Mint::handle_http(Micros now, bool post, std::string_view path,
                                   std::string_view body) {
  const auto route = cashu::route_request(post, path);
  if (!route) return {404, cashu::write_error(0, "no such endpoint")};
  const MintAnswer answer = handle(now, route->endpoint, route->argument, as_bytes(body));
  if (const auto* error = std::get_if<cashu::MintError>(&answer))
    return {error->http_status, cashu::write_error(error->code.value_or(0), error->detail)};
  if (const auto* information = std::get_if<cashu::InfoAnswer>(&answer))
    return {200, cashu::write_info(*information)};
  if (const auto* listed = std::get_if<cashu::KeysetsAnswer>(&answer))
    return {200, route->endpoint == cashu::Endpoint::Keysets ? cashu::write_keysets(*listed)
                                                             : cashu::write_keys(*listed)};
  if (const auto* swapped = std::get_if<cashu::SwapAnswer>(&answer))
    return {200, cashu::write_signatures(*swapped)};
  if (const auto* states = std::get_if<cashu::CheckAnswer>(&answer))
    return {200, cashu::write_states(*states)};
  if (const auto* restored = std::get_if<cashu::RestoreAnswer>(&answer))
    return {200, cashu::write_restored(*restored)};
  const auto* quote = std::get_if<cashu::QuoteAnswer>(&answer);
  PG_CHECK(quote != nullptr);
  if (route->endpoint == cashu::Endpoint::MeltQuote || route->endpoint == cashu::Endpoint::Melt ||
      route->endpoint == cashu::Endpoint::MeltQuoteState)
    return {200, cashu::write_melt_quote(*quote, settings_.unit)};
  return {200, cashu::write_quote(*quote, settings_.unit)};
}

}  // namespace paygress::sim
