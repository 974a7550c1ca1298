#include "core/nostr/admission.h"

#include "core/base/check.h"

namespace paygress::nostr {
namespace {

constexpr std::string_view kHead = "[\"EVENT\",\"";
constexpr std::string_view kIdKey = "\"id\":\"";
constexpr size_t kIdDigits = 64;

// The subscription between kHead and its closing quote. Nothing for what a parser would be needed
// for: an escape, or a character beyond printable ASCII.
std::optional<std::string_view> peek_subscription(std::string_view frame) {
  if (!frame.starts_with(kHead)) return std::nullopt;
  const std::string_view rest = frame.substr(kHead.size());
  for (size_t i = 0; i < rest.size() && i <= kSubscriptionBytesMax; ++i) {
    if (rest[i] == '"' && i > 0) return rest.substr(0, i);
    if (rest[i] < ' ' || rest[i] > '~' || rest[i] == '\\' || rest[i] == '"') return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<KnownEvent> Admission::known(std::string_view frame) const {
  if (ids_.empty() || frame.size() > kEventFrameBytesMax) return std::nullopt;
  const auto subscription = peek_subscription(frame);
  if (!subscription) return std::nullopt;
  // A quote inside a string is escaped, so the pattern can only be a key called `id`; the
  // character before it tells a key of its own from the end of a longer one.
  const size_t at = frame.find(kIdKey, kHead.size() + subscription->size());
  if (at == std::string_view::npos || (frame[at - 1] != '{' && frame[at - 1] != ','))
    return std::nullopt;
  const auto id = EventId::parse(frame.substr(at + kIdKey.size(), kIdDigits));
  if (!id || !ids_.contains(*id)) return std::nullopt;
  return KnownEvent{std::string(*subscription), *id};
}

Result<RelayMessage> Admission::admit(std::string_view frame) {
  auto wire = parse_relay_frame(frame);
  if (!wire) return std::unexpected(wire.error());
  if (auto* delivery = std::get_if<EventFor<Event>>(&*wire)) {
    auto event = verify(std::move(delivery->event));
    if (!event) return std::unexpected(event.error());
    return EventFor<VerifiedEvent>{std::move(delivery->subscription), std::move(*event)};
  }
  return std::visit(
      [](auto& message) -> Result<RelayMessage> {
        if constexpr (std::same_as<std::remove_cvref_t<decltype(message)>, EventFor<Event>>)
          return fail("event was handled above");
        else
          return RelayMessage(std::move(message));
      },
      *wire);
}

void Admission::remember(const VerifiedEvent& event) {
  if (!ids_.insert(event->id, Nothing{})) return;
  if (order_.size() < kIdsMax) {
    order_.push_back(event->id);
  } else {
    PG_CHECK(ids_.erase(order_[next_]));
    order_[next_] = event->id;
    next_ = (next_ + 1) % kIdsMax;
  }
  PG_CHECK(ids_.size() == order_.size());
}

}  // namespace paygress::nostr
