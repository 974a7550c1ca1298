// Makes the tokens that are owed: for each claim a swap of our own proofs, tried until there is a
// token (money-sagas.md section 3, "Claim"). The claims themselves are in lease/claim_book.h, the
// swap is cashu::Redeemer's; here is only when it is tried.
//
// A claim's gate is open from the start: a claim of a lease is made when its object is confirmed
// absent, never before (flaw 2).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/cashu/redeemer.h"
#include "core/lease/lease_book.h"

namespace paygress::provider {

inline constexpr Seconds kRefundRetry{30};  // no funds, or the mint is not there
inline constexpr Seconds kRefundBusyRetry{5};
inline constexpr Seconds kRedeemedFirstLook{3600};  // whether its owner has spent the token
inline constexpr Seconds kRedeemedLookEvery{86400};

class Refunds {
 public:
  // Both must outlive it.
  Refunds(lease::LeaseBook& leases, cashu::Redeemer& wallet) : leases_(leases), wallet_(wallet) {}

  // After the fold, before the wallet's recovery: every claim that is owed is tried again.
  void recover(Now now);
  void on_owed(Now now, const ClaimId& claim) { schedule(now.mono, claim); }
  // The claim is a token: its record goes into the batch of the wallet's RefundDone.
  void on_made(Now now, const cashu::RefundMade& made, lease::LeaseStep& out);
  void on_not_made(Now now, const ClaimId& claim);
  void on_probed(Now now, const cashu::Probed& probed, lease::LeaseStep& out);
  // What waited for this mint alone goes on.
  void on_mint_read(Now now, const std::string& mint);

  struct Turn {
    std::vector<cashu::RedeemStep> wallet;
    lease::LeaseStep leases;
    std::vector<ClaimId> settled;       // without a token: worth no more than the mint's fee
    std::vector<std::string> problems;  // for the operator, once a claim
  };
  Turn handle_timer(Now now);
  std::optional<Micros> next_deadline() const;

 private:
  void schedule(Micros at, const ClaimId& claim);
  void attempt(Now now, const ClaimId& claim, Turn& turn);
  void look(Now now, const ClaimId& claim, Turn& turn);

  lease::LeaseBook& leases_;
  cashu::Redeemer& wallet_;
  std::map<ClaimId, Micros> next_;
  std::set<std::pair<Micros, ClaimId>> due_;
  std::set<ClaimId> told_;
  std::map<std::string, std::set<ClaimId>> unread_;  // by mint: claims tried before it was read
  std::map<CallId, ClaimId> probes_;
};

}  // namespace paygress::provider
