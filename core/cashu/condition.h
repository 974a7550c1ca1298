// Spending conditions (NUT-10): recognised so that they can be refused by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/cashu/types.h"

namespace paygress::cashu {

// The kind of a NUT-10 secret ("P2PK", "HTLC", or another well-known-secret kind); nothing for a
// plain secret. A secret that is JSON but not of NUT-10's shape is plain: so a mint treats it.
std::optional<std::string> spending_condition(std::string_view secret);

// Error, for the payer to read, when a proof is locked: we hold no lock key, so the mint would
// refuse the swap. Asked before anything is sent.
Result<void> check_unlocked(const Token& token);

}  // namespace paygress::cashu
