// Tokens as a person hands them in.
#pragma once

#include <string>

#include "core/cashu/token.h"
#include "core/consumer/wallet_state.h"
#include "shell/client/failure.h"

namespace paygress::client {

// As the command line names it: from stdin when it is "-". Warns when others could see it.
Outcome<std::string> token_text(const std::string& given);
Outcome<cashu::Token> read_token(const std::string& text);

// What became of a token that the wallet knows, and so takes no second time.
Failure known_token(const consumer::StoredToken& token);

}  // namespace paygress::client
