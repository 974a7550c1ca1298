// Every `error_type` that a provider answers, as one table: docs/errors.md, the texts and the tests
// all come from it.
#pragma once

#include <boost/describe.hpp>

#include <optional>
#include <span>
#include <string_view>

#include "core/market/wire_types.h"

namespace paygress::market {

enum class ErrorType : uint8_t {
  // The existing network's.
  InvalidRequest,
  NotAddressed,
  TemplateUnsupported,
  InvalidToken,
  NonWhitelistedMint,
  TokenAlreadySpent,
  TokenPending,
  MintNetworkError,
  UnsupportedUnit,
  MintError,
  NoSpecs,
  InsufficientPayment,
  ProvisioningError,
  UnknownTemplate,
  InvalidVolumeEncryption,
  MissingWorkloadId,
  BackendError,
  InvalidPodId,
  NotOwner,
  NotFound,
  LeaseExpired,
  SpecUnavailable,
  RaceLost,
  // Ours.
  UnknownTier,
  NoCapacity,
  ImageNotAllowed,
  RequestExpired,
  RateLimited,
  UnsupportedReplication,
  StandbyUnavailable,
  Draining,
  MintUnsuitable,
  RefundPending
};
BOOST_DESCRIBE_ENUM(ErrorType, InvalidRequest, NotAddressed, TemplateUnsupported, InvalidToken,
                    NonWhitelistedMint, TokenAlreadySpent, TokenPending, MintNetworkError,
                    UnsupportedUnit, MintError, NoSpecs, InsufficientPayment, ProvisioningError,
                    UnknownTemplate, InvalidVolumeEncryption, MissingWorkloadId, BackendError,
                    InvalidPodId, NotOwner, NotFound, LeaseExpired, SpecUnavailable, RaceLost,
                    UnknownTier, NoCapacity, ImageNotAllowed, RequestExpired, RateLimited,
                    UnsupportedReplication, StandbyUnavailable, Draining, MintUnsuitable,
                    RefundPending)

// A set of token states, one bit each.
struct TokenStates {
  uint8_t bits = 0;
  constexpr bool contains(TokenState s) const {
    return (bits >> static_cast<unsigned>(s) & 1) != 0;
  }
};

struct ErrorInfo {
  ErrorType type;
  std::string_view text;    // the wire's word
  bool ours;                // not known to the existing network
  TokenStates token;        // what the token's state can be when this is answered
  std::string_view when;    // one line for people
  std::string_view advice;  // what the consumer should do
};

// One entry per enumerator, in its order.
std::span<const ErrorInfo> error_table();
const ErrorInfo& info_of(ErrorType type);

std::string_view to_text(ErrorType type);
std::optional<ErrorType> error_type_from(std::string_view text);

// The state that follows from the error alone; nothing when only the reply's `token_state` tells.
std::optional<TokenState> token_state_of(ErrorType type);
// Whether a reply of this error may carry this state.
bool may_answer(ErrorType type, TokenState state);

}  // namespace paygress::market
