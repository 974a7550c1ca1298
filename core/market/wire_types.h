// Small values that the market's messages are made of, each with its one text form.
#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.h"
#include "core/base/units.h"

namespace paygress::market {

// The version that every public message carries.
inline constexpr uint8_t kSchemaVersion = 1;
// 9999-12-31T23:59:59Z: the last instant with a four-digit year. Later times are refused.
inline constexpr UnixSeconds kUnixSecondsMax{253'402'300'799};

// The client's own name for a request (ours, additive): 32 lower-case hex digits, echoed in every
// reply. The same key with the same id is the same request.
using RequestId = OpaqueId<struct RequestIdTag, 16>;

// Names a workload in a heartbeat's `holds` without telling who does not know its id:
// the first 8 bytes of SHA-256("paygress-hold-v1" || 00 || workload_id), as 16 hex digits.
using HoldTag = OpaqueId<struct HoldTagTag, 8>;
HoldTag hold_tag(std::string_view workload_id);

// A time that stands as RFC 3339 text in a message: "2026-07-30T12:34:56+00:00".
struct Rfc3339 {
  UnixSeconds at;
  auto operator<=>(const Rfc3339&) const = default;
};
BOOST_DESCRIBE_STRUCT(Rfc3339, (), (at))

// Thousandths of a percent, 0 to 100 000. On the wire a JSON number of percent: 99.95, 100.0.
// Digits beyond the third are dropped when read.
struct Percent {
  uint32_t thousandths = 0;
  auto operator<=>(const Percent&) const = default;
};
BOOST_DESCRIBE_STRUCT(Percent, (), (thousandths))
inline constexpr Percent kFullPercent{100'000};

// How strongly tenants are kept apart, weakest first: "shared-kernel", "dedicated-host",
// "attested-research-tier". An offer with another value is refused whole, as everywhere.
enum class IsolationLevel : uint8_t { SharedKernel, DedicatedHost, AttestedResearchTier };
BOOST_DESCRIBE_ENUM(IsolationLevel, SharedKernel, DedicatedHost, AttestedResearchTier)

enum class ReplicationKind : uint8_t { None, Checkpointed, WarmStandby };
BOOST_DESCRIBE_ENUM(ReplicationKind, None, Checkpointed, WarmStandby)

// What became of the token of a request, said in every error reply (money-saga answers):
//   Untouched       never sent to the mint: still the sender's
//   InDoubt         sent, and the mint has not said what became of it: asking again is safe
//   Released        sent, but the mint says it is unspent and we shall not try again
//   SpentElsewhere  the mint says that somebody else spent it
//   Taken           redeemed by this provider; what is not used comes back as a refund token
enum class TokenState : uint8_t { Untouched, InDoubt, Released, SpentElsewhere, Taken };
BOOST_DESCRIBE_ENUM(TokenState, Untouched, InDoubt, Released, SpentElsewhere, Taken)
inline constexpr bool token_touched(TokenState s) { return s != TokenState::Untouched; }

// The wire's word for an enumerator, and back. Only whole, exact words are read.
std::string_view to_text(IsolationLevel v);
std::string_view to_text(ReplicationKind v);
std::string_view to_text(TokenState v);
std::optional<IsolationLevel> isolation_level_from(std::string_view text);
std::optional<ReplicationKind> replication_kind_from(std::string_view text);
std::optional<TokenState> token_state_from(std::string_view text);

}  // namespace paygress::market
