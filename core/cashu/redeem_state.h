// What the redeem records say: the fold, and nothing else. See redeemer.h for the machine.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/lookup.h"
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

struct Operation {              // one that may still change
  OpOpened opened;
  std::vector<Attempt> attempts;
  bool hold_over = false;
  std::optional<EmptySince> empty;  // absent, or inputs is Unspent or Spent
  std::optional<OpClosed> closed;
};

struct OpSummary {              // kept for every operation, for ever
  OpStatus status = OpStatus::Open;
  std::string mint;
  std::string unit;
  Amount amount = 0;            // Done: sum of the new proofs
  Amount fee = 0;
  bool late = false;
  bool watched = true;          // false once Done, or 7 days after a verdict
};

class RedeemState {
 public:
  // `count_attempts` off plants the bug "counter raised after success" (tests only).
  explicit RedeemState(bool count_attempts = true) : count_attempts_(count_attempts) {}

  // A record that contradicts the earlier ones is a broken invariant.
  void apply(const RedeemRecord& record);

  std::optional<OpId> op_of(const YHash& y) const;
  // Null for an unknown operation.
  const OpSummary* summary(const OpId& op) const { return summaries_.find(op); }
  // Null when unknown, Done, or no longer watched.
  const Operation* live(const OpId& op) const;
  const std::map<OpId, Operation>& live() const { return live_; }
  // Operations without a verdict.
  size_t open_count() const;

  // First NUT-13 counter of the keyset that no attempt has used.
  uint32_t next_counter(const std::string& keyset) const;
  // (mint, keyset id) of every keyset we ever made outputs on: another mint may not claim the id.
  std::vector<std::pair<std::string, std::string>> used_keysets() const;

  const WalletStore& wallet() const { return wallet_; }
  // For the records of others that spend our proofs (refunds, withdrawals).
  WalletStore& wallet() { return wallet_; }

  // Outputs never exceed inputs; no counter is used twice; each live Y names its operation.
  void check_invariants() const;

 private:
  struct Counter {
    std::string mint;
    uint32_t next = 0;
  };
  void on(const OpOpened& record);
  void on(const AttemptMade& record);
  void on(const HoldEnded& record);
  void on(const EmptySince& record);
  void on(const OpDone& record);
  void on(const OpClosed& record);
  void on(const OpForgotten& record);
  Operation& live_operation(const OpId& op);

  bool count_attempts_;
  std::map<OpId, Operation> live_;
  LookupMap<OpId, OpSummary, IdHash> summaries_;
  LookupMap<YHash, OpId, IdHash> owners_;
  std::map<std::string, Counter> counters_;  // by keyset id: secrets depend on nothing else
  WalletStore wallet_;
};

}  // namespace paygress::cashu
