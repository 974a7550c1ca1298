#include "core/cashu/mint_api.h"

#include <algorithm>
#include <charconv>

#include "core/base/check.h"
#include "core/cashu/json.h"
#include "core/cashu/keyset.h"
#include "core/cashu/token.h"
#include "core/crypto/point.h"

namespace paygress::cashu {
namespace {

namespace bj = json::bj;

constexpr size_t kNameBytesMax = 256;
constexpr size_t kPreimageBytesMax = 256;
constexpr uint64_t kNutMax = 999;

template <class T, json::WithDleq... options>
bj::array write_all(std::span<const T> items) {
  bj::array out;
  out.reserve(items.size());
  for (const T& item : items) out.push_back(json::write(item, options...));
  return out;
}

std::string percent_encoded(std::string_view argument) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : argument) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

// --- answers -------------------------------------------------------------------------------------

// NUT-06 has three shapes: {"supported": bool}, {"supported": [..]} and {"methods", "disabled"}.
bool is_supported(const bj::value& setting) {
  const auto* object = setting.if_object();
  if (object == nullptr) return false;
  if (const auto* disabled = json::find(*object, "disabled");
      disabled != nullptr && disabled->is_bool() && disabled->get_bool())
    return false;
  const auto* supported = json::find(*object, "supported");
  return supported == nullptr || !supported->is_bool() || supported->get_bool();
}

Result<InfoAnswer> read_info(const bj::object& body) {
  InfoAnswer answer;
  if (const auto name = json::text(body, "name", kNameBytesMax)) answer.name = *name;
  const auto* nuts = json::find(body, "nuts");
  if (nuts == nullptr || !nuts->is_object()) return fail("missing member", "nuts");
  for (const auto& [key, setting] : nuts->get_object()) {
    uint64_t number = 0;
    const auto read = std::from_chars(key.data(), key.data() + key.size(), number);
    if (read.ec != std::errc{} || read.ptr != key.data() + key.size() || number > kNutMax) continue;
    if (is_supported(setting)) answer.nuts.push_back(static_cast<uint32_t>(number));
  }
  std::ranges::sort(answer.nuts);
  const auto repeated = std::ranges::unique(answer.nuts);
  answer.nuts.erase(repeated.begin(), repeated.end());
  return answer;
}

Result<std::map<Amount, Point>> read_keys(const bj::object& keyset) {
  const auto* keys = json::find(keyset, "keys");
  if (keys == nullptr || !keys->is_object()) return fail("missing member", "keys");
  if (keys->get_object().size() > kKeysPerKeysetMax)
    return fail("more than " + std::to_string(kKeysPerKeysetMax) + " elements", "keys");
  std::map<Amount, Point> out;
  for (const auto& [name, value] : keys->get_object()) {
    Amount amount = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), amount);
    const bool canonical = read.ec == std::errc{} && read.ptr == name.data() + name.size() &&
                           amount != 0 && name[0] != '0';
    if (!canonical) return fail("an amount is not a positive decimal number", "keys");
    const auto point = json::point(keys->get_object(), {name.data(), name.size()});
    if (!point) return std::unexpected(point.error());
    out.emplace(amount, *point);
  }
  return out;
}

enum class Listing : uint8_t { WithKeys, WithoutKeys };

Result<Keyset> read_keyset(const bj::object& object, std::string id, Listing listing) {
  Keyset keyset;
  keyset.id = std::move(id);
  auto unit = json::text(object, "unit", kUnitBytesMax);
  if (!unit) return std::unexpected(unit.error());
  keyset.unit = std::move(*unit);
  const auto* active = json::find(object, "active");
  if (active != nullptr && !active->is_bool()) return fail("expected true or false", "active");
  if (active == nullptr && listing == Listing::WithoutKeys) return fail("missing member", "active");
  keyset.active = active == nullptr || active->get_bool();
  if (json::find(object, "input_fee_ppk") != nullptr) {
    const auto fee = json::integer(object, "input_fee_ppk");
    if (!fee) return std::unexpected(fee.error());
    keyset.input_fee_ppk = *fee;
  }
  if (json::find(object, "final_expiry") != nullptr) {
    const auto expiry = json::integer(object, "final_expiry");
    if (!expiry) return std::unexpected(expiry.error());
    if (*expiry > static_cast<uint64_t>(UnixSeconds::max().value))
      return fail("beyond the end of time", "final_expiry");
    keyset.final_expiry = UnixSeconds{static_cast<int64_t>(*expiry)};
  }
  if (listing == Listing::WithoutKeys) return keyset;
  auto keys = read_keys(object);
  if (!keys) return std::unexpected(keys.error());
  keyset.keys = std::move(*keys);
  return keyset;
}

