// What a provider is and sells: validated, immutable, in the core's own types. Made from the
// operator's file by config.h.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/failover/profile.h"
#include "core/lease/allocator.h"
#include "core/market/template.h"
#include "core/market/wire_types.h"
#include "core/workload/backend.h"

namespace paygress::provider {

inline constexpr uint32_t kRelayEventsPerSecondMax = 1000;

// When so much is free at one mint, all but `keep` of it is taken out (withdrawals.h).
struct PayoutRule {
  Msat above;
  Msat keep;
  std::string lightning_address;  // it goes there; empty: it becomes a token
};

struct Settings {
  PubKey self;
  std::string name;
  std::optional<std::string> location;
  std::vector<std::string> capabilities;
  std::vector<lease::Tier> tiers;                // each with a rate above zero, ids distinct
  std::vector<std::string> mints;                // normalised, as the wallet knows them
  std::vector<std::string> mints_as_configured;  // for the offer
  std::vector<std::string> relays;
  uint32_t relay_events_per_second = 3;  // sent to each relay, in bursts of twice as many; not 0
  Seconds heartbeat_interval{60};
  Seconds minimum_duration{60};
  std::optional<Seconds> maximum_duration;
  lease::Ranges ranges;
  lease::Resources sold;
  std::string address;              // consumers connect here; ports are published on it
  std::vector<std::string> images;  // patterns with '*'; empty: every well-formed name
  market::IsolationLevel isolation = market::IsolationLevel::SharedKernel;
  bool serves_ssh = true;                                     // the backend can give a login
  workload::Encrypts encrypts = workload::Encrypts::Nothing;  // of what the backend makes
  std::string engine = "docker";  // whose images of the templates are used; empty: none are served
  market::TemplateRegistry templates = market::TemplateRegistry::built_in();
  std::set<PubKey> blocked;
  std::optional<PayoutRule> payout;
  failover::Profile profile = failover::kDefaultProfile;  // of fail-over
  std::string profile_name = "default";                   // as the offer says it

  const lease::Tier* tier(std::string_view id) const;
};

// Relays that must accept what has to be known: ceil(n / 2) (failover.md, "write quorum").
inline size_t write_quorum(size_t relays) { return (relays + 1) / 2; }

}  // namespace paygress::provider
