// Events without cryptography, for tests of the machines that are handed verified ones.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/random.h"
#include "core/nostr/filter.h"
#include "sim/models/model_witness.h"

namespace paygress::nostr {

template <class Id>
Id numbered(uint64_t n) {
  Id id;
  for (size_t i = 0; i < id.bytes.size(); ++i)
    id.bytes[i] = static_cast<uint8_t>(mix64(n + 1) >> (8 * (i % 8)));
  return id;
}

// An event whose id is made from `n`.
inline Event numbered_event(uint64_t n, uint16_t kind, int64_t created_at,
                            std::vector<Tag> tags = {}, uint64_t author = 1) {
  Event event;
  event.id = numbered<EventId>(n);
  event.pubkey = numbered<PubKey>(author);
  event.created_at = UnixSeconds{created_at};
  event.kind = kind;
  event.tags = std::move(tags);
  event.content = "event " + std::to_string(n);
  return event;
}

inline Filter kind_filter(uint16_t kind) {
  Filter filter;
  filter.kinds = {kind};
  return filter;
}

// All outputs of type T, in order.
template <class T, class Output>
std::vector<T> only(const std::vector<Output>& outputs) {
  std::vector<T> found;
  for (const auto& output : outputs)
    if (const auto* o = std::get_if<T>(&output)) found.push_back(*o);
  return found;
}

}  // namespace paygress::nostr
