#include "core/cashu/json.h"

#include "core/cashu/token.h"
#include "core/crypto/point.h"

namespace paygress::cashu::json {
namespace {

constexpr size_t kDepthMax = 16;

std::string_view view(const bj::string& text) { return {text.data(), text.size()}; }

std::unexpected<Error> at(const Error& error, std::string_view name) {
  return fail(error.message, std::string(name));
}

Result<Scalar> scalar(const bj::object& object, std::string_view name) {
  const auto hex = text(object, name, 64);
  if (!hex) return std::unexpected(hex.error());
  const auto bytes = from_hex(*hex);
  if (!bytes) return at(bytes.error(), name);
  Scalar out;
  if (bytes->size() != out.size()) return fail("expected 32 bytes of hex", std::string(name));
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

Result<const bj::object*> object_of(const bj::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return fail("expected an object");
  return object;
}

}  // namespace

Result<bj::value> parse(std::string_view json_text) {
  boost::system::error_code error;
  bj::parse_options options;
  options.max_depth = kDepthMax;
  auto value = bj::parse(bj::string_view(json_text.data(), json_text.size()), error, {}, options);
  if (error) return fail("malformed JSON: " + error.message());
  return value;
}

Result<bj::object> parse_object(std::string_view json_text) {
  auto value = parse(json_text);
  if (!value) return std::unexpected(value.error());
  auto* object = value->if_object();
  if (object == nullptr) return fail("expected a JSON object");
  return std::move(*object);
}

const bj::value* find(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains(bj::string_view(name.data(), name.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<std::string> text(const bj::object& object, std::string_view name, size_t bytes_max) {
  const bj::value* value = find(object, name);
  if (value == nullptr) return fail("missing member", std::string(name));
  const auto* string = value->if_string();
  if (string == nullptr) return fail("expected a text", std::string(name));
  if (string->size() > bytes_max)
    return fail("longer than " + std::to_string(bytes_max) + " bytes", std::string(name));
  return std::string(view(*string));
}

Result<uint64_t> as_integer(const bj::value& value, std::string_view name) {
  if (const auto* number = value.if_uint64()) return *number;
  if (const auto* number = value.if_int64(); number != nullptr && *number >= 0)
    return static_cast<uint64_t>(*number);
  return fail("expected an integer in [0, 2^64)", std::string(name));
}

Result<uint64_t> integer(const bj::object& object, std::string_view name) {
  const bj::value* value = find(object, name);
  if (value == nullptr) return fail("missing member", std::string(name));
  return as_integer(*value, name);
}

Result<const bj::array*> array(const bj::object& object, std::string_view name, size_t items_max) {
  const bj::value* value = find(object, name);
  if (value == nullptr) return fail("missing member", std::string(name));
  const auto* items = value->if_array();
  if (items == nullptr) return fail("expected a list", std::string(name));
  if (items->size() > items_max)
    return fail("more than " + std::to_string(items_max) + " elements", std::string(name));
  return items;
}

Result<Point> point_shape(const bj::object& object, std::string_view name) {
  const auto hex = text(object, name, 66);
  if (!hex) return std::unexpected(hex.error());
  const auto bytes = from_hex(*hex);
  if (!bytes) return at(bytes.error(), name);
  Point out;
  if (bytes->size() != out.size() || ((*bytes)[0] != 0x02 && (*bytes)[0] != 0x03))
    return fail("expected a compressed point of 33 bytes", std::string(name));
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

Result<Point> point(const bj::object& object, std::string_view name) {
  const auto shaped = point_shape(object, name);
  if (!shaped) return shaped;
  if (const auto parsed = crypto::CurvePoint::parse(*shaped); !parsed)
    return at(parsed.error(), name);
  return shaped;
}

Result<std::optional<Dleq>> dleq(const bj::object& object) {
  const bj::value* value = find(object, "dleq");
  if (value == nullptr) return std::optional<Dleq>{};
  const auto members = object_of(*value);
  if (!members) return at(members.error(), "dleq");
  Dleq out;
  const auto e = scalar(**members, "e");
  if (!e) return std::unexpected(e.error());
  const auto s = scalar(**members, "s");
  if (!s) return std::unexpected(s.error());
  out.e = *e;
  out.s = *s;
  if (find(**members, "r") != nullptr) {
    const auto r = scalar(**members, "r");
    if (!r) return std::unexpected(r.error());
    out.r = *r;
  }
  return std::optional<Dleq>(out);
}

Result<Proof> proof(const bj::value& value) {
  const auto members = object_of(value);
  if (!members) return std::unexpected(members.error());
  const auto amount = integer(**members, "amount");
  if (!amount) return std::unexpected(amount.error());
  auto id = text(**members, "id", kKeysetIdBytesMax);
  if (!id) return std::unexpected(id.error());
  auto secret = text(**members, "secret", kSecretBytesMax);
  if (!secret) return std::unexpected(secret.error());
  const auto c = point_shape(**members, "C");
  if (!c) return std::unexpected(c.error());
  const auto proven = dleq(**members);
  if (!proven) return std::unexpected(proven.error());
  Proof out{*amount, std::move(*id), std::move(*secret), *c, {}, *proven};
  if (find(**members, "witness") != nullptr) {
    auto witness = text(**members, "witness", kWitnessBytesMax);
    if (!witness) return std::unexpected(witness.error());
    out.witness = std::move(*witness);
  }
  return out;
}

Result<BlindedMessage> blinded_message(const bj::value& value) {
  const auto members = object_of(value);
  if (!members) return std::unexpected(members.error());
  const auto amount = integer(**members, "amount");
  if (!amount) return std::unexpected(amount.error());
  auto id = text(**members, "id", kKeysetIdBytesMax);
  if (!id) return std::unexpected(id.error());
  const auto b = point(**members, "B_");
  if (!b) return std::unexpected(b.error());
  return BlindedMessage{*amount, std::move(*id), *b};
}

Result<BlindSignature> blind_signature(const bj::value& value) {
  const auto members = object_of(value);
  if (!members) return std::unexpected(members.error());
  const auto amount = integer(**members, "amount");
  if (!amount) return std::unexpected(amount.error());
  auto id = text(**members, "id", kKeysetIdBytesMax);
  if (!id) return std::unexpected(id.error());
  const auto c = point(**members, "C_");
  if (!c) return std::unexpected(c.error());
  const auto proven = dleq(**members);
  if (!proven) return std::unexpected(proven.error());
  return BlindSignature{*amount, std::move(*id), *c, *proven};
}

namespace {

bj::object write_dleq(const Dleq& proven) {
  bj::object out;
  out["e"] = to_hex(proven.e);
  out["s"] = to_hex(proven.s);
  if (proven.r) out["r"] = to_hex(*proven.r);
  return out;
}

}  // namespace

bj::object write(const Proof& proof, WithDleq with_dleq) {
  bj::object out;
  out["amount"] = proof.amount;
  out["id"] = proof.keyset;
  out["secret"] = proof.secret;
  out["C"] = to_hex(proof.c);
  if (!proof.witness.empty()) out["witness"] = proof.witness;
  if (with_dleq == WithDleq::Yes && proof.dleq) out["dleq"] = write_dleq(*proof.dleq);
  return out;
}

bj::object write(const BlindedMessage& message) {
  bj::object out;
  out["amount"] = message.amount;
  out["id"] = message.keyset;
  out["B_"] = to_hex(message.b);
  return out;
}

bj::object write(const BlindSignature& signature) {
  bj::object out;
  out["amount"] = signature.amount;
  out["id"] = signature.keyset;
  out["C_"] = to_hex(signature.c);
  if (signature.dleq) {
    Dleq public_part = *signature.dleq;
    public_part.r.reset();
    out["dleq"] = write_dleq(public_part);
  }
  return out;
}

Bytes to_bytes(const bj::value& value) {
  const std::string serialized = bj::serialize(value);
  const ByteView bytes = paygress::as_bytes(serialized);
  return {bytes.begin(), bytes.end()};
}

}  // namespace paygress::cashu::json
