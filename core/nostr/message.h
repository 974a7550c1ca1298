// The frames between client and relay (NIP-01, NIP-42), decoded. Both directions are parsed and
// written, because the relay model of `paygress dev` and the simulator is the other end.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/nostr/filter.h"

namespace paygress::nostr {

inline constexpr size_t kFrameBytesMax = 1 << 20;  // what we read; what we write stays below 64 KiB
inline constexpr size_t kSubscriptionBytesMax = 64;
// A frame with an event: the event, its label and its subscription (which may hold escapes).
inline constexpr size_t kEventFrameBytesMax = kEventBytesMax + 8 * kSubscriptionBytesMax;

// --- client to relay ---------------------------------------------------------------------------
struct Publish {
  Event event;
};
struct Subscribe {  // REQ: replaces
  std::string subscription;
  std::vector<Filter> filters;
};
struct Unsubscribe {  // CLOSE
  std::string subscription;
};
struct Authenticate {  // AUTH, kind 22242
  Event event;
};
BOOST_DESCRIBE_STRUCT(Publish, (), (event))
BOOST_DESCRIBE_STRUCT(Subscribe, (), (subscription, filters))
BOOST_DESCRIBE_STRUCT(Unsubscribe, (), (subscription))
BOOST_DESCRIBE_STRUCT(Authenticate, (), (event))
using ClientMessage = std::variant<Publish, Subscribe, Unsubscribe, Authenticate>;

// --- relay to client ---------------------------------------------------------------------------
// `Ev` is Event as parsed from the wire, VerifiedEvent after admission.
template <class Ev>
struct EventFor {
  std::string subscription;
  Ev event;
  BOOST_DESCRIBE_CLASS(EventFor, (), (subscription, event), (), ())
};
// The relay sent an event whose id was verified before: cheap, and not verified again.
struct KnownEvent {
  std::string subscription;
  EventId id;
};
struct Ok {
  EventId id;
  bool accepted = false;
  std::string text;
};
struct EndOfStored {  // NIP-67 hint
  std::string subscription;
  std::optional<bool> finished;
};
struct Closed {
  std::string subscription;
  std::string text;
};
struct Notice {
  std::string text;
};
struct AuthChallenge {
  std::string challenge;
};
BOOST_DESCRIBE_STRUCT(KnownEvent, (), (subscription, id))
BOOST_DESCRIBE_STRUCT(Ok, (), (id, accepted, text))
BOOST_DESCRIBE_STRUCT(EndOfStored, (), (subscription, finished))
BOOST_DESCRIBE_STRUCT(Closed, (), (subscription, text))
BOOST_DESCRIBE_STRUCT(Notice, (), (text))
BOOST_DESCRIBE_STRUCT(AuthChallenge, (), (challenge))
using WireMessage = std::variant<EventFor<Event>, Ok, EndOfStored, Closed, Notice, AuthChallenge>;
using RelayMessage = std::variant<EventFor<VerifiedEvent>, KnownEvent, Ok, EndOfStored, Closed,
                                  Notice, AuthChallenge>;

// Machine-readable prefix of an OK or CLOSED text (NIP-01, NIP-42).
enum class Reason : uint8_t {
  None,
  Duplicate,
  Pow,
  Blocked,
  RateLimited,
  Invalid,
  Restricted,
  Mute,
  Error,
  Unsupported,
  AuthRequired
};
Reason reason_of(std::string_view text);

Result<WireMessage> parse_relay_frame(std::string_view frame);
Result<ClientMessage> parse_client_frame(std::string_view frame);
std::string to_frame(const ClientMessage& message);
std::string to_frame(const WireMessage& message);

}  // namespace paygress::nostr
