// The facts of a lease that must survive, in the order of its life (money-sagas.md section 3):
//
//   Reserved -> Paid -> Started -> (Down -> Up)* -> Ending -> Ended -> Forgotten
//      `-> Voided (not paid, or paid too late or too little: the money is a claim)
//
// A claim: Owed -> Paid (a token, its owner's) -> Redeemed -> Forgotten, or Owed -> Kept (dust)
// A withdrawal: Opened -> Paid (a token, the operator's) -> Delivered -> Forgotten, or Dropped;
//   of one that pays an invoice: Opened -> Settled -> Forgotten, or Dropped
//
// A lease is a meter: it runs while the workload runs, so that time that was not delivered is not
// charged. All money is msat and is held as lots, so that a claim can be paid at its own mint.
#pragma once

#include <boost/describe.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/workload/backend.h"

namespace paygress::lease {

using BootId = OpaqueId<struct BootIdTag, 16>;  // of the machine, not of this program

// A moment that survives a reboot: `mono` has meaning only within `boot`.
struct Instant {
  BootId boot;
  Micros mono;
  UnixSeconds wall;

  bool operator==(const Instant&) const = default;
};
BOOST_DESCRIBE_STRUCT(Instant, (), (boot, mono, wall))
inline Now plain(const Instant& i) { return {i.mono, i.wall}; }

// What is sold, frozen at the time of the request: a lease keeps the tier it was bought at.
struct Tier {
  std::string id;
  std::string name;
  std::string description;
  uint64_t cpu_millicores = 0;
  uint64_t memory_mb = 0;
  uint64_t storage_gb = 0;
  Msat rate_per_second;

  bool operator==(const Tier&) const = default;
};
BOOST_DESCRIBE_STRUCT(Tier, (),
                      (id, name, description, cpu_millicores, memory_mb, storage_gb,
                       rate_per_second))

// Money of one payment that is still on the lease, at the mint that issued it.
struct Lot {
  std::string mint;
  std::string unit;
  Msat msat;

  bool operator==(const Lot&) const = default;
};
BOOST_DESCRIBE_STRUCT(Lot, (), (mint, unit, msat))

struct LeaseReserved {
  LeaseId lease;
  OpId op;  // the redeeming of the spawn's token
  PubKey owner;
  uint32_t number = 0;  // "container-<number>" on the wire
  Tier tier;
  std::string image;
  std::string template_slug;
  std::string workload_id;  // the consumer's name for it; may be empty
  std::optional<uint16_t> ssh_port;
  std::vector<workload::PublishedPort> ports;
  std::string password;  // secret; the journal's file is 0600
  Seconds minimum;       // of the quote
  UnixSeconds at;
  bool encrypted = false;                  // with the consumer's key, which no record holds
  std::map<std::string, std::string> env;  // of the template; values may be secret
  uint64_t open_files_max = 0;             // 0: the engine's default
  std::string encrypted_path = {};         // of the template, where only that is encrypted

