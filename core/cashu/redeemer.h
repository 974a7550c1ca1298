// Redeems tokens at mints: the state table "Redeem operation" of docs/money.md, for every operation
// over every mint. Sans-IO and deterministic.
//
//   quote (cached keysets, no network) -> check (curve work) -> begin -> MakeOutputs
//     -> OpOpened + AttemptMade, one batch -> POST swap -> OpDone with the new proofs
//
// After anything but a verified success the inputs are in doubt and the mint is asked in this
// order: restore (NUT-09), then checkstate (NUT-07), then the same bytes again. Only what the mint
// shows decides; an error code never does. Live, the functions below have applied the records they
// return; apply() is for the fold at start, followed by recover().
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/cashu/mint_book.h"
#include "core/cashu/redeem.h"
#include "core/cashu/redeem_state.h"
#include "core/cashu/restorer.h"
#include "core/cashu/token_quote.h"

namespace paygress::cashu {

inline constexpr Seconds kHold{600};  // money-sagas.md flaw 5
inline constexpr Seconds kEmptyBeforeVerdict{300};
inline constexpr Seconds kWatchClosed{7 * 86400};
inline constexpr Seconds kWatchEveryMin{5 * 60};
inline constexpr Seconds kWatchEveryMax{30 * 60};
inline constexpr Seconds kBackoffMin{1};
inline constexpr Seconds kBackoffMax{300};
inline constexpr Seconds kBackoffMaxInHold{60};  // while somebody waits for the answer
inline constexpr Seconds kMintCallTimeout{30};
inline constexpr Seconds kMintReadTimeout{10};  // of info, keysets and keys: somebody may wait
inline constexpr Seconds kGiveUpAfter{35};      // a call whose end the caller forgot to report
inline constexpr Seconds kRefreshMints{600};
inline constexpr Seconds kRefreshUnreadMint{10};
inline constexpr Seconds kAskAgain{5};          // ask() of one operation has effect this often
inline constexpr size_t kPostsWatchedMax = 16;  // of one operation, for late answers
inline constexpr size_t kAttemptsMax = 8;       // NUT-13: restore looks only 300 counters ahead
inline constexpr size_t kOpenOperationsMax = 1024;

inline constexpr size_t kRefundsOpenMax = 64;  // under way at a time; the others wait
inline constexpr size_t kProbesMax = 256;      // the oldest are given up
inline constexpr Amount kRefundSlack = 2;      // spare change, for a fee that grows meanwhile
inline constexpr Seconds kMeltPosts{600};      // a payment is asked for so long, then taken back
inline constexpr uint32_t kBlanksUnsignedMax = 150;  // of 300, after which a search would end
inline constexpr Seconds kMeltTimeout{120};          // Lightning takes its time
inline constexpr Seconds kOursAlarm{15 * 60};  // our inputs are spent, the outputs not visible
inline constexpr Seconds kOursOperator{24 * 3600};

// Why a refund cannot begin now. TooSmall is final: the claim is worth no more than the fee.
enum class NoRefund : uint8_t { TooSmall, NoFunds, MintNotReady, Busy };

class Redeemer {
 public:
  // `mints`: normalised base addresses; nothing else is ever contacted.
  explicit Redeemer(std::vector<std::string> mints, RedeemPolicy policy = {});

  // --- before anything is touched ---
  std::expected<TokenQuote, Refusal> quote(const Token& token, Now now) const;
  // The effect that checks secrets and DLEQ; its answer comes back as event Checked.
  CheckToken check(const TokenQuote& quote);
  // The same for a token that is refused: only whether it is known.
  CheckToken identify(const Token& token);
  // The operation that owns one of these secrets, whatever became of it. For ever.
  std::optional<OpId> op_of(const YHash& y) const {
    return policy_.unique_y ? state_.op_of(y) : std::nullopt;
  }

  struct Begun {
    OpId op;
    RedeemStep step;
  };
  // `points`: from Checked without problem, in the order of quote.proofs. The step of the answer to
  // its MakeOutputs holds the records and the event Opened (or NotOpened).
  std::expected<Begun, Refusal> begin(Now now, const TokenQuote& quote,
                                      const std::vector<Point>& points, Seconds hold = kHold);

