#include "core/cashu/token.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <cbor.h>

#include "core/base/check.h"
#include "core/cashu/cbor.h"
#include "core/cashu/json.h"
#include "core/cashu/keyset.h"
#include "core/cashu/mint_url.h"

namespace paygress::cashu {
namespace {

constexpr std::string_view kV3 = "cashuA";
constexpr std::string_view kV4 = "cashuB";
constexpr std::array<std::string_view, 4> kUriPrefixes = {"web+cashu://", "web+cashu:", "cashu://",
                                                          "cashu:"};

std::string cap(std::string_view what, size_t maximum, std::string_view unit) {
  return std::string(what) + " is beyond the limit of " + std::to_string(maximum) + " " +
         std::string(unit);
}

std::string_view strip(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(kSpace) - first + 1);
  for (const std::string_view prefix : kUriPrefixes)
    if (text.starts_with(prefix)) return text.substr(prefix.size());
  return text;
}

// The same mint, as far as a token can tell: a whitelist decides about the URL later.
bool same_mint(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto left = normalise_mint_url(a);
  const auto right = normalise_mint_url(b);
  return left && right && *left == *right;
}

Result<void> check_token_keyset_id(std::string_view id) {
  if (is_short_keyset_id(id)) return {};  // in a V4 token
  const auto version = keyset_version(id);
  if (!version) return std::unexpected(version.error());
  return {};
}

Result<void> check_proof(const Proof& proof) {
  if (proof.amount == 0) return fail("amount is 0");
  if (proof.secret.empty()) return fail("secret is empty");
  if (proof.secret.size() > kSecretBytesMax) return fail(cap("secret", kSecretBytesMax, "bytes"));
  if (!is_utf8(proof.secret) || !is_utf8(proof.witness)) return fail("text is not UTF-8");
  if (proof.witness.size() > kWitnessBytesMax)
    return fail(cap("witness", kWitnessBytesMax, "bytes"));
  if (proof.c[0] != 0x02 && proof.c[0] != 0x03) return fail("C is not a compressed point");
  return check_token_keyset_id(proof.keyset);
}

// What every token must satisfy, read or written.
Result<void> check_token_form(const Token& token) {
  if (token.mint.empty()) return fail("token has no mint URL");
  if (token.mint.size() > kMintUrlBytesMax) return fail(cap("mint URL", kMintUrlBytesMax, "bytes"));
  if (token.unit.size() > kUnitBytesMax) return fail(cap("unit", kUnitBytesMax, "bytes"));
  if (token.memo.size() > kMemoBytesMax) return fail(cap("memo", kMemoBytesMax, "bytes"));
  if (!is_utf8(token.mint) || !is_utf8(token.unit) || !is_utf8(token.memo))
    return fail("text is not UTF-8");
  if (token.proofs.empty()) return fail("token has no proofs");
  if (token.proofs.size() > kProofsMax) return fail(cap("token", kProofsMax, "proofs"));
  std::set<std::string_view> secrets;
  for (size_t i = 0; i < token.proofs.size(); ++i) {
    const std::string where = "proofs[" + std::to_string(i) + "]";
    if (const auto ok = check_proof(token.proofs[i]); !ok) return fail(ok.error().message, where);
    if (!secrets.insert(token.proofs[i].secret).second)
      return fail("two proofs have the same secret", where);
  }
  if (const auto sum = total(token.proofs); !sum) return std::unexpected(sum.error());
  return {};
}

// --- V3 ------------------------------------------------------------------------------------------

Result<std::string> optional_text(const json::bj::object& object, std::string_view name,
                                  size_t bytes_max) {
  if (json::find(object, name) == nullptr) return std::string();
  return json::text(object, name, bytes_max);
}

Result<Token> read_v3(ByteView bytes) {
  const auto object = json::parse_object(as_text(bytes));
  if (!object) return std::unexpected(object.error());
  const auto entries = json::array(*object, "token", kProofsMax);
  if (!entries) return std::unexpected(entries.error());
  Token token;
  for (const json::bj::value& value : **entries) {
    const auto* entry = value.if_object();
    if (entry == nullptr) return fail("expected an object", "token[]");
    auto mint = json::text(*entry, "mint", kMintUrlBytesMax);
    if (!mint) return std::unexpected(mint.error());
    if (mint->empty()) return fail("token has no mint URL");
    if (token.mint.empty()) token.mint = *mint;
    if (!same_mint(token.mint, *mint))
      return fail("token is of several mints; one payment must be of one mint");
    auto proofs = json::list<Proof>(*entry, "proofs", kProofsMax, json::proof);
    if (!proofs) return std::unexpected(proofs.error());
    if (token.proofs.size() + proofs->size() > kProofsMax)
      return fail(cap("token", kProofsMax, "proofs"));
    std::ranges::move(*proofs, std::back_inserter(token.proofs));
  }
  auto unit = optional_text(*object, "unit", kUnitBytesMax);
  if (!unit) return std::unexpected(unit.error());
  auto memo = optional_text(*object, "memo", kMemoBytesMax);
  if (!memo) return std::unexpected(memo.error());
  token.unit = std::move(*unit);
  token.memo = std::move(*memo);
  return token;
}

std::string write_v3(const Token& token) {
  json::bj::array proofs;
  for (const Proof& proof : token.proofs) proofs.push_back(json::write(proof, json::WithDleq::Yes));
  json::bj::object entry;
  entry["mint"] = token.mint;
  entry["proofs"] = std::move(proofs);
  json::bj::object object;
  object["token"] = json::bj::array{std::move(entry)};
  if (!token.unit.empty()) object["unit"] = token.unit;
  if (!token.memo.empty()) object["memo"] = token.memo;
  return std::string(kV3) + to_base64(json::to_bytes(object), Base64::UrlSafe, false);
}

// --- V4 ------------------------------------------------------------------------------------------

Result<void> take_text(CborReader& in, std::string& out, std::string_view what, size_t bytes_max) {
  const auto item = in.next(CborType::Text);
  if (!item) return std::unexpected(item.error());
  if (item->bytes.size() > bytes_max) return in.error(cap(what, bytes_max, "bytes"));
  out = as_text(item->bytes);
  return {};
}

template <size_t N>
Result<void> take_bytes(CborReader& in, ByteArray<N>& out) {
  const auto item = in.next(CborType::Bytes);
  if (!item) return std::unexpected(item.error());
  if (item->bytes.size() != N) return in.error("expected " + std::to_string(N) + " bytes");
  std::copy(item->bytes.begin(), item->bytes.end(), out.begin());
  return {};
}

Result<void> take_dleq(CborReader& in, std::optional<Dleq>& out, int depth) {
  Dleq dleq;
  bool has_e = false;
  bool has_s = false;
  const auto read = in.read_map([&](std::string_view key) -> Result<void> {
    if (key == "e") return has_e = true, take_bytes(in, dleq.e);
    if (key == "s") return has_s = true, take_bytes(in, dleq.s);
    if (key == "r") return take_bytes(in, dleq.r.emplace());
    return in.skip(depth + 1);
  });
  if (!read) return read;
  if (!has_e || !has_s) return in.error("dleq lacks e or s");
  out = dleq;
  return {};
}

Result<void> take_proof(CborReader& in, Proof& proof, int depth) {
  bool has_c = false;
  const auto read = in.read_map([&](std::string_view key) -> Result<void> {
    if (key == "a") {
      const auto amount = in.next(CborType::Uint);
      if (!amount) return std::unexpected(amount.error());
      proof.amount = amount->number;
      return {};
    }
    if (key == "s") return take_text(in, proof.secret, "secret", kSecretBytesMax);
    if (key == "c") return has_c = true, take_bytes(in, proof.c);
    if (key == "d") return take_dleq(in, proof.dleq, depth + 1);
    if (key == "w") return take_text(in, proof.witness, "witness", kWitnessBytesMax);
    return in.skip(depth + 1);
  });
  if (!read) return read;
  if (!has_c) return in.error("proof lacks c");
  return {};
}

// One element of "t": the proofs of one keyset.
Result<void> take_keyset(CborReader& in, std::vector<Proof>& proofs, int depth) {
  std::string id;
  const size_t first = proofs.size();
  const auto read = in.read_map([&](std::string_view key) -> Result<void> {
    if (key == "i") {
      const auto item = in.next(CborType::Bytes);
      if (!item) return std::unexpected(item.error());
      if (item->bytes.empty() || item->bytes.size() > 33)
        return in.error("a keyset id has 8 or 33 bytes");
      id = to_hex(item->bytes);
      return {};
    }
    if (key != "p") return in.skip(depth + 1);
    const auto list = in.next(CborType::Array);
    if (!list) return std::unexpected(list.error());
    if (list->number > kProofsMax - proofs.size())
      return in.error(cap("token", kProofsMax, "proofs"));
    for (uint64_t i = 0; i < list->number; ++i)
      if (auto ok = take_proof(in, proofs.emplace_back(), depth + 2); !ok) return ok;
    return {};
  });
  if (!read) return read;
  if (id.empty()) return in.error("proofs without a keyset id");
  for (size_t i = first; i < proofs.size(); ++i) proofs[i].keyset = id;
  return {};
}

Result<Token> read_v4(ByteView bytes) {
  CborReader in(bytes);
  Token token;
  const auto read = in.read_map([&](std::string_view key) -> Result<void> {
    if (key == "m") return take_text(in, token.mint, "mint URL", kMintUrlBytesMax);
    if (key == "u") return take_text(in, token.unit, "unit", kUnitBytesMax);
    if (key == "d") return take_text(in, token.memo, "memo", kMemoBytesMax);
    if (key != "t") return in.skip(1);
    const auto list = in.next(CborType::Array);
    if (!list) return std::unexpected(list.error());
    for (uint64_t i = 0; i < list->number; ++i)
      if (auto ok = take_keyset(in, token.proofs, 2); !ok) return ok;
    return {};
  });
  if (!read) return std::unexpected(read.error());
  if (!in.at_end()) return in.error("bytes after the token");
  return token;
}

// Writes the shortest form of each head (RFC 8949 section 4.2.1).
class CborWriter {
 public:
  void array(size_t count) { head(cbor_encode_array_start, count); }
  void map(size_t count) { head(cbor_encode_map_start, count); }
  void uint(uint64_t value) { head(cbor_encode_uint, value); }
  void text(std::string_view content) {
    head(cbor_encode_string_start, content.size());
    put(as_bytes(content));
  }
  void bytes(ByteView content) {
    head(cbor_encode_bytestring_start, content.size());
    put(content);
  }
  const Bytes& written() const { return out_; }

