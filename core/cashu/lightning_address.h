// Lightning addresses (LUD-16) and the two questions that turn one into an invoice (LUD-06). Pure:
// whoever moves the bytes decides about time, and follows no redirect.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/units.h"

namespace paygress::cashu {

inline constexpr size_t kLnurlBytesMax = 64 * 1024;  // of an answer

// Where "name@host" is asked: https, or http for loopback and .onion names. Refuses a name that is
// not of a-z 0-9 - _ . + and everything that is no host with an optional port.
Result<std::string> lightning_address_url(std::string_view address);

struct PayRequest {  // the first answer
  std::string callback;
  Msat least;
  Msat most;
};
// Errors are one line, the receiver's own words when it gave some. The callback has to be https
// unless `url`, which was asked, is not.
Result<PayRequest> read_pay_request(std::string_view url, std::string_view body);
// Where to ask for an invoice of this amount; error when it is not between the two.
Result<std::string> invoice_url(const PayRequest& request, Msat amount);
// The second answer: an invoice of exactly this amount.
Result<std::string> read_invoice(std::string_view body, Msat amount);

}  // namespace paygress::cashu
