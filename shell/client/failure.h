// How a verb of `paygress` ends. The codes are documented in docs/consumer.md and never change.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "core/base/result.h"

namespace paygress::client {

enum class ExitCode : int {
  Ok = 0,
  Failed = 1,
  Usage = 2,
  NotFound = 3,
  Payment = 4,  // no money, or the mint refuses it
  Refused = 5,  // by the provider
  TimedOut = 6  // the outcome is unknown; repeating is safe
};

struct Failure {
  ExitCode code = ExitCode::Failed;
  std::string message;  // holds no secret
  std::string advice;   // what to do; may be empty
};

template <class T>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> failure(ExitCode code, std::string message,
                                        std::string advice = {}) {
  return std::unexpected(Failure{code, std::move(message), std::move(advice)});
}
inline std::unexpected<Failure> failure(ExitCode code, const Error& error) {
  return failure(code, to_string(error));
}

}  // namespace paygress::client