  // A token worth `worth` less the mint's fee, made from our own proofs: the claim saga of
  // money-sagas.md section 3. Nothing is reserved durably until the answer to its MakeOutputs,
  // whose step holds the records; before the first POST restore is asked (flaw 15). Ends in the
  // event RefundMade, however long it takes, or in RefundNotMade when nothing was begun.
  // Precondition: no refund of this claim is under way or done; worth > 0.
  std::expected<RedeemStep, NoRefund> begin_refund(Now now, const ClaimId& claim,
                                                   const std::string& mint, const std::string& unit,
                                                   Amount worth);
  // The same for the operator: `amount` becomes the token and the fee leaves the wallet beside it,
  // or, FeeFrom::Token, comes out of the token, and fewer proofs are taken when there are too many
  // small ones. Never more than `most` leaves the wallet: it is `worth`. TooSmall: also a token of
  // which the mint's fee would leave its owner nothing.
  enum class FeeFrom : uint8_t { Wallet, Token };
  struct Withdrawing {
    RedeemStep step;
    Amount worth = 0;
  };
  std::expected<Withdrawing, NoRefund> begin_withdrawal(Now now, const ClaimId& id,
                                                        const std::string& mint,
                                                        const std::string& unit, Amount amount,
                                                        FeeFrom fee, Amount most);
  struct Probing {
    CallId id;
    RedeemStep step;
  };
  // What paying this invoice costs at this mint; ends in the event MeltQuoted. Changes nothing.
  Probing quote_melt(const std::string& mint, const std::string& unit, const std::string& invoice);
  // Pays it, with change (redeemer_melt.cpp). Never more than `most` leaves the wallet: the
  // invoice's amount, what Lightning may cost and the fee of the inputs. As for the others nothing
  // is reserved durably until the answer to its MakeOutputs. Ends in the event InvoicePaid or
  // InvoiceNotPaid, however long it takes, or in RefundNotMade when nothing was begun.
  std::expected<Withdrawing, NoRefund> begin_melt(Now now, const ClaimId& id,
                                                  const std::string& mint, const std::string& unit,
                                                  const MeltQuote& quote, Amount most);
  // Of a refund or a withdrawal.
  bool refund_under_way(const ClaimId& claim) const;
  // Asks whether a token we gave was spent; ends in the event Probed, or in nothing when the mint
  // does not answer. Changes nothing.
  Probing probe(const std::string& mint, const std::vector<Proof>& proofs);
  // Looks through what the seed owns at this mint (restorer.h), while everything else goes on; no
  // effect while that is under way. Ends in the event MintSearched.
  RedeemStep search(Now now, const std::string& mint, SearchAfter after);
  bool searching(const std::string& mint) const { return restorer_.searching(mint); }
  // Money is owed at this mint, configured or not: it is read as well. Before recover().
  void depend_on(const std::string& mint) { book_.depend_on(mint); }

  // --- driving ---
  // Answers to calls this process did not make, or no longer waits for, change nothing; except a
  // late 200 of a swap, which closes its operation.
  RedeemStep handle(Now now, const RedeemInput& input);
  RedeemStep handle_timer(Now now);
  std::optional<Micros> next_deadline() const;
  // Somebody asks for this operation: look now rather than after the backoff.
  RedeemStep ask(Now now, const OpId& op);
  // At start, after the fold. Calls are numbered upwards from `first_call`, which no other boot and
  // no other machine uses. Every open operation goes to restore; the mints are read.
  RedeemStep recover(Now now, CallId first_call);
  // The same, but for the operations: they stand still, until recover() with a later call number.
  RedeemStep recover_mints(Now now, CallId first_call);
  // Reads info and keysets of every mint now; done by itself at start and every 10 minutes.
  RedeemStep refresh_mints(Now now);

