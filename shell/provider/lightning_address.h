// Asks a Lightning address for an invoice: two GETs (core/cashu/lightning_address.h), over TLS that
// is verified, without redirects.
#pragma once

#include <functional>
#include <string>

#include "core/base/result.h"
#include "core/base/units.h"
#include "shell/net/http_client.h"

namespace paygress::daemon {

inline constexpr Micros kReceiverTimeout = micros(Seconds{20});  // of each of the two

// `done` is called once, later, from the loop; not after the client is gone.
void fetch_invoice(net::HttpClient& http, const std::string& address, Msat amount,
                   std::function<void(Result<std::string>)> done);

}  // namespace paygress::daemon
