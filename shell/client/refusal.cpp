#include "shell/client/refusal.h"

#include <fmt/format.h>

#include "core/market/texts.h"

namespace paygress::client {
namespace {

using market::ErrorType;
using market::TokenState;

std::vector<std::string> refund_texts(const std::optional<std::vector<market::RefundToken>>& all,
                                      const std::optional<std::string>& one) {
  std::vector<std::string> texts;
  if (all)
    for (const auto& refund : *all) texts.push_back(refund.token);
  else if (one)
    texts.push_back(*one);
  return texts;
}

std::string untouched_advice(const consumer::TokenStored& paid) {
  if (paid.origin == consumer::TokenOrigin::Made)
    return "The token was not touched: its money is in the wallet.";
  return "The token was not touched: pay with it again, or swap it into the wallet with "
         "`paygress wallet receive`.";
}

std::string token_advice(const market::ErrorReply& error, const consumer::TokenStored& paid,
                         const std::string& resume) {
  const std::string again = resume.empty() ? "ask again" : resume;
  const std::string back = fmt::format(
      "To have it back: paygress wallet reclaim {}. Whichever swap is first decides; if the "
      "provider's was, this brings the refund: {}.",
      paid.number, again);
  if (!error.token_state) return "It is not said what became of the token. " + back;
  switch (*error.token_state) {
    case TokenState::Untouched: return untouched_advice(paid);
    case TokenState::InDoubt: return "The mint has not said what became of the token. " + back;
    case TokenState::Released: return "The provider gave the token up. " + back;
    case TokenState::SpentElsewhere: return "Somebody else had spent the token.";
    case TokenState::Taken:
      return refund_texts(error.refunds, error.refund_token).empty()
                 ? "The token was taken, and its refund has yet to come: " + again + "."
                 : "The token was taken, and its refund is in the wallet.";
  }
  return "";
}

// Providers of the existing network put refund tokens there.
std::string details_of(const market::ErrorReply& error) {
  if (!error.details || error.details->empty()) return "";
  if (error.details->find("cashu") != std::string::npos) return "";
  return " (" + market::excerpt(*error.details) + ")";
}

}  // namespace

std::string_view advice_on(ErrorType type) {
  switch (type) {
    case ErrorType::InvalidRequest:
    case ErrorType::MissingWorkloadId:
    case ErrorType::InvalidPodId:
      return "This provider does not understand what this program sends: choose another.";
    case ErrorType::TemplateUnsupported: return "Choose another --template, or another provider.";
    case ErrorType::UnknownTemplate: return "Check the spelling of --template.";
    case ErrorType::InvalidToken: return "Pay with another token.";
    case ErrorType::NonWhitelistedMint:
    case ErrorType::MintUnsuitable:
      return "Pay with money of another mint that `paygress list` shows for this provider.";
    case ErrorType::TokenAlreadySpent:
      return "Pay with another token, and find out who had this one.";
    case ErrorType::TokenPending:
    case ErrorType::RefundPending: return "Wait a little, then ask again.";
    case ErrorType::MintNetworkError:
    case ErrorType::MintError:
      return "The trouble is the mint's: try later, or pay with money of another mint.";
    case ErrorType::UnsupportedUnit: return "Pay with sats.";
    case ErrorType::InsufficientPayment: return "Pay more: --seconds, --amount or a larger token.";
    case ErrorType::NoSpecs:
    case ErrorType::NotAddressed:
    case ErrorType::ProvisioningError: return "Choose another provider: `paygress list`.";
    case ErrorType::BackendError: return "Choose another provider, or another image.";
    case ErrorType::InvalidVolumeEncryption:
      return "Leave --encrypt out, or choose another provider.";
    case ErrorType::NotOwner: return "Use the --home with which it was rented.";
    case ErrorType::NotFound:
      return "It has ended, or was rented with another --home; `paygress spawn` rents another.";
    case ErrorType::LeaseExpired:
    case ErrorType::RaceLost: return "It has ended: `paygress spawn` rents another.";
    case ErrorType::SpecUnavailable:
      return "It cannot be paid longer: `paygress spawn` rents another, `paygress list` shows the "
             "tiers.";
    case ErrorType::UnknownTier: return "Name a --tier that `paygress list` shows.";
    case ErrorType::NoCapacity: return "Try later, a smaller --tier, or another provider.";
    case ErrorType::ImageNotAllowed:
      return "Choose a --template, another --image, or another provider.";
    case ErrorType::RequestExpired: return "Set this machine's clock, then try again.";
    case ErrorType::RateLimited: return "Wait, then try again.";
    case ErrorType::UnsupportedReplication: return "Leave --standby out, or choose others.";
    case ErrorType::StandbyUnavailable: return "Choose another standby.";
    case ErrorType::Draining: return "Try later, or choose another provider.";
  }
  return "";
}

std::vector<std::string> refunds_of(const market::Reply& reply) {
  if (const auto* error = std::get_if<market::ErrorReply>(&reply))
    return refund_texts(error->refunds, error->refund_token);
  if (const auto* status = std::get_if<market::StatusReply>(&reply))
    return refund_texts(status->refunds, status->refund_token);
  return {};
}

Outcome<market::Reply> meaning(const market::Reply& reply, const consumer::TokenStored* paid,
                               const std::string& resume) {
  const auto* error = std::get_if<market::ErrorReply>(&reply);
  if (error == nullptr) return reply;
  std::vector<std::string> advice;
  if (paid != nullptr) advice.push_back(token_advice(*error, *paid, resume));
  if (error->retry_after_secs)
    advice.push_back(fmt::format("Wait {} s, then try again.", *error->retry_after_secs));
  else if (const auto type = market::error_type_from(error->error_type))
    advice.emplace_back(advice_on(*type));
  return failure(ExitCode::Refused,
                 fmt::format("the provider refuses ({}): {}{}", error->error_type, error->message,
                             details_of(*error)),
                 fmt::format("{}", fmt::join(advice, " ")));
}

}  // namespace paygress::client