  // --- state ---
  void apply(const RedeemRecord& record) { state_.apply(record); }  // only at recovery
  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.state_);
  }
  const RedeemState& state() const { return state_; }
  const MintBook& mints() const { return book_; }
  void check_invariants() const;  // also between the fold and recover()

 private:
  enum class Phase : uint8_t {
    Waiting,
    MakingOutputs,
    Posting,
    Restoring,
    Checking,
    Opening,
    ReadingMint,
    AskingQuote
  };
  // Why an operation waits. When the reason changes the backoff begins anew: a mint that answers
  // UNSPENT after an hour of PENDING is posted to at once, not after five minutes.
  enum class Reason : uint8_t { None, NoAnswer, Partial, BadSignatures, Pending, Spent, Unspent };
  // What is known of one live operation in this process only; lost in a crash, never needed.
  struct Drive {
    Phase phase = Phase::Waiting;
    CallId call;  // the answer awaited; ignored while Waiting and ReadingMint
    Micros wake;  // Waiting: when to go on; else: when to give the call up
    Micros hold_ends;
    Micros scheduled;                   // the operation's entry in schedule_
    std::optional<Micros> verdict_due;  // while operation.empty
    std::optional<Micros> asked_at;
    Reason reason = Reason::None;  // of the last wait
    uint32_t failures = 0;         // waits for that reason, for the backoff
    bool repost = false;           // Waiting: post next, instead of restore
    bool last_look = false;        // SPENT long enough: one more empty restore is the verdict
    bool told_in_doubt = false;
    bool told_alarm = false;
    bool told_late = false;  // a refund's alarm of the first day
    bool fresh = false;      // a refund that this process opened and has not posted yet
    bool found = false;      // its outputs were signed before it was posted
    std::optional<MintError> last_error;  // of the last POST: for refresh and speed only
    size_t posting = 0;                   // the attempt whose bytes are sent
    size_t opening = 0;                   // the attempt whose signatures are being opened
    std::map<CallId, size_t> posts;       // of these a 200 counts whenever it comes; to the attempt
    std::map<Point, BlindSignature> signatures;  // by B_: the union of every answer
    MakeOutputs making;                          // the attempt under way
    // Of the payment of an invoice:
    Micros melt_until;                 // it may be posted
    bool doubtful = true;              // a request for it may be on its way still
    bool paid = false;                 // the mint says so: only the change is waited for
    bool change_told = false;          // by the mint's answer, all of it
    std::optional<Micros> change_due;  // what is signed until then is all of it
    std::string preimage;
    std::string refusal;  // the mint's words
  };
  struct Draft {  // begin() until its outputs are made
    OpOpened opened;
    MakeOutputs making;
    Seconds hold;
    std::optional<RefundTerms> refund;
    std::string invoice;  // of one that pays it
  };
  struct BookCall {
    MintAsk ask;
    Micros give_up;
  };
  struct Turn {  // one operation's part of one step
    Now now;
    OpId op;
    Drive& drive;
    const Operation& operation;
    RedeemStep& step;
  };

  // redeemer.cpp: routing, calls and timers
  void emit(RedeemRecord record, RedeemStep& step);
  Restorer::Turn restorer_turn(Now now, RedeemStep& step) {
    return {now, book_, state_, next_call_, step};
  }
  Turn turn_of(Now now, const OpId& op, RedeemStep& step);
  void call_mint(Turn& turn, Phase phase, Endpoint endpoint, Bytes body, std::string argument = {});
  void schedule(Turn& turn, Phase phase, Micros wake);
  void drop(const OpId& op);
  void send_asks(Now now, std::vector<MintAsk> asks, RedeemStep& step);
  void read_mint(Now now, const std::string& mint, RedeemStep& step);
  MakeOutputs outputs_for(const OpId& op, const std::vector<Proof>& inputs, const SwapPlan& plan);
  MakeOutputs outputs_for(const OpId& op, const std::vector<Proof>& inputs, const RefundPlan& plan,
                          const TokenOutputs& token);
  uint32_t take_counters(const std::string& keyset, size_t count);
  std::vector<Proof> own_proofs(const std::string& mint, const std::string& unit) const;
  std::vector<Proof> refund_inputs(const std::string& mint, const std::string& unit,
                                   Amount worth) const;
  struct OwnInputs {  // none: there is not enough
    std::vector<Proof> proofs;
    Amount worth = 0;  // of them: what leaves the wallet
  };
  OwnInputs inputs_with_fee(const std::string& mint, const std::string& unit, Amount amount) const;
  OwnInputs inputs_at_most(const std::string& mint, const std::string& unit, Amount amount) const;
  Amount fee_of(const std::string& mint, const std::vector<Proof>& inputs) const;
  std::expected<RedeemStep, NoRefund> begin_own_swap(Now now, RefundTerms terms,
                                                     const std::string& mint,
                                                     const std::string& unit,
                                                     std::vector<Proof> inputs, Amount worth);
  void on_mint_reply(Now now, const MintReply& reply, RedeemStep& step);
  void on_book_answer(Now now, CallId id, const decltype(MintReply::answer)& answer,
                      RedeemStep& step);
  void on_outputs(Now now, const OutputsReady& made, RedeemStep& step);
  void on_draft_outputs(Now now, Draft draft, const OutputsReady& made, RedeemStep& step);
  void on_refund_outputs(Now now, Draft draft, const OutputsReady& made, RedeemStep& step);
  void on_proofs(Now now, const ProofsReady& ready, RedeemStep& step);
  void on_wake(Turn& turn);
  void step_look(Turn& turn);
  void start_drive(Now now, const OpId& op, RedeemStep& step);
  void recover_operation(Now now, const OpId& op, RedeemStep& step);

  // redeemer_steps.cpp: the state table
  void step_post(Turn& turn);
  void step_restore(Turn& turn);
  void step_check(Turn& turn);
  void step_open(Turn& turn, size_t attempt, bool may_ask_keys);
  void step_new_attempt(Turn& turn);
  void on_post_answer(Turn& turn, const decltype(MintReply::answer)& answer);
  void on_late_answer(Turn& turn, size_t attempt, const decltype(MintReply::answer)& answer);
  void on_restore_answer(Turn& turn, const decltype(MintReply::answer)& answer);
  void on_restored_none(Turn& turn);
  void on_check_answer(Turn& turn, const decltype(MintReply::answer)& answer);
  void on_spent(Turn& turn);
  void on_unspent(Turn& turn);
  void on_mint_read(Turn& turn);
  void on_opened(Turn& turn, const ProofsReady& ready);
  void on_hold_end(Turn& turn);
  void become_waiting(Turn& turn, Reason reason, bool repost = false);
  void give_time(Turn& turn, Reason reason);
  void become_watched(Turn& turn);
  void become_closed(Turn& turn, Verdict verdict);
  void become_done(Turn& turn, const std::vector<Proof>& proofs);
  void become_refunded(Turn& turn, const std::vector<Proof>& proofs);
  void on_own_spent(Turn& turn);
  void start_making(Turn& turn, MakeOutputs making);
  std::optional<size_t> token_complete(const Turn& turn) const;
  // redeemer_melt.cpp: where the payment of an invoice differs
  static const MeltTerms* melt_of(const Turn& turn) {
    const auto& refund = turn.operation.refund;
    return refund && refund->melt ? &*refund->melt : nullptr;
  }
  bool is_payment(const Turn& turn, size_t attempt) const {
    return attempt == 0 && melt_of(turn) != nullptr;
  }
  void on_melt_quote(CallId call, const decltype(MintReply::answer)& answer, RedeemStep& step);
  void on_melt_outputs(Now now, Draft draft, const OutputsReady& made, RedeemStep& step);
  void step_ask_quote(Turn& turn);
  void on_melt_posted(Turn& turn, const decltype(MintReply::answer)& answer);
  void on_quote_answer(Turn& turn, const decltype(MintReply::answer)& answer);
  void on_melt_restored(Turn& turn);
  void on_melt_unspent(Turn& turn);
  void on_paid(Turn& turn, const QuoteAnswer& answer);
  void open_change(Turn& turn, bool may_ask_keys);
  void become_taken_back(Turn& turn, const std::vector<Proof>& proofs);
  void become_paid(Turn& turn, const std::vector<Proof>& change);
  void become_refused(Turn& turn);
  bool take_signatures(Turn& turn, size_t attempt, const std::vector<BlindSignature>& signatures);
  std::optional<size_t> complete_attempt(const Turn& turn) const;
  void note_empty(Turn& turn, ProofState inputs);
  void note_not_empty(Turn& turn);
  bool verdict_is_due(const Turn& turn) const;
  void tell_in_doubt(Turn& turn);
  void alarm(Turn& turn, std::string text);

  RedeemPolicy policy_;
  RedeemState state_;
  MintBook book_;
  Restorer restorer_;
  uint64_t next_call_ = 1;
  bool recovered_ = false;
  std::map<OpId, Drive> drives_;  // exactly the operations of state_.live()
  std::set<std::pair<Micros, OpId>> schedule_;
  std::map<CallId, OpId> calls_;  // which operation an answer belongs to
  std::map<CallId, Draft> drafts_;
  std::map<YHash, OpId> draft_ys_;
  struct Probe {
    std::string mint;
    size_t points = 0;
    CallId id;  // as it was given to the caller
  };
  void on_probe_points(const TokenChecked& checked, RedeemStep& step);
  void on_probe_answer(CallId call, const decltype(MintReply::answer)& answer, RedeemStep& step);
  struct Quoting {
    CallId id;  // as it was given to the caller
    std::string invoice;
  };
  std::map<CallId, Quoting> quoting_;         // by the call whose answer is awaited; bounded
  std::map<CallId, Probe> probes_;            // by the call whose answer is awaited; bounded
  std::set<std::string> draft_secrets_;       // of proofs that a refund is about to reserve
  std::map<CallId, BookCall> book_calls_;     // ids and give_up ascend together
  std::map<std::string, Micros> refresh_at_;  // by mint, while it is not being read
  std::map<std::string, uint32_t> reserved_;  // counters handed to MakeOutputs, by keyset
  std::vector<RedeemRecord> withheld_;        // only with record_before_post off
};

}  // namespace paygress::cashu
