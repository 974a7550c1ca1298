// The replies of a lease, in the market's words.
#pragma once

#include <optional>
#include <string>
#include <vector>

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
// The tokens of these claims, which are all settled, the largest first; of dust there is none.
std::vector<market::RefundToken> refunds_of(const lease::ClaimBook& claims,
                                            const std::vector<ClaimId>& ids);
// An error about money that was taken and comes back with it.
market::ErrorReply refund_reply(market::ErrorType type, std::string message,
                                const std::vector<market::RefundToken>& refunds);
// What a lease came to, for a stop or for a status after the end.
market::StatusReply end_reply(const Settings& settings, const lease::LeaseBook& leases,
                              const lease::Lease& lease,
                              const std::vector<market::RefundToken>& refunds, Now now);
market::ErrorReply error_reply_of(const Refused& refused);

// The JSON of a reply with the request's id in it.
std::string to_wire(market::Reply reply, const std::optional<market::RequestId>& request_id);

}  // namespace paygress::provider
