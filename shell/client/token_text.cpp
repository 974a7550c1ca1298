#include "shell/client/token_text.h"

#include <fmt/core.h>

#include "shell/client/terminal.h"

namespace paygress::client {
namespace {

using consumer::TokenFate;
using consumer::TokenOrigin;

std::string reclaim(uint64_t number) { return fmt::format("`paygress wallet reclaim {}`", number); }

// Of a token of somebody else.
Failure known_foreign(uint64_t number, TokenFate fate) {
  const std::string token = fmt::format("this token (number {}) ", number);
  switch (fate) {
    case TokenFate::Received: return {ExitCode::Payment, token + "was received before", ""};
    case TokenFate::Sent:
      return {ExitCode::Payment, token + "was sent to a provider before",
              "If it was not taken: " + reclaim(number) + " swaps it into the wallet."};
    case TokenFate::Taken: return {ExitCode::Payment, token + "has paid a provider before", ""};
    case TokenFate::Lost: return {ExitCode::Payment, token + "was spent by somebody else", ""};
    case TokenFate::Here:
    case TokenFate::Returned: break;
  }
  return {ExitCode::Payment, token + "is in the wallet and not swapped yet",
          "`paygress wallet receive` swaps it."};
}

}  // namespace

Outcome<std::string> token_text(const std::string& given) {
  if (given == "-") return read_stdin();
  note(
      "warning: other users of this machine can see a token on the command line; "
      "use - and stdin");
  return given;
}

Outcome<cashu::Token> read_token(const std::string& text) {
  auto token = cashu::decode_token(text);
  if (token) return *std::move(token);
  const std::string why = to_string(token.error());
  const bool begins_well = text.starts_with("cashuA") || text.starts_with("cashuB");
  return failure(ExitCode::Usage,
                 begins_well ? "this is not a complete, valid Cashu token (" + why + ")" : why,
                 "Copy all of it, from `cashu` to the last character. Nothing was paid.");
}

Failure known_token(const consumer::StoredToken& token) {
  const uint64_t number = token.stored.number;
  if (token.stored.origin != TokenOrigin::Made) return known_foreign(number, token.fate);
  const std::string ours = fmt::format("this wallet itself made this token (number {})", number);
  switch (token.fate) {
    case TokenFate::Here:
    case TokenFate::Sent:
      return {ExitCode::Payment, ours + " and gave it away",
              reclaim(number) + " takes it back, if nobody was faster. Nothing was changed."};
    case TokenFate::Returned:
    case TokenFate::Received:
      return {ExitCode::Payment, ours + ", and its money is in the wallet again", ""};
    case TokenFate::Taken:
      return {ExitCode::Payment, ours + ", and whoever got it has redeemed it", ""};
    case TokenFate::Lost: break;
  }
  return {ExitCode::Payment, ours + ", and somebody else has spent it", ""};
}

}  // namespace paygress::client