  static constexpr size_t kWrittenAlways = 16;  // others' records are as they were without it
};
struct LeaseVoided {
  LeaseId lease;
  UnixSeconds at;
};
struct LeasePaid {  // in one batch with the redeemer's OpDone and the workload's intent
  LeaseId lease;
  OpId op;
  Lot lot;
  Seconds bought;
  Msat credit;
  UnixSeconds at;
};
struct LeaseStarted {
  LeaseId lease;
  Instant at;
  bool serves_ssh = true;
};
struct LeasesSighted {
  std::vector<LeaseId> leases;
  Instant at;
};
struct LeaseDown {
  LeaseId lease;
  Micros used;
  UnixSeconds since;
  bool own_exit = false;
};
struct LeaseUp {
  LeaseId lease;
  Instant at;
  Seconds charged_backoff;
};
struct LeaseExtended {  // in one batch with OpDone
  LeaseId lease;
  OpId op;
  Lot lot;
  Seconds bought;
  Msat credit;  // after the purchase
  UnixSeconds at;
};
enum class EndReason : uint8_t { Expired, Failed, Stopped };
struct LeaseEnding {
  LeaseId lease;
  EndReason reason = EndReason::Expired;
  Micros used;
  UnixSeconds at;
};
struct LeaseEnded {  // the object's absence is confirmed; the final statement
  LeaseId lease;
  Seconds used;
  Msat consumed;
  Msat claimed;
  Msat kept;
  UnixSeconds at;
  // A create of it was never answered and may still be carried out: until then its ports, number
  // and capacity are nobody else's (money-sagas.md flaw 4). Zero: nothing is held.
  UnixSeconds held_until;
};
struct LeaseForgotten {
  LeaseId lease;
};
struct LeasePortsMoved {  // before it ever ran: somebody else listens on one of the old ones
  LeaseId lease;
  std::optional<uint16_t> ssh_port;
  std::vector<workload::PublishedPort> ports;
};
struct LeasePlaced {  // a cluster runs it on this member; consumers reach it there
  LeaseId lease;
  std::string node;
  std::string address;
  UnixSeconds at;
};

// Money that is somebody's: what an end or a payment without a lease left over. Paid as a token.
struct ClaimOwed {
  ClaimId claim;
  std::optional<LeaseId> lease;
  OpId op;
  PubKey owner;
  Lot lot;
  std::string reason;
  UnixSeconds at;
};
// What of a payment without a lease is too small to be a token.
struct DustKept {
  OpId op;
  Lot lot;
  UnixSeconds at;
};
// Its owner stopped it before it was paid: money that arrives becomes a claim (flaw 17).
struct LeaseCancelled {
  LeaseId lease;
  UnixSeconds at;
};
// The engine says that it stopped before its owner asked for the stop: so much less is charged
// (flaw 11).
struct LeaseSettled {
  LeaseId lease;
  Micros used;
  UnixSeconds at;
};
struct LeaseCleared {  // what `held_until` held is free
  LeaseId lease;
  UnixSeconds at;
};
// The claim is a token now, which is its owner's; in one batch with the wallet's RefundDone.
struct ClaimPaid {
  ClaimId claim;
  std::string token;  // secret
  Msat face;          // its value
  Msat fee;           // what the claim bore of the swap
  Msat kept;          // the rest: less than the mint's smallest coin
  UnixSeconds at;
};
struct ClaimKept {  // worth no more than the mint's fee
  ClaimId claim;
  UnixSeconds at;
};
struct ClaimRedeemed {  // its owner has spent the token
  ClaimId claim;
  UnixSeconds at;
};
struct ClaimForgotten {  // long after
  ClaimId claim;
};

// The operator takes earnings out: so much is nobody else's to spend from here on. `withdrawal` is
// to the wallet what a claim is: the token's secrets derive from it.
struct WithdrawalOpened {
  ClaimId withdrawal;   // drawn by who asks, so that asking again is the same withdrawal
  Lot lot;              // what leaves the wallet, the mint's fee included
  std::string purpose;  // "send", "payout", "pay"
  UnixSeconds at;
  std::string invoice;  // that it pays; empty: it becomes a token
  bool forced = false;  // by the operator's word it may take what is owed to others
};
// It is a token now; in one batch with the wallet's RefundDone, and before anybody is shown it.
struct WithdrawalPaid {
  ClaimId withdrawal;
  std::string token;  // secret
  Msat face;
  Msat fee;  // what the mint took
  UnixSeconds at;
};
// Nothing was sent, or an invoice was not paid and everything but `fee` is in the wallet again.
struct WithdrawalDropped {
  ClaimId withdrawal;
  UnixSeconds at;
  Msat fee;
  std::string problem;  // why an invoice was not paid, as the mint said it
};
// Its invoice is paid; in one batch with the wallet's MeltDone.
struct InvoiceSettled {
  ClaimId withdrawal;
  Msat amount;           // of the invoice
  Msat fee;              // of Lightning and of the mint
  std::string preimage;  // the receipt; empty when the mint did not tell it
  UnixSeconds at;
};
struct WithdrawalDelivered {  // the token is where it goes
  ClaimId withdrawal;
  UnixSeconds at;
};
struct WithdrawalForgotten {  // long after; these records stay
  ClaimId withdrawal;
};

BOOST_DESCRIBE_STRUCT(LeaseReserved, (),
                      (lease, op, owner, number, tier, image, template_slug, workload_id, ssh_port,
                       ports, password, minimum, at, encrypted, env, open_files_max,
                       encrypted_path))
BOOST_DESCRIBE_STRUCT(LeaseVoided, (), (lease, at))
BOOST_DESCRIBE_STRUCT(LeasePaid, (), (lease, op, lot, bought, credit, at))
BOOST_DESCRIBE_STRUCT(LeaseStarted, (), (lease, at, serves_ssh))
BOOST_DESCRIBE_STRUCT(LeasesSighted, (), (leases, at))
BOOST_DESCRIBE_STRUCT(LeaseDown, (), (lease, used, since, own_exit))
BOOST_DESCRIBE_STRUCT(LeaseUp, (), (lease, at, charged_backoff))
BOOST_DESCRIBE_STRUCT(LeaseExtended, (), (lease, op, lot, bought, credit, at))
BOOST_DESCRIBE_STRUCT(LeaseEnding, (), (lease, reason, used, at))
BOOST_DESCRIBE_STRUCT(LeaseEnded, (), (lease, used, consumed, claimed, kept, at, held_until))
BOOST_DESCRIBE_STRUCT(LeaseForgotten, (), (lease))
BOOST_DESCRIBE_STRUCT(LeasePortsMoved, (), (lease, ssh_port, ports))
BOOST_DESCRIBE_STRUCT(LeasePlaced, (), (lease, node, address, at))
BOOST_DESCRIBE_STRUCT(ClaimOwed, (), (claim, lease, op, owner, lot, reason, at))
BOOST_DESCRIBE_STRUCT(DustKept, (), (op, lot, at))
BOOST_DESCRIBE_STRUCT(LeaseCancelled, (), (lease, at))
BOOST_DESCRIBE_STRUCT(LeaseSettled, (), (lease, used, at))
BOOST_DESCRIBE_STRUCT(LeaseCleared, (), (lease, at))
BOOST_DESCRIBE_STRUCT(ClaimPaid, (), (claim, token, face, fee, kept, at))
BOOST_DESCRIBE_STRUCT(ClaimKept, (), (claim, at))
BOOST_DESCRIBE_STRUCT(ClaimRedeemed, (), (claim, at))
BOOST_DESCRIBE_STRUCT(ClaimForgotten, (), (claim))
BOOST_DESCRIBE_STRUCT(WithdrawalOpened, (), (withdrawal, lot, purpose, at, invoice, forced))
BOOST_DESCRIBE_STRUCT(WithdrawalPaid, (), (withdrawal, token, face, fee, at))
BOOST_DESCRIBE_STRUCT(WithdrawalDropped, (), (withdrawal, at, fee, problem))
BOOST_DESCRIBE_STRUCT(InvoiceSettled, (), (withdrawal, amount, fee, preimage, at))
BOOST_DESCRIBE_STRUCT(WithdrawalDelivered, (), (withdrawal, at))
BOOST_DESCRIBE_STRUCT(WithdrawalForgotten, (), (withdrawal))

using LeaseRecord =
    std::variant<LeaseReserved, LeaseVoided, LeasePaid, LeaseStarted, LeasesSighted, LeaseDown,
                 LeaseUp, LeaseExtended, LeaseEnding, LeaseEnded, LeaseForgotten, ClaimOwed,
                 DustKept, LeaseCancelled, LeaseSettled, LeaseCleared, ClaimPaid, ClaimKept,
                 ClaimRedeemed, ClaimForgotten, LeasePortsMoved, WithdrawalOpened, WithdrawalPaid,
                 WithdrawalDropped, WithdrawalDelivered, WithdrawalForgotten, LeasePlaced,
                 InvoiceSettled>;

}  // namespace paygress::lease
