// How a test finds the programs of others that tests/peers/run.sh started.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace paygress::peers {

// The value run.sh exported, or an empty string: then the peer is not there, and `reason_absent`
// says why. Variables: PAYGRESS_PEER_MINT (no fee), PAYGRESS_PEER_MINT_FEE (100 ppk),
// PAYGRESS_PEER_WALLET (nutshell's: `wallet DIR MINT-URL ARGUMENT...`; DIR exists and is its home),
// PAYGRESS_PEER_RELAY, PAYGRESS_PEER_NOSTR_TOOLS (a folder with the programs `send` and `receive`,
// described in client.mjs).
inline std::string find(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? std::string() : std::string(value);
}

inline std::string reason_absent() {
  const std::string reason = find("PAYGRESS_PEERS_ABSENT");
  return reason.empty() ? "not started by tests/peers/run.sh (./dev test --only peers)" : reason;
}

// For what cannot return from the test itself, such as a fixture's maker.
inline void skip_absent() { GTEST_SKIP() << reason_absent(); }

}  // namespace paygress::peers

// Declares `name` as the address of a peer, or skips the test, saying why there is none.
#define PAYGRESS_PEER_OR_SKIP(name, variable)               \
  const std::string name = paygress::peers::find(variable); \
  if (name.empty()) {                                       \
    GTEST_SKIP() << paygress::peers::reason_absent();       \
  }                                                         \
  static_assert(true)
