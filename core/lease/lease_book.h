// Every lease: what was paid, how much of it is used, when it ends, and where every msat is.
//
// A lease is a meter. It runs while the workload is seen running and stands while it is down for a
// reason of ours; an exit of the workload's own costs its owner the restart backoff. A lease ends
// by time only on an observation of the running workload at or after its end (money-sagas.md
// flaw 10); it is settled when the object's absence is confirmed.
//
// Conservation, per mint and unit, after every record (check_invariants):
//   redeemed == consumed + lots of leases not yet settled + claims + kept
//   claims   == tokens given + the mint's fee on them + claims still owed
//
// Withdrawals (withdrawal_book.h) take of what is consumed or kept, and of nothing else
// (core/provider/free_money.h); they change no term of these.
//
// Functions that decide append to the Step given; its records are already applied.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/base/indexed_map.h"
#include "core/lease/allocator.h"
#include "core/lease/claim_book.h"
#include "core/lease/name_index.h"
#include "core/lease/price.h"
#include "core/lease/records.h"
#include "core/lease/withdrawal_book.h"

namespace paygress::lease {

enum class Phase : uint8_t { Reserved, Creating, Running, Down, Ending, Ended, Void };
std::string_view to_string(Phase phase);

struct Lease {
  // What every look at a lease reads stands together (docs/benchmarks.md).
  Phase phase = Phase::Reserved;
  Seconds bought;
  Micros used;     // before `anchor`
  Instant anchor;  // Running: the meter runs since this moment
  Instant last_sight;
  std::optional<Micros> next_look;  // Running, volatile: when its end is looked at
  LeaseReserved terms;
  Msat paid;              // all payments
  Msat credit;            // of `paid`: too little for another second
  std::vector<Lot> lots;  // first in, first out
  UnixSeconds started_at;
  UnixSeconds down_since;
  UnixSeconds over_at;  // Void or Ended: since when
  bool own_exit = false;
  bool serves_ssh = true;
  std::string node;        // of a cluster: which member runs it, and
  std::string address;     // where consumers reach that one; empty: the provider's own address
  bool cancelled = false;  // Reserved: its owner does not want it any more
  Micros settle_floor;     // Ending: what was surely used, were it found stopped
  UnixSeconds ending_at;
  EndReason end_reason = EndReason::Expired;
  std::optional<LeaseEnded> statement;
};
// All but what is volatile.
BOOST_DESCRIBE_STRUCT(Lease, (),
                      (phase, bought, used, anchor, last_sight, terms, paid, credit, lots,
                       started_at, down_since, over_at, own_exit, serves_ssh, node, address,
                       cancelled, settle_floor, ending_at, end_reason, statement))

// The last moment at which it surely ran. Precondition: Running.
const Instant& last_seen(const Lease& lease);

// Why money is owed: the reasons of the claims.
inline constexpr std::string_view kClaimUnused = "unused time";
inline constexpr std::string_view kClaimLate = "paid too late";
inline constexpr std::string_view kClaimLittle = "paid too little";
inline constexpr std::string_view kClaimTopUp = "top-up of a lease that ended";
inline constexpr std::string_view kClaimStopped = "stopped before it was paid";

// What of an open lease or payment is whose, by (mint, unit).
struct Totals {
  Msat redeemed;
  Msat consumed;
  Msat claims;
  Msat kept;
  Msat open;         // lots of leases that are not settled
  Msat paid;         // of `claims`: tokens given, and the fee that the claims bore
  Msat given;        // of `paid`: the tokens
  Msat withdrawing;  // what leaves the wallet by withdrawals under way
  Msat withdrawn;    // tokens of the operator's, and invoices that were paid

  bool operator==(const Totals&) const = default;
};
BOOST_DESCRIBE_STRUCT(Totals, (),
                      (redeemed, consumed, claims, kept, open, paid, given, withdrawing, withdrawn))
using MintUnit = std::pair<std::string, std::string>;

struct Look {  // its end has come: observe the workload
  LeaseId lease;
};
struct Retire {  // stop and remove the workload, then say on_gone
  LeaseId lease;
};
struct Finished {
  LeaseId lease;
};
using LeaseEvent = std::variant<Look, Retire, Finished>;

struct LeaseStep {
  std::vector<LeaseRecord> records;
  std::vector<LeaseEvent> events;
};

class LeaseBook {
 public:
  LeaseBook(Resources sold, Ranges ranges);