Result<KeysetsAnswer> read_keysets(const bj::object& body, Listing listing) {
  const auto items = json::array(body, "keysets", kKeysetsMax);
  if (!items) return std::unexpected(items.error());
  KeysetsAnswer answer;
  for (const bj::value& item : **items) {
    const auto* object = item.if_object();
    if (object == nullptr) return fail("expected an object", "keysets[]");
    auto id = json::text(*object, "id", kNameBytesMax);
    if (!id) return std::unexpected(id.error());
    if (!keyset_version(*id)) continue;
    auto keyset = read_keyset(*object, std::move(*id), listing);
    if (!keyset) return std::unexpected(keyset.error());
    answer.keysets.push_back(std::move(*keyset));
  }
  return answer;
}

Result<SwapAnswer> read_signatures(const bj::object& body) {
  auto list =
      json::list<BlindSignature>(body, "signatures", kAnswerItemsMax, json::blind_signature);
  if (!list) return std::unexpected(list.error());
  return SwapAnswer{std::move(*list)};
}

Result<StateEntry> read_state(const bj::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return fail("expected an object");
  StateEntry entry;
  const auto y = json::point(*object, "Y");
  if (!y) return std::unexpected(y.error());
  entry.y = *y;
  const auto state = json::text(*object, "state", kNameBytesMax);
  if (!state) return std::unexpected(state.error());
  if (*state == "UNSPENT")
    entry.state = ProofState::Unspent;
  else if (*state == "PENDING")
    entry.state = ProofState::Pending;
  else if (*state == "SPENT")
    entry.state = ProofState::Spent;
  else
    return fail("a state that NUT-07 does not have", "state");
  return entry;
}

Result<CheckAnswer> read_states(const bj::object& body) {
  auto list = json::list<StateEntry>(body, "states", kAnswerItemsMax, read_state);
  if (!list) return std::unexpected(list.error());
  return CheckAnswer{std::move(*list)};
}

Result<RestoreAnswer> read_restored(const bj::object& body) {
  auto outputs =
      json::list<BlindedMessage>(body, "outputs", kAnswerItemsMax, json::blinded_message);
  if (!outputs) return std::unexpected(outputs.error());
  const std::string_view name =
      json::find(body, "signatures") == nullptr ? "promises" : "signatures";
  auto list = json::list<BlindSignature>(body, name, kAnswerItemsMax, json::blind_signature);
  if (!list) return std::unexpected(list.error());
  // The two are parallel: without that nobody can tell which output was signed.
  if (outputs->size() != list->size()) return fail("outputs and signatures differ in number");
  return RestoreAnswer{std::move(*outputs), std::move(*list)};
}

// What only a melt quote has; what is null is not there.
Result<void> read_melt_members(const bj::object& body, QuoteAnswer& answer) {
  const auto present = [&](std::string_view name) {
    const auto* member = json::find(body, name);
    return member != nullptr && !member->is_null();
  };
  if (present("fee_reserve")) {
    const auto reserve = json::integer(body, "fee_reserve");
    if (!reserve) return std::unexpected(reserve.error());
    answer.fee_reserve = *reserve;
  }
  if (present("expiry")) {
    const auto expiry = json::integer(body, "expiry");
    if (!expiry) return std::unexpected(expiry.error());
    constexpr auto kEndOfTime = static_cast<uint64_t>(UnixSeconds::max().value);
    answer.expiry = UnixSeconds{static_cast<int64_t>(std::min(*expiry, kEndOfTime))};
  }
  if (present("payment_preimage")) {
    auto preimage = json::text(body, "payment_preimage", kPreimageBytesMax);
    if (!preimage) return std::unexpected(preimage.error());
    answer.preimage = std::move(*preimage);
  }
  if (!present("change")) return {};
  auto change = json::list<BlindSignature>(body, "change", kAnswerItemsMax, json::blind_signature);
  if (!change) return std::unexpected(change.error());
  answer.change = std::move(*change);
  return {};
}

