// What the redeem records say: the fold, and nothing else. See redeemer.h for the machine.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/lookup.h"
#include "core/base/rule.h"
#include "core/cashu/redeem.h"
#include "core/cashu/wallet_store.h"

namespace paygress::cashu {

enum class OpStatus : uint8_t {
  Open,            // in doubt or on its way; posted until the hold is over
  HoldOver,        // as Open, but nothing is posted any more
  Released,        // inputs unspent: the token is its owner's; watched for 7 days
  SpentElsewhere,  // inputs spent, our outputs unsigned; watched for 7 days
  Done             // the new proofs are ours
};

// Each rule that keeps money whole, so that a test can switch one off and show that it is missed.
struct RedeemPolicy {
  Rule restore;                    // off: only checkstate is asked
  Rule same_bytes;                 // off: new outputs each time, the old ones forgotten
  Rule watch_old_attempts;         // off: only the newest attempt is restored
  Rule pending_is_wait;            // off: PENDING counts as unspent
  Rule codes_are_no_verdict;       // off: 11001 = spent elsewhere, 10001 = released
  Rule verdict_is_provisional;     // off: a closed operation is never looked at again
  Rule reserve_counters;           // off: counters are taken only by OpDone
  Rule record_before_post;         // off: the records of begin follow the answer
  Rule brake_attempts;             // off: a new attempt after every rebuildable error
  Rule hold_stops_posting;         // off: the same bytes are posted for ever
  Rule unique_y;                   // off: a token is not recognised; its operation is another one
  Rule record_refund_before_post;  // off: a refund's records follow the mint's answer
  Rule reserve_inputs;             // off: two refunds may take the same proofs
  Rule same_inputs;                // off: SPENT without outputs makes the refund again from others
  Rule take_back;  // off: what should pay an invoice is free when it is seen unspent
};

BOOST_DESCRIBE_STRUCT(RedeemPolicy, (),
                      (restore, same_bytes, watch_old_attempts, pending_is_wait,
                       codes_are_no_verdict, verdict_is_provisional, reserve_counters,
                       record_before_post, brake_attempts, hold_stops_posting, unique_y,
                       record_refund_before_post, reserve_inputs, same_inputs, take_back))

// Of a refund that pays an invoice: its first attempt is the payment, the others take it back.
struct MeltTerms {
  std::string quote;
  Amount reserve = 0;
  UnixSeconds opened_at;
  UnixSeconds post_until;
};
BOOST_DESCRIBE_STRUCT(MeltTerms, (), (quote, reserve, opened_at, post_until))

// What a refund is for; the rest of it is as any operation's.
struct RefundTerms {
  ClaimId claim;
  Amount face = 0;
  Amount fee = 0;                 // of the first attempt
  bool withdrawal = false;        // the operator's: RefundOpened
  std::optional<MeltTerms> melt;  // then `face` is the invoice's amount
};
BOOST_DESCRIBE_STRUCT(RefundTerms, (), (claim, face, fee, withdrawal, melt))

struct Operation {  // one that may still change
  OpOpened opened;
  std::vector<Attempt> attempts;
  bool hold_over = false;
  std::optional<EmptySince> empty;  // absent, or inputs is Unspent or Spent
  std::optional<OpClosed> closed;
  std::optional<RefundTerms> refund;  // of our own proofs: no hold, no verdict
};
BOOST_DESCRIBE_STRUCT(Operation, (), (opened, attempts, hold_over, empty, closed, refund))

struct OpSummary {  // kept for every operation, for ever
  OpStatus status = OpStatus::Open;
  std::string mint;
  std::string unit;
  Amount amount = 0;  // Done: sum of the new proofs
  Amount fee = 0;
  bool late = false;
  bool watched = true;  // false once Done, or 7 days after a verdict
};
BOOST_DESCRIBE_STRUCT(OpSummary, (), (status, mint, unit, amount, fee, late, watched))

// What came into a purse and left it, since the ledger began.
struct Flow {
  Amount received = 0;   // proofs of finished receives
  Amount given = 0;      // refund tokens
  Amount fees = 0;       // of swaps of our own proofs
  Amount change = 0;     // proofs of ours swapped for others of ours, beside the tokens
  Amount found = 0;      // of `given` and `withdrawn`: made by an earlier life of a
                         // rolled-back ledger
  Amount withdrawn = 0;  // tokens of the operator's withdrawals, invoices that were paid
  Amount restored = 0;   // found at the mint by the seed alone
  Amount lost = 0;       // spent by a life of this ledger that is lost
  bool operator==(const Flow&) const = default;
};
BOOST_DESCRIBE_STRUCT(Flow, (), (received, given, fees, change, found, withdrawn, restored, lost))

class RedeemState {
 public:
  explicit RedeemState(RedeemPolicy policy = {}) : policy_(policy) {}

