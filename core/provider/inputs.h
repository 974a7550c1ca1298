// Everything that can happen to a provider. Decoded, verified and decrypted before it gets here
// (admission.h): Provider::step parses nothing.
//
// Each answer names the effect it answers. An answer to an effect of an earlier run of the program
// is recognised by its id and changes nothing.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/cashu/redeem.h"
#include "core/lease/records.h"
#include "core/market/messages.h"
#include "core/nostr/relay_pool.h"
#include "core/workload/backend.h"
#include "core/workload/guard.h"

namespace paygress::provider {

// How a request came in; its reply goes out the same way (network.md 1.5).
enum class Transport : uint8_t { Nip17, Nip04 };

// A private message to us, opened. `sender` is the key that signed: the seal's, or the event's for
// kind 4. `message` is the rumor's id (the event's for kind 4): the same in every copy and re-wrap.
struct PrivateMessage {
  PubKey sender;
  EventId message;
  EventId event;                          // as it came over the relay
  UnixSeconds created_at;                 // of the rumor: the sender's word
  std::optional<UnixSeconds> expires_at;  // NIP-40: not to be handled after it
  Transport transport = Transport::Nip17;
  std::variant<market::Request, std::string> body;  // the text: what was wrong with it
  std::optional<cashu::Token> token;                // of a spawn or top-up, when it could be read
  std::string token_problem;                        // else what was wrong with it
};
BOOST_DESCRIBE_STRUCT(PrivateMessage, (),
                      (sender, message, event, created_at, expires_at, transport, body, token,
                       token_problem))

// --- relays ------------------------------------------------------------------------------------
struct LinkUp {
  nostr::LinkId link;
};
struct LinkLost {
  nostr::LinkId link;
  nostr::LinkDown reason = nostr::LinkDown::Closed;
  std::string text;
};
struct RelaySaid {
  nostr::LinkId link;
  nostr::RelayMessage message;
  std::optional<PrivateMessage> opened;  // when the event is a private message that could be opened
};
struct Pong {
  nostr::LinkId link;
};
BOOST_DESCRIBE_STRUCT(LinkUp, (), (link))
BOOST_DESCRIBE_STRUCT(LinkLost, (), (link, reason, text))
BOOST_DESCRIBE_STRUCT(RelaySaid, (), (link, message, opened))
BOOST_DESCRIBE_STRUCT(Pong, (), (link))

// --- answers to effects ------------------------------------------------------------------------
struct EventSigned {
  CallId id;
  nostr::Event event;
};
struct ReplySealed {
  CallId id;
  std::optional<nostr::Event> event;
  std::string problem;
};
BOOST_DESCRIBE_STRUCT(EventSigned, (), (id, event))
BOOST_DESCRIBE_STRUCT(ReplySealed, (), (id, event, problem))

// --- the world ---------------------------------------------------------------------------------
struct Tick {};      // next_deadline() has come
struct PortsInUse {  // somebody listens there; replaces the last
  std::vector<uint16_t> ports;
};
struct Drain {  // the operator: no new leases
  bool on = true;
};
// The operator takes earnings out, as a token or to pay an invoice; answered by WithdrawalSettled,
// now or later. With the id of a withdrawal that is known it is that one, whatever else it says.
struct Withdraw {
  ClaimId id;        // drawn at random by who asks
  std::string mint;  // normalised
  std::string unit;
  cashu::Amount amount = 0;  // of the token; the mint's fee leaves the wallet beside it
  bool up_to = false;        // then: the most that leaves the wallet, fees included
  std::string purpose;       // lease::kSend, lease::kPayout or lease::kPay
  std::string invoice;       // to pay this one; without `up_to` whatever is free may leave for it
  bool force = false;        // also of what is owed to others
};
// The answer to FetchInvoice; the invoice is checked by who asked.
struct InvoiceFetched {
  ClaimId id;
  std::string invoice;
  std::string problem;
};
struct TokenDelivered {  // a payout's token is in its file
  ClaimId withdrawal;
};
// The operator has the mints searched for what the seed owns; answered by a WalletSearched for each
// of Redeemer::mints().
struct SearchWallet {};
struct Release {  // ends a recovery; answered by ReleaseSettled
  bool force = false;
};
BOOST_DESCRIBE_STRUCT(Tick, (), ())
BOOST_DESCRIBE_STRUCT(PortsInUse, (), (ports))
BOOST_DESCRIBE_STRUCT(Drain, (), (on))
BOOST_DESCRIBE_STRUCT(Withdraw, (), (id, mint, unit, amount, up_to, purpose, invoice, force))
BOOST_DESCRIBE_STRUCT(InvoiceFetched, (), (id, invoice, problem))
BOOST_DESCRIBE_STRUCT(TokenDelivered, (), (withdrawal))
BOOST_DESCRIBE_STRUCT(SearchWallet, (), ())
BOOST_DESCRIBE_STRUCT(Release, (), (force))

using Input = std::variant<Tick, LinkUp, LinkLost, RelaySaid, Pong, EventSigned, ReplySealed,
                           cashu::MintReply, cashu::OutputsReady, cashu::ProofsReady,
                           cashu::TokenChecked, workload::Answer, workload::GuardAnswered,
                           workload::GuardHealth, PortsInUse, Drain, Withdraw, TokenDelivered,
                           SearchWallet, Release, workload::Noticed, InvoiceFetched>;

}  // namespace paygress::provider