 private:
  template <class Encode, class Value>
  void head(Encode encode_head, Value value) {
    ByteArray<9> buffer;
    const size_t size = encode_head(value, buffer.data(), buffer.size());
    PG_CHECK(size > 0 && size <= buffer.size());
    put(ByteView(buffer).first(size));
  }
  void put(ByteView content) { out_.insert(out_.end(), content.begin(), content.end()); }

  Bytes out_;
};

void put_proof(CborWriter& out, const Proof& proof) {
  out.map(3 + (proof.dleq ? 1 : 0) + (proof.witness.empty() ? 0 : 1));
  out.text("a");
  out.uint(proof.amount);
  out.text("s");
  out.text(proof.secret);
  out.text("c");
  out.bytes(proof.c);
  if (proof.dleq) {
    out.text("d");
    out.map(proof.dleq->r ? 3 : 2);
    out.text("e");
    out.bytes(proof.dleq->e);
    out.text("s");
    out.bytes(proof.dleq->s);
    if (proof.dleq->r) {
      out.text("r");
      out.bytes(*proof.dleq->r);
    }
  }
  if (!proof.witness.empty()) {
    out.text("w");
    out.text(proof.witness);
  }
}

std::string write_v4(const Token& token) {
  std::vector<std::string_view> order;
  std::map<std::string_view, std::vector<const Proof*>> by_keyset;
  for (const Proof& proof : token.proofs) {
    auto& group = by_keyset[proof.keyset];
    if (group.empty()) order.push_back(proof.keyset);
    group.push_back(&proof);
  }
  CborWriter out;
  out.map(2 + (token.unit.empty() ? 0 : 1) + (token.memo.empty() ? 0 : 1));
  out.text("t");
  out.array(order.size());
  for (const std::string_view id : order) {
    const auto id_bytes = from_hex(id);
    PG_CHECK(id_bytes.has_value());
    out.map(2);
    out.text("i");
    out.bytes(*id_bytes);
    out.text("p");
    out.array(by_keyset[id].size());
    for (const Proof* proof : by_keyset[id]) put_proof(out, *proof);
  }
  if (!token.memo.empty()) {
    out.text("d");
    out.text(token.memo);
  }
  out.text("m");
  out.text(token.mint);
  if (!token.unit.empty()) {
    out.text("u");
    out.text(token.unit);
  }
  return std::string(kV4) + to_base64(out.written(), Base64::UrlSafe, false);
}

}  // namespace

