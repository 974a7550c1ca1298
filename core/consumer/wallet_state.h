// What the consumer's records say: the fold, and nothing else.
//
// Every proof of ours is in exactly one place: the purse (spendable), the inputs of an open Split,
// or a token that was made and not returned.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/cashu/wallet_store.h"
#include "core/consumer/records.h"

namespace paygress::consumer {

struct StoredToken {
  TokenStored stored;
  TokenFate fate = TokenFate::Here;
  UnixSeconds changed_at;
};
struct StoredRequest {
  RequestMade made;
  std::optional<RequestAnswered> answered;
};

using PodKey = std::pair<PubKey, std::string>;

// One line of `wallet history`: what happened to the money, in the order it happened.
struct HistoryEntry {
  uint64_t number = 0;
  std::string what;   // "mint", "receive", "send", "pay", "refund", "swap"
  std::string state;  // "done", "in doubt", "failed", "unpaid", or a token's fate
  std::string mint;
  std::string unit;
  int64_t amount = 0;  // positive: came in
  std::string note;
  std::optional<market::RequestId> request;
  UnixSeconds at;
  cashu::Amount token = 0;  // what the token of this line is worth; 0: the line is of no token
};

class WalletState {
 public:
  // A record that contradicts the earlier ones is a broken invariant.
  void apply(const Record& record);

  // Of a journal read from outside: an error instead of a broken invariant when the bytes are no
  // record.
  Result<void> apply_bytes(ByteView record);

  const std::optional<WalletMade>& made() const { return made_; }
  const cashu::WalletStore& purse() const { return purse_; }
  uint64_t next_number() const { return next_number_; }
  uint32_t next_counter(const std::string& keyset) const;

  const std::map<uint64_t, QuoteMade>& open_quotes() const { return quotes_; }
  const std::map<uint64_t, OpStarted>& open_ops() const { return open_; }
  const std::map<uint64_t, StoredToken>& tokens() const { return tokens_; }
  const std::map<market::RequestId, StoredRequest>& requests() const { return requests_; }
  // By provider and pod: every provider counts its pods from the same number.
  const std::map<PodKey, LeaseSeen>& leases() const { return leases_; }
  // Keys of `leases()` in the order in which they were rented: a clock of whole seconds has ties.
  const std::vector<PodKey>& rented() const { return rented_; }
  const std::vector<HistoryEntry>& history() const { return history_; }

  // Amount in open Splits and in tokens that are not swapped yet; and in tokens that left and are
  // neither taken nor ours again, be they made here or handed in to pay with.
  cashu::Amount locked(const cashu::WalletStore::Purse& purse) const;
  cashu::Amount underway(const cashu::WalletStore::Purse& purse) const;
  // Whether a swap of this token into the purse is open.
  bool is_being_received(uint64_t token) const;
  // The number of a stored token with one of these secrets; nothing when none is known.
  std::optional<uint64_t> token_with(const std::vector<cashu::Proof>& proofs) const;
  // Tokens made for a request that was never recorded: they have not left, so they can come back.
  std::vector<uint64_t> stranded() const;

  void check_invariants() const;

 private:
  void on(const WalletMade& r);
  void on(const QuoteMade& r);
  void on(const QuoteDropped& r);
  void on(const OpStarted& r);
  void on(const OpDone& r);
  void on(const OpFailed& r);
  void on(const TokenStored& r);
  void on(const TokenChanged& r);
  void on(const RequestMade& r);
  void on(const RequestAnswered& r);
  void on(const LeaseSeen& r);
  void take_number(uint64_t number);
  HistoryEntry* entry(uint64_t number);

  std::optional<WalletMade> made_;
  cashu::WalletStore purse_;
  uint64_t next_number_ = 1;
  std::map<std::string, uint32_t> counters_;
  std::map<uint64_t, QuoteMade> quotes_;
  std::map<uint64_t, OpStarted> open_;
  // Proofs of a finished Split that wait for their TokenStored, which is in the same batch.
  std::map<uint64_t, std::vector<cashu::Proof>> given_;
  std::map<uint64_t, StoredToken> tokens_;
  std::map<market::RequestId, StoredRequest> requests_;
  std::map<PodKey, LeaseSeen> leases_;
  std::vector<PodKey> rented_;
  std::vector<HistoryEntry> history_;
};

std::string_view to_text(TokenFate fate);

}  // namespace paygress::consumer
