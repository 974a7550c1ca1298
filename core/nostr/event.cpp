#include "core/nostr/event.h"

#include <algorithm>
#include <charconv>

#include "core/base/check.h"
#include "core/crypto/hash.h"
#include "core/crypto/schnorr.h"
#include "core/nostr/event_reader.h"
#include "core/nostr/json.h"

namespace paygress::nostr {
namespace {

void append_tags(std::string& out, const std::vector<Tag>& tags) {
  out.push_back('[');
  for (size_t i = 0; i < tags.size(); ++i) {
    out.append(i == 0 ? "[" : ",[");
    for (size_t k = 0; k < tags[i].size(); ++k) {
      if (k != 0) out.push_back(',');
      append_json_string(out, tags[i][k]);
    }
    out.push_back(']');
  }
  out.push_back(']');
}

// A guess that saves reallocations; escapes may exceed it.
size_t size_hint(const std::vector<Tag>& tags, const std::string& content) {
  size_t size = 512 + content.size() + content.size() / 8;
  for (const Tag& tag : tags)
    for (const std::string& value : tag) size += value.size() + 4;
  return size;
}

std::string canonical_of(const PubKey& author, UnixSeconds created_at, uint16_t kind,
                         const std::vector<Tag>& tags, const std::string& content) {
  std::string out;
  out.reserve(size_hint(tags, content));
  out.append("[0,\"").append(author.hex()).append("\",");
  out.append(std::to_string(created_at.value)).push_back(',');
  out.append(std::to_string(kind)).push_back(',');
  append_tags(out, tags);
  out.push_back(',');
  append_json_string(out, content);
  out.push_back(']');
  return out;
}

}  // namespace

const std::string* tag_value(const std::vector<Tag>& tags, std::string_view name) {
  for (const Tag& tag : tags)
    if (tag.size() >= 2 && tag[0] == name) return &tag[1];
  return nullptr;
}

std::optional<UnixSeconds> expires_at(const std::vector<Tag>& tags) {
  const std::string* text = tag_value(tags, "expiration");
  if (text == nullptr) return std::nullopt;
  UnixSeconds time;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, time.value);
  if (error != std::errc{} || stop != end || time.value < 0) return std::nullopt;
  return time;
}

Replacement replacement_of(uint16_t kind) {
  if (kind == 0 || kind == 3 || (kind >= 10000 && kind < 20000)) return Replacement::Replaceable;
  if (kind >= 20000 && kind < 30000) return Replacement::Ephemeral;
  if (kind >= 30000 && kind < 40000) return Replacement::Addressable;
  return Replacement::Regular;
}

bool supersedes(const Event& candidate, const Event& stored) {
  if (candidate.created_at != stored.created_at) return candidate.created_at > stored.created_at;
  return candidate.id < stored.id;
}

Result<VerifiedEvent> verify(Event event) {
  // The cheap test first: a forged event then costs a hash instead of a signature check.
  const std::string text =
      canonical_of(event.pubkey, event.created_at, event.kind, event.tags, event.content);
  if (crypto::sha256(as_bytes(text)) != event.id.bytes)
    return fail("id is not the hash of the event", "id");
  if (!crypto::verify_schnorr(event.pubkey, event.id.bytes, event.sig))
    return fail("bad signature", "sig");
  return VerifiedEvent(std::make_shared<const Event>(std::move(event)));
}

std::string canonical(const PubKey& author, const Draft& draft) {
  return canonical_of(author, draft.created_at, draft.kind, draft.tags, draft.content);
}

EventId event_id(const PubKey& author, const Draft& draft) {
  return EventId{crypto::sha256(as_bytes(canonical(author, draft)))};
}

Result<Event> parse_event(std::string_view json) {
  if (json.size() > kEventBytesMax) return fail("event is too large");
  EventReader reader(EventReader::Shape::Signed);
  if (auto ok = read_json(json, reader); !ok) return std::unexpected(ok.error());
  PG_CHECK(reader.done());
  return std::move(reader.event());
}

std::string to_json(const Event& event) {
  std::string out;
  out.reserve(size_hint(event.tags, event.content));
  out.append("{\"id\":\"").append(event.id.hex());
  out.append("\",\"pubkey\":\"").append(event.pubkey.hex());
  out.append("\",\"created_at\":").append(std::to_string(event.created_at.value));
  out.append(",\"kind\":").append(std::to_string(event.kind)).append(",\"tags\":");
  append_tags(out, event.tags);
  out.append(",\"content\":");
  append_json_string(out, event.content);
  out.append(",\"sig\":\"").append(event.sig.hex()).append("\"}");
  return out;
}

Event sign(const crypto::Keypair& key, const Draft& draft, const ByteArray<32>& aux) {
  PG_CHECK(draft.created_at.value >= 0 && draft.created_at.value <= kCreatedAtMax);
  PG_CHECK(std::none_of(draft.tags.begin(), draft.tags.end(),
                        [](const Tag& tag) { return tag.empty(); }));
  const EventId id = event_id(key.public_key(), draft);
  const Signature signature = key.sign(id.bytes, aux);
  return Event{id,         key.public_key(), draft.created_at, draft.kind,
               draft.tags, draft.content,    signature};
}

Event sign(const SecretKey& key, const Draft& draft, const ByteArray<32>& aux) {
  const auto pair = crypto::Keypair::from(key);
  PG_CHECK(pair.has_value());
  return sign(*pair, draft, aux);
}

}  // namespace paygress::nostr
