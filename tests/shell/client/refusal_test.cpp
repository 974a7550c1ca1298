// What a person is told of a provider's refusal.
#include "shell/client/refusal.h"

#include <gtest/gtest.h>

namespace paygress::client {
namespace {

using consumer::TokenOrigin;
using market::ErrorType;
using market::TokenState;

market::ErrorReply refusal(ErrorType type, TokenState state) {
  market::ErrorReply error;
  error.error_type = to_text(type);
  error.message = "no";
  error.token_state = state;
  return error;
}

Failure failure_of(const market::ErrorReply& error, TokenOrigin origin = TokenOrigin::Made) {
  consumer::TokenStored paid;
  paid.number = 7;
  paid.origin = origin;
  const auto told = meaning(market::Reply{error}, &paid, "paygress spawn --resume ab");
  EXPECT_FALSE(told.has_value());
  return told ? Failure{} : told.error();
}

TEST(Refusal, EveryErrorHasAdviceInWordsOfThisProgram) {
  for (const market::ErrorInfo& info : market::error_table()) {
    const std::string advice(advice_on(info.type));
    EXPECT_FALSE(advice.empty()) << info.text;
    for (const std::string wire : {"details", "template_slug", "pod_spec_id", "pod_npub",
                                   "workload_id", "retry_after_secs", "token"})
      EXPECT_EQ(advice.find("`" + wire), std::string::npos) << info.text;
    EXPECT_EQ(advice.find("refund token"), std::string::npos) << info.text;
  }
}

TEST(Refusal, AdviceFitsWhatBecameOfTheToken) {
  EXPECT_EQ(failure_of(refusal(ErrorType::InsufficientPayment, TokenState::Untouched)).advice,
            "The token was not touched: its money is in the wallet. "
            "Pay more: --seconds, --amount or a larger token.");
  EXPECT_EQ(
      failure_of(refusal(ErrorType::UnknownTemplate, TokenState::Untouched), TokenOrigin::Given)
          .advice,
      "The token was not touched: pay with it again, or swap it into the wallet with "
      "`paygress wallet receive`. Check the spelling of --template.");
  EXPECT_EQ(failure_of(refusal(ErrorType::BackendError, TokenState::Taken)).advice,
            "The token was taken, and its refund has yet to come: paygress spawn --resume ab. "
            "Choose another provider, or another image.");
}

TEST(Refusal, TheTimeToWaitIsTold) {
  auto error = refusal(ErrorType::RateLimited, TokenState::Untouched);
  error.retry_after_secs = 30;
  EXPECT_EQ(failure_of(error).advice,
            "The token was not touched: its money is in the wallet. Wait 30 s, then try again.");
}

// Providers of the existing network put a refund token into `details`.
TEST(Refusal, DetailsAreShownUnlessTheyAreMoney) {
  auto error = refusal(ErrorType::InvalidRequest, TokenState::Untouched);
  EXPECT_EQ(failure_of(error).message, "the provider refuses (invalid_request): no");
  error.details = "ssh_password: too short";
  EXPECT_EQ(failure_of(error).message,
            "the provider refuses (invalid_request): no (ssh_password: too short)");
  error.details = "cashuBo2FteB5odHRw";
  EXPECT_EQ(failure_of(error).message, "the provider refuses (invalid_request): no");
}

}  // namespace
}  // namespace paygress::client
