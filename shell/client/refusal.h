// What a provider's refusal means for who pays: in the words of this program, not of the wire.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/consumer/wallet_state.h"
#include "core/market/error_type.h"
#include "core/market/messages.h"
#include "shell/client/failure.h"

namespace paygress::client {

// What to do about it, the token left aside; may be empty.
std::string_view advice_on(market::ErrorType type);

// The refund tokens that a reply carries.
std::vector<std::string> refunds_of(const market::Reply& reply);

// The reply, or the refusal as a Failure. `paid` is the token of the request, null without one;
// `resume` the command that asks again, empty when there is none.
Outcome<market::Reply> meaning(const market::Reply& reply, const consumer::TokenStored* paid,
                               const std::string& resume);

}  // namespace paygress::client
