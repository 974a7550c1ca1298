#include "shell/client/purse.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/cashu/curve_work.h"
#include "core/cashu/dhke.h"
#include "core/cashu/keyset.h"
#include "core/cashu/mint_url.h"
#include "core/cashu/token_quote.h"
#include "shell/base/clock.h"
#include "shell/client/token_text.h"

namespace paygress::client {
namespace {

using cashu::Amount;
using cashu::Endpoint;
using cashu::Proof;
using consumer::OpKind;
using consumer::OpStarted;
using consumer::Record;
using consumer::Saga;
using consumer::TokenFate;
using consumer::TokenOrigin;

constexpr Micros kQuotePollMin = 500_ms;
constexpr Micros kQuotePollMax = 5'000_ms;
constexpr Seconds kQuoteKept{24 * 3600};

UnixSeconds wall() { return shell::now().wall; }

std::unexpected<Failure> refused(const cashu::MintAnswer& answer, const std::string& mint) {
  if (const auto* error = std::get_if<cashu::MintError>(&answer))
    return failure(ExitCode::Payment, mint + " refuses: " + error->detail);
  return failure(ExitCode::Failed, mint + " does not answer");
}

std::vector<Proof> given_of(const OpStarted& op, const std::vector<Proof>& proofs) {
  std::vector<Proof> given;
  for (const uint32_t index : op.given) given.push_back(proofs.at(index));
  return given;
}

}  // namespace

Outcome<const cashu::MintBook*> Purse::book_of(const std::string& mint) {
  if (const auto known = books_.find(mint); known != books_.end()) return &known->second;
  auto book = mints_.read(mint);
  if (!book) return std::unexpected(book.error());
  return &books_.emplace(mint, *std::move(book)).first->second;
}

std::vector<cashu::Keyset> Purse::keysets_of(const std::string& mint) const {
  const cashu::MintBook& book = books_.at(mint);
  std::vector<cashu::Keyset> keysets;
  for (const std::string& id : book.keyset_ids(mint)) keysets.push_back(*book.find(mint, id));
  return keysets;
}

Outcome<cashu::Keyset> Purse::output_keyset(const std::string& mint, const std::string& unit) {
  if (auto book = book_of(mint); !book) return std::unexpected(book.error());
  std::vector<cashu::Keyset> usable;
  for (cashu::Keyset& keyset : keysets_of(mint))
    if (!keyset.keys.empty()) usable.push_back(std::move(keyset));
  auto chosen = cashu::choose_output_keyset(usable, unit, wall(), cashu::kExpiryHorizon);
  if (!chosen) return failure(ExitCode::Payment, mint + ": " + to_string(chosen.error()));
  return **chosen;
}

consumer::TokenStored Purse::stored(uint64_t number, const std::string& mint,
                                    std::vector<Proof> proofs, bool for_request) const {
  consumer::TokenStored token;
  token.number = number;
  token.for_request = for_request;
  token.mint = mint;
  token.unit = kUnit;
  token.amount = cashu::total(proofs).value_or(0);
  token.text = cashu::encode_token({mint, kUnit, "", proofs}, cashu::TokenVersion::V4).value();
  token.proofs = std::move(proofs);
  token.at = wall();
  return token;
}

Outcome<void> Purse::run(const OpStarted& op, bool fresh) {
  auto book = book_of(op.mint);
  if (!book) return std::unexpected(book.error());
  const cashu::Keyset* keyset = (*book)->find(op.mint, op.keyset);
  if (keyset == nullptr || keyset->keys.empty())
    return failure(ExitCode::Failed, op.mint + " no longer shows keyset " + op.keyset);
  Saga saga(op, fresh, keyset->keys, seed_);
  Saga::Turn turn = saga.start(wall());
  while (turn.end == Saga::End::Going) {
    if (turn.wait) {
      mints_.pause(*turn.wait);
      turn = saga.resume(wall());
    } else {
      const auto answer =
          mints_.ask(op.mint, turn.ask->endpoint, turn.ask->argument, turn.ask->body);
      turn = saga.handle(wall(), answer);
    }
  }
  if (turn.end == Saga::End::Open)
    return failure(ExitCode::TimedOut, op.mint + ": " + turn.why,
                   "Nothing is lost: any later `paygress wallet receive` goes on with it.");
  std::vector<Record> records{*turn.record};
  if (const auto* done = std::get_if<consumer::OpDone>(&*turn.record); done && !op.given.empty()) {
    records.push_back(stored(op.token, op.mint, given_of(op, done->proofs), true));
    // Whoever wanted it is gone with an earlier process: it has not left, so it comes back.
    if (!fresh) records.push_back(consumer::TokenChanged{op.token, TokenFate::Returned, wall()});
  }
  if (auto ok = file_.commit(records); !ok) return ok;
  if (turn.end == Saga::End::Failed) return failure(ExitCode::Payment, op.mint + ": " + turn.why);
  return {};
}

size_t Purse::recover() {
  const auto open = file_.state().open_ops();
  for (const auto& [number, op] : open)
    (void)run(op, false);  // what it says is seen in the history and in the count
  const auto quotes = file_.state().open_quotes();
  for (const auto& [number, quote] : quotes) {
    const auto answer = mints_.ask(quote.mint, Endpoint::MintQuoteState, quote.quote);
    const auto* state = std::get_if<cashu::QuoteAnswer>(&answer);
    const auto* error = std::get_if<cashu::MintError>(&answer);
    if (state && state->state == "PAID") {
      (void)start_mint(quote);
    } else if ((error && error->http_status < 500) || elapsed(quote.at, wall()) > kQuoteKept) {
      (void)file_.commit({consumer::QuoteDropped{number, wall()}});
    }
  }
  std::vector<uint64_t> waiting;
  for (const auto& [number, token] : file_.state().tokens())
    if (token.stored.origin != TokenOrigin::Made && token.fate == TokenFate::Here)
      waiting.push_back(number);
  for (const uint64_t number : waiting) (void)receive_stored(number);
  return file_.state().open_ops().size();
}

Outcome<void> Purse::start_mint(const consumer::QuoteMade& quote) {
  auto keyset = output_keyset(quote.mint, quote.unit);
  if (!keyset) return std::unexpected(keyset.error());
  const auto amounts = cashu::split_amount(quote.amount, keyset->keys);
  if (!amounts) return failure(ExitCode::Failed, amounts.error());
  OpStarted op;
  op.number = quote.number;
  op.kind = OpKind::Mint;
  op.mint = quote.mint;
  op.unit = quote.unit;
  op.quote = quote.quote;
  op.keyset = keyset->id;
  op.counter_start = file_.state().next_counter(keyset->id);
  op.at = wall();
  auto made = consumer::with_outputs(std::move(op), *amounts, seed_);
  if (!made) return failure(ExitCode::Failed, made.error());
  if (auto ok = file_.commit({*made}); !ok) return ok;
  return run(*made, true);
}

Outcome<Amount> Purse::mint(const std::string& mint, Amount amount, Micros patience,
                            const std::function<void(const std::string&)>& show) {
  auto keyset = output_keyset(mint, kUnit);
  if (!keyset) return std::unexpected(keyset.error());
  // Before anybody can pay the invoice: of this amount no proofs could be made.
  if (const auto amounts = cashu::split_amount(amount, keyset->keys); !amounts)
    return failure(ExitCode::Payment, mint + ": " + to_string(amounts.error()),
                   "No invoice was asked for and nothing was paid. Buy less, or in parts.");
  const auto answer =
      mints_.ask(mint, Endpoint::MintQuote, {}, cashu::encode_mint_quote_request(amount, kUnit));
  const auto* made = std::get_if<cashu::QuoteAnswer>(&answer);
  if (made == nullptr) return refused(answer, mint);
  const consumer::QuoteMade quote{
      file_.state().next_number(), mint, kUnit, made->quote, made->request, amount, wall()};
  if (auto ok = file_.commit({quote}); !ok) return std::unexpected(ok.error());
  const Micros give_up = shell::now().mono + patience;
  Micros pause = kQuotePollMin;
  bool shown = false;
  for (std::string state = made->state; state != "PAID";) {
    if (!std::exchange(shown, true)) show(quote.invoice);
    if (shell::now().mono > give_up)
      return failure(ExitCode::TimedOut, "the invoice was not paid in time",
                     "If it is paid later: `paygress wallet receive` mints it.");
    mints_.pause(pause);
    pause = std::min(pause + pause, kQuotePollMax);
    const auto asked = mints_.ask(mint, Endpoint::MintQuoteState, quote.quote);
    if (const auto* now = std::get_if<cashu::QuoteAnswer>(&asked)) state = now->state;
  }
  if (auto ok = start_mint(quote); !ok) return std::unexpected(ok.error());
  return amount;
}

Outcome<Amount> Purse::receive(const std::string& text, TokenOrigin origin,
                               std::optional<market::RequestId> request) {
  auto token = read_token(text);
  if (!token) return std::unexpected(token.error());
  auto mint = cashu::normalise_mint_url(token->mint);
  if (!mint) return failure(ExitCode::Usage, "the token's mint: " + to_string(mint.error()));
  uint64_t number = 0;
  if (const auto known = file_.state().token_with(token->proofs)) {
    number = *known;
    const consumer::StoredToken& stored = file_.state().tokens().at(number);
    if (stored.stored.origin == TokenOrigin::Made || stored.fate != TokenFate::Here)
      return std::unexpected(known_token(stored));
  } else {
    consumer::TokenStored record;
    record.number = number = file_.state().next_number();
    record.origin = origin;
    record.text = text;
    record.mint = *mint;
    record.unit = token->unit.empty() ? kUnit : token->unit;
    record.amount = cashu::total(token->proofs).value_or(0);
    record.proofs = token->proofs;
    record.request = request;
    record.at = wall();
    if (auto ok = file_.commit({record}); !ok) return std::unexpected(ok.error());
  }
  return receive_stored(number);
}

Outcome<Amount> Purse::receive_stored(uint64_t number) {
  if (file_.state().is_being_received(number))
    return failure(ExitCode::TimedOut,
                   "this token is being received, and the mint has not said yet what became of it",
                   "Nothing is lost: any later `paygress wallet receive` goes on with it.");
  const consumer::TokenStored token = file_.state().tokens().at(number).stored;
  auto book = book_of(token.mint);
  if (!book) return std::unexpected(book.error());
  const auto quote = cashu::quote_token(**book, {token.mint, token.unit, "", token.proofs}, wall());
  if (!quote) return failure(ExitCode::Payment, "the token: " + quote.error().message);
  cashu::CheckToken check;
  check.proofs = quote->proofs;
  for (const Proof& proof : quote->proofs)
    check.keys[proof.keyset] = (*book)->find(token.mint, proof.keyset)->keys;
  if (const auto checked = cashu::check_token(check); !checked.problem.empty())
    return failure(ExitCode::Payment, "the token: " + checked.problem);
  const auto plan = (*book)->plan(token.mint, quote->unit, quote->proofs, wall());
  if (!plan) return failure(ExitCode::Payment, "the token: " + to_string(plan.error()));
  OpStarted op;
  op.number = file_.state().next_number();
  op.kind = OpKind::Receive;
  op.mint = token.mint;
  op.unit = quote->unit;
  op.token = number;
  op.inputs = quote->proofs;
  op.keyset = plan->keyset;
  op.counter_start = file_.state().next_counter(plan->keyset);
  op.at = wall();
  auto made = consumer::with_outputs(std::move(op), plan->amounts, seed_);
  if (!made) return failure(ExitCode::Failed, made.error());
  if (auto ok = file_.commit({*made}); !ok) return std::unexpected(ok.error());
  if (auto ok = run(*made, true); !ok) return std::unexpected(ok.error());
  return quote->net;
}

std::optional<cashu::ProofState> Purse::state_of(uint64_t number) {
  const consumer::TokenStored& token = file_.state().tokens().at(number).stored;
  std::vector<cashu::Point> ys;
  for (const Proof& proof : token.proofs) {
    const auto y = cashu::hash_to_curve(proof.secret);
    if (!y) return std::nullopt;
    ys.push_back(y->compressed());
  }
  const auto answer =
      mints_.ask(token.mint, Endpoint::CheckState, {}, cashu::encode_check_request(ys));
  const auto* checked = std::get_if<cashu::CheckAnswer>(&answer);
  if (checked == nullptr || checked->states.size() != ys.size()) return std::nullopt;
  const auto any = [&](cashu::ProofState state) {
    return std::ranges::any_of(checked->states, [&](const auto& s) { return s.state == state; });
  };
  if (any(cashu::ProofState::Spent)) return cashu::ProofState::Spent;
  return any(cashu::ProofState::Pending) ? cashu::ProofState::Pending : cashu::ProofState::Unspent;
}

Outcome<uint64_t> Purse::make_token(const std::vector<std::string>& mints, Payment payment,
                                    bool for_request) {
  std::vector<std::pair<Amount, std::string>> purses;
  for (const auto& [purse, balance] : file_.state().purse().balances()) {
    const bool wanted = mints.empty() || std::ranges::find(mints, purse.mint) != mints.end();
    if (purse.unit == kUnit && balance > 0 && wanted) purses.emplace_back(balance, purse.mint);
  }
  std::sort(purses.rbegin(), purses.rend());
  std::string accepted = mints.empty() ? "any mint" : mints.front();
  for (size_t i = 1; i < mints.size(); ++i) accepted += ", " + mints[i];
  std::optional<Failure> first;
  for (const auto& [balance, mint] : purses) {
    auto token = make_from(mint, payment, for_request);
    // Another purse is tried only when this one is short: doubt at one mint must be seen.
    if (token || token.error().code != ExitCode::Payment) return token;
    if (!first) first = token.error();
  }
  if (first) return std::unexpected(*first);
  return failure(ExitCode::Payment, "no money at " + accepted,
                 "paygress wallet mint --mint " + (mints.empty() ? "URL" : mints.front()) + " " +
                     std::to_string(payment.amount + 1));
}

Outcome<uint64_t> Purse::make_from(const std::string& mint, Payment payment, bool for_request) {
  auto keyset = output_keyset(mint, kUnit);
  if (!keyset) return std::unexpected(keyset.error());
  const std::vector<cashu::Keyset> keysets = keysets_of(mint);
  const std::vector<Proof> purse = file_.state().purse().proofs({mint, kUnit});
  const std::string more = "paygress wallet mint --mint " + mint + " ";
  // An amount beyond the purse may also be beyond what a keyset can make: this is said first.
  if (auto ok = consumer::check_reach(purse, payment.amount); !ok)
    return failure(ExitCode::Payment, mint + ": " + to_string(ok.error()),
                   more + std::to_string(payment.amount + 1));
  Amount face = payment.amount;
  if (payment.net) {
    const auto enough = consumer::face_for_net(payment.amount, *keyset);
    if (!enough) return failure(ExitCode::Payment, enough.error());
    face = *enough;
  }
  const uint64_t number = file_.state().next_number();
  if (const auto exact = consumer::exact_subset(purse, face)) {
    const auto fee = consumer::fee_of(*exact, keysets);
    // More and smaller proofs than a swap would give can cost the receiver more.
    if (!payment.net || (fee && *fee <= face && face - *fee >= payment.amount)) {
      auto token = stored(number, mint, *exact, for_request);
      token.from_purse = true;
      if (auto ok = file_.commit({token}); !ok) return std::unexpected(ok.error());
      return number;
    }
  }
  auto plan = consumer::plan_split(purse, face, keysets, *keyset);
  if (!plan)
    return failure(ExitCode::Payment, mint + ": " + to_string(plan.error()),
                   more + std::to_string(face + 1));
  OpStarted op;
  op.number = number;
  op.kind = OpKind::Split;
  op.mint = mint;
  op.unit = kUnit;
  op.token = number + 1;
  op.inputs = std::move(plan->inputs);
  op.keyset = plan->keyset;
  op.counter_start = file_.state().next_counter(plan->keyset);
  op.given = std::move(plan->given);
  op.at = wall();
  auto made = consumer::with_outputs(std::move(op), plan->amounts, seed_);
  if (!made) return failure(ExitCode::Failed, made.error());
  if (auto ok = file_.commit({*made}); !ok) return std::unexpected(ok.error());
  if (auto ok = run(*made, true); !ok) return std::unexpected(ok.error());
  return number + 1;
}

const std::string& Purse::text_of(uint64_t token) const {
  return file_.state().tokens().at(token).stored.text;
}

}  // namespace paygress::client
