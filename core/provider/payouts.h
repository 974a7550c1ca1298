// The payout rule: when so much is free at a mint, all but `keep` of it is taken out, as a token
// for a file or to a Lightning address.
//
//   to a file:     Withdraw
//   to an address: FetchInvoice -> InvoiceFetched -> Withdraw with the invoice
//
// What Lightning may cost is known only when the mint has seen the invoice: a part is left out for
// it, and a greater one after each failure. Everything here is lost with the process: what may be
// under way at the mint, the withdrawals know (withdrawals.h).
#pragma once

#include <map>
#include <vector>

#include "core/base/random.h"
#include "core/cashu/redeemer.h"
#include "core/lease/lease_book.h"
#include "core/provider/effects.h"
#include "core/provider/settings.h"

namespace paygress::provider {

inline constexpr Seconds kPayoutEvery{600};  // to an address, from one mint
inline constexpr Seconds kPayoutRetryMax{6 * 3600};
inline constexpr int64_t kPayoutSlackCoins = 10;  // left out, beside a share of what is paid

class Payouts {
 public:
  // All must outlive it.
  Payouts(const Settings& settings, const lease::LeaseBook& leases, const cashu::Redeemer& wallet,
          Entropy& entropy)
      : settings_(settings), leases_(leases), wallet_(wallet), entropy_(entropy) {}

  struct Turn {
    std::vector<Withdraw> withdraw;
    std::vector<FetchInvoice> fetch;
    std::string problem;  // for the operator
  };
  // Now and then. One payout at a time at each mint: what it leaves is known when it is over.
  Turn look(Now now);
  Turn on_invoice(Now now, const InvoiceFetched& fetched);
  // Of any withdrawal; its words for the operator when it was one of these, and failed.
  std::string on_settled(Now now, const WithdrawalSettled& settled);

 private:
  struct Pending {
    lease::MintUnit purse;
    Msat amount;             // of the invoice
    cashu::Amount most = 0;  // that may leave the wallet
  };
  struct Pace {
    uint32_t failures = 0;  // in a row
    Micros not_before;
  };
  void begin(Now now, const lease::MintUnit& purse, Msat spendable, Turn& turn);
  bool waits(const lease::MintUnit& purse) const;
  std::string fail(Now now, const ClaimId& id, const std::string& problem);

  const Settings& settings_;
  const lease::LeaseBook& leases_;
  const cashu::Redeemer& wallet_;
  Entropy& entropy_;
  std::map<ClaimId, Pending> pending_;
  std::map<lease::MintUnit, Pace> paces_;
};

}  // namespace paygress::provider
