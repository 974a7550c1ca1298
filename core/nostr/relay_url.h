// Relay URLs as other people write them: made canonical, so that one relay never counts twice for a
// quorum, and judged, because a stranger's request may name them.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace paygress::nostr {

inline constexpr size_t kRelayUrlBytesMax = 200;

// "wss://host[:port][/path]" (RFC 3986 section 6.2.2, as NIP-65 asks for): scheme and host in lower
// case, no default port, no slash at the end. Refuses, with the reason: another scheme than ws and
// wss, credentials, a query or fragment, white space, a number that is no IPv4 address in its usual
// form (some resolvers read "0x7f.1" as one).
Result<std::string> canonical_relay_url(std::string_view text);

// False when the host is this machine's, or an address or name that belongs to some private network
// (loopback, RFC 1918, link-local, unique local, "localhost", names without a dot): somebody far
// away must not choose that we connect there. Says nothing about what a name resolves to.
// Precondition: `canonical` came from canonical_relay_url.
bool is_public_relay(std::string_view canonical);

}  // namespace paygress::nostr
