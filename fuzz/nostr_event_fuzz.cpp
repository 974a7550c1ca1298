// Events: what is accepted must survive writing and reading, and the canonical form must be JSON
// of the same content.
#include "core/base/check.h"
#include "core/nostr/event.h"
#include "core/nostr/nip19.h"

using namespace paygress;
using namespace paygress::nostr;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = as_text({data, size});
  if (const auto event = parse_event(text)) {
    PG_CHECK(is_utf8(event->content));
    const std::string written = to_json(*event);
    const auto again = parse_event(written);
    PG_CHECK(again || written.size() > kEventBytesMax);
    PG_CHECK(!again || *again == *event);
    const Draft draft{event->created_at, event->kind, event->tags, event->content};
    const bool id_is_right = event_id(event->pubkey, draft) == event->id;
    PG_CHECK(id_is_right || !verify(*event));
  }
  if (const auto pointer = parse_pointer(text)) PG_CHECK(to_nip19(*pointer).has_value());
  (void)parse_secret_key(text);
  return 0;
}
