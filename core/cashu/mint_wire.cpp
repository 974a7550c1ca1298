#include "core/cashu/mint_wire.h"

#include <array>

#include "core/cashu/json.h"
#include "core/cashu/mint_api.h"
#include "core/cashu/token.h"

namespace paygress::cashu {
namespace {

namespace bj = json::bj;

constexpr std::array kEndpoints = {
    Endpoint::Info,     Endpoint::Keys,      Endpoint::Keysets,
    Endpoint::KeysById, Endpoint::Swap,      Endpoint::CheckState,
    Endpoint::Restore,  Endpoint::MintQuote, Endpoint::MintQuoteState,
    Endpoint::Mint,     Endpoint::MeltQuote, Endpoint::MeltQuoteState,
    Endpoint::Melt};

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const auto byte = from_hex(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1) return std::nullopt;
    out.push_back(static_cast<char>((*byte)[0]));
    i += 2;
  }
  return out;
}

Result<bj::object> parse_body(std::string_view body) {
  if (body.size() > kRequestBytesMax)
    return fail("request is longer than " + std::to_string(kRequestBytesMax) + " bytes");
  return json::parse_object(body);
}

Result<std::vector<BlindedMessage>> read_outputs(const bj::object& object) {
  return json::list<BlindedMessage>(object, "outputs", kRequestItemsMax, json::blinded_message);
}

Result<Point> read_point(const bj::value& value) {
  // A list element has no name of its own; borrow the reader of members.
  bj::object holder;
  holder["Y"] = value;
  return json::point(holder, "Y");
}

bj::object write_keyset(const Keyset& keyset, bool with_keys) {
  bj::object out;
  out["id"] = keyset.id;
  out["unit"] = keyset.unit;
  out["active"] = keyset.active;
  out["input_fee_ppk"] = keyset.input_fee_ppk;
  if (keyset.final_expiry) out["final_expiry"] = keyset.final_expiry->value;
  if (!with_keys) return out;
  bj::object keys;
  for (const auto& [amount, key] : keyset.keys) keys[std::to_string(amount)] = to_hex(key);
  out["keys"] = std::move(keys);
  return out;
}

Bytes write_keyset_list(const KeysetsAnswer& answer, bool with_keys) {
  bj::array list;
  for (const Keyset& keyset : answer.keysets) list.push_back(write_keyset(keyset, with_keys));
  bj::object out;
  out["keysets"] = std::move(list);
  return json::to_bytes(out);
}

bj::array write_signature_list(std::span<const BlindSignature> signatures) {
  bj::array list;
  for (const BlindSignature& signature : signatures) list.push_back(json::write(signature));
  return list;
}

const char* state_name(ProofState state) {
  switch (state) {
    case ProofState::Unspent: return "UNSPENT";
    case ProofState::Pending: return "PENDING";
    case ProofState::Spent: break;
  }
  return "SPENT";
}

}  // namespace

std::optional<Route> route_request(bool post, std::string_view path) {
  for (const Endpoint endpoint : kEndpoints) {
    if (is_post(endpoint) != post) continue;
    const std::string known = endpoint_path(endpoint);
    if (!known.ends_with('/')) {
      if (path == known) return Route{endpoint, {}};
      continue;
    }
    if (!path.starts_with(known) || path.size() == known.size()) continue;
    const std::string_view rest = path.substr(known.size());
    if (rest.find('/') != std::string_view::npos) continue;
    auto argument = percent_decoded(rest);
    if (!argument) return std::nullopt;
    return Route{endpoint, std::move(*argument)};
  }
  return std::nullopt;
}

Result<SwapRequest> parse_swap_request(std::string_view body) {
  const auto object = parse_body(body);
  if (!object) return std::unexpected(object.error());
  auto inputs = json::list<Proof>(*object, "inputs", kRequestItemsMax, json::proof);
  if (!inputs) return std::unexpected(inputs.error());
  for (Proof& input : *inputs) input.dleq.reset();
  auto outputs = read_outputs(*object);
  if (!outputs) return std::unexpected(outputs.error());
  return SwapRequest{std::move(*inputs), std::move(*outputs)};
}

Result<std::vector<Point>> parse_check_request(std::string_view body) {
  const auto object = parse_body(body);
  if (!object) return std::unexpected(object.error());
  return json::list<Point>(*object, "Ys", kRequestItemsMax, read_point);
}

Result<std::vector<BlindedMessage>> parse_restore_request(std::string_view body) {
  const auto object = parse_body(body);
  if (!object) return std::unexpected(object.error());
  return read_outputs(*object);
}

Result<MintQuoteRequest> parse_mint_quote_request(std::string_view body) {
  const auto object = parse_body(body);
  if (!object) return std::unexpected(object.error());
  const auto amount = json::integer(*object, "amount");
  if (!amount) return std::unexpected(amount.error());
  auto unit = json::text(*object, "unit", kUnitBytesMax);
  if (!unit) return std::unexpected(unit.error());
  return MintQuoteRequest{*amount, std::move(*unit)};
}

