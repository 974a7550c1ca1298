#include "core/nostr/message.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/nostr/frame_reader.h"
#include "core/nostr/json.h"

namespace paygress::nostr {
namespace {

using Strings = FrameReader::Strings;

Result<void> read_frame(std::string_view frame, FrameReader& reader) {
  if (frame.size() > kFrameBytesMax) return fail("frame is too large");
  return read_json(frame, reader);
}

bool is_subscription(const std::string& text) {
  return !text.empty() && text.size() <= kSubscriptionBytesMax;
}

Result<WireMessage> ok_message(FrameReader& in) {
  const auto id = EventId::parse(in.get<std::string>(0));
  if (!id) return fail("not an event id", "OK");
  return Ok{*id, in.get<bool>(1), std::move(in.get<std::string>(2))};
}

// NIP-67: "finish" and "more" answer whether everything stored was sent; other hints are ignored.
std::optional<bool> finished(const Strings& hints) {
  for (const std::string& hint : hints) {
    if (hint == "finish") return true;
    if (hint == "more") return false;
  }
  return std::nullopt;
}

void append(std::string& out, std::string_view text) {
  out.push_back(',');
  append_json_string(out, text);
}

std::string frame_of(const char* label) { return std::string("[\"") + label + '"'; }

struct ClientWriter {
  std::string operator()(const Publish& m) const {
    return frame_of("EVENT") + ',' + to_json(m.event) + ']';
  }
  std::string operator()(const Subscribe& m) const {
    std::string out = frame_of("REQ");
    append(out, m.subscription);
    for (const Filter& filter : m.filters) out.append(",").append(to_json(filter));
    return out + ']';
  }
  std::string operator()(const Unsubscribe& m) const {
    std::string out = frame_of("CLOSE");
    append(out, m.subscription);
    return out + ']';
  }
  std::string operator()(const Authenticate& m) const {
    return frame_of("AUTH") + ',' + to_json(m.event) + ']';
  }
};

struct RelayWriter {
  std::string operator()(const EventFor<Event>& m) const {
    std::string out = frame_of("EVENT");
    append(out, m.subscription);
    return out + ',' + to_json(m.event) + ']';
  }
  std::string operator()(const Ok& m) const {
    std::string out = frame_of("OK");
    append(out, m.id.hex());
    out.append(m.accepted ? ",true" : ",false");
    append(out, m.text);
    return out + ']';
  }
  std::string operator()(const EndOfStored& m) const {
    std::string out = frame_of("EOSE");
    append(out, m.subscription);
    if (m.finished) out.append(*m.finished ? ",[\"finish\"]" : ",[\"more\"]");
    return out + ']';
  }
  std::string operator()(const Closed& m) const {
    std::string out = frame_of("CLOSED");
    append(out, m.subscription);
    append(out, m.text);
    return out + ']';
  }
  std::string operator()(const Notice& m) const { return labelled("NOTICE", m.text); }
  std::string operator()(const AuthChallenge& m) const { return labelled("AUTH", m.challenge); }

  static std::string labelled(const char* label, const std::string& text) {
    std::string out = frame_of(label);
    append(out, text);
    return out + ']';
  }
};

}  // namespace

Reason reason_of(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Reason::None;
  constexpr std::pair<std::string_view, Reason> kReasons[] = {
      {"duplicate", Reason::Duplicate},
      {"pow", Reason::Pow},
      {"blocked", Reason::Blocked},
      {"rate-limited", Reason::RateLimited},
      {"invalid", Reason::Invalid},
      {"restricted", Reason::Restricted},
      {"mute", Reason::Mute},
      {"error", Reason::Error},
      {"unsupported", Reason::Unsupported},
      {"auth-required", Reason::AuthRequired}};
  for (const auto& [prefix, reason] : kReasons)
    if (text.substr(0, colon) == prefix) return reason;
  return Reason::Error;  // NIP-01: a machine-readable prefix of a kind not known here
}

Result<WireMessage> parse_relay_frame(std::string_view frame) {
  FrameReader in(frame.size());
  if (auto ok = read_frame(frame, in); !ok) return std::unexpected(ok.error());
  const std::string& label = in.label();
  if (label == "OK" && in.are<std::string, bool, std::string>()) return ok_message(in);
  if (label == "NOTICE" && in.are<std::string>()) return Notice{std::move(in.get<std::string>(0))};
  if (label == "AUTH" && in.are<std::string>())
    return AuthChallenge{std::move(in.get<std::string>(0))};
  if (in.elements().empty() || !std::holds_alternative<std::string>(in.elements()[0]))
    return fail("unknown or malformed frame", label.substr(0, kSubscriptionBytesMax));
  std::string subscription = std::move(in.get<std::string>(0));
  if (!is_subscription(subscription)) return fail("subscription id of wrong length");
  if (label == "EVENT" && in.are<std::string, Event>())
    return EventFor<Event>{std::move(subscription), std::move(in.get<Event>(1))};
  if (label == "EOSE" && in.are<std::string>()) return EndOfStored{std::move(subscription), {}};
  if (label == "EOSE" && in.are<std::string, Strings>())
    return EndOfStored{std::move(subscription), finished(in.get<Strings>(1))};
  if (label == "CLOSED" && in.are<std::string, std::string>())
    return Closed{std::move(subscription), std::move(in.get<std::string>(1))};
  return fail("unknown or malformed frame", label.substr(0, kSubscriptionBytesMax));
}

Result<ClientMessage> parse_client_frame(std::string_view frame) {
  FrameReader in(frame.size());
  if (auto ok = read_frame(frame, in); !ok) return std::unexpected(ok.error());
  const std::string& label = in.label();
  auto& elements = in.elements();
  if (label == "EVENT" && in.are<Event>()) return Publish{std::move(in.get<Event>(0))};
  if (label == "AUTH" && in.are<Event>()) return Authenticate{std::move(in.get<Event>(0))};
  if (elements.empty() || !std::holds_alternative<std::string>(elements[0]))
    return fail("unknown or malformed frame", label.substr(0, kSubscriptionBytesMax));
  std::string subscription = std::move(in.get<std::string>(0));
  if (!is_subscription(subscription)) return fail("subscription id of wrong length");
  if (label == "CLOSE" && elements.size() == 1) return Unsubscribe{std::move(subscription)};
  if (label != "REQ" || elements.size() < 2)
    return fail("unknown or malformed frame", label.substr(0, kSubscriptionBytesMax));
  Subscribe request{std::move(subscription), {}};
  for (size_t i = 1; i < elements.size(); ++i) {
    if (!std::holds_alternative<Filter>(elements[i])) return fail("not a filter", "REQ");
    request.filters.push_back(std::move(in.get<Filter>(i)));
  }
  return request;
}

std::string to_frame(const ClientMessage& message) { return std::visit(ClientWriter{}, message); }
std::string to_frame(const WireMessage& message) { return std::visit(RelayWriter{}, message); }

}  // namespace paygress::nostr
