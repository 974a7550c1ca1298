// What is said of a token that cannot be taken.
#include "shell/client/token_text.h"

#include <gtest/gtest.h>

namespace paygress::client {
namespace {

using consumer::TokenFate;
using consumer::TokenOrigin;

std::string said_of(TokenOrigin origin, TokenFate fate) {
  consumer::StoredToken token;
  token.stored.number = 5;
  token.stored.origin = origin;
  token.fate = fate;
  const Failure failure = known_token(token);
  EXPECT_EQ(failure.code, ExitCode::Payment);
  return failure.message + ". " + failure.advice;
}

TEST(TokenText, OneThatIsCutOffIsSaidToBeIncomplete) {
  for (const std::string text : {"cashuBabc", "cashuA", "cashuAeyJ0b2tlbiI6"}) {
    const auto token = read_token(text);
    ASSERT_FALSE(token) << text;
    EXPECT_EQ(token.error().code, ExitCode::Usage);
    EXPECT_TRUE(token.error().message.starts_with("this is not a complete, valid Cashu token ("))
        << token.error().message;
    EXPECT_NE(token.error().advice.find("Nothing was paid"), std::string::npos);
  }
  EXPECT_TRUE(read_token("hello").error().message.starts_with("not a Cashu token"));
}

TEST(TokenText, OneOfOursIsNotSaidToHaveBeenReceived) {
  EXPECT_EQ(
      said_of(TokenOrigin::Made, TokenFate::Sent),
      "this wallet itself made this token (number 5) and gave it away. "
      "`paygress wallet reclaim 5` takes it back, if nobody was faster. Nothing was changed.");
  EXPECT_EQ(said_of(TokenOrigin::Made, TokenFate::Received),
            "this wallet itself made this token (number 5), and its money is in the wallet "
            "again. ");
  EXPECT_EQ(said_of(TokenOrigin::Made, TokenFate::Taken),
            "this wallet itself made this token (number 5), and whoever got it has redeemed it. ");
  EXPECT_EQ(said_of(TokenOrigin::Given, TokenFate::Received),
            "this token (number 5) was received before. ");
  EXPECT_EQ(said_of(TokenOrigin::Given, TokenFate::Sent),
            "this token (number 5) was sent to a provider before. If it was not taken: "
            "`paygress wallet reclaim 5` swaps it into the wallet.");
}

}  // namespace
}  // namespace paygress::client
