// Small events a client of relays needs: NIP-42 authentication and NIP-17's inbox list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/nostr/event.h"

namespace paygress::nostr {

inline constexpr size_t kChallengeBytesMax = 1024;  // a longer one is not answered
inline constexpr size_t kInboxRelaysMax = 16;       // more are not read

// NIP-42: proves to the relay at `relay_url` who we are. Relays accept it for about ten minutes.
// Precondition: challenge.size() <= kChallengeBytesMax.
Draft auth_draft(std::string_view relay_url, std::string_view challenge, UnixSeconds now);

// NIP-17, kind 10050: where we read private messages.
Draft inbox_relays_draft(const std::vector<std::string>& relay_urls, UnixSeconds now);
// The ws:// and wss:// URLs of the list, each once, in order, at most kInboxRelaysMax. An error
// when the event is of another kind or names none: such a peer cannot be written to privately.
Result<std::vector<std::string>> inbox_relays(const Event& event);

}  // namespace paygress::nostr