Result<Amount> total(std::span<const Proof> proofs) {
  Amount sum = 0;
  for (const Proof& proof : proofs)
    if (__builtin_add_overflow(sum, proof.amount, &sum))
      return fail("the sum of the amounts is above 2^64 - 1");
  return sum;
}

Result<Token> decode_token(std::string_view text) {
  if (text.size() > kTokenBytesMax) return fail(cap("token", kTokenBytesMax, "bytes"));
  const std::string_view stripped = strip(text);
  const bool is_v3 = stripped.starts_with(kV3);
  if (!is_v3 && !stripped.starts_with(kV4))
    return fail(stripped.starts_with("cashu") ? "token version is neither cashuA nor cashuB"
                                              : "not a Cashu token: it begins with neither cashuA "
                                                "nor cashuB");
  std::string digits(stripped.substr(kV3.size()));
  std::ranges::replace(digits, '+', '-');
  std::ranges::replace(digits, '/', '_');
  const auto bytes = from_base64(digits, Base64::UrlSafe, Padding::Optional);
  if (!bytes) return std::unexpected(bytes.error());
  auto token = is_v3 ? read_v3(*bytes) : read_v4(*bytes);
  if (!token) return token;
  if (const auto ok = check_token_form(*token); !ok) return std::unexpected(ok.error());
  return token;
}

Result<std::string> encode_token(const Token& token, TokenVersion version) {
  if (const auto ok = check_token_form(token); !ok) return std::unexpected(ok.error());
  std::string text = version == TokenVersion::V3 ? write_v3(token) : write_v4(token);
  if (text.size() > kTokenBytesMax) return fail(cap("token", kTokenBytesMax, "bytes"));
  return text;
}

}  // namespace paygress::cashu
