// Everything that can be refused is refused here, before the token is touched (money-sagas.md
// section 3). Pure: reads the books, changes nothing, asks nobody.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/cashu/redeemer.h"
#include "core/failover/terms.h"
#include "core/lease/lease_book.h"
#include "core/market/template.h"
#include "core/market/texts.h"
#include "core/market/volume.h"
#include "core/provider/inputs.h"
#include "core/provider/settings.h"

namespace paygress::provider {

// A refusal and what the requester is told. The token is untouched unless `state` says otherwise.
struct Refused {
  market::ErrorType type = market::ErrorType::InvalidRequest;
  std::string message;
  market::TokenState state = market::TokenState::Untouched;
  std::optional<Seconds> retry_after;
  std::optional<OpId> known_op;  // the token belongs to this operation
};

// What a spawn would be, frozen until the operation's hold ends.
struct SpawnQuote {
  cashu::TokenQuote token;
  lease::Tier tier;
  std::string image;                              // empty: the backend makes the template's itself
  std::optional<market::Template> template_info;  // nothing: a plain box
  std::vector<market::EnvironmentVariable> variables;  // the buyer's; the template lists each
  std::string workload_id;
  std::optional<std::string> password;  // the requester's, when it is fit to be used
  bool checkpointed = false;
  std::optional<failover::Terms> standby;       // of a warm-standby workload
  std::optional<market::VolumeKey> volume_key;  // secret; absent: not to be encrypted
};

struct TopUpQuote {
  cashu::TokenQuote token;
  LeaseId lease;
};

// The books that a quote reads.
struct QuoteBooks {
  const Settings& settings;
  const cashu::Redeemer& wallet;
  const lease::LeaseBook& leases;
  bool draining = false;
  // Why a warm-standby lease with these terms cannot be sold now; nothing: it can.
  std::function<std::optional<std::string>(const failover::Terms&)> standby_refusal = {};
  // Whether another provider knows the rules of fail-over; nobody to ask: each does.
  std::function<bool(const PubKey&)> knows_rules = {};
};

std::expected<SpawnQuote, Refused> quote_spawn(const QuoteBooks& books, Now now,
                                               const market::SpawnRequest& request,
                                               const PrivateMessage& message);
std::expected<TopUpQuote, Refused> quote_top_up(const QuoteBooks& books, Now now,
                                                const market::TopUpRequest& request,
                                                const PrivateMessage& message);

// Of a tier for which nothing was found, with what there is too little of.
Refused sold_out(const lease::Allocator& allocator, const lease::Tier& tier);

// What a top-up or status request of a lease hears whose first payment is still being redeemed.
Refused not_paid_yet();

// A lease that is not over has this name already.
bool workload_id_taken(const lease::LeaseBook& leases, const std::string& workload_id);
inline constexpr std::string_view kWorkloadIdTaken = "workload_id is in use already";

// No lease is longer, whatever was paid: times stay far from the end of their types and of what
// RFC 3339 can write.
inline constexpr Seconds kLeaseMax{10 * 365 * 86'400};

inline constexpr size_t kWorkloadRelaysMax = 8;     // of one warm-standby workload
inline constexpr size_t kWorkloadIdBytesMax = 128;  // of one

// Ports that a workload of this quote publishes, SSH included: the size of its block.
uint16_t port_count(const Settings& settings, const SpawnQuote& quote);

// What a refusal of the wallet means to the requester.
Refused refused(const cashu::Refusal& refusal, const cashu::Token& token);

// The lease that `pod` names: "container-<n>", "<n>", "standby-slot-<workload_id>" or a
// workload_id. Null when there is none. Says nothing about who owns it.
const lease::Lease* lease_named(const lease::LeaseBook& leases, std::string_view pod,
                                const PubKey& asker);

// A name an engine may be given: no leading dash, no white space, bounded; and allowed by a
// pattern.
bool image_allowed(const std::vector<std::string>& patterns, std::string_view image);

}  // namespace paygress::provider
