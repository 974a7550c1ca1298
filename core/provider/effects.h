// Everything a provider can ask of the world. An effect may start only when the records of its
// step, and of every earlier step, are durable.
//
// Effects with an id are answered exactly once by the input of that id, whatever happens: "unknown"
// is an answer (cashu::NoReply, workload::Outcome::Unknown).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/market/volume.h"
#include "core/provider/inputs.h"

namespace paygress::provider {

// --- relays: OpenLink is answered by LinkUp or LinkLost; the others are not answered
// ---------------
struct OpenLink {
  nostr::LinkId link;
  std::string url;
};
struct CloseLink {
  nostr::LinkId link;
};
struct PingLink {
  nostr::LinkId link;
};
struct SendFrame {
  nostr::LinkId link;
  nostr::ClientMessage message;
};
BOOST_DESCRIBE_STRUCT(OpenLink, (), (link, url))
BOOST_DESCRIBE_STRUCT(CloseLink, (), (link))
BOOST_DESCRIBE_STRUCT(PingLink, (), (link))
BOOST_DESCRIBE_STRUCT(SendFrame, (), (link, message))

// --- cryptography with our key -------------------------------------------------------------------
struct SignEvent {  // answered by EventSigned
  CallId id;
  nostr::Draft draft;
};
// Encrypts `json` for `to`: NIP-17 gift wrap, or kind 4 with an `e` tag naming `reply_to`. Answered
// by ReplySealed.
struct SealReply {
  CallId id;
  PubKey to;
  Transport transport = Transport::Nip17;
  EventId reply_to;
  std::string json;  // may hold secrets: never logged
  UnixSeconds at;
};
BOOST_DESCRIBE_STRUCT(SignEvent, (), (id, draft))
BOOST_DESCRIBE_STRUCT(SealReply, (), (id, to, transport, reply_to, json, at))

// --- the guard (core/workload/guard.h): each is answered by its GuardAnswered ------------------
using workload::GuardFreeze;
using workload::GuardHold;
using workload::GuardKill;
using workload::GuardQuery;
using workload::GuardRelease;

// --- consumers' keys ---------------------------------------------------------------------------
// Keeps the key that encrypts a lease's data in memory, outside of the ledger, for the backend to
// find; forgets it when there is none. Not answered: a Create that misses it fails.
struct KeepVolumeKey {
  LeaseId lease;
  std::optional<market::VolumeKey> key;  // secret: never logged
};
BOOST_DESCRIBE_STRUCT(KeepVolumeKey, (), (lease, key))

// --- the operator ------------------------------------------------------------------------------
enum class Level : uint8_t { Info, Warning, Alarm };
struct Tell {  // holds no secret
  Level level = Level::Info;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Tell, (), (level, text))
// What was asked for by Withdraw is over. Without a problem it is a token or a paid invoice, in
// LeaseBook::withdrawals(); with one, nothing left the wallet but the fee that stands there.
struct WithdrawalSettled {
  ClaimId withdrawal;
  std::string problem;
};
BOOST_DESCRIBE_STRUCT(WithdrawalSettled, (), (withdrawal, problem))
// An invoice of a Lightning address (LUD-16) over this amount; answered by InvoiceFetched. Nothing
// is paid by asking.
struct FetchInvoice {
  ClaimId id;
  std::string address;
  Msat amount;
};
BOOST_DESCRIBE_STRUCT(FetchInvoice, (), (id, address, amount))
// What was found is in the ledger.
struct WalletSearched {
  std::string mint;
  bool complete = false;
  std::map<std::string, cashu::Searched> units;
};
// Empty: the provider works again. Else what is waited for.
struct ReleaseSettled {
  std::vector<std::string> waits_for;
};
BOOST_DESCRIBE_STRUCT(WalletSearched, (), (mint, complete, units))
BOOST_DESCRIBE_STRUCT(ReleaseSettled, (), (waits_for))

using Effect =
    std::variant<OpenLink, CloseLink, PingLink, SendFrame, SignEvent, SealReply, cashu::MintCall,
                 cashu::MakeOutputs, cashu::OpenSignatures, cashu::CheckToken, workload::Call,
                 GuardHold, GuardFreeze, GuardKill, GuardRelease, GuardQuery, KeepVolumeKey, Tell,
                 WithdrawalSettled, WalletSearched, ReleaseSettled, FetchInvoice>;

}  // namespace paygress::provider
