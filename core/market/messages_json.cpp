#include "core/market/messages_json.h"

#include "core/base/check.h"
#include "core/market/time_text.h"
#include "core/nostr/nip19.h"

namespace paygress::market::json {

void JsonValue<PubKey>::read(Reading& in, const Where& at, const Node& node, PubKey& value) {
  if (!detail::expect(in, at, node, Kind::String)) return;
  // The usual form needs no curve check: what counts is that it equals a key that signed.
  if (const auto plain = PubKey::parse(node.text)) {
    value = *plain;
  } else if (const auto other = nostr::parse_public_key(node.text)) {
    value = *other;
  } else {
    in.refuse(at, "must be a public key (64 hex digits or npub)");
  }
}

void JsonValue<PubKey>::write(std::string& out, const PubKey& value) {
  put_string(out, value.hex());
}

void JsonValue<UnixSeconds>::read(Reading& in, const Where& at, const Node& node,
                                  UnixSeconds& value) {
  const auto max = static_cast<uint64_t>(kUnixSecondsMax.value);
  if (const auto number = detail::read_unsigned(in, at, node, max))
    value.value = static_cast<int64_t>(*number);
}

void JsonValue<UnixSeconds>::write(std::string& out, const UnixSeconds& value) {
  PG_CHECK(value.value >= 0 && value <= kUnixSecondsMax);
  out += std::to_string(value.value);
}

void JsonValue<Rfc3339>::read(Reading& in, const Where& at, const Node& node, Rfc3339& value) {
  if (!detail::expect(in, at, node, Kind::String)) return;
  const auto time = parse_rfc3339(node.text);
  if (!time) return in.refuse(at, "must be an RFC 3339 time");
  value.at = *time;
}

void JsonValue<Rfc3339>::write(std::string& out, const Rfc3339& value) {
  put_string(out, to_rfc3339(value.at));
}

namespace {

constexpr size_t kExponentDigitsMax = 3;  // an f32 never needs more
constexpr size_t kDigitsMax = 64;

// `number` follows JSON's grammar and has no sign. Nothing when it is absurdly long or over 100 %.
std::optional<uint32_t> thousandths(std::string_view number) {
  const size_t e = number.find_first_of("eE");
  std::string_view mantissa = number.substr(0, e);
  int64_t exponent = 3;
  if (e != number.npos) {
    std::string_view digits = number.substr(e + 1);
    const bool negative = digits.front() == '-';
    if (negative || digits.front() == '+') digits.remove_prefix(1);
    if (digits.size() > kExponentDigitsMax) return std::nullopt;
    int64_t value = 0;
    for (const char c : digits) value = value * 10 + (c - '0');
    exponent += negative ? -value : value;
  }
  if (mantissa.size() > kDigitsMax) return std::nullopt;
  std::string digits;
  const size_t point = mantissa.find('.');
  digits += mantissa.substr(0, point);
  if (point != mantissa.npos) digits += mantissa.substr(point + 1);
  // How many of the digits stand before the point once it has moved by the exponent.
  const int64_t whole =
      static_cast<int64_t>(point == mantissa.npos ? digits.size() : point) + exponent;
  uint32_t value = 0;
  for (int64_t i = 0; i < whole; ++i) {
    const bool given = i < static_cast<int64_t>(digits.size());
    value = value * 10 + (given ? static_cast<uint32_t>(digits[static_cast<size_t>(i)] - '0') : 0);
    if (value > kFullPercent.thousandths) return std::nullopt;
  }
  return value;
}

}  // namespace

void JsonValue<Percent>::read(Reading& in, const Where& at, const Node& node, Percent& value) {
  if (!detail::expect(in, at, node, Kind::Number)) return;
  PG_CHECK(!node.text.empty());
  const auto number = node.text.front() == '-' ? std::nullopt : thousandths(node.text);
  if (!number) return in.refuse(at, "must be a percentage from 0 to 100");
  value.thousandths = *number;
}

void JsonValue<Percent>::write(std::string& out, const Percent& value) {
  PG_CHECK(value <= kFullPercent);
  std::string fraction = std::to_string(1000 + value.thousandths % 1000).substr(1);
  while (fraction.size() > 1 && fraction.back() == '0') fraction.pop_back();
  out += std::to_string(value.thousandths / 1000) + "." + fraction;
}

namespace {

// The two forms of ReplicationMode as the described structs they are on the wire.
struct TagOnly {
  ReplicationKind mode = ReplicationKind::None;
};
BOOST_DESCRIBE_STRUCT(TagOnly, (), (mode))

}  // namespace

void JsonValue<ReplicationMode>::read(Reading& in, const Where& at, const Node& node,
                                      ReplicationMode& value) {
  TagOnly tag;
  detail::read_object(in, at, node, tag);
  value = {tag.mode, {}};
  if (in.over() || tag.mode != ReplicationKind::WarmStandby) return;
  detail::read_object(in, at, node, value);
}

void JsonValue<ReplicationMode>::write(std::string& out, const ReplicationMode& value) {
  if (value.mode == ReplicationKind::WarmStandby) return detail::write_object(out, value);
  detail::write_object(out, TagOnly{value.mode});
}

}  // namespace paygress::market::json