// Mint and melt quotes. Mints of before NUT-04's `state` say `paid`; a melt quote has no `request`.
Result<QuoteAnswer> read_quote(Endpoint endpoint, const bj::object& body) {
  QuoteAnswer answer;
  auto quote = json::text(body, "quote", kQuoteBytesMax);
  if (!quote) return std::unexpected(quote.error());
  answer.quote = std::move(*quote);
  if (json::find(body, "request") != nullptr) {
    auto request = json::text(body, "request", kInvoiceBytesMax);
    if (!request) return std::unexpected(request.error());
    answer.request = std::move(*request);
  }
  if (json::find(body, "amount") != nullptr) {
    const auto amount = json::integer(body, "amount");
    if (!amount) return std::unexpected(amount.error());
    answer.amount = *amount;
  }
  if (endpoint == Endpoint::MeltQuote || endpoint == Endpoint::MeltQuoteState ||
      endpoint == Endpoint::Melt)
    if (const auto read = read_melt_members(body, answer); !read)
      return std::unexpected(read.error());
  const auto* paid = json::find(body, "paid");
  if (json::find(body, "state") == nullptr && paid != nullptr && paid->is_bool()) {
    answer.state = paid->get_bool() ? "PAID" : "UNPAID";
    return answer;
  }
  auto state = json::text(body, "state", kNameBytesMax);
  if (!state) return std::unexpected(state.error());
  answer.state = std::move(*state);
  return answer;
}

template <class T>
MintAnswer or_no_reply(Result<T> answer) {
  if (!answer) return NoReply{};
  return std::move(*answer);
}

MintAnswer parse_success(Endpoint endpoint, const bj::object& body) {
  switch (endpoint) {
    case Endpoint::Info: return or_no_reply(read_info(body));
    case Endpoint::Keys:
    case Endpoint::KeysById: return or_no_reply(read_keysets(body, Listing::WithKeys));
    case Endpoint::Keysets: return or_no_reply(read_keysets(body, Listing::WithoutKeys));
    case Endpoint::Swap:
    case Endpoint::Mint: return or_no_reply(read_signatures(body));
    case Endpoint::CheckState: return or_no_reply(read_states(body));
    case Endpoint::Restore: return or_no_reply(read_restored(body));
    case Endpoint::MintQuote:
    case Endpoint::MintQuoteState:
    case Endpoint::MeltQuote:
    case Endpoint::MeltQuoteState:
    case Endpoint::Melt: return or_no_reply(read_quote(endpoint, body));
  }
  return NoReply{};
}

// A mint's text ends in logs and in front of people: one line, bounded, whole characters.
std::string shown(std::string detail) {
  if (detail.size() > kDetailBytesMax) {
    size_t end = kDetailBytesMax;
    while (end > 0 && (static_cast<uint8_t>(detail[end]) & 0xc0) == 0x80) --end;
    detail.resize(end);
  }
  std::ranges::replace_if(
      detail, [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }, ' ');
  return detail;
}

MintError parse_error(uint32_t http_status, std::string_view body) {
  MintError error;
  error.http_status = http_status;
  if (body.size() > kAnswerBytesMax) return error;
  const auto object = json::parse_object(body);
  if (!object) return error;
  if (const auto code = json::integer(*object, "code"); code && *code <= UINT32_MAX)
    error.code = static_cast<uint32_t>(*code);
  const auto* detail = json::find(*object, "detail");
  if (detail == nullptr) return error;
  const auto* text = detail->if_string();
  error.detail = shown(text != nullptr ? std::string(text->data(), text->size())
                                       : std::string(bj::serialize(*detail)));
  return error;
}

}  // namespace

