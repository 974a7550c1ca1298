// Which reply answers which request. The existing network has no correlation at all: its replies
// name neither a request nor an event.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "core/market/messages.h"

namespace paygress::consumer {

// Which replies can answer a request, besides an error.
enum class RequestKind : uint8_t { Spawn, TopUp, Status };
RequestKind kind_of(const market::Request& request);

struct Awaited {
  PubKey provider;
  market::RequestId request;
  RequestKind kind = RequestKind::Spawn;
  std::set<EventId> sent;  // kind 4 events that carried it
  UnixSeconds asked_at;    // of this start's first sending
};

enum class Match : uint8_t { No, Interim, Final };

// 1. Only the provider's own messages. 2. A reply with a request id answers that request and no
// other. 3. Without one, an `e` tag must name an event of ours. 4. With neither (a provider of the
// existing network), the first reply of a fitting shape that was written after we asked; never a
// letter that a provider of ours sends unasked, which has neither as well.
Match match(const Awaited& awaited, const PubKey& sender, UnixSeconds written,
            const std::string* e_tag, const market::Reply& reply);

}  // namespace paygress::consumer
