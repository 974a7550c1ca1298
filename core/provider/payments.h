// From an accepted quote to money on a lease: check the token, reserve, redeem, credit, and answer.
// The only place where the wallet, the leases and the workloads meet.
//
//   accept -> CheckToken -> [Checked] reserve, begin -> MakeOutputs -> [Opened] the request is a
//   record -> POST -> [Redeemed] credit + workload intent, one batch -> ... -> the final answer
//
//   stop / expiry / failure -> the object is confirmed absent -> LeaseEnded + claims -> RefundMade:
//   the token and the answer of everybody who waits for it, one batch
//
// Every answer that touched a token is recorded before it leaves. Money whose lease is void or over
// becomes a claim in the same batch; whoever asked is answered when the claim is a token.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <variant>

#include "core/base/random.h"
#include "core/cashu/redeemer.h"
#include "core/provider/outbox.h"
#include "core/provider/payouts.h"
#include "core/provider/quote.h"
#include "core/provider/refunds.h"
#include "core/provider/replies.h"
#include "core/provider/withdrawals.h"
#include "core/workload/supervisor.h"

namespace paygress::provider {

inline constexpr size_t kChecksMax = 256;            // tokens being checked at a time
inline constexpr size_t kReservationsPerKeyMax = 2;  // unpaid, in doubt (money-sagas.md section 4)
inline constexpr Micros kInterimAfter = 8'000'000_us;  // in doubt so long: say so, once (flaw 20)

// What warm standby makes different in the life of a lease (standby_desk.h).
class LeaseHooks {
 public:
  virtual ~LeaseHooks() = default;
  // The reservation of a warm-standby spawn is being recorded.
  virtual void reserved(const LeaseId& lease, const failover::Terms& terms, Step& out) = 0;
  // It was paid, in this batch. True: the workload is taken care of; `answer` is set when the
  // request is answered at once.
  virtual bool paid(lease::Instant now, const LeaseId& lease, workload::Spec spec,
                    std::optional<market::AccessDetails>& answer, Step& out) = 0;
  // True: nothing else is to be done about it.
  virtual bool on_event(lease::Instant now, const workload::WorkloadEvent& event, Step& out) = 0;
  virtual bool on_event(lease::Instant now, const lease::LeaseEvent& event, Step& out) = 0;
  // What its first answer says beside the way in.
  virtual void describe(const LeaseId& lease, market::AccessDetails& details) const = 0;
};

inline constexpr Seconds kInterimRetry{30};

// Each rule that a test may switch off to show that it is missed.
struct DeskPolicy {
  Rule record_refusals;       // off: a refusal is said and forgotten (flaw 7)
  Rule credit_in_batch;       // off: the credit of a spawn follows its proofs in a later batch
  Rule top_up_in_batch;       // off: so does the extension
  Rule outbox;                // off: an answer is sent once, and not again after a restart
  Rule identity_before_age;   // off: what is too old is refused, known or not (flaw 1)
  Rule refund_after_absence;  // off: a lease is over, and paid back, when its end begins (flaw 2)
  Rule answer_to_its_owner;   // off: whoever shows a token hears the first answer (flaw 8)
  Rule look_before_end;       // off: a lease ends when its time is over, unseen (flaw 10)
  Rule settle_at_end;         // off: a stop is charged until the request, whatever ran (flaw 11)
  Rule spend_only_free;       // off: a withdrawal takes what the wallet holds (flaw 16)
};
BOOST_DESCRIBE_STRUCT(DeskPolicy, (),
                      (record_refusals, credit_in_batch, top_up_in_batch, outbox,
                       identity_before_age, refund_after_absence, answer_to_its_owner,
                       look_before_end, settle_at_end, spend_only_free))

// The machines that a payment touches. All must outlive the desk.
struct PaymentMachines {
  const Settings& settings;
  RequestBook& requests;
  lease::LeaseBook& leases;
  cashu::Redeemer& wallet;
  workload::Supervisor& workloads;
  Outbox& outbox;
  Entropy& entropy;  // for passwords
};

class Payments {
 public:
  explicit Payments(PaymentMachines machines, DeskPolicy policy = {})
      : m_(machines),
        policy_(policy),
        refunds_(m_.leases, m_.wallet),
        withdrawals_(m_.leases, m_.wallet, policy.spend_only_free),
        payouts_(m_.settings, m_.leases, m_.wallet, m_.entropy) {}
  void set_install(const InstallId& install) { install_ = install; }
  // Must outlive this object, or its last call.
  void set_hooks(LeaseHooks* hooks) { hooks_ = hooks; }
  // What the engine has to make for this lease.
  workload::Spec spec_of(const lease::Lease& lease) const;

