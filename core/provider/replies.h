// The replies of a lease, in the market's words.
#pragma once

#include <optional>
#include <string>

#include "core/lease/lease_book.h"
#include "core/market/texts.h"
#include "core/provider/quote.h"
#include "core/provider/settings.h"
#include "core/workload/workload.h"

namespace paygress::provider {

// The lease runs: the way in.
market::AccessDetails access_details(const Settings& settings, const lease::LeaseBook& leases,
                                     const lease::Lease& lease, Now now);
// A standby is reserved (network.md 1.5): no port yet, and how long the reservation is paid.
market::AccessDetails standby_details(const Settings& settings, const lease::LeaseBook& leases,
                                      const lease::Lease& lease, const failover::Terms& terms,
                                      Now now);
market::StatusReply status_reply(const Settings& settings, const lease::LeaseBook& leases,
                                 const lease::Lease& lease, std::optional<workload::State> state,
                                 Now now);
market::TopUpReply top_up_reply(const lease::LeaseBook& leases, const lease::Lease& lease,
                                std::string pod, Seconds bought, Msat paid, Now now);
// An error about money that was taken and is owed back: it is a claim in the ledger.
market::ErrorReply owed_reply(market::ErrorType type, std::string message, Msat owed);
market::ErrorReply error_reply_of(const Refused& refused);

// The JSON of a reply with the request's id in it.
std::string to_wire(market::Reply reply, const std::optional<market::RequestId>& request_id);

}  // namespace paygress::provider
