// What a sender can put inside a genuine wrap. The first byte says how far the forger's key gets:
//   0  the rest is an event as a relay sends it, unwrapped when it verifies
//   1  the rest is the text inside the wrap (a seal)
//   2  the rest is the text inside a well-made seal (a rumor)
#include "core/base/check.h"
#include "core/nostr/nip59.h"

using namespace paygress;
using namespace paygress::nostr;

namespace {

crypto::Keypair key_of(uint8_t last) {
  SecretKey secret;
  secret.bytes[31] = last;
  return *crypto::Keypair::from(secret);
}

const crypto::Keypair& sender() {
  static const crypto::Keypair key = key_of(1);
  return key;
}
const crypto::Keypair& receiver() {
  static const crypto::Keypair key = key_of(2);
  return key;
}

Event around(std::string_view text, uint16_t kind, std::vector<Tag> tags) {
  static const auto shared = nip44::conversation_key(sender().secret(), receiver().public_key());
  const auto content = nip44::encrypt(*shared, text, {});
  return sign(sender(), Draft{{1}, kind, std::move(tags), content.value_or("")}, {});
}

void open(Event event) {
  const auto wrap = verify(std::move(event));
  if (!wrap) return;
  const auto message = unwrap(*wrap, receiver());
  if (!message) return;
  const Draft draft{message->created_at, message->kind, message->tags, message->content};
  PG_CHECK(message->rumor_id == event_id(message->sender, draft));
  PG_CHECK(message->wrap_id == (*wrap)->id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string text(as_text({data + 1, size - 1}));
  if (data[0] % 3 == 0) {
    if (auto event = parse_event(text)) open(std::move(*event));
    return 0;
  }
  if (data[0] % 3 == 2) text = to_json(around(text, kind::kSeal, {}));
  open(around(text, kind::kGiftWrap, {{"p", receiver().public_key().hex()}}));
  return 0;
}