  // The quote was accepted; nothing is recorded yet.
  void accept_spawn(const RequestKey& key, const PrivateMessage& message, SpawnQuote quote,
                    Step& out);
  void accept_top_up(const RequestKey& key, const PrivateMessage& message, TopUpQuote quote,
                     Step& out);
  // The owner ends a lease early, in whatever state it is; answered when the end is confirmed and
  // what was not used is a token (flaws 2, 11, 17 and 18).
  void stop(lease::Instant now, const RequestKey& key, const PrivateMessage& message,
            const std::string& pod, Step& out);
  // The operator has every mint searched for what the seed owns (cashu/restorer.h).
  void search_wallet(lease::Instant now, Step& out);
  // The operator takes earnings out (withdrawals.h).
  void withdraw(lease::Instant now, const Withdraw& asked, Step& out);
  void delivered(lease::Instant now, const ClaimId& withdrawal, Step& out);
  // Carries out the payout rule at every mint that is read. Now and then.
  void pay_out(lease::Instant now, Step& out);
  void on_invoice(lease::Instant now, const InvoiceFetched& fetched, Step& out);
  // By the spawn's request id, by what the lease is called, or by the workload's name: whatever its
  // owner knows (flaw 17). Null: there is none, or it is somebody else's.
  const lease::Lease* lease_of(const PubKey& owner, const std::string& pod) const;
  // How the lease is; after its end the final statement with the refund (flaw 18).
  market::StatusReply status_of(const lease::Lease& lease, Now now) const;
  // A token that this request asked for, or will, is still its owner's to fetch.
  bool owes(const RequestKey& key) const;
  // The same request is being looked at in this process already.
  bool under_way(const RequestKey& key) const { return under_way_.contains(key); }
  // The token of such a request is being checked.
  bool is_checking(const std::function<bool(const PrivateMessage&)>& what) const;
  size_t room_for_checks() const { return kChecksMax - checking_.size(); }

  // Refuses unless the token is known: what the ledger says of a token goes before everything else
  // (flaws 1 and 8). A token that was taken must never be called untouched.
  void refuse_unless_known(lease::Instant now, const RequestKey& key, const PrivateMessage& message,
                           RequestKind kind, Refused refused, Step& out);
  // Refuses before anything was touched; the refusal is a record (flaw 7).
  void refuse(lease::Instant now, const RequestKey& key, const PrivateMessage& message,
              RequestKind kind, const Refused& refused, Step& out);
  // A request whose token belongs to a known operation: the first request's answer to the same key,
  // "already spent" to anybody else (flaw 8).
  void answer_known_token(lease::Instant now, const RequestKey& key, const PrivateMessage& message,
                          RequestKind kind, const OpId& op, Step& out);
  // A request that is known: its answer again, or an interim word.
  void answer_again(lease::Instant now, const Request& request, const PrivateMessage& message,
                    Step& out);

  // Takes over a step of one of the machines: its records, effects and events.
  void take(lease::Instant now, cashu::RedeemStep step, Step& out);
  void take(lease::Instant now, workload::Step step, Step& out);
  void take(lease::Instant now, lease::LeaseStep step, Step& out);

  void handle_timer(lease::Instant now, Step& out);
  std::optional<Micros> next_deadline() const;
  // After the fold: reservations that never reached the wallet are void, payments that were
  // credited have a workload, and answers that no quorum took are sent again.
  void recover(lease::Instant now, Step& out);

 private:
  struct Check {  // a token whose points are being computed
    RequestKey key;
    PrivateMessage message;
    RequestKind kind;
    std::variant<SpawnQuote, TopUpQuote, Refused> verdict;
  };
  struct Intent {  // until the wallet has opened the operation
    RequestKey key;
    PrivateMessage message;
    std::variant<SpawnQuote, TopUpQuote> quote;
  };

