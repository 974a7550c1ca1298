// What a Lightning invoice (BOLT 11) asks for, as far as its human-readable part tells.
#pragma once

#include <optional>
#include <string_view>

#include "core/base/result.h"
#include "core/base/units.h"

namespace paygress::cashu {

// Nothing: whoever pays chooses the amount. Refuses what cannot be an invoice: another prefix than
// "ln" and a known currency's, mixed case, an amount that is zero, has leading zeroes, is no whole
// number of msat or more than there is, and a data part that is too short or not of its alphabet.
// The data is not read, and its checksum not verified: whoever pays it does.
Result<std::optional<Msat>> invoice_amount(std::string_view invoice);

}  // namespace paygress::cashu
