#include "core/nostr/drafts.h"

#include <algorithm>

#include "core/base/check.h"

namespace paygress::nostr {

Draft auth_draft(std::string_view relay_url, std::string_view challenge, UnixSeconds now) {
  PG_CHECK(challenge.size() <= kChallengeBytesMax);
  return Draft{now,
               kind::kRelayAuth,
               {{"relay", std::string(relay_url)}, {"challenge", std::string(challenge)}},
               ""};
}

Draft inbox_relays_draft(const std::vector<std::string>& relay_urls, UnixSeconds now) {
  Draft draft{now, kind::kInboxRelays, {}, ""};
  for (const std::string& url : relay_urls) draft.tags.push_back({"relay", url});
  return draft;
}

Result<std::vector<std::string>> inbox_relays(const Event& event) {
  if (event.kind != kind::kInboxRelays) return fail("not an inbox relay list", "kind");
  std::vector<std::string> urls;
  for (const Tag& tag : event.tags) {
    if (tag.size() < 2 || tag[0] != "relay" || urls.size() == kInboxRelaysMax) continue;
    const std::string& url = tag[1];
    const bool is_websocket = url.starts_with("wss://") || url.starts_with("ws://");
    if (is_websocket && std::find(urls.begin(), urls.end(), url) == urls.end()) urls.push_back(url);
  }
  if (urls.empty()) return fail("names no relay", "tags");
  return urls;
}

}  // namespace paygress::nostr
