// The state of a provider as JSON with a stable shape, for `status`, `leases` and tests.
#pragma once

#include <boost/json/object.hpp>

#include <set>
#include <string>
#include <vector>

#include "core/provider/provider.h"
#include "shell/provider/books.h"
#include "shell/provider/mint_watch.h"

namespace paygress::daemon {

// What both a running provider and a folded ledger can tell.
struct StateView {
  const lease::LeaseBook& leases;
  const cashu::RedeemState& wallet;
  const workload::Supervisor& workloads;
  const failover::Failover* failover = nullptr;  // a ledger alone does not say who holds what
};
StateView view_of(const provider::Provider& core);
StateView view_of(const Books& books);

// {"wallet": [...], "operations_open": n, "leases": [...]}; open leases first, newest first.
boost::json::object state_json(const StateView& state, Now now);

struct Readiness {
  bool offer_taken = false;           // some relay accepted the newest kind of offer
  std::set<RelayIndex> relays_tried;  // their first connection came or failed
  std::set<std::string> mints_tried;  // their first call was answered or failed
  bool guard_tried = false;           // it works, or cannot
};
// Why it is not ready, one reason each; empty: ready. Ready: a relay is live and has the offer,
// every relay, every mint and the guard had its chance, and the engine's inventory is known.
std::vector<std::string> waits_for(const provider::Provider& core, const Readiness& readiness);
// Connected and read, perhaps with something it does not do.
bool counts_as_up(nostr::RelayHealth health);

// Every key of a status, with nothing known: what a ledger alone does not tell stays so.
boost::json::object unknown_status();
// {"running": true, "ready": ..., "waits_for": [...], "relays": [...], "mints": [...], ...} and the
// state. A mint that does not answer now takes nothing from `ready`: what needs no mint goes on.
boost::json::object live_json(const provider::Provider& core, const Readiness& readiness,
                              const SilentMints& silent, Now now);

// For people.
std::string status_text(const boost::json::object& status);
std::string leases_text(const boost::json::object& status, bool all);

}  // namespace paygress::daemon