  // A record that contradicts the earlier ones is a broken invariant.
  void apply(const RedeemRecord& record);
  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.live_, self.refunds_, self.summaries_, self.owners_, self.counters_,
                    self.flows_, self.lost_ahead_, self.wallet_);
  }

  std::optional<OpId> op_of(const YHash& y) const;
  // Null for an unknown operation.
  const OpSummary* summary(const OpId& op) const { return summaries_.find(op); }
  // Null when unknown, Done, or no longer watched.
  const Operation* live(const OpId& op) const;
  const std::map<OpId, Operation>& live() const { return live_; }
  // Operations without a verdict, refunds included.
  size_t open_count() const;
  // The refund under way for this claim; nothing when there is none.
  std::optional<OpId> refund_of(const ClaimId& claim) const;
  size_t refunds_open() const { return refunds_.size(); }

  // First NUT-13 counter of the keyset that no attempt has used.
  uint32_t next_counter(const std::string& keyset) const;
  // So many of the last counters before it were never signed, as far as is known: a search by the
  // seed alone ends after 300 (NUT-13).
  uint32_t unsigned_run(const std::string& keyset) const;
  // (mint, keyset id) of every keyset we ever made outputs on: another mint may not claim the id.
  std::vector<std::pair<std::string, std::string>> used_keysets() const;

  const std::map<WalletStore::Purse, Flow>& flows() const { return flows_; }
  const WalletStore& wallet() const { return wallet_; }
  // For the records of others that spend our proofs (refunds, withdrawals).
  WalletStore& wallet() { return wallet_; }

  // Outputs never exceed inputs; no counter is used twice; each live Y names its operation; what is
  // in a purse is what came in less what left it.
  void check_invariants() const;

 private:
  struct Counter {
    std::string mint;
    uint32_t next = 0;
    uint32_t signed_until = 0;

    template <class Self>
    static auto durable(Self& self) {
      return std::tie(self.mint, self.next, self.signed_until);
    }
  };
  void on(const OpOpened& record);
  void on(const AttemptMade& record);
  void on(const HoldEnded& record);
  void on(const EmptySince& record);
  void on(const OpDone& record);
  void on(const OpClosed& record);
  void on(const OpForgotten& record);
  void on(const RefundOpened& record);
  void on(const RefundDone& record);
  void on(const ProofsFound& record);
  void on(const ProofsLost& record);
  void on(const MeltOpened& record);
  void on(const MeltDone& record);
  // Operations on proofs of ours, which are reserved while one is live.
  template <class Record>
  void open_own(const Record& record, RefundTerms terms);
  // Its inputs are gone or free again, and its change is ours; returns the purse's flow.
  Flow& close_own(const Operation& operation, bool spent, const std::vector<Proof>& change,
                  Amount fee);
  void drop_own(const OpId& op);
  void take_in(const WalletStore::Purse& purse, const Proof& proof);
  void note_signed(const Operation& operation, const std::vector<Proof>& proofs);
  Operation& live_operation(const OpId& op);

  RedeemPolicy policy_;
  std::map<OpId, Operation> live_;
  std::map<ClaimId, OpId> refunds_;  // live ones
  LookupMap<OpId, OpSummary, IdHash> summaries_;
  LookupMap<YHash, OpId, IdHash> owners_;
  std::map<std::string, Counter> counters_;  // by keyset id: secrets depend on nothing else
  std::map<WalletStore::Purse, Flow> flows_;
  std::set<std::string> lost_ahead_;  // secrets of ProofsLost that did not come in yet
  WalletStore wallet_;
};

}  // namespace paygress::cashu
