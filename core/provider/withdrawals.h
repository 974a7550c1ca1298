// The operator takes earnings out: an ecash token, made of what is free (free_money.h) by the same
// swap of our own proofs that makes a refund (cashu/redeemer.h).
//
//   Withdraw -> WithdrawalOpened -> MakeOutputs -> RefundOpened + AttemptMade, one batch
//     -> restore, then the swap -> RefundDone + WithdrawalPaid, one batch -> WithdrawalSettled
//
// Or an invoice is paid (cashu/redeemer_melt.cpp):
//
//   Withdraw -> the mint's quote -> WithdrawalOpened -> MakeOutputs -> MeltOpened + AttemptMade,
//     one batch -> melt -> MeltDone and InvoiceSettled or WithdrawalDropped, one batch
//     -> WithdrawalSettled
//
// From WithdrawalOpened on nobody else may spend so much. A process that dies before the swap is a
// record has sent nothing: its next start drops the withdrawal. After it, only the token ends it,
// however long the mint takes. Asking again with the same id is the same withdrawal.
#pragma once

#include <optional>
#include <vector>

#include "core/cashu/redeemer.h"
#include "core/lease/lease_book.h"
#include "core/provider/effects.h"
#include "core/provider/free_money.h"

namespace paygress::provider {

class Withdrawals {
 public:
  // Both must outlive it. `only_free` off: a withdrawal may take whatever the wallet holds.
  Withdrawals(lease::LeaseBook& leases, cashu::Redeemer& wallet, Rule only_free)
      : leases_(leases), wallet_(wallet), only_free_(only_free) {}

  struct Turn {
    std::optional<cashu::RedeemStep> wallet;
    lease::LeaseStep leases;
    std::vector<WithdrawalSettled> settled;
  };
  // After the fold, before the wallet's recovery.
  Turn recover(Now now);
  // What is asked for is settled in this turn, in a later one, or is under way already.
  Turn ask(Now now, const Withdraw& asked);
  bool knows(const ClaimId& id) const { return leases_.withdrawals().find(id) != nullptr; }
  // Preconditions: knows(), and it is under way.
  Turn on_made(Now now, const cashu::RefundMade& made);
  Turn on_not_made(Now now, const ClaimId& id);
  Turn on_paid(Now now, const cashu::InvoicePaid& paid);
  Turn on_not_paid(Now now, const cashu::InvoiceNotPaid& unpaid);
  // What an invoice costs; no effect when nobody waits for it.
  Turn on_quoted(Now now, const cashu::MeltQuoted& quoted);
  // Its token is where it goes. No effect on one that is not paid.
  Turn delivered(Now now, const ClaimId& id);

 private:
  void drop(Now now, const ClaimId& id, Turn& turn);
  Turn ask_for_quote(const Withdraw& asked);
  cashu::Amount most_of(const Withdraw& asked, const FreeMoney& money) const;
  std::string fitting(const Withdraw& asked, const cashu::MeltQuoted& quoted) const;

  lease::LeaseBook& leases_;
  cashu::Redeemer& wallet_;
  Rule only_free_;
  std::map<CallId, Withdraw> quoting_;  // invoices whose cost is being asked for
};

}  // namespace paygress::provider