  void begin(lease::Instant now, Intent intent, const std::vector<cashu::Point>& points, Step& out);
  std::optional<Refused> reserve(lease::Instant now, const Intent& intent, const OpId& op,
                                 Step& out);
  void void_reservation(lease::Instant now, const LeaseId& lease, Step& out);
  void move_ports(lease::Instant now, const LeaseId& lease, Step& out);
  // When it has a key of a consumer and is over.
  void forget_key(const LeaseId& lease, Step& out);
  void drop(lease::Instant now, const OpId& op, const Refused& refused, Step& out);
  void on(lease::Instant now, const cashu::Checked& event, Step& out);
  void on(lease::Instant now, const cashu::Opened& event, Step& out);
  void on(lease::Instant now, const cashu::NotOpened& event, Step& out);
  void on(lease::Instant now, const cashu::InDoubt& event, Step& out);
  void on(lease::Instant now, const cashu::HoldOver& event, Step& out);
  void on(lease::Instant now, const cashu::Redeemed& event, Step& out);
  void on(lease::Instant now, const cashu::NotTaken& event, Step& out);
  void on(lease::Instant now, const cashu::Alarm& event, Step& out);
  void on(lease::Instant now, const cashu::RefundMade& event, Step& out);
  void on(lease::Instant now, const cashu::RefundNotMade& event, Step& out);
  void on(lease::Instant now, const cashu::Probed& event, Step& out);
  void on(lease::Instant now, const cashu::MeltQuoted& event, Step& out);
  void on(lease::Instant now, const cashu::InvoicePaid& event, Step& out);
  void on(lease::Instant now, const cashu::InvoiceNotPaid& event, Step& out);
  void on(lease::Instant now, const cashu::MintRead& event, Step& out);
  void on(lease::Instant now, const cashu::MintSearched& event, Step& out);
  void credit(lease::Instant now, const cashu::Redeemed& event, Step& out);
  void redeemed_spawn(lease::Instant now, const Request& request, const cashu::Redeemed& event,
                      Step& out);
  void redeemed_top_up(lease::Instant now, const Request& request, const cashu::Redeemed& event,
                       Step& out);
  void book(lease::Instant now, lease::LeaseStep step, Step& out);
  void take(lease::Instant now, Withdrawals::Turn turn, Step& out);
  void take(lease::Instant now, Payouts::Turn turn, Step& out);
  const lease::Lease* stoppable(const PubKey& owner, const std::string& pod) const;
  const Request* other_payer(const lease::Lease& lease) const;
  std::optional<std::vector<ClaimId>> final_claims(const lease::Lease& lease) const;
  void settle(lease::Instant now, const LeaseId& id, Step& out);
  void settle_op(lease::Instant now, const OpId& op, Step& out);
  void settled(lease::Instant now, const ClaimId& claim, Step& out);
  market::ErrorReply reply_without_lease(const Request& request, std::string_view reason,
                                         const std::vector<market::RefundToken>& refunds) const;
  void expect_interim(lease::Instant now, const Request& request);
  std::string password();
  void record_opened(Now now, const RequestKey& key, const PrivateMessage& message,
                     RequestKind kind, std::optional<LeaseId> lease, std::optional<OpId> op,
                     Step& out);
  void answer(Now now, const RequestKey& key, market::Reply reply, Step& out);
  void check(Check check, Step& out);
  void interim(Now now, const Request& request, Step& out);
  void interim(Now now, market::ErrorType type, const PubKey& to, Transport transport,
               const EventId& reply_to, const std::optional<market::RequestId>& id, Step& out);
  void record(OwnRecord entry, Step& out);

  PaymentMachines m_;
  DeskPolicy policy_;
  Refunds refunds_;
  Withdrawals withdrawals_;
  Payouts payouts_;
  InstallId install_;
  LeaseHooks* hooks_ = nullptr;
  std::map<CallId, Check> checking_;
  std::map<OpId, Intent> opening_;
  std::set<RequestKey> under_way_;
  std::map<RequestKey, Micros> interim_due_;
  std::vector<cashu::Redeemed> deferred_;  // only with a policy off
};

}  // namespace paygress::provider