  // --- buying ---
  // Preconditions: the allocation in `terms` was found by allocator().find just now; a lease of
  // that id is unknown or void.
  void reserve(LeaseReserved terms, LeaseStep& out);
  // Its owner asks for the end, in any state (flaw 17); asking again has no effect. The meter
  // stops now; the money comes back when the object's absence is confirmed.
  void stop(Instant now, const LeaseId& lease, LeaseStep& out);
  // The token was not taken. No effect unless the lease is Reserved.
  void void_reservation(Now now, const LeaseId& lease, LeaseStep& out);
  // Money arrived for the reservation. True: it is a lease now (Creating). False: it came too late
  // or is too little; the reservation is void and the money is a claim.
  bool credit_spawn(Now now, const LeaseId& lease, const OpId& op, const Lot& lot, LeaseStep& out);
  // True: extended. False: the lease is over, or less than a second was bought and nothing can be
  // credited; the money is a claim.
  bool credit_top_up(Now now, const LeaseId& lease, const OpId& op, const Lot& lot, LeaseStep& out);
  // Money of an operation that has no lease any more.
  void credit_nobody(Now now, const OpId& op, const PubKey& owner, const Lot& lot,
                     std::string reason, LeaseStep& out);

  // --- delivering (from the supervisor) ---
  void on_started(Instant now, const LeaseId& lease, bool serves_ssh, LeaseStep& out);
  // Another block of ports for one that never ran; none is given when none is free.
  bool move_ports(const LeaseId& lease, LeaseStep& out);
  void on_placed(Instant now, const LeaseId& lease, const std::string& node,
                 const std::string& address, LeaseStep& out);
  void on_sighted(Instant now, const LeaseId& lease, LeaseStep& out);
  // `since` is the engine's stop time; without one the meter stops at the last sight.
  void on_down(Instant now, const LeaseId& lease, std::optional<UnixSeconds> since, bool own_exit,
               LeaseStep& out);
  void on_up(Instant now, const LeaseId& lease, Seconds backoff, LeaseStep& out);
  void on_gave_up(Instant now, const LeaseId& lease, LeaseStep& out);
  // `unanswered`: a create of it may still be carried out until then.
  void on_gone(Instant now, const LeaseId& lease, std::optional<UnixSeconds> unanswered,
               LeaseStep& out);

  // --- claims (from the refund desk) ---
  void claim_paid(Now now, const ClaimId& claim, std::string token, Msat face, Msat fee,
                  LeaseStep& out);
  void claim_kept(Now now, const ClaimId& claim, LeaseStep& out);
  void claim_redeemed(Now now, const ClaimId& claim, LeaseStep& out);

  // --- withdrawals (from the withdrawal desk) ---
  struct Payment {  // of an invoice
    std::string invoice;
    bool forced = false;
  };
  void withdrawal_opened(Now now, const ClaimId& id, const Lot& lot, std::string purpose,
                         Payment payment, LeaseStep& out);
  void withdrawal_paid(Now now, const ClaimId& id, std::string token, Msat face, Msat fee,
                       LeaseStep& out);
  void withdrawal_dropped(Now now, const ClaimId& id, Msat fee, std::string problem,
                          LeaseStep& out);
  void invoice_settled(Now now, const ClaimId& id, Msat amount, Msat fee, std::string preimage,
                       LeaseStep& out);
  void withdrawal_delivered(Now now, const ClaimId& id, LeaseStep& out);

  // --- time ---
  // A top-up's redeeming is under way: the end waits for it, at most kGrace.
  void expect_top_up(const LeaseId& lease, const OpId& op);
  void top_up_settled(const LeaseId& lease, const OpId& op);
  void handle_timer(Instant now, LeaseStep& out);
  std::optional<Micros> next_deadline() const;
  // Now and then: frees what was held, forgets what is long over.
  void housekeep(Now now, LeaseStep& out);
  // After the fold. A lease that ran in another boot of the machine stands since its last sight.
  void recover(Instant now, LeaseStep& out);

  // The only function that changes durable state, live and at recovery alike.
  void apply(const LeaseRecord& record);
  // What the records made, for a snapshot of a book that only they have changed. A book into which
  // it was read is complete after loaded().
  template <class Self>
  static auto durable(Self& self) {
    return std::tie(self.allocator_, self.leases_, self.numbers_, self.newest_, self.unpaid_,
                    self.workload_ids_, self.claims_, self.withdrawals_, self.totals_,
                    self.jobs_completed_, self.forgettable_, self.held_);
  }
  void loaded();