namespace paygress::market {
namespace {

Result<json::Node> parse_message(std::string_view text) {
  return json::parse_tree(text, {kMessageBytesMax, kMessageDepthMax});
}

template <class T>
Result<T> read_message(const json::Node& tree) {
  T value;
  json::Reading in(json::Reading::Mode::FirstError);
  json::read(in, json::Where{}, tree, value);
  if (!in.errors.empty()) return std::unexpected(std::move(in.errors.front()));
  return value;
}

template <class T>
Result<T> parse_as(std::string_view text) {
  const auto tree = parse_message(text);
  if (!tree) return std::unexpected(tree.error());
  return read_message<T>(*tree);
}

template <class T>
std::string write_message(const T& value) {
  std::string out;
  json::write(out, value);
  return out;
}

// A StopRequest is a StatusRequest with the action between its members.
struct StopOnWire {
  std::string pod_id;
  std::string action = "stop";
  std::optional<RequestId> request_id;
};
BOOST_DESCRIBE_STRUCT(StopOnWire, (), (pod_id, action, request_id))

Result<Request> read_status_or_stop(const json::Node& tree) {
  auto status = read_message<StatusRequest>(tree);
  if (!status) return std::unexpected(status.error());
  const json::Node* action = tree.find("action");
  if (action == nullptr || action->is_null()) return Request(std::move(*status));
  auto stop = read_message<StopOnWire>(tree);
  if (!stop) return std::unexpected(stop.error());
  if (stop->action != "stop") return fail("is none of the known actions", "action");
  return Request(StopRequest{std::move(stop->pod_id), stop->request_id});
}

}  // namespace

std::string to_json(const Offer& m) { return write_message(m); }
std::string to_json(const Heartbeat& m) { return write_message(m); }
std::string to_json(const Revocation& m) { return write_message(m); }
std::string to_json(const Promotion& m) { return write_message(m); }
std::string to_json(const Claim& m) { return write_message(m); }

std::string to_json(const Request& m) {
  if (const auto* stop = std::get_if<StopRequest>(&m))
    return write_message(StopOnWire{stop->pod_id, "stop", stop->request_id});
  return std::visit([](const auto& request) { return write_message(request); }, m);
}

std::string to_json(const Reply& m) {
  return std::visit([](const auto& reply) { return write_message(reply); }, m);
}

Result<Offer> parse_offer(std::string_view json) { return parse_as<Offer>(json); }
Result<Heartbeat> parse_heartbeat(std::string_view json) { return parse_as<Heartbeat>(json); }
Result<Revocation> parse_revocation(std::string_view json) { return parse_as<Revocation>(json); }
Result<Promotion> parse_promotion(std::string_view json) { return parse_as<Promotion>(json); }
Result<Claim> parse_claim(std::string_view json) { return parse_as<Claim>(json); }

Result<Request> parse_request(std::string_view json) {
  const auto tree = parse_message(json);
  if (!tree) return std::unexpected(tree.error());
  if (tree->kind != json::Kind::Object) return fail("must be an object");
  auto spawn = read_message<SpawnRequest>(*tree);
  if (spawn) return Request(std::move(*spawn));
  auto topup = read_message<TopUpRequest>(*tree);
  if (topup) return Request(std::move(*topup));
  auto status = read_status_or_stop(*tree);
  if (status) return status;
  // None fits: say what is wrong with the one that was most likely meant.
  if (tree->find("pod_image") != nullptr) return std::unexpected(spawn.error());
  if (tree->find("pod_npub") != nullptr) return std::unexpected(topup.error());
  if (tree->find("pod_id") != nullptr) return status;
  if (tree->find("cashu_token") != nullptr) return std::unexpected(spawn.error());
  return fail("is no spawn, top-up, status or stop request");
}

Result<Reply> parse_reply(std::string_view json) {
  const auto tree = parse_message(json);
  if (!tree) return std::unexpected(tree.error());
  if (tree->kind != json::Kind::Object) return fail("must be an object");
  auto error = read_message<ErrorReply>(*tree);
  if (error) return Reply(std::move(*error));
  auto access = read_message<AccessDetails>(*tree);
  if (access) return Reply(std::move(*access));
  auto topup = read_message<TopUpReply>(*tree);
  if (topup) return Reply(std::move(*topup));
  auto status = read_message<StatusReply>(*tree);
  if (status) return Reply(std::move(*status));
  if (tree->find("error_type") != nullptr) return std::unexpected(error.error());
  if (tree->find("node_port") != nullptr) return std::unexpected(access.error());
  if (tree->find("success") != nullptr) return std::unexpected(topup.error());
  if (tree->find("pod_id") != nullptr) return std::unexpected(status.error());
  return fail("is no reply of a provider");
}

const std::optional<RequestId>& request_id_of(const Request& m) {
  return std::visit([](const auto& r) -> const auto& { return r.request_id; }, m);
}

const std::optional<RequestId>& request_id_of(const Reply& m) {
  return std::visit([](const auto& r) -> const auto& { return r.request_id; }, m);
}

}  // namespace paygress::market