Result<MintRequest> parse_mint_request(std::string_view body) {
  const auto object = parse_body(body);
  if (!object) return std::unexpected(object.error());
  auto quote = json::text(*object, "quote", kQuoteBytesMax);
  if (!quote) return std::unexpected(quote.error());
  auto outputs = read_outputs(*object);
  if (!outputs) return std::unexpected(outputs.error());
  return MintRequest{std::move(*quote), std::move(*outputs)};
}

Result<MeltQuoteRequest> parse_melt_quote_request(std::string_view body) {
  const auto object = parse_body(body);
  if (!object) return std::unexpected(object.error());
  auto invoice = json::text(*object, "request", kInvoiceBytesMax);
  if (!invoice) return std::unexpected(invoice.error());
  auto unit = json::text(*object, "unit", kUnitBytesMax);
  if (!unit) return std::unexpected(unit.error());
  return MeltQuoteRequest{std::move(*invoice), std::move(*unit)};
}

Result<MeltRequest> parse_melt_request(std::string_view body) {
  const auto object = parse_body(body);
  if (!object) return std::unexpected(object.error());
  auto quote = json::text(*object, "quote", kQuoteBytesMax);
  if (!quote) return std::unexpected(quote.error());
  auto inputs = json::list<Proof>(*object, "inputs", kRequestItemsMax, json::proof);
  if (!inputs) return std::unexpected(inputs.error());
  for (Proof& input : *inputs) input.dleq.reset();
  MeltRequest request{std::move(*quote), std::move(*inputs), {}};
  if (json::find(*object, "outputs") == nullptr) return request;
  auto outputs = read_outputs(*object);
  if (!outputs) return std::unexpected(outputs.error());
  request.outputs = std::move(*outputs);
  return request;
}

Bytes write_info(const InfoAnswer& answer) {
  bj::object nuts;
  for (const uint32_t number : answer.nuts) {
    bj::object setting;
    // NUT-04 and NUT-05 list methods instead of saying "supported".
    if (number == 4 || number == 5)
      setting["disabled"] = false;
    else
      setting["supported"] = true;
    nuts[std::to_string(number)] = std::move(setting);
  }
  bj::object out;
  out["name"] = answer.name;
  out["nuts"] = std::move(nuts);
  return json::to_bytes(out);
}

Bytes write_keys(const KeysetsAnswer& answer) { return write_keyset_list(answer, true); }

Bytes write_keysets(const KeysetsAnswer& answer) { return write_keyset_list(answer, false); }

Bytes write_signatures(const SwapAnswer& answer) {
  bj::object out;
  out["signatures"] = write_signature_list(answer.signatures);
  return json::to_bytes(out);
}

Bytes write_states(const CheckAnswer& answer) {
  bj::array list;
  for (const StateEntry& entry : answer.states) {
    bj::object state;
    state["Y"] = to_hex(entry.y);
    state["state"] = state_name(entry.state);
    list.push_back(std::move(state));
  }
  bj::object out;
  out["states"] = std::move(list);
  return json::to_bytes(out);
}

Bytes write_restored(const RestoreAnswer& answer) {
  bj::array outputs;
  for (const BlindedMessage& output : answer.outputs) outputs.push_back(json::write(output));
  bj::object out;
  out["outputs"] = std::move(outputs);
  out["signatures"] = write_signature_list(answer.signatures);
  return json::to_bytes(out);
}

Bytes write_quote(const QuoteAnswer& answer, std::string_view unit) {
  bj::object out;
  out["quote"] = answer.quote;
  out["request"] = answer.request;
  out["amount"] = answer.amount;
  out["unit"] = bj::string_view(unit.data(), unit.size());
  out["state"] = answer.state;
  return json::to_bytes(out);
}

Bytes write_melt_quote(const QuoteAnswer& answer, std::string_view unit) {
  bj::object out;
  out["quote"] = answer.quote;
  out["request"] = answer.request;
  out["amount"] = answer.amount;
  out["fee_reserve"] = answer.fee_reserve;
  out["unit"] = bj::string_view(unit.data(), unit.size());
  out["state"] = answer.state;
  out["expiry"] = nullptr;
  if (answer.expiry) out["expiry"] = answer.expiry->value;
  out["payment_preimage"] = nullptr;
  if (!answer.preimage.empty()) out["payment_preimage"] = answer.preimage;
  if (answer.change) out["change"] = write_signature_list(*answer.change);
  return json::to_bytes(out);
}

Bytes write_error(uint32_t code, std::string_view detail) {
  bj::object out;
  out["detail"] = bj::string_view(detail.data(), detail.size());
  out["code"] = code;
  return json::to_bytes(out);
}

}  // namespace paygress::cashu