bool is_post(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::Swap:
    case Endpoint::CheckState:
    case Endpoint::Restore:
    case Endpoint::MintQuote:
    case Endpoint::Mint:
    case Endpoint::MeltQuote:
    case Endpoint::Melt: return true;
    case Endpoint::Info:
    case Endpoint::Keys:
    case Endpoint::Keysets:
    case Endpoint::KeysById:
    case Endpoint::MintQuoteState:
    case Endpoint::MeltQuoteState: return false;
  }
  return false;
}

std::string endpoint_path(Endpoint endpoint, std::string_view argument) {
  switch (endpoint) {
    case Endpoint::Info: return "/v1/info";
    case Endpoint::Keys: return "/v1/keys";
    case Endpoint::Keysets: return "/v1/keysets";
    case Endpoint::KeysById: return "/v1/keys/" + percent_encoded(argument);
    case Endpoint::Swap: return "/v1/swap";
    case Endpoint::CheckState: return "/v1/checkstate";
    case Endpoint::Restore: return "/v1/restore";
    case Endpoint::MintQuote: return "/v1/mint/quote/bolt11";
    case Endpoint::MintQuoteState: return "/v1/mint/quote/bolt11/" + percent_encoded(argument);
    case Endpoint::Mint: return "/v1/mint/bolt11";
    case Endpoint::MeltQuote: return "/v1/melt/quote/bolt11";
    case Endpoint::MeltQuoteState: return "/v1/melt/quote/bolt11/" + percent_encoded(argument);
    case Endpoint::Melt: return "/v1/melt/bolt11";
  }
  PG_CHECK(!"an endpoint without a path");
  return {};
}

Bytes encode_swap_request(std::span<const Proof> inputs, std::span<const BlindedMessage> outputs) {
  bj::object body;
  body["inputs"] = write_all<Proof, json::WithDleq::No>(inputs);
  body["outputs"] = write_all<BlindedMessage>(outputs);
  return json::to_bytes(body);
}

Bytes encode_check_request(std::span<const Point> ys) {
  bj::array list;
  for (const Point& y : ys) list.push_back(bj::string(to_hex(y)));
  bj::object body;
  body["Ys"] = std::move(list);
  return json::to_bytes(body);
}

Bytes encode_restore_request(std::span<const BlindedMessage> outputs) {
  bj::object body;
  body["outputs"] = write_all<BlindedMessage>(outputs);
  return json::to_bytes(body);
}

Bytes encode_mint_quote_request(Amount amount, std::string_view unit) {
  bj::object body;
  body["amount"] = amount;
  body["unit"] = bj::string_view(unit.data(), unit.size());
  return json::to_bytes(body);
}

Bytes encode_mint_request(std::string_view quote, std::span<const BlindedMessage> outputs) {
  bj::object body;
  body["quote"] = bj::string_view(quote.data(), quote.size());
  body["outputs"] = write_all<BlindedMessage>(outputs);
  return json::to_bytes(body);
}

Bytes encode_melt_quote_request(std::string_view invoice, std::string_view unit) {
  bj::object body;
  body["request"] = bj::string_view(invoice.data(), invoice.size());
  body["unit"] = bj::string_view(unit.data(), unit.size());
  return json::to_bytes(body);
}

Bytes encode_melt_request(std::string_view quote, std::span<const Proof> inputs,
                          std::span<const BlindedMessage> outputs) {
  bj::object body;
  body["quote"] = bj::string_view(quote.data(), quote.size());
  body["inputs"] = write_all<Proof, json::WithDleq::No>(inputs);
  body["outputs"] = write_all<BlindedMessage>(outputs);
  return json::to_bytes(body);
}

MintAnswer parse_answer(Endpoint endpoint, uint32_t http_status, std::string_view body) {
  if (http_status >= 400 && http_status <= 599) return parse_error(http_status, body);
  if (http_status < 200 || http_status > 299 || body.size() > kAnswerBytesMax) return NoReply{};
  const auto object = json::parse_object(body);
  if (!object) return NoReply{};
  return parse_success(endpoint, *object);
}

}  // namespace paygress::cashu
