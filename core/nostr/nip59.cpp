#include "core/nostr/nip59.h"

#include <algorithm>
#include <array>

#include "core/base/check.h"
#include "core/nostr/event_reader.h"
#include "core/nostr/json.h"

namespace paygress::nostr {
namespace {

// A draw that is no valid secret key has a chance of 2^-128; a few tries tell bad luck from an
// entropy source that is stuck.
constexpr int kKeyDrawsMax = 4;

template <size_t N>
ByteArray<N> draw(Entropy& entropy) {
  ByteArray<N> bytes;
  entropy.fill(bytes);
  return bytes;
}

crypto::Keypair draw_keypair(Entropy& entropy) {
  for (int i = 0; i < kKeyDrawsMax; ++i)
    if (auto pair = crypto::Keypair::from(SecretKey(draw<32>(entropy)))) return std::move(*pair);
  check_failed("entropy yields a secret key", __FILE__, __LINE__);
}

// Somewhere in [now - kBackdateMax, now]. The modulo's bias is below 2^-46.
UnixSeconds backdated(UnixSeconds now, Entropy& entropy) {
  uint64_t word = 0;
  for (uint8_t byte : draw<8>(entropy)) word = word << 8 | byte;
  const auto back = static_cast<int64_t>(word % (static_cast<uint64_t>(kBackdateMax.value) + 1));
  return {std::max<int64_t>(0, now.value - back)};
}

// An event by `author` whose content only `receiver` can read.
Result<Event> enclose(std::string_view text, Draft draft, const crypto::Keypair& author,
                      const PubKey& receiver, Entropy& entropy) {
  const auto key = nip44::conversation_key(author.secret(), receiver);
  if (!key) return std::unexpected(key.error());
  auto content = nip44::encrypt(*key, text, draw<32>(entropy));
  if (!content) return std::unexpected(content.error());
  draft.content = std::move(*content);
  return sign(author, draft, draw<32>(entropy));
}

Result<std::string> disclose(const Event& event, const crypto::Keypair& me,
                             ConversationKeys* keys) {
  const auto key = keys != nullptr ? keys->get(me, event.pubkey)
                                   : nip44::conversation_key(me.secret(), event.pubkey);
  if (!key) return std::unexpected(key.error());
  return nip44::decrypt(*key, event.content);
}

bool names(const std::vector<Tag>& tags, const PubKey& key) {
  const std::string hex = key.hex();
  return std::any_of(tags.begin(), tags.end(), [&](const Tag& tag) {
    return tag.size() >= 2 && tag[0] == "p" && tag[1] == hex;
  });
}

template <class T>
Result<T> at(const char* layer, Error error) {
  const std::string where = error.where.empty() ? layer : layer + ("." + error.where);
  return fail(std::move(error.message), where);
}

Result<VerifiedEvent> parse_seal(std::string_view json) {
  auto seal = parse_event(json);
  if (!seal) return at<VerifiedEvent>("seal", seal.error());
  if (seal->kind != kind::kSeal) return fail("not a seal", "seal.kind");
  if (!seal->tags.empty()) return fail("a seal has no tags", "seal.tags");
  auto verified = verify(std::move(*seal));
  if (!verified) return at<VerifiedEvent>("seal", verified.error());
  return verified;
}

Result<Rumor> parse_rumor(std::string_view json, const PubKey& sealed_by) {
  if (json.size() > kEventBytesMax) return fail("too large", "rumor");
  EventReader reader(EventReader::Shape::Rumor);
  if (auto ok = read_json(json, reader); !ok) return at<Rumor>("rumor", ok.error());
  PG_CHECK(reader.done());
  Event& event = reader.event();
  // Without this anybody could speak in anybody's name: the rumor itself is not signed.
  if (event.pubkey != sealed_by) return fail("not the author of the seal", "rumor.pubkey");
  Rumor rumor = make_rumor(event.pubkey, Draft{event.created_at, event.kind, std::move(event.tags),
                                               std::move(event.content)});
  // Some clients leave the id out; one that is there must be right, or two receivers would know
  // the same message under different names.
  if (reader.has_id() && event.id != rumor.id)
    return fail("id is not the hash of the rumor", "rumor.id");
  return rumor;
}

std::optional<UnixSeconds> earlier(std::optional<UnixSeconds> a, std::optional<UnixSeconds> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

Rumor make_rumor(const PubKey& author, Draft draft) {
  const EventId id = event_id(author, draft);
  return Rumor{id, author, std::move(draft)};
}

std::string to_json(const Rumor& rumor) {
  // A rumor is an event without its last field.
  std::string json = to_json(Event{rumor.id,
                                   rumor.author,
                                   rumor.draft.created_at,
                                   rumor.draft.kind,
                                   rumor.draft.tags,
                                   rumor.draft.content,
                                   {}});
  const size_t end = json.rfind(",\"sig\":");
  PG_CHECK(end != std::string::npos);
  json.replace(end, std::string::npos, "}");
  return json;
}

Result<Event> wrap(const Rumor& rumor, const crypto::Keypair& author, const PubKey& receiver,
                   UnixSeconds now, Entropy& entropy, WrapStyle style) {
  if (rumor.author != author.public_key()) return fail("not the author of the rumor");
  PG_CHECK(rumor.id == event_id(rumor.author, rumor.draft));
  const std::string text = to_json(rumor);
  // Two layers of base64 make it larger by 16/9: refused before any work is done for it.
  if (text.size() > kEventBytesMax) return fail("message is too large");
  const bool back = style == WrapStyle::Stored;
  const UnixSeconds sealed_at = back ? backdated(now, entropy) : now;
  const auto seal = enclose(text, Draft{sealed_at, kind::kSeal, {}, ""}, author, receiver, entropy);
  if (!seal) return seal;
  const uint16_t kind = style == WrapStyle::Ephemeral ? kind::kEphemeralGiftWrap : kind::kGiftWrap;
  const UnixSeconds wrapped_at = back ? backdated(now, entropy) : now;
  const Draft outer{wrapped_at, kind, {{"p", receiver.hex()}}, ""};
  auto event = enclose(to_json(*seal), outer, draw_keypair(entropy), receiver, entropy);
  if (event && to_json(*event).size() > kEventBytesMax) return fail("message is too large");
  return event;
}

Result<nip44::ConversationKey> ConversationKeys::get(const crypto::Keypair& me,
                                                     const PubKey& peer) {
  for (const Entry& entry : entries_)
    if (entry.peer == peer && entry.mine == me.public_key()) return entry.key;
  auto key = nip44::conversation_key(me.secret(), peer);
  if (!key) return key;
  if (entries_.size() < kEntriesMax) {
    entries_.push_back({me.public_key(), peer, *key});
  } else {
    entries_[next_] = {me.public_key(), peer, *key};
    next_ = (next_ + 1) % kEntriesMax;
  }
  PG_CHECK(entries_.size() <= kEntriesMax);
  return key;
}

Result<Unwrapped> unwrap(const VerifiedEvent& wrap, const crypto::Keypair& me,
                         ConversationKeys* keys) {
  if (wrap->kind != kind::kGiftWrap && wrap->kind != kind::kEphemeralGiftWrap)
    return fail("not a gift wrap", "wrap.kind");
  if (!names(wrap->tags, me.public_key())) return fail("not addressed to us", "wrap.tags");
  // The wrap's key is used once, so it would only push senders out of the cache.
  const auto seal_json = disclose(*wrap, me, nullptr);
  if (!seal_json) return at<Unwrapped>("wrap", seal_json.error());
  const auto seal = parse_seal(*seal_json);
  if (!seal) return std::unexpected(seal.error());
  const auto rumor_json = disclose(**seal, me, keys);
  if (!rumor_json) return at<Unwrapped>("seal", rumor_json.error());
  auto rumor = parse_rumor(*rumor_json, (*seal)->pubkey);
  if (!rumor) return std::unexpected(rumor.error());
  const auto end = earlier(expires_at(wrap->tags), expires_at(rumor->draft.tags));
  return Unwrapped{(*seal)->pubkey,
                   wrap->id,
                   rumor->id,
                   rumor->draft.created_at,
                   end,
                   rumor->draft.kind,
                   std::move(rumor->draft.tags),
                   std::move(rumor->draft.content)};
}

}  // namespace paygress::nostr
