#include "shell/client/lease_session.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include <algorithm>

#include "core/cashu/mint_url.h"
#include "core/consumer/pricing.h"
#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "shell/client/command_line.h"
#include "shell/client/terminal.h"
#include "shell/client/token_text.h"

namespace paygress::client {
namespace {

using consumer::Record;
using consumer::TokenChanged;
using consumer::TokenFate;
using consumer::TokenOrigin;
using market::TokenState;

// What became of our token; nothing when the reply does not say.
std::optional<TokenFate> fate_of(const market::Reply& reply, TokenOrigin origin) {
  const auto* error = std::get_if<market::ErrorReply>(&reply);
  if (error == nullptr) return TokenFate::Taken;
  if (!error->token_state) return std::nullopt;
  switch (*error->token_state) {
    case TokenState::Untouched:
      return origin == TokenOrigin::Made ? TokenFate::Returned : TokenFate::Here;
    case TokenState::Taken: return TokenFate::Taken;
    case TokenState::SpentElsewhere: return TokenFate::Lost;
    case TokenState::InDoubt:
    case TokenState::Released: break;
  }
  return std::nullopt;
}

// Of a request without an answer: what is known of it, and how to go on.
Failure unanswered(const consumer::WalletState& state, Failure why,
                   const consumer::RequestMade& request, const std::string& resume) {
  if (resume.empty()) return why;
  if (why.code == ExitCode::TimedOut)
    why.advice = "The outcome is unknown. It is safe to repeat: " + resume;
  // Nothing left now, but an earlier attempt may have: the token waits for an answer.
  const auto token = state.tokens().find(request.token);
  const bool waits = token != state.tokens().end() && token->second.fate == TokenFate::Sent;
  if (why.code == ExitCode::Failed && waits) {
    why.code = ExitCode::TimedOut;
    why.advice = fmt::format(
        "Nothing was sent now. The token is kept for this request, which is safe to repeat: {}; "
        "to have it back instead: paygress wallet reclaim {}",
        resume, request.token);
  }
  return why;
}

// Stores the token that was handed in to pay with. One that an earlier provider left untouched is
// stored already.
Outcome<uint64_t> handed_in(Session& session, const std::vector<std::string>& mints,
                            const std::string& given) {
  auto text = token_text(given);
  if (!text) return std::unexpected(text.error());
  auto token = read_token(*text);
  if (!token) return std::unexpected(token.error());
  if (!cashu::is_mint_allowed(token->mint, mints))
    return failure(ExitCode::Payment, "the provider does not accept the mint " + token->mint);
  const consumer::WalletState& state = session.file->state();
  if (const auto known = state.token_with(token->proofs)) {
    const consumer::StoredToken& before = state.tokens().at(*known);
    if (before.stored.origin == TokenOrigin::Given && before.fate == TokenFate::Here &&
        before.stored.proofs == token->proofs && !state.is_being_received(*known))
      return *known;
    return std::unexpected(known_token(before));
  }
  consumer::TokenStored stored;
  stored.number = state.next_number();
  stored.origin = TokenOrigin::Given;
  stored.text = *text;
  stored.mint = cashu::normalise_mint_url(token->mint).value();
  stored.unit = token->unit.empty() ? kUnit : token->unit;
  stored.amount = cashu::total(token->proofs).value_or(0);
  stored.proofs = token->proofs;
  stored.at = shell::now().wall;
  if (auto ok = session.file->commit({stored}); !ok) return std::unexpected(ok.error());
  return stored.number;
}

}  // namespace

void take_refund(Session& session, const std::string& refund, const market::RequestId& request) {
  if (const auto token = cashu::decode_token(refund); token)
    if (const auto known = session.file->state().token_with(token->proofs))
      if (session.file->state().tokens().at(*known).fate == TokenFate::Received) return;
  progress("receiving the refund");
  const auto& requests = session.file->state().requests();
  const auto made = requests.find(request);
  const std::string from =
      made == requests.end() ? "" : " from " + printable(made->second.made.provider_name);
  auto got = session.purse.receive(refund, TokenOrigin::Refund, request);
  if (got)
    note(fmt::format("refund received{}: {} sat", from, *got));
  else
    note(fmt::format("the refund{} is stored, but not in the wallet yet: {}", from,
                     printable(got.error().message)));
}

void add_payment_options(CLI::App& command, PaymentOptions& payment, bool needed) {
  auto* group = command.add_option_group("payment");
  group->add_option("--amount", payment.amount, "Pay with a token of so many sats")
      ->transform(number_up_to(kSatsMax));
  group->add_option("--seconds", payment.seconds, "Pay for so many seconds")
      ->transform(number_up_to(kSecondsMax));
  group->add_option("--token", payment.token, "Pay with this token; - reads it from stdin");
  if (needed)
    group->require_option(1);
  else
    group->require_option(0, 1);
  command.add_option("--timeout", payment.timeout_seconds, "Seconds to wait for the answer")
      ->transform(number_up_to(kTimeoutMax))
      ->capture_default_str();
}

Outcome<std::unique_ptr<Session>> open_session(const Options& options) {
  auto identity = load_identity(options.home);
  if (!identity) return std::unexpected(identity.error());
  auto file = WalletFile::open(options.home, identity->key.public_key());
  if (!file) return std::unexpected(file.error());
  auto session = std::make_unique<Session>(*std::move(identity), *std::move(file));
  const auto refund_waits = [](const auto& entry) {
    return entry.second.stored.origin == TokenOrigin::Refund &&
           entry.second.fate == TokenFate::Here;
  };
  const consumer::WalletState& state = session->file->state();
  if (!state.open_ops().empty() || std::ranges::any_of(state.tokens(), refund_waits)) {
    progress("going on with what an earlier command left open");
    session->purse.recover();
  }
  return session;
}

market::RequestId fresh_request_id() {
  shell::OsEntropy entropy;
  market::RequestId id;
  entropy.fill(id.bytes);
  return id;
}

std::vector<std::string> normalised(const std::vector<std::string>& mints) {
  std::vector<std::string> out;
  for (const std::string& mint : mints)
    if (auto url = cashu::normalise_mint_url(mint)) out.push_back(*url);
  return out;
}

Outcome<uint64_t> payment_token(Session& session, const std::vector<std::string>& mints,
                                uint64_t rate, const PaymentOptions& payment) {
  if (mints.empty()) return failure(ExitCode::Payment, "the provider accepts no usable mint");
  if (!payment.token.empty()) return handed_in(session, mints, payment.token);
  Purse::Payment wanted{payment.amount, false};
  if (payment.seconds > 0) {
    const auto sats = consumer::sats_for(rate, Seconds{payment.seconds});
    if (!sats) return failure(ExitCode::Usage, sats.error());
    wanted = {*sats, true};
  }
  progress("making the token");
  return session.purse.make_token(mints, wanted, true);
}

Outcome<market::Reply> ask_provider(Session& session, const consumer::RequestMade& request,
                                    Seconds timeout, const std::string& resume_command) {
  auto answer = exchange(session.loop, session.identity, request, timeout,
                         [](const market::ErrorReply& interim) { progress(interim.message); });
  if (!answer)
    return std::unexpected(
        unanswered(session.file->state(), answer.error(), request, resume_command));
  const UnixSeconds now = shell::now().wall;
  std::vector<Record> records{consumer::RequestAnswered{request.request, answer->json, now}};
  if (request.token != 0) {
    const auto& token = session.file->state().tokens().at(request.token);
    const auto fate = fate_of(answer->reply, token.stored.origin);
    // A token that was reclaimed meanwhile is nobody's business any more.
    if (fate && token.fate == TokenFate::Sent)
      records.push_back(TokenChanged{request.token, *fate, now});
  }
  if (auto ok = session.file->commit(records); !ok) return std::unexpected(ok.error());
  for (const std::string& refund : refunds_of(answer->reply))
    take_refund(session, refund, request.request);
  const auto& tokens = session.file->state().tokens();
  const auto paid = tokens.find(request.token);
  return meaning(answer->reply, paid == tokens.end() ? nullptr : &paid->second.stored,
                 resume_command);
}

}  // namespace paygress::client
