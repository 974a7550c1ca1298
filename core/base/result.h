// Errors as values. Nothing in core/ throws across a public function.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace paygress {

// What went wrong, for a person. `where` is the path of the offending field or the byte offset when
// there is one ("replication.standby_providers[2]"), else empty. Never holds a secret.
struct Error {
  std::string message;
  std::string where;

  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message, std::string where = {}) {
  return std::unexpected(Error{std::move(message), std::move(where)});
}

// "where: message", or the message alone.
inline std::string to_string(const Error& error) {
  return error.where.empty() ? error.message : error.where + ": " + error.message;
}

}  // namespace paygress