  // --- questions ---
  const Lease* find(const LeaseId& lease) const;
  // This owner's newest lease that has or had the number, or the workload's name; else whoever's.
  const Lease* by_number(uint32_t number, const PubKey& owner) const;
  const Lease* by_workload_id(const std::string& workload_id, const PubKey& owner) const;
  const Lease* by_workload_id(const std::string& workload_id) const;  // the newest
  const Lease* newest_of(const PubKey& owner) const;                  // that was paid
  size_t unpaid_of(const PubKey& owner) const;                        // reservations
  Seconds remaining(const Lease& lease, Now now) const;
  UnixSeconds expires_at(const Lease& lease, Now now) const;
  const Allocator& allocator() const { return allocator_; }
  Allocator& allocator() { return allocator_; }
  const std::map<MintUnit, Totals>& totals() const { return totals_; }
  const IndexedMap<LeaseId, Lease, IdHash>& leases() const { return leases_; }
  const ClaimBook& claims() const { return claims_; }
  const WithdrawalBook& withdrawals() const { return withdrawals_; }
  // What of this mint's money is not ours to spend: what was paid for leases that are not settled,
  // and claims that are still owed (flaw 16).
  Msat liabilities(const MintUnit& purse) const;
  // So many they are: each may cost the provider some of a fee that grows.
  size_t obligations(const MintUnit& purse) const;
  uint64_t jobs_completed() const { return jobs_completed_; }
  void check_invariants() const;

 private:
  const Lease* find(const std::optional<LeaseId>& lease) const;
  Lease* find_mutable(const LeaseId& lease);
  void record(LeaseRecord entry, LeaseStep& out);
  void owe(Now now, const std::optional<LeaseId>& lease, const OpId& op, const PubKey& owner,
           const Lot& lot, std::string reason, LeaseStep& out);
  void end(Instant now, Lease& lease, EndReason reason, Micros used, LeaseStep& out);
  Micros used_until(const Lease& lease, Micros mono) const;
  Micros end_mono(const Lease& lease) const;
  void look_at(Micros at, const LeaseId& id, Lease& lease);
  void look_no_more(const LeaseId& id, Lease& lease);
  void leave_reserved(const Lease& lease);
  void take_lots(Lease& lease, const LeaseEnded& ended);
  void settle(Instant now, Lease& lease, std::optional<UnixSeconds> since, LeaseStep& out);
  Totals& totals_of(const ClaimId& claim);

  void apply_one(const LeaseReserved& r);
  void apply_one(const LeaseVoided& r);
  void apply_one(const LeasePaid& r);
  void apply_one(const LeaseStarted& r);
  void apply_one(const LeasesSighted& r);
  void apply_one(const LeaseDown& r);
  void apply_one(const LeaseUp& r);
  void apply_one(const LeaseExtended& r);
  void apply_one(const LeaseEnding& r);
  void apply_one(const LeaseEnded& r);
  void apply_one(const LeaseForgotten& r);
  void apply_one(const LeasePortsMoved& r);
  void apply_one(const LeasePlaced& r);
  void apply_one(const ClaimOwed& r);
  void apply_one(const DustKept& r);
  void apply_one(const LeaseCancelled& r);
  void apply_one(const LeaseSettled& r);
  void apply_one(const LeaseCleared& r);
  void apply_one(const ClaimPaid& r);
  void apply_one(const ClaimKept& r);
  void apply_one(const ClaimRedeemed& r);
  void apply_one(const ClaimForgotten& r);
  void apply_one(const WithdrawalOpened& r);
  void apply_one(const WithdrawalPaid& r);
  void apply_one(const WithdrawalDropped& r);
  void apply_one(const WithdrawalDelivered& r) { withdrawals_.apply(r); }
  void apply_one(const WithdrawalForgotten& r) { withdrawals_.apply(r); }
  void apply_one(const InvoiceSettled& r);

  Allocator allocator_;
  IndexedMap<LeaseId, Lease, IdHash> leases_;
  NameIndex<uint32_t> numbers_;
  std::map<PubKey, LeaseId> newest_;
  std::map<PubKey, size_t> unpaid_;
  NameIndex<std::string> workload_ids_;
  ClaimBook claims_;
  WithdrawalBook withdrawals_;
  std::map<MintUnit, Totals> totals_;
  uint64_t jobs_completed_ = 0;
  std::set<std::pair<UnixSeconds, LeaseId>> forgettable_;
  std::set<std::pair<UnixSeconds, LeaseId>> held_;  // by `held_until`
  // volatile
  std::set<std::pair<Micros, LeaseId>> looks_;  // (Lease::next_look, lease)
  std::map<LeaseId, std::set<OpId>> top_ups_;
  std::vector<LeaseId> sighted_;  // since the last LeasesSighted
  std::optional<Micros> next_sight_record_;
};

inline constexpr Seconds kGrace{60};       // flaw 19
inline constexpr Seconds kLookAgain{5};    // when a look at the end brought no answer
inline constexpr Seconds kSightEvery{60};  // one record a minute for all sights
inline constexpr size_t kSightsPerRecordMax = 10'000;
inline constexpr Seconds kForgetAfter{30 * 86400};
inline constexpr Msat kClaimMin{1000};  // one satoshi: less is no token

}  // namespace paygress::lease
